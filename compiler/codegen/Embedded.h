/// \file What segc carries inside itself: the runtime core's objects and the template of a model's header.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace segc {

/// The relocatable object all compiled models share; entry points are named segc_model_*. That of libraries
/// with a training table has the functions of training too.
llvm::ArrayRef<uint8_t> coreObject(bool training = false);

/// runtime/include/segc/model.h.in.
llvm::StringRef headerTemplate();

} // namespace segc
