/// \file Broadcasting along axes of extent 1, and sums over axes.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"

using namespace mlir;

namespace segc::hg {

static bool isOne(SizeTable &table, Size size) { return table.constantValue(size) == 1; }

//===-- broadcast --===//

unsigned BroadcastOp::firstShapeOperand() { return 1; }

LogicalResult BroadcastOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                       SmallVectorImpl<Shape> &results) {
  Shape y = operands[0];
  if (y.dims.size() != 4 || operands[1].dims.size() != 4)
    return emitOpError("needs rank-4 operands");
  auto x = cast<RankedTensorType>(getX().getType()), like = cast<RankedTensorType>(getLike().getType());
  for (unsigned axis = 0; axis < 4; ++axis) {
    // An extent that happens to be 1 at the model's own extents must then be 1 at all others too.
    bool isOneHere =
        x.getRank() == 4 && like.getRank() == 4 && x.getDimSize(axis) == 1 && like.getDimSize(axis) != 1;
    if (!isOneHere && !isOne(table, y.dims[axis]))
      continue;
    if (failed(requireEqual(*this, table, y.dims[axis], table.constant(1),
                            "what is repeated must have an extent of 1")))
      return failure();
    y.dims[axis] = operands[1].dims[axis];
  }
  results.push_back(y);
  return success();
}

bool BroadcastOp::repeatsChannel() {
  return cast<RankedTensorType>(getX().getType()).getDimSize(1) !=
         cast<RankedTensorType>(getY().getType()).getDimSize(1);
}

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  ArrayRef<int64_t> x = cast<RankedTensorType>(getX().getType()).getShape(),
                    like = cast<RankedTensorType>(getLike().getType()).getShape();
  for (unsigned axis = 0; axis < 4; ++axis)
    if (x[axis] == 1 && like[axis] != 1)
      return {};
  return getX();
}

SmallVector<Value> BroadcastOp::transpose(OpBuilder &b, Value cotangent) {
  SmallVector<int64_t> axes;
  auto x = cast<RankedTensorType>(getX().getType()), y = cast<RankedTensorType>(getY().getType());
  for (int64_t axis = 0; axis < 4; ++axis)
    if (x.getDimSize(axis) == 1 && y.getDimSize(axis) != 1)
      axes.push_back(axis);
  if (axes.empty())
    return {cotangent, Value()};
  auto sum = createInferred<ReduceSumOp>(b, getLoc(), x, cotangent, b.getDenseI64ArrayAttr(axes));
  return {sum ? sum.getY() : Value(), Value()};
}

//===-- reduce_sum --===//

LogicalResult ReduceSumOp::checkAttributes() {
  ArrayRef<int64_t> axes = getAxes();
  bool rising = std::is_sorted(axes.begin(), axes.end(), std::less_equal<>());
  return !axes.empty() && rising && axes.front() >= 0 && axes.back() < 4
             ? success()
             : emitOpError("`axes` must be rising numbers from 0 to 3");
}

LogicalResult ReduceSumOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                       SmallVectorImpl<Shape> &results) {
  Shape y = operands[0];
  if (y.dims.size() != 4)
    return emitOpError("needs a rank-4 operand");
  for (int64_t axis : getAxes())
    y.dims[axis] = table.constant(1);
  results.push_back(y);
  return success();
}

SmallVector<Value> ReduceSumOp::transpose(OpBuilder &b, Value cotangent) {
  auto x = createInferred<BroadcastOp>(b, getLoc(), getX().getType(), cotangent, getX());
  return {x ? x.getY() : Value()};
}

} // namespace segc::hg
