/// \file What all pools with a window share: its geometry, its checks, its shape and its fields.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include "dialects/hourglass/Layer.h"

namespace segc::hg {

/// The window of a pool along axis 0 (height) or 1 (width).
template <typename OpT>
WindowMap poolWindow(OpT op, unsigned axis, bool ceil, llvm::ArrayRef<int64_t> dilation = {1, 1}) {
  WindowMap map;
  map.kernel = op.getKernel()[axis];
  map.stride = op.getStride()[axis];
  map.dilation = dilation[axis];
  map.before = op.getPadding()[axis];
  map.after = op.getPadding()[axis + 2];
  map.same = op.getSame();
  map.ceil = ceil;
  return map;
}

/// Numbers and ranges of the window's attributes.
template <typename OpT>
mlir::LogicalResult verifyPoolWindow(OpT op, llvm::ArrayRef<int64_t> dilation = {1, 1}) {
  if (op.getKernel().size() != 2 || op.getStride().size() != 2 || dilation.size() != 2 ||
      op.getPadding().size() != 4)
    return op.emitOpError("needs two kernel extents, strides and dilations and four paddings");
  for (unsigned axis = 0; axis < 2; ++axis) {
    WindowMap map = op.window(axis);
    if (map.kernel < 1 || map.stride < 1 || map.dilation < 1)
      return op.emitOpError("kernel, stride and dilation must be positive");
    // A window must never lie wholly in the padding (PyTorch asks the same).
    if (!map.same && (map.before < 0 || map.after < 0 || 2 * std::max(map.before, map.after) > map.reach()))
      return op.emitOpError("padding must lie between 0 and half of what the window spans (")
             << map.reach() << " pixels)";
  }
  return mlir::success();
}

/// The shape of the pool of `x`.
template <typename OpT> mlir::FailureOr<Shape> pooledShape(OpT op, SizeTable &table, const Shape &x) {
  if (x.dims.size() != 4)
    return op.emitOpError("needs a rank-4 operand");
  Shape y{{x.dims[0], x.dims[1]}, x.element};
  for (unsigned axis = 0; axis < 2; ++axis) {
    WindowMap map = op.window(axis);
    Size extent = map.result(table, x.dims[2 + axis]);
    if (mlir::failed(requireAtLeast(op, table, extent, 1,
                                    llvm::Twine("the window spans ") + llvm::Twine(map.reach()) +
                                        " pixels, more than the padded " + (axis ? "width" : "height") +
                                        " of its operand")))
      return mlir::failure();
    y.dims.push_back(extent);
  }
  return y;
}

/// The fields `kernel` (of at most `largest` pixels an axis), `stride`, `padding` and `ceil` as attributes.
mlir::FailureOr<llvm::SmallVector<mlir::NamedAttribute>> importPoolWindow(LayerBuilder &layer,
                                                                          int64_t largest);

} // namespace segc::hg
