/// \file The programs of an update: the gradients' norm, the optimiser, the moving average, accumulation.
///
/// They work on the flat buffers, so that they are a handful of launches for any network. What their kernels
/// compute is defined by their problems (docs/kernels.md): no body says it again.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/FlatLayout.h"
#include "compiler/analysis/GroupSpec.h"
#include "compiler/passes/Passes.h"
#include "schedules/Family.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_PLANOPTIMIZER
#include "compiler/passes/Passes.h.inc"

namespace {

class UpdateBuilder {
public:
  UpdateBuilder(ModuleOp module, schedules::Isa target)
      : module(module), target(target), b(module.getContext()) {}

  LogicalResult run(DictionaryAttr training) {
    FlatLayout layout = flatLayout(module);
    auto optimizer = training.getAs<DictionaryAttr>("optimizer");
    auto number = [&](StringRef key) {
      auto value = optimizer ? optimizer.getAs<FloatAttr>(key) : FloatAttr();
      return value ? value.getValueAsDouble() : 0;
    };
    auto type = optimizer ? optimizer.getAs<StringAttr>("type") : StringAttr();
    if (!type)
      return module.emitError("hourglass.training has no optimizer with a type");
    // Where nothing learns (only gradients of inputs are wanted) the programs are empty.
    const int64_t all = layout.trainableElements;
    // A loss that was scaled: its gradients are divided, and their norm tells whether they are finite.
    const bool isScaled = precisionOf(module) == "f16";
    begin("norm");
    // On a GPU it also tells whether gradients are finite, without bringing them over.
    if (all && (isScaled || number("clip_norm") > 0 || schedules::isGpu(target)) &&
        failed(launch("sum_squares : f32", {flat("gradients", 0, all)}, {partial()})))
      return failure();
    begin("update");
    for (auto [row, segment] : llvm::enumerate(layout.segments))
      if (failed(optimize(type.getValue(), number("momentum") != 0, optimizer.getAs<BoolAttr>("nesterov"),
                          row, segment)))
        return failure();
    begin("average");
    if (all && number("ema") > 0) {
      Value average = flat("average", 0, all);
      if (failed(launch("ema : f32", {hyper(0), average, flat("parameters", 0, all)}, {average})))
        return failure();
    }
    begin("unscale");
    if (all && isScaled) {
      Value gradients = flat("gradients", 0, all);
      if (failed(launch("unscale : f32", {hyper(0), gradients}, {gradients})))
        return failure();
    }
    begin("accumulate");
    if (all == 0)
      return success();
    Value sum = flat("accumulated", 0, all);
    return launch("accumulate : f32", {sum, flat("gradients", 0, all)}, {sum});
  }

private:
  void begin(StringRef name) {
    b.setInsertionPointToEnd(module.getBody());
    auto program = plan::ProgramOp::create(b, module.getLoc(), name, b.getArrayAttr({}), b.getArrayAttr({}));
    b.setInsertionPointToStart(&program.getBody().emplaceBlock());
  }

  LogicalResult optimize(StringRef type, bool momentum, BoolAttr nesterov, int64_t row,
                         const FlatSegment &segment) {
    auto piece = [&](StringRef buffer) { return flat(buffer, segment.first, segment.count); };
    Value parameters = piece("parameters");
    SmallVector<Value> reads{hyper(row), parameters, piece("gradients")}, writes{parameters};
    std::string problem = "adam decoupled" + std::to_string(type == "adamw") + " : f32";
    unsigned states = 2;
    if (type == "sgd") {
      states = momentum;
      problem = "sgd momentum" + std::to_string(momentum) + " nesterov" +
                std::to_string(nesterov && nesterov.getValue()) + " : f32";
    }
    for (unsigned i = 0; i < states; ++i) {
      Value state = piece(i ? "state1" : "state0");
      reads.push_back(state);
      writes.push_back(state);
    }
    return launch(problem, reads, writes);
  }

  Value flat(StringRef buffer, int64_t first, int64_t count) {
    return plan::FlatOp::create(b, module.getLoc(), vectorType(count, b.getF32Type()), buffer, first);
  }
  Value hyper(int64_t row) {
    return plan::HyperOp::create(b, module.getLoc(), vectorType(16, b.getF32Type()), row);
  }
  Value partial() { return plan::PartialOp::create(b, module.getLoc(), vectorType(256, b.getF64Type())); }
  plan::ViewType vectorType(int64_t count, Type element) {
    return plan::ViewType::get(b.getContext(), RankedTensorType::get({count}, element));
  }

  LogicalResult launch(const std::string &problem, ArrayRef<Value> reads, ArrayRef<Value> writes) {
    auto spec = schedules::KernelSpec::parse(problem);
    if (auto *why = std::get_if<std::string>(&spec))
      return module.emitError(*why);
    auto choice = schedules::chooseSchedule(std::get<schedules::KernelSpec>(spec), target);
    if (auto *why = std::get_if<std::string>(&choice))
      return module.emitError(*why);
    auto op = plan::LaunchOp::create(b, module.getLoc(), reads, ValueRange{}, writes,
                                     std::get<schedules::KernelSpec>(spec).op, problem,
                                     std::get<schedules::Schedule>(choice).print(), FlatSymbolRefAttr());
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&op.getBody());
    for (Value read : reads)
      body->addArgument(cast<plan::ViewType>(read.getType()).getTensor(), module.getLoc());
    plan::YieldOp::create(b, module.getLoc(), body->getArguments().take_front(writes.size()));
    return success();
  }

  ModuleOp module;
  schedules::Isa target;
  OpBuilder b;
};

struct PlanOptimizerPass : impl::PlanOptimizerBase<PlanOptimizerPass> {
  using PlanOptimizerBase::PlanOptimizerBase;
  void runOnOperation() override {
    auto training = getOperation()->getAttrOfType<DictionaryAttr>("hourglass.training");
    auto parsed = schedules::parseIsa(instructionSet);
    if (!training || !parsed) {
      getOperation().emitError(
          "plan-optimizer needs a module with hourglass.training and a known instruction set");
      return signalPassFailure();
    }
    if (failed(UpdateBuilder(getOperation(), *parsed).run(training)))
      signalPassFailure();
  }
};

} // namespace
} // namespace segc
