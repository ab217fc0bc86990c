/// \file Norms: import of every type, and those with statistics of each image (instance, group, layer).
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"
#include "dialects/hourglass/Layer.h"
#include <cmath>

using namespace mlir;

namespace segc::hg {

//===-- import --===//

namespace {

/// The fields of a layer's norm.
struct NormFields {
  std::string type;
  double eps, momentum;
  int64_t groups; ///< of a norm with statistics of each image
  bool affine, frozen;
};

FailureOr<NormFields> readFields(LayerFields &fields, int64_t channels) {
  auto type = fields.word("type", "batch", {"batch", "instance", "group", "layer"});
  auto eps = fields.number("eps", 1e-5);
  auto momentum = fields.number("momentum", 0.1);
  auto affine = fields.boolean("affine", true);
  auto frozen = fields.boolean("frozen", false);
  if (failed(type) || failed(eps) || failed(momentum) || failed(affine) || failed(frozen))
    return failure();
  FailureOr<int64_t> groups = *type == "instance" ? channels : 1;
  if (*type == "group")
    groups = fields.integer("groups", std::nullopt, 1, 1 << 20);
  else if (fields.has("groups"))
    return fields.error("groups",
                        "'groups' goes with the type \"group\" only; the type is \"" + *type + "\"");
  if (failed(groups))
    return failure();
  if (channels % *groups != 0)
    return fields.error("groups",
                        "'groups' (" + Twine(*groups) + ") must divide the " + Twine(channels) + " channels");
  if (!(*eps > 0) || !std::isfinite(*eps))
    return fields.error("eps", "'eps' must be positive");
  if (!(*momentum >= 0 && *momentum <= 1))
    return fields.error("momentum", "'momentum' must lie between 0 and 1");
  return NormFields{*type, *eps, *momentum, *groups, *affine, *frozen};
}

} // namespace

FailureOr<Value> NormOp::importLayer(LayerBuilder &layer) {
  LayerFields &fields = layer.fields();
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  if (failed(inputs))
    return failure();
  auto operand = cast<RankedTensorType>((*inputs)[0].getType());
  if (operand.getRank() != 4)
    return fields.error("", "needs an input with channels");
  int64_t channels = operand.getDimSize(1);
  auto norm = readFields(fields, channels);
  if (failed(norm))
    return failure();
  SmallVector<Value> operands = *inputs;
  auto addVector = [&](StringRef suffix, StringRef init, bool running) -> LogicalResult {
    auto vector = layer.weight(suffix, {channels}, init, running);
    if (failed(vector))
      return failure();
    operands.push_back(*vector);
    return success();
  };
  if (norm->affine &&
      (failed(addVector("weight", "one", norm->frozen)) || failed(addVector("bias", "zero", norm->frozen))))
    return failure();
  SmallVector<NamedAttribute> attributes = {b.getNamedAttr("eps", b.getF64FloatAttr(norm->eps))};
  FailureOr<Operation *> op = failure();
  if (norm->type == "batch") {
    if (failed(addVector("running_mean", "zero", true)) || failed(addVector("running_var", "one", true)))
      return failure();
    attributes.push_back(b.getNamedAttr("momentum", b.getF64FloatAttr(norm->momentum)));
    if (norm->frozen)
      attributes.push_back(b.getNamedAttr("frozen", b.getUnitAttr()));
    op = layer.create("hourglass.norm", operands, attributes, {1, norm->affine, norm->affine, 1, 1});
  } else {
    attributes.push_back(b.getNamedAttr("groups", b.getI64IntegerAttr(norm->groups)));
    op = layer.create("hourglass.group_norm", operands, attributes, {1, norm->affine, norm->affine, 0, 0});
  }
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

//===-- group_norm --===//

/// The channels of a value or of sums, which `groups` must divide; each vector must have one value a channel.
static LogicalResult checkGroups(Operation *op, SizeTable &table, const Shape &x, int64_t groups,
                                 ArrayRef<Shape> vectors) {
  if (x.dims.size() != 4)
    return op->emitOpError("needs a rank-4 operand");
  auto channels = table.constantValue(x.dims[1]);
  if (!channels || *channels % groups != 0)
    return op->emitOpError("groups (")
           << groups << ") must divide the channels (" << channels.value_or(0) << ")";
  for (const Shape &vector : vectors)
    if (vector.dims.size() != 1 || vector.dims[0] != x.dims[1])
      return op->emitOpError("each vector must have one value per channel (") << *channels << ")";
  return success();
}

/// One value for each image and channel of x: [N, C, 1, 1].
static Shape perImage(SizeTable &table, const Shape &x, Type element) {
  return {{x.dims[0], x.dims[1], table.constant(1), table.constant(1)}, element};
}

static LogicalResult checkPerImage(Operation *op, SizeTable &table, const Shape &x, ArrayRef<Shape> values) {
  for (const Shape &value : values) {
    Shape wanted = perImage(table, x, value.element);
    if (value.dims.size() != 4)
      return op->emitOpError("statistics must be [N, C, 1, 1]");
    for (auto [given, expected] : llvm::zip(value.dims, wanted.dims))
      if (failed(requireEqual(op, table, given, expected, "statistics must be [N, C, 1, 1]")))
        return failure();
  }
  return success();
}

static LogicalResult checkNumbers(Operation *op, uint64_t groups, double eps) {
  if (static_cast<int64_t>(groups) < 1)
    return op->emitOpError("groups must be positive");
  return eps > 0 && std::isfinite(eps) ? success() : op->emitOpError("eps must be positive");
}

LogicalResult GroupNormOp::checkAttributes() {
  if ((getScale() != nullptr) != (getShift() != nullptr))
    return emitOpError("scale and shift go together");
  return checkNumbers(*this, getGroups(), getEps().convertToDouble());
}

LogicalResult GroupNormOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                       SmallVectorImpl<Shape> &results) {
  unsigned vectors = (getGamma() ? 1 : 0) + (getBeta() ? 1 : 0);
  if (failed(checkGroups(*this, table, operands[0], getGroups(), operands.slice(1, vectors))) ||
      failed(checkPerImage(*this, table, operands[0], operands.drop_front(1 + vectors))))
    return failure();
  results.push_back(operands[0]);
  return success();
}

ReceptiveField GroupNormOp::receptiveField(ArrayRef<ReceptiveField> operands) {
  ReceptiveField field = widest(operands);
  field.global = true;
  return field;
}

FinishGroupStatsOp GroupNormOp::makeStatistics(OpBuilder &builder) {
  auto sums = createInferred<ChannelSumsOp>(builder, getLoc(), getX().getType(), getX(), Value(),
                                            builder.getStringAttr("stats"));
  if (!sums)
    return {};
  SmallVector<Type> types(4, getX().getType());
  return createInferred<FinishGroupStatsOp>(builder, getLoc(), types, sums.getSums(), getGamma(), getBeta(),
                                            getGroupsAttr(), getEpsAttr());
}

//===-- statistics --===//

/// The operand must be sums with the number of elements as third column.
static LogicalResult checkSums(Operation *op, SizeTable &table, const Shape &sums) {
  if (sums.dims.size() != 4 || table.constantValue(sums.dims[3]).value_or(3) != 3)
    return op->emitOpError("needs sums of 3 columns");
  return success();
}

LogicalResult FinishGroupStatsOp::checkAttributes() {
  return checkNumbers(*this, getGroups(), getEps().convertToDouble());
}

LogicalResult FinishGroupStatsOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                              SmallVectorImpl<Shape> &results) {
  if (failed(checkSums(*this, table, operands[0])) ||
      failed(checkGroups(*this, table, operands[0], getGroups(), operands.drop_front())))
    return failure();
  results.append(4, perImage(table, operands[0], Float32Type::get(getContext())));
  return success();
}

LogicalResult FinishGroupNormGradOp::checkAttributes() { return checkNumbers(*this, getGroups(), 1); }

LogicalResult FinishGroupNormGradOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                                 SmallVectorImpl<Shape> &results) {
  const Shape &sums = operands[0];
  if (failed(checkSums(*this, table, sums)) ||
      failed(checkGroups(*this, table, sums, getGroups(), operands.drop_front(3))) ||
      failed(checkPerImage(*this, table, sums, operands.slice(1, 2))))
    return failure();
  Type element = Float32Type::get(getContext());
  results.append(2, {{sums.dims[1]}, element});
  results.append(3, perImage(table, sums, element));
  return success();
}

} // namespace segc::hg
