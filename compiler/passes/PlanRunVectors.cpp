/// \file Memory of weights, vectors and gradients in @run.
// SPDX-License-Identifier: MIT
#include "compiler/passes/PlanRunVectors.h"

using namespace mlir;

namespace segc {

plan::ViewType RunVectors::typeOf(Value value) const {
  return plan::ViewType::get(b.getContext(), cast<RankedTensorType>(value.getType()));
}

bool RunVectors::isAlias(Operation &op) const {
  auto pack = dyn_cast<hg::PackOp>(op);
  return pack && pack.getProblem().starts_with("pack_vector");
}

/// The result of @main that is written right where the caller finds it: gradients, statistics, losses that
/// nothing else reads.
std::optional<unsigned> RunVectors::ownResult(Value value) const {
  if (!value.hasOneUse() || !isa<func::ReturnOp>(value.use_begin()->getOwner()))
    return std::nullopt;
  return value.use_begin()->getOperandNumber();
}

Value RunVectors::resultView(unsigned result, Value value, bool flat) {
  Location loc = value.getLoc();
  if (auto name = main.getResultAttrOfType<StringAttr>(result, "hourglass.gradient"))
    return plan::GradientOp::create(b, loc, typeOf(value), name, flat);
  if (main.getResultAttr(result, "hourglass.running")) {
    while (auto update = value.getDefiningOp<hg::RunningUpdateOp>())
      value = update.getRunning();
    return VectorLowering::weightView(b, value.getDefiningOp<hg::WeightOp>(), false, flat);
  }
  return plan::LossesOp::create(b, loc, typeOf(value));
}

/// A piece of the arena with room for a whole number of cache lines.
Value RunVectors::buffer(Value value) {
  Value &known = buffers[value];
  if (known)
    return known;
  auto type = cast<RankedTensorType>(value.getType());
  constexpr int64_t kPadding = 64; // elements of a "pixel"
  int64_t one = table.constant(1), lines = table.constant((type.getNumElements() + kPadding - 1) / kPadding);
  auto alloc = plan::AllocOp::create(b, value.getLoc(), plan::BufferType::get(b.getContext()),
                                     hg::layerName(value.getLoc()), type.getElementType(),
                                     b.getDenseI64ArrayAttr({one, one, lines}), kPadding,
                                     b.getDenseI64ArrayAttr({0, 0, 0, 0}), IntegerAttr());
  return known = alloc.getBuffer();
}

FailureOr<Value> RunVectors::view(Value value, bool write, bool flat) {
  Location loc = value.getLoc();
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto slot = main.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "hourglass.prepared");
    return plan::PreparedOp::create(b, loc, typeOf(value), slot.getInt()).getView();
  }
  if (isa<hg::StepSeedOp>(value.getDefiningOp()))
    return plan::SeedOp::create(b, loc, typeOf(value)).getView();
  bool padded = isAlias(*value.getDefiningOp());
  if (padded)
    value = cast<hg::PackOp>(value.getDefiningOp()).getWeight();
  if (auto weight = value.getDefiningOp<hg::WeightOp>())
    return VectorLowering::weightView(b, weight, padded, flat);
  if (auto result = write ? ownResult(value) : std::nullopt)
    return resultView(*result, value, flat);
  if (isa<BlockArgument>(value))
    return emitError(loc, "must be packed before it is prepared"), failure();
  return plan::DenseOp::create(b, loc, typeOf(value), buffer(value), padded, flat, nullptr).getView();
}

SmallVector<std::pair<Value, Value>> RunVectors::copies() {
  SmallVector<std::pair<Value, Value>> result;
  auto ret = cast<func::ReturnOp>(main.getBody().front().getTerminator());
  for (OpOperand &operand : ret->getOpOperands())
    if (buffers.count(operand.get()))
      result.push_back({operand.get(), resultView(operand.getOperandNumber(), operand.get(), true)});
  return result;
}

} // namespace segc
