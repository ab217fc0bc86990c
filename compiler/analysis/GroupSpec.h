/// \file From a group's body to its kernel: the problem, and which operand is which argument.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include "schedules/KernelSpec.h"

namespace segc {

/// What a kernel argument that a group reads is.
enum class ReadRole { Activation, Weight, Vector };

struct GroupRead {
  unsigned operand; ///< of the group
  ReadRole role;
};

/// A group as a kernel: the spec has dense pixel strides until the planner knows better.
struct GroupKernel {
  schedules::KernelSpec spec;
  mlir::Operation *anchor = nullptr; ///< the op that names the kernel; for pure pointwise chains the first op
  llvm::SmallVector<GroupRead> reads; ///< in the kernel's argument order
  llvm::SmallVector<unsigned> shapes; ///< operands read for their extents only
};

/// Describes the group; emits an error at the group if no kernel computes it.
mlir::FailureOr<GroupKernel> describeGroup(hg::GroupOp group);

/// Names of the spec fields that hold pixel strides: of activation `i` among the reads, and of result `i`.
/// Empty if the kernel does not have such a field (it takes any stride).
std::string readStrideField(const schedules::KernelSpec &spec, unsigned i);
std::string writeStrideField(const schedules::KernelSpec &spec, unsigned i);

} // namespace segc
