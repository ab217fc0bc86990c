/// \file What segc carries inside itself: the runtime core's objects and the template of a model's header.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace segc {

/// The relocatable object all compiled models share; entry points are named segc_model_*. That of libraries
/// with a training table has the functions of training too, that of libraries for GPUs opens their drivers.
llvm::ArrayRef<uint8_t> coreObject(bool training = false, bool gpu = false);

/// runtime/include/segc/model.h.in.
llvm::StringRef headerTemplate();

} // namespace segc
