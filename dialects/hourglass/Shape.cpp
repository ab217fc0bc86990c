/// \file Ops along the channels: concat, slice, embed, softmax, argmax.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"
#include "dialects/hourglass/Layer.h"

using namespace mlir;

namespace segc::hg {

//===-- concat --===//

LogicalResult ConcatOp::checkAttributes() {
  return getInputs().empty() ? emitOpError("needs operands") : success();
}

LogicalResult ConcatOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                    SmallVectorImpl<Shape> &results) {
  Shape y = operands[0];
  if (y.dims.size() != 4)
    return emitOpError("needs rank-4 operands");
  for (const Shape &x : operands.drop_front()) {
    if (x.dims.size() != 4 || x.element != y.element)
      return emitOpError("operands must have rank 4 and one element type");
    static const char *const axes[] = {"batch", "", "height", "width"};
    for (unsigned axis : {0u, 2u, 3u})
      if (failed(requireEqual(*this, table, y.dims[axis], x.dims[axis],
                              Twine("operands differ in ") + axes[axis] +
                                  (axis ? "; \"crop\": \"center\" crops all of them to the smallest" : ""))))
        return failure();
    y.dims[1] = table.add(y.dims[1], x.dims[1]);
  }
  results.push_back(y);
  return success();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 ? OpFoldResult(getInputs()[0]) : OpFoldResult();
}

SmallVector<Value> ConcatOp::transpose(OpBuilder &builder, Value cotangent) {
  SmallVector<Value> result;
  int64_t offset = 0;
  for (Value input : getInputs()) {
    int64_t size = cast<RankedTensorType>(input.getType()).getDimSize(1);
    auto slice = createInferred<SliceOp>(builder, getLoc(), input.getType(), cotangent, offset, size);
    result.push_back(slice ? slice.getY() : Value());
    offset += size;
  }
  return result;
}

FailureOr<Value> ConcatOp::importLayer(LayerBuilder &layer) {
  LayerFields &fields = layer.fields();
  auto inputs = layer.inputs(1, 1 << 16);
  auto crop = fields.word("crop", "none", {"none", "center"});
  if (failed(inputs) || failed(crop))
    return failure();
  SmallVector<Value> operands = *inputs;
  if (*crop == "center")
    for (Value &operand : operands) {
      // Every operand is cropped to the smallest of all; crops that change nothing fold away.
      SmallVector<Value> cropped{operand};
      cropped.append(inputs->begin(), inputs->end());
      auto op = layer.create("hourglass.crop", cropped, {});
      if (failed(op))
        return failure();
      operand = (*op)->getResult(0);
    }
  auto op = layer.create("hourglass.concat", operands, {});
  if (failed(op))
    return failure();
  return layer.finish((*op)->getResult(0));
}

//===-- slice and embed --===//

LogicalResult SliceOp::checkAttributes() {
  return static_cast<int64_t>(getSize()) < 1 || static_cast<int64_t>(getOffset()) < 0
             ? emitOpError("needs a positive size and an offset from 0 on")
             : success();
}

LogicalResult SliceOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                   SmallVectorImpl<Shape> &results) {
  Shape y = operands[0];
  if (y.dims.size() != 4)
    return emitOpError("needs a rank-4 operand");
  if (failed(requireAtLeast(*this, table, y.dims[1], static_cast<int64_t>(getOffset() + getSize()),
                            "the slice ends beyond the operand's channels")))
    return failure();
  y.dims[1] = table.constant(getSize());
  results.push_back(y);
  return success();
}

SmallVector<Value> SliceOp::transpose(OpBuilder &builder, Value cotangent) {
  int64_t channels = cast<RankedTensorType>(getX().getType()).getDimSize(1);
  auto embed = createInferred<EmbedOp>(builder, getLoc(), getX().getType(), cotangent, getOffset(), channels);
  return {embed ? embed.getY() : Value()};
}

LogicalResult EmbedOp::checkAttributes() {
  return static_cast<int64_t>(getOffset()) < 0 || static_cast<int64_t>(getChannels()) < 1
             ? emitOpError("needs an offset from 0 on and positive channels")
             : success();
}

LogicalResult EmbedOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                   SmallVectorImpl<Shape> &results) {
  Shape y = operands[0];
  if (y.dims.size() != 4)
    return emitOpError("needs a rank-4 operand");
  int64_t size = table.constantValue(y.dims[1]).value_or(0);
  if (static_cast<int64_t>(getOffset()) + size > static_cast<int64_t>(getChannels()))
    return emitOpError("the operand's ")
           << size << " channels do not fit at offset " << getOffset() << " of " << getChannels();
  y.dims[1] = table.constant(getChannels());
  results.push_back(y);
  return success();
}

SmallVector<Value> EmbedOp::transpose(OpBuilder &builder, Value cotangent) {
  int64_t size = cast<RankedTensorType>(getX().getType()).getDimSize(1);
  auto slice = createInferred<SliceOp>(builder, getLoc(), getX().getType(), cotangent, getOffset(), size);
  return {slice ? slice.getY() : Value()};
}

//===-- softmax and argmax --===//

template <typename OpT> static FailureOr<Value> importUnary(LayerBuilder &layer) {
  auto inputs = layer.inputs(1, 1);
  if (failed(inputs))
    return failure();
  auto op = layer.create(OpT::getOperationName(), *inputs, {});
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

static LogicalResult sameAsOperand(Operation *op, ArrayRef<Shape> operands, SmallVectorImpl<Shape> &results) {
  if (operands[0].dims.size() != 4)
    return op->emitOpError("needs a rank-4 operand");
  results.push_back(operands[0]);
  return success();
}

LogicalResult SoftmaxOp::inferShapes(SizeTable &, ArrayRef<Shape> operands, SmallVectorImpl<Shape> &results) {
  return sameAsOperand(*this, operands, results);
}
FailureOr<Value> SoftmaxOp::importLayer(LayerBuilder &layer) { return importUnary<SoftmaxOp>(layer); }

LogicalResult LogSoftmaxOp::inferShapes(SizeTable &, ArrayRef<Shape> operands,
                                        SmallVectorImpl<Shape> &results) {
  return sameAsOperand(*this, operands, results);
}
FailureOr<Value> LogSoftmaxOp::importLayer(LayerBuilder &layer) { return importUnary<LogSoftmaxOp>(layer); }

LogicalResult ArgmaxOp::inferShapes(SizeTable &, ArrayRef<Shape> operands, SmallVectorImpl<Shape> &results) {
  const Shape &x = operands[0];
  if (x.dims.size() != 4)
    return emitOpError("needs a rank-4 operand");
  results.push_back({{x.dims[0], x.dims[2], x.dims[3]}, IntegerType::get(getContext(), 32)});
  return success();
}
FailureOr<Value> ArgmaxOp::importLayer(LayerBuilder &layer) { return importUnary<ArgmaxOp>(layer); }

} // namespace segc::hg
