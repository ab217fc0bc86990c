/// \file What every GPU can launch, checked when a kernel is compiled: a driver would refuse it only at run
/// time, and OpenCL on a processor not at all.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>

namespace segc::schedules {

constexpr int kMostSharedBytes = 48 * 1024; ///< of a block, without asking for more
constexpr int kMostThreads = 1024;          ///< of a block

/// Throws Halide::CompileError if a launch in the lowered module takes more, or an amount that is no
/// constant.
void checkLaunches(const Halide::Module &module);

} // namespace segc::schedules
