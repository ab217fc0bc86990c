/// \file Elementwise ops, norms and activations: shapes, folds, import.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Activation.h"
#include "dialects/hourglass/Hourglass.h"
#include "dialects/hourglass/Layer.h"
#include <cmath>

using namespace mlir;

namespace segc::hg {

static LogicalResult passThrough(ArrayRef<Shape> operands, SmallVectorImpl<Shape> &results) {
  results.push_back(operands[0]);
  return success();
}

/// Every vector operand from `first` on must have one value per channel.
static LogicalResult checkVectors(Operation *op, SizeTable &table, ArrayRef<Shape> operands, unsigned first) {
  if (operands[0].dims.size() < 2)
    return op->emitOpError("needs a value with channels");
  for (const Shape &vector : operands.drop_front(first))
    if (vector.dims.size() != 1 || vector.dims[0] != operands[0].dims[1])
      return op->emitOpError("each vector must have one value per channel (")
             << table.constantValue(operands[0].dims[1]).value_or(0) << ")";
  return success();
}

//===-- add, sub, mul, scale --===//

static LogicalResult elementwiseShape(Operation *op, SizeTable &table, ArrayRef<Shape> operands,
                                      SmallVectorImpl<Shape> &results) {
  static const char *const axes[] = {"batch", "channels", "height", "width"};
  const Shape &a = operands[0], &b = operands[1];
  if (a.dims.size() != 4 || b.dims.size() != 4)
    return op->emitOpError("needs rank-4 operands");
  for (unsigned axis = 0; axis < 4; ++axis)
    if (failed(
            requireEqual(op, table, a.dims[axis], b.dims[axis], Twine("operands differ in ") + axes[axis])))
      return failure();
  return passThrough(operands, results);
}

LogicalResult AddOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                 SmallVectorImpl<Shape> &results) {
  return elementwiseShape(*this, table, operands, results);
}

LogicalResult SubOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                 SmallVectorImpl<Shape> &results) {
  return elementwiseShape(*this, table, operands, results);
}

LogicalResult MulOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                 SmallVectorImpl<Shape> &results) {
  return elementwiseShape(*this, table, operands, results);
}

/// Does `x` have an axis of extent 1 where `like` has another?
static bool needsBroadcast(Value x, Value like) {
  auto from = cast<RankedTensorType>(x.getType()), to = cast<RankedTensorType>(like.getType());
  for (unsigned axis = 0; axis < 4 && from.getRank() == 4 && to.getRank() == 4; ++axis)
    if (from.getDimSize(axis) == 1 && to.getDimSize(axis) != 1)
      return true;
  return false;
}

/// Any number of inputs, from the left to the right; an axis of extent 1 is repeated to the other side's.
static FailureOr<Value> importElementwise(LayerBuilder &layer, StringRef op) {
  auto inputs = layer.inputs(2, 1 << 16);
  if (failed(inputs))
    return failure();
  Value result = (*inputs)[0];
  for (Value next : ArrayRef<Value>(*inputs).drop_front()) {
    Value sides[2] = {result, next};
    // The second side is repeated to what the first one is by then.
    for (unsigned side : {0u, 1u}) {
      if (!needsBroadcast(sides[side], sides[1 - side]))
        continue;
      auto full = layer.create("hourglass.broadcast", {sides[side], sides[1 - side]}, {});
      if (failed(full))
        return failure();
      sides[side] = (*full)->getResult(0);
    }
    auto combined = layer.create(op, sides, {});
    if (failed(combined))
      return failure();
    result = (*combined)->getResult(0);
  }
  return layer.finish(result);
}

FailureOr<Value> AddOp::importLayer(LayerBuilder &layer) {
  return importElementwise(layer, getOperationName());
}
FailureOr<Value> SubOp::importLayer(LayerBuilder &layer) {
  return importElementwise(layer, getOperationName());
}
FailureOr<Value> MulOp::importLayer(LayerBuilder &layer) {
  return importElementwise(layer, getOperationName());
}

SmallVector<Value> AddOp::transpose(OpBuilder &, Value cotangent) { return {cotangent, cotangent}; }

SmallVector<Value> SubOp::transpose(OpBuilder &b, Value cotangent) {
  auto negative = createInferred<ScaleOp>(b, getLoc(), cotangent.getType(), cotangent, b.getF64FloatAttr(-1));
  return {cotangent, negative ? negative.getY() : Value()};
}

LogicalResult ScaleOp::checkAttributes() {
  return std::isfinite(getFactor().convertToDouble()) ? success() : emitOpError("factor must be finite");
}

LogicalResult ScaleOp::inferShapes(SizeTable &, ArrayRef<Shape> operands, SmallVectorImpl<Shape> &results) {
  if (operands[0].dims.size() != 4)
    return emitOpError("needs a rank-4 operand");
  return passThrough(operands, results);
}

SmallVector<Value> ScaleOp::transpose(OpBuilder &b, Value cotangent) {
  auto scaled = createInferred<ScaleOp>(b, getLoc(), cotangent.getType(), cotangent, getFactorAttr());
  return {scaled ? scaled.getY() : Value()};
}

//===-- activation --===//

LogicalResult ActivationOp::checkAttributes() {
  const ActivationFunction *row = findActivation(getFunction());
  if (!row)
    return emitOpError("unknown activation ") << getFunction();
  if ((getFunction() == "prelu") != (getSlope() != nullptr))
    return emitOpError("a slope vector goes with prelu, and only with it");
  if (getAlpha() && !row->hasAlpha)
    return emitOpError(getFunction()) << " takes no alpha";
  if (getAlpha() && !std::isfinite(getAlpha()->convertToDouble()))
    return emitOpError("alpha must be finite");
  return success();
}

LogicalResult ActivationOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                        SmallVectorImpl<Shape> &results) {
  if (failed(checkVectors(*this, table, operands, 1)))
    return failure();
  return passThrough(operands, results);
}

OpFoldResult ActivationOp::fold(FoldAdaptor) {
  // relu(relu(x)) = relu(x)
  auto inner = getX().getDefiningOp<ActivationOp>();
  return inner && getFunction() == "relu" && (inner.getFunction() == "relu" || inner.getFunction() == "relu6")
             ? OpFoldResult(getX())
             : OpFoldResult();
}

FailureOr<Value> ActivationOp::importLayer(LayerBuilder &layer) {
  LayerFields &fields = layer.fields();
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  SmallVector<StringRef> names;
  for (const ActivationFunction &function : activationFunctions())
    names.push_back(function.name);
  auto type = fields.word("type", std::nullopt, names);
  if (failed(inputs) || failed(type))
    return failure();
  SmallVector<NamedAttribute> attributes = {b.getNamedAttr("function", b.getStringAttr(*type))};
  const ActivationFunction *function = findActivation(*type);
  if (function->hasAlpha) {
    auto alpha = fields.number("alpha", function->defaultAlpha);
    if (failed(alpha))
      return failure();
    attributes.push_back(b.getNamedAttr("alpha", b.getF64FloatAttr(*alpha)));
  }
  SmallVector<Value> operands = *inputs;
  if (*type == "prelu") {
    auto slope = layer.weight("weight", {cast<RankedTensorType>(operands[0].getType()).getDimSize(1)},
                              "constant:0.25");
    if (failed(slope))
      return failure();
    operands.push_back(*slope);
  }
  auto op = layer.create("hourglass.activation", operands, attributes);
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

//===-- dropout --===//

LogicalResult DropoutOp::checkAttributes() {
  double rate = getRate().convertToDouble();
  return rate >= 0 && rate < 1 ? success() : emitOpError("rate must lie in [0, 1)");
}

LogicalResult DropoutOp::inferShapes(SizeTable &, ArrayRef<Shape> operands, SmallVectorImpl<Shape> &results) {
  return passThrough(operands, results);
}

FailureOr<Value> DropoutOp::importLayer(LayerBuilder &layer) {
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  auto rate = layer.fields().number("rate", std::nullopt);
  if (failed(inputs) || failed(rate))
    return failure();
  auto op = layer.create("hourglass.dropout", *inputs, {b.getNamedAttr("rate", b.getF64FloatAttr(*rate))});
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

//===-- norm and affine --===//

LogicalResult NormOp::checkAttributes() {
  double eps = getEps().convertToDouble(), momentum = getMomentum().convertToDouble();
  if (!(eps > 0) || !std::isfinite(eps))
    return emitOpError("eps must be positive");
  if (!(momentum >= 0 && momentum <= 1))
    return emitOpError("momentum must lie between 0 and 1");
  return success();
}

LogicalResult NormOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                  SmallVectorImpl<Shape> &results) {
  if (failed(checkVectors(*this, table, operands, 1)))
    return failure();
  return passThrough(operands, results);
}

LogicalResult AffineOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                    SmallVectorImpl<Shape> &results) {
  if (failed(checkVectors(*this, table, operands, 1)))
    return failure();
  return passThrough(operands, results);
}

} // namespace segc::hg
