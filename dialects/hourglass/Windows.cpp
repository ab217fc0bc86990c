/// \file Batches of windows, their way back into an image, and the number of their positions.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"

using namespace mlir;

namespace segc::hg {

template <typename OpT> static WindowMap windowOf(OpT op, unsigned axis) {
  WindowMap map;
  map.kernel = op.getKernel()[axis];
  map.stride = op.getStride()[axis];
  map.before = op.getPadding()[axis];
  map.after = op.getPadding()[axis + 2];
  return map;
}

template <typename OpT> static LogicalResult checkWindowAttributes(OpT op) {
  if (op.getKernel().size() != 2 || op.getStride().size() != 2 || op.getPadding().size() != 4)
    return op.emitOpError("needs two kernel extents, two strides and four paddings");
  auto below = [](ArrayRef<int64_t> values, int64_t least) {
    return llvm::any_of(values, [&](int64_t value) { return value < least; });
  };
  if (below(op.getKernel(), 1) || below(op.getStride(), 1) || below(op.getPadding(), 0))
    return op.emitOpError("kernel and stride must be positive, padding not negative");
  return success();
}

/// Rows (axis 0) or columns of positions in an image of extent `in`.
template <typename OpT>
static FailureOr<Size> positionsAlong(OpT op, SizeTable &table, unsigned axis, Size in) {
  WindowMap map = op.window(axis);
  Size count = map.result(table, in);
  if (failed(requireAtLeast(op, table, count, 1,
                            Twine("a window of ") + Twine(map.kernel) + " pixels is larger than the " +
                                (axis ? "width" : "height") + " of the image: positions")))
    return failure();
  return count;
}

/// The rows and columns of positions in the image `x`.
template <typename OpT>
static FailureOr<std::pair<Size, Size>> positionsIn(OpT op, SizeTable &table, const Shape &x) {
  auto rows = positionsAlong(op, table, 0, x.dims[2]);
  auto columns = positionsAlong(op, table, 1, x.dims[3]);
  if (failed(rows) || failed(columns))
    return failure();
  return std::pair(*rows, *columns);
}

static LogicalResult needRank4(Operation *op, ArrayRef<Shape> operands) {
  for (const Shape &shape : operands)
    if (shape.dims.size() != 4)
      return op->emitOpError("needs operands of rank 4");
  return success();
}

//===-- windows --===//

WindowMap WindowsOp::window(unsigned axis) { return windowOf(*this, axis); }
LogicalResult WindowsOp::checkAttributes() { return checkWindowAttributes(*this); }

LogicalResult WindowsOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                     SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  const Shape &x = operands[0];
  auto positions = positionsIn(*this, table, x);
  if (failed(positions))
    return failure();
  auto [rows, columns] = *positions;
  results.push_back({{table.product({x.dims[0], rows, columns}), x.dims[1], table.constant(getKernel()[0]),
                      table.constant(getKernel()[1])},
                     x.element});
  return success();
}

ReceptiveField WindowsOp::receptiveField(ArrayRef<ReceptiveField> operands) { return operands[0]; }

SmallVector<Value> WindowsOp::transpose(OpBuilder &builder, Value cotangent) {
  auto back = createInferred<WindowsTransposeOp>(builder, getLoc(), getX().getType(), cotangent, getX(),
                                                 getKernelAttr(), getStrideAttr(), getPaddingAttr());
  return {back ? back.getY() : Value()};
}

//===-- windows_transpose --===//

WindowMap WindowsTransposeOp::window(unsigned axis) { return windowOf(*this, axis); }
LogicalResult WindowsTransposeOp::checkAttributes() { return checkWindowAttributes(*this); }
unsigned WindowsTransposeOp::firstShapeOperand() { return 1; }

LogicalResult WindowsTransposeOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                              SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  const Shape &x = operands[0], &like = operands[1];
  for (unsigned axis = 0; axis < 2; ++axis)
    if (failed(requireEqual(*this, table, x.dims[2 + axis], table.constant(getKernel()[axis]),
                            Twine("the operand's ") + (axis ? "width" : "height") + " is not the window's")))
      return failure();
  auto positions = positionsIn(*this, table, like);
  if (failed(positions))
    return failure();
  auto [rows, columns] = *positions;
  if (failed(requireEqual(*this, table, x.dims[0], table.product({like.dims[0], rows, columns}),
                          "the operand has another number of windows than `like` has positions")))
    return failure();
  results.push_back({{like.dims[0], x.dims[1], like.dims[2], like.dims[3]}, x.element});
  return success();
}

SmallVector<Value> WindowsTransposeOp::transpose(OpBuilder &builder, Value cotangent) {
  auto forth = createInferred<WindowsOp>(builder, getLoc(), getX().getType(), cotangent, getKernelAttr(),
                                         getStrideAttr(), getPaddingAttr());
  return {forth ? forth.getY() : Value(), Value()};
}

//===-- positions --===//

WindowMap PositionsOp::window(unsigned axis) { return windowOf(*this, axis); }
LogicalResult PositionsOp::checkAttributes() { return checkWindowAttributes(*this); }
unsigned PositionsOp::firstShapeOperand() { return 0; }

LogicalResult PositionsOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                       SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  const Shape &x = operands[0];
  auto positions = positionsIn(*this, table, x);
  if (failed(positions))
    return failure();
  auto [rows, columns] = *positions;
  results.push_back({{x.dims[0], table.constant(1), rows, columns}, x.element});
  return success();
}

} // namespace segc::hg
