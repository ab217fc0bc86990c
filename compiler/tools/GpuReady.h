/// \file Whether the GPU that a model is compiled for is there.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/Compiler.h"

namespace segc {

/// For commands that run what they compile: false, with the reason printed, where the library would find no
/// CUDA device that it can use ($SEGC_DEVICE, 0). Asked before minutes are spent on compiling.
bool gpuReady(const CompileOptions &compile);

} // namespace segc
