/// \file The @prepare program: norm scales and shifts, packed weights.
// SPDX-License-Identifier: MIT
#include "compiler/passes/PlanPrepare.h"
#include "dialects/hourglass/Hourglass.h"
#include "dialects/plan/Plan.h"

using namespace mlir;

namespace segc {
namespace {

class PrepareBuilder {
public:
  PrepareBuilder(func::FuncOp prepare, schedules::Isa target)
      : prepare(prepare), target(target), b(prepare.getContext()) {}

  LogicalResult run(ModuleOp module) {
    b.setInsertionPointToEnd(module.getBody());
    auto program =
        plan::ProgramOp::create(b, prepare.getLoc(), "prepare", b.getArrayAttr({}), b.getArrayAttr({}));
    b.setInsertionPointToStart(&program.getBody().emplaceBlock());
    Block &block = prepare.getBody().front();
    for (auto [index, value] : llvm::enumerate(block.getTerminator()->getOperands()))
      slots[value] = index;
    nextSlot = block.getTerminator()->getNumOperands();
    for (Operation &op : block.without_terminator())
      if (failed(lower(op)))
        return failure();
    return success();
  }

private:
  Value viewOf(Value value) {
    auto type = plan::ViewType::get(b.getContext(), cast<RankedTensorType>(value.getType()));
    if (auto weight = value.getDefiningOp<hg::WeightOp>())
      return plan::WeightOp::create(b, value.getLoc(), type, weight.getName(), weight.getInit(),
                                    weight.getRunning());
    auto [slot, isNew] = slots.try_emplace(value, nextSlot);
    nextSlot += isNew;
    return plan::PreparedOp::create(b, value.getLoc(), type, slot->second);
  }

  LogicalResult lower(Operation &op) {
    if (auto weight = dyn_cast<hg::WeightOp>(op)) {
      if (slots.count(weight.getValue()))
        return op.emitOpError("must be packed before @main reads it");
      return success();
    }
    if (isa<hg::ScaleWeightOp, hg::PhaseWeightOp>(op)) {
      for (Operation *user : op.getUsers())
        if (!isa<hg::ScaleWeightOp, hg::PhaseWeightOp, hg::PackOp>(user))
          return op.emitOpError("must be packed before @main reads it");
      return success(); // part of the packing kernel
    }
    if (auto pack = dyn_cast<hg::PackOp>(op))
      return lowerPack(pack);
    schedules::KernelSpec spec;
    if (auto scale = dyn_cast<hg::NormScaleOp>(op)) {
      spec.op = "norm_scale";
      spec.fields["gamma"] = {scale.getGamma() != nullptr};
      spec.words["eps"] = number(scale.getEps().convertToDouble());
    } else if (auto shift = dyn_cast<hg::NormShiftOp>(op)) {
      spec.op = "norm_shift";
      spec.fields["beta"] = {shift.getBeta() != nullptr};
      spec.fields["bias"] = {shift.getBias() != nullptr};
    } else {
      return op.emitOpError("has no kernel in @prepare");
    }
    return launch({&op}, op.getOperands(), op.getResult(0), spec);
  }

  static std::string number(double value) {
    char text[32];
    snprintf(text, sizeof text, "%.9g", value);
    return text;
  }

  /// pack(phase_weight(scale_weight(w, s))), the two inner ops in either order and each optional, is one
  /// kernel.
  LogicalResult lowerPack(hg::PackOp pack) {
    auto parsed = schedules::KernelSpec::parse(pack.getProblem().str());
    if (auto *why = std::get_if<std::string>(&parsed))
      return pack.emitOpError(*why);
    auto spec = std::get<schedules::KernelSpec>(parsed);
    SmallVector<Operation *> chain{pack};
    Value weight = pack.getWeight(), scale;
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
        spec.fields["tap"] = {static_cast<int>(phase.getFirst()[0]), static_cast<int>(phase.getFirst()[1])};
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
    return launch(chain, reads, pack.getPacked(), spec);
  }

  LogicalResult launch(ArrayRef<Operation *> chain, ValueRange operands, Value result,
                       const schedules::KernelSpec &spec) {
    Location loc = result.getLoc();
    SmallVector<Value> reads;
    for (Value operand : operands)
      reads.push_back(viewOf(operand));
    Value written = viewOf(result);
    auto choice = schedules::chooseSchedule(spec, target);
    if (auto *why = std::get_if<std::string>(&choice))
      return emitError(loc) << *why;
    auto op = plan::LaunchOp::create(b, loc, reads, ValueRange{}, ValueRange{written}, hg::layerName(loc),
                                     spec.print(), std::get<schedules::Schedule>(choice).print(),
                                     FlatSymbolRefAttr());
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&op.getBody());
    IRMapping mapping;
    for (Value operand : operands)
      if (!mapping.contains(operand))
        mapping.map(operand, body->addArgument(operand.getType(), loc));
      else
        body->addArgument(operand.getType(), loc);
    for (Operation *inner : chain)
      b.clone(*inner, mapping);
    plan::YieldOp::create(b, loc, mapping.lookup(result));
    return success();
  }

  func::FuncOp prepare;
  schedules::Isa target;
  OpBuilder b;
  DenseMap<Value, int64_t> slots;
  int64_t nextSlot = 0;
};

} // namespace

LogicalResult planPrepare(func::FuncOp prepare, ModuleOp module, schedules::Isa target) {
  return PrepareBuilder(prepare, target).run(module);
}

} // namespace segc
