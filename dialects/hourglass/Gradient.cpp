/// \file Ops that only training needs: shapes and transposes.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Activation.h"
#include "dialects/hourglass/Hourglass.h"
#include <cmath>

using namespace mlir;

namespace segc::hg {

static LogicalResult needRank4(Operation *op, ArrayRef<Shape> operands) {
  for (const Shape &shape : operands)
    if (shape.dims.size() != 4)
      return op->emitOpError("needs rank-4 operands");
  return success();
}

/// Both operands must have the extents that the result has.
static LogicalResult sameExtents(Operation *op, SizeTable &table, const Shape &a, const Shape &b) {
  static const char *const axes[] = {"batch", "channels", "height", "width"};
  if (failed(needRank4(op, {a, b})))
    return failure();
  for (unsigned axis = 0; axis < 4; ++axis)
    if (failed(
            requireEqual(op, table, a.dims[axis], b.dims[axis], Twine("operands differ in ") + axes[axis])))
      return failure();
  return success();
}

static LogicalResult needVectors(Operation *op, ArrayRef<Shape> vectors, Size channels) {
  for (const Shape &vector : vectors)
    if (vector.dims.size() != 1 || vector.dims[0] != channels)
      return op->emitOpError("each vector must have one value per channel");
  return success();
}

//===-- conv_weight_grad --===//

WindowMap ConvWeightGradOp::window(unsigned axis) {
  WindowMap map;
  map.kernel = getKernel()[axis];
  map.stride = getStride()[axis];
  map.dilation = getDilation()[axis];
  map.before = getPadding()[axis];
  map.after = getPadding()[axis + 2];
  map.same = getSame();
  return map;
}

LogicalResult ConvWeightGradOp::checkAttributes() {
  if (getKernel().size() != 2 || getStride().size() != 2 || getDilation().size() != 2 ||
      getPadding().size() != 4)
    return emitOpError("needs two kernel extents, strides and dilations and four paddings");
  for (unsigned axis = 0; axis < 2; ++axis)
    if (getKernel()[axis] < 1 || getStride()[axis] < 1 || getDilation()[axis] < 1)
      return emitOpError("kernel, stride and dilation must be positive");
  return success();
}

LogicalResult ConvWeightGradOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                            SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  const Shape &x = operands[0], &dy = operands[1];
  auto in = table.constantValue(x.dims[1]), out = table.constantValue(dy.dims[1]);
  int64_t groups = getGroups();
  if (!in || !out || groups < 1 || *in % groups || *out % groups)
    return emitOpError("channels must be known multiples of groups");
  if (failed(requireEqual(*this, table, x.dims[0], dy.dims[0], "operands differ in batch")))
    return failure();
  results.push_back({{dy.dims[1], table.constant(*in / groups), table.constant(getKernel()[0]),
                      table.constant(getKernel()[1])},
                     x.element});
  return success();
}

int64_t ConvWeightGradOp::macs() {
  auto dy = cast<RankedTensorType>(getDy().getType()), dw = cast<RankedTensorType>(getDw().getType());
  return dy.hasStaticShape() ? dy.getDimSize(0) * dy.getDimSize(2) * dy.getDimSize(3) * dw.getNumElements()
                             : 0;
}

//===-- derivatives --===//

LogicalResult ActivationGradOp::checkAttributes() {
  const ActivationFunction *row = findActivation(getFunction());
  if (!row)
    return emitOpError("unknown activation ") << getFunction();
  if ((getFunction() == "prelu") != (getSlope() != nullptr))
    return emitOpError("a slope vector goes with prelu, and only with it");
  if (getFromValue() && !row->derivativeOfValue)
    return emitOpError("the derivative of ") << getFunction() << " needs the operand, not the value";
  return success();
}

LogicalResult ActivationGradOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                            SmallVectorImpl<Shape> &results) {
  if (failed(sameExtents(*this, table, operands[0], operands[1])) ||
      failed(needVectors(*this, operands.drop_front(2), operands[0].dims[1])))
    return failure();
  results.push_back(operands[0]);
  return success();
}

LogicalResult SoftmaxGradOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                         SmallVectorImpl<Shape> &results) {
  results.push_back(operands[0]);
  return sameExtents(*this, table, operands[0], operands[1]);
}

LogicalResult LogSoftmaxGradOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                            SmallVectorImpl<Shape> &results) {
  results.push_back(operands[0]);
  return sameExtents(*this, table, operands[0], operands[1]);
}

unsigned PadTransposeOp::firstShapeOperand() { return 1; }

LogicalResult PadTransposeOp::checkAttributes() {
  if (getMode() != "reflect" && getMode() != "replicate")
    return emitOpError("mode must be reflect or replicate, not ") << getMode();
  if (getAmount().size() != 4 || llvm::any_of(getAmount(), [](int64_t pixels) { return pixels < 0; }))
    return emitOpError("amount needs four numbers, none negative");
  return success();
}

LogicalResult PadTransposeOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                          SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  Shape y{{operands[0].dims[0], operands[0].dims[1]}, operands[0].element};
  for (unsigned axis = 0; axis < 2; ++axis) {
    Size padded = table.plus(operands[1].dims[2 + axis], getAmount()[axis] + getAmount()[axis + 2]);
    if (failed(requireEqual(*this, table, operands[0].dims[2 + axis], padded,
                            "the operand is no padded `like`")))
      return failure();
    y.dims.push_back(operands[1].dims[2 + axis]);
  }
  results.push_back(y);
  return success();
}

//===-- dropout --===//

LogicalResult StepSeedOp::inferShapes(SizeTable &table, ArrayRef<Shape>, SmallVectorImpl<Shape> &results) {
  results.push_back({{table.constant(2)}, IntegerType::get(getContext(), 32)});
  return success();
}

LogicalResult DropOp::checkAttributes() {
  double rate = getRate().convertToDouble();
  return rate >= 0 && rate < 1 ? success() : emitOpError("rate must lie in [0, 1)");
}

LogicalResult DropOp::inferShapes(SizeTable &, ArrayRef<Shape> operands, SmallVectorImpl<Shape> &results) {
  results.push_back(operands[0]);
  return needRank4(*this, operands[0]);
}

SmallVector<Value> DropOp::transpose(OpBuilder &builder, Value cotangent) {
  auto drop = createInferred<DropOp>(builder, getLoc(), getX().getType(), cotangent, getSeed(), getRateAttr(),
                                     getSiteAttr());
  return {drop ? drop.getY() : Value(), Value()};
}

//===-- sums over pixels --===//

LogicalResult ChannelSumsOp::checkAttributes() {
  StringRef kind = getKind();
  if (kind != "sum" && kind != "stats" && kind != "product" && kind != "negative")
    return emitOpError("kind must be sum, stats, product or negative, not ") << kind;
  if ((getOther() != nullptr) != (kind == "product" || kind == "negative"))
    return emitOpError("a second operand goes with the kinds product and negative, and only with them");
  return success();
}

LogicalResult ChannelSumsOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                         SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)) ||
      (getOther() && failed(sameExtents(*this, table, operands[0], operands[1]))))
    return failure();
  const Shape &x = operands[0];
  int64_t columns = getKind() == "sum" || getKind() == "negative" ? 1 : 3;
  results.push_back({{x.dims[0], x.dims[1], bandsOf(table, x.dims[2]), table.constant(columns)},
                     Float64Type::get(getContext())});
  return success();
}

Size bandsOf(SizeTable &table, Size height) { return table.min(height, table.constant(32)); }

/// A finishing op's operand: sums with `columns` columns; adds `count` vectors as results.
static LogicalResult finish(Operation *op, SizeTable &table, ArrayRef<Shape> operands, int64_t columns,
                            unsigned count, SmallVectorImpl<Shape> &results) {
  const Shape &sums = operands[0];
  if (sums.dims.size() != 4 || table.constantValue(sums.dims[3]).value_or(columns) != columns)
    return op->emitOpError("needs sums of ") << columns << " columns";
  results.append(count, {{sums.dims[1]}, Float32Type::get(op->getContext())});
  return success();
}

LogicalResult FinishSumOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                       SmallVectorImpl<Shape> &results) {
  return finish(*this, table, operands, 1, 1, results);
}

LogicalResult FinishStatsOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                         SmallVectorImpl<Shape> &results) {
  return finish(*this, table, operands, 3, 2, results);
}

LogicalResult FinishNormGradOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                            SmallVectorImpl<Shape> &results) {
  if (failed(finish(*this, table, operands, 3, 5, results)))
    return failure();
  return needVectors(*this, operands.drop_front(), operands[0].dims[1]);
}

LogicalResult NormGradOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                      SmallVectorImpl<Shape> &results) {
  if (failed(sameExtents(*this, table, operands[0], operands[1])) ||
      failed(needVectors(*this, operands.drop_front(2), operands[0].dims[1])))
    return failure();
  results.push_back(operands[0]);
  return success();
}

LogicalResult SumWeightsOp::inferShapes(SizeTable &, ArrayRef<Shape> operands,
                                        SmallVectorImpl<Shape> &results) {
  if (operands[0].dims != operands[1].dims)
    return emitOpError("operands differ in extents");
  results.push_back(operands[0]);
  return success();
}

LogicalResult RunningUpdateOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                           SmallVectorImpl<Shape> &results) {
  SmallVector<Shape> ignored;
  if (failed(finish(*this, table, operands.drop_front(2), 3, 0, ignored)) ||
      failed(needVectors(*this, operands.take_front(2), operands[2].dims[1])))
    return failure();
  results.push_back(operands[0]);
  return success();
}

} // namespace segc::hg
