/// \file How activations lie in memory: kernels are built in f32, those of dtype bf16 and f16 load and store
/// 16 bits.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"

namespace segc::schedules {

/// What the schedule's family builds for the spec. With dtype bf16 or f16 every activation that the build
/// declares as f32, operand or result, is of that type in memory: a load widens (exactly), a store rounds to
/// the nearest, ties to even, and keeps NaN; what is too small for a normal number may become 0. The families
/// do not know of it, but those that take bf16 operands as they are. The caller's side of `import` and
/// `export`, vectors and f32 weights stay what they are.
KernelBuild buildKernel(const KernelSpec &spec, const Schedule &schedule, Isa isa);

} // namespace segc::schedules
