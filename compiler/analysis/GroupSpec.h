/// \file From a group's body to its kernel: the problem, and which operand is which argument.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include "schedules/KernelSpec.h"

namespace segc {

/// What a kernel argument that a group reads is: pixels, weights in the schedule's packing, a vector padded
/// to whole cache lines, or plain numbers.
enum class ReadRole { Activation, Weight, Vector, Plain };

struct GroupRead {
  unsigned operand; ///< of the group
  ReadRole role;
  std::string field;      ///< of the spec: gets the activation's pixel stride; empty if the kernel takes any
  int epilogue = -1;      ///< whose tensor operand it is
  bool broadcast = false; ///< axes of extent 1 are repeated to those of the result
};

/// A group as a kernel: the spec has dense pixel strides until the planner knows better.
struct GroupKernel {
  schedules::KernelSpec spec;
  mlir::Operation *anchor = nullptr; ///< the op that names the kernel; for pure pointwise chains the first op
  llvm::SmallVector<GroupRead> reads; ///< in the kernel's argument order
  llvm::SmallVector<unsigned> shapes; ///< operands read for their extents only
};

/// The module attribute that says how activations lie in memory.
constexpr llvm::StringLiteral kPrecision = "hourglass.precision";
/// The module attribute that lets products of f32 be rounded to TF32.
constexpr llvm::StringLiteral kTf32 = "hourglass.tf32";
/// Its value at the op's module: the dtype of kernels on activations; f32 where there is none.
std::string precisionOf(mlir::Operation *op);
/// Tells a spec's rules the extents of its result as the model describes it, where they are known; of a
/// kernel that pools, `result` has those of the maxima.
void setLikelyExtents(schedules::KernelSpec &spec, mlir::RankedTensorType result);
/// Of modules whose library is to have code for sm_90a too; whether that of an op is one.
constexpr llvm::StringLiteral kSm90a = "hourglass.sm_90a";
bool hasSm90a(mlir::Operation *op);

/// What -precision says: precisionOf(), or tf32.
std::string precisionName(mlir::Operation *op);
/// Whether the value lies in memory as f32 whatever the precision is: targets (a label has no digits to
/// lose), the statistics of norms of each image, what a loss's gradient is multiplied by.
bool staysWide(mlir::Value value);
/// The element type of the value's buffer: its own, but for f32 that the precision narrows.
mlir::Type storedType(mlir::Value value);

/// Describes the group; emits an error at the group if no kernel computes it.
mlir::FailureOr<GroupKernel> describeGroup(hg::GroupOp group);

/// Is the result stored straight into the caller's memory? That of an argmax and of an exported group is.
bool writesCallersMemory(hg::GroupOp group);

/// Does an operand begin, or have pixels, at places that are no multiples of `granule` channels? Only a slice
/// cannot be placed elsewhere.
bool readsOddSlice(hg::GroupOp group, int64_t granule);

/// Notes the pixel stride of result `i` where the spec has a field for it; kernels without one take any
/// stride.
void setWriteStride(schedules::KernelSpec &spec, unsigned i, int stride);

} // namespace segc
