/// \file What segc carries inside itself: the runtime core's object and the template of a model's header.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace segc {

/// The relocatable object all compiled models share; entry points are named segc_model_*.
llvm::ArrayRef<uint8_t> coreObject();

/// runtime/include/segc/model.h.in.
llvm::StringRef headerTemplate();

} // namespace segc
