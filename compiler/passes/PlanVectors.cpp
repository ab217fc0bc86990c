/// \file Launches for ops on weights: packing with its scale and phase, norms, finished sums.
// SPDX-License-Identifier: MIT
#include "compiler/passes/PlanVectors.h"
#include "compiler/analysis/VectorSpec.h"

using namespace mlir;

namespace segc {

Value VectorLowering::weightView(OpBuilder &b, hg::WeightOp weight, bool padded, bool flat) {
  auto type = plan::ViewType::get(b.getContext(), cast<RankedTensorType>(weight.getType()));
  return plan::WeightOp::create(b, weight.getLoc(), type, weight.getName(), weight.getInit(),
                                weight.getRunning(), weight.getTrainable(), weight.getLrScaleAttr(),
                                weight.getStoredAttr(), padded, flat, nullptr);
}

LogicalResult VectorLowering::lower(Operation &op) {
  if (isa<hg::WeightOp, hg::StepSeedOp>(op))
    return success();
  if (isa<hg::ScaleWeightOp, hg::PhaseWeightOp>(op)) {
    for (Operation *user : op.getUsers())
      if (!isa<hg::ScaleWeightOp, hg::PhaseWeightOp, hg::PackOp>(user))
        return op.emitOpError("must be packed before a kernel reads it");
    return success();
  }
  if (auto pack = dyn_cast<hg::PackOp>(op))
    return lowerPack(pack);
  if (auto unpack = dyn_cast<hg::UnpackOp>(op); unpack && unpack.getProblem()) {
    auto parsed = schedules::KernelSpec::parse(unpack.getProblem()->str());
    if (auto *why = std::get_if<std::string>(&parsed))
      return op.emitOpError(*why);
    return launch({&op}, op.getOperands(), op.getResults(), std::get<schedules::KernelSpec>(parsed));
  }
  if (auto spec = describeVectorOp(&op))
    return launch({&op}, op.getOperands(), op.getResults(), *spec);
  return op.emitOpError("has no kernel on weights");
}

/// pack(phase_weight(scale_weight(w, s))), the two inner ops in either order and each optional, is one
/// kernel.
LogicalResult VectorLowering::lowerPack(hg::PackOp pack) {
  auto parsed = schedules::KernelSpec::parse(pack.getProblem().str());
  if (auto *why = std::get_if<std::string>(&parsed))
    return pack.emitOpError(*why);
  auto spec = std::get<schedules::KernelSpec>(parsed);
  SmallVector<Operation *> chain{pack};
  Value weight = pack.getWeight(), scale;
  DenseI64ArrayAttr firstTap;
  while (Operation *producer = weight.getDefiningOp()) {
    if (auto scaled = dyn_cast<hg::ScaleWeightOp>(producer)) {
      if (scale)
        return pack.emitOpError("cannot scale twice");
      scale = scaled.getScale();
      spec.fields["scale"] = {1};
    } else if (auto phase = dyn_cast<hg::PhaseWeightOp>(producer)) {
      if (spec.word("from") == "deconv")
        return pack.emitOpError("cannot take a phase of a phase");
      spec.words["from"] = "deconv";
      firstTap = phase.getFirstAttr();
      spec.fields["step"] = {static_cast<int>(phase.getStep()[0]), static_cast<int>(phase.getStep()[1])};
    } else {
      break;
    }
    chain.push_back(producer);
    weight = producer->getOperand(0);
  }
  SmallVector<Value> reads{weight};
  if (scale)
    reads.push_back(scale);
  std::reverse(chain.begin(), chain.end());
  return launch(chain, reads, pack.getPacked(), spec, firstTap);
}

LogicalResult VectorLowering::launch(ArrayRef<Operation *> chain, ValueRange operands, ValueRange results,
                                     const schedules::KernelSpec &spec, DenseI64ArrayAttr firstTap) {
  Location loc = results[0].getLoc();
  bool flat = spec.op == "accumulate" || spec.op == "copy_vector";
  SmallVector<Value> reads, writes;
  for (Value operand : operands) {
    auto view = viewOf(operand, false, flat);
    if (failed(view))
      return failure();
    reads.push_back(*view);
  }
  if (firstTap)
    reads[0].getDefiningOp()->setAttr("first", firstTap);
  for (Value result : results) {
    auto view = viewOf(result, true, flat);
    if (failed(view))
      return failure();
    writes.push_back(*view);
  }
  const bool scaled = !spec.word("scaled").empty();
  if (scaled) { // how f16 keeps gradients off zero is no part of what a loss means
    auto hyper = plan::ViewType::get(b.getContext(), RankedTensorType::get({16}, b.getF32Type()));
    reads.push_back(plan::HyperOp::create(b, loc, hyper, 0));
  }
  auto choice = schedules::chooseSchedule(spec, target);
  if (auto *why = std::get_if<std::string>(&choice))
    return emitError(loc) << *why;
  auto op = plan::LaunchOp::create(b, loc, reads, ValueRange{}, writes, hg::layerName(loc), spec.print(),
                                   std::get<schedules::Schedule>(choice).print(), FlatSymbolRefAttr());
  OpBuilder::InsertionGuard guard(b);
  Block *body = b.createBlock(&op.getBody());
  IRMapping mapping;
  for (Value operand : operands) {
    BlockArgument argument = body->addArgument(operand.getType(), loc);
    if (!mapping.contains(operand))
      mapping.map(operand, argument);
  }
  if (scaled)
    body->addArgument(cast<plan::ViewType>(reads.back().getType()).getTensor(), loc);
  for (Operation *inner : chain)
    if (auto phase = dyn_cast<hg::PhaseWeightOp>(b.clone(*inner, mapping)))
      phase.setFirst({0, 0}); // the view begins there, so that all phases have one kernel
  SmallVector<Value> values;
  for (Value result : results)
    values.push_back(mapping.lookupOrDefault(result));
  plan::YieldOp::create(b, loc, values);
  return success();
}

} // namespace segc
