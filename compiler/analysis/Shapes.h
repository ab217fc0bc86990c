/// \file The extents of all values of a function as expressions over those of its inputs.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace segc {

using ShapeMap = llvm::DenseMap<mlir::Value, hg::Shape>;

/// Shapes of all values of `main` over `table`, whose symbols become the inputs' N, H, W; what must hold of
/// them is in the table's requirements. Errors of the shape functions are emitted at the ops.
mlir::FailureOr<ShapeMap> inferShapes(mlir::func::FuncOp main, hg::SizeTable &table);

/// Is the argument a prepared weight rather than an input of the model?
bool isPrepared(mlir::func::FuncOp main, mlir::BlockArgument argument);

/// Is the extent even whenever the table's requirements hold? False also where that cannot be told.
bool isEven(const hg::SizeTable &table, hg::Size extent);

/// Is every element of a window's attribute (kernel, stride, padding, dilation) `wanted`?
inline bool isAll(llvm::ArrayRef<int64_t> values, int64_t wanted) {
  return llvm::all_of(values, [&](int64_t value) { return value == wanted; });
}

} // namespace segc
