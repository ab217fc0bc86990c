/// \file The contracts between the phases of the pipeline, as code.
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_VERIFYPHASE
#include "compiler/passes/Passes.h.inc"

namespace {

bool isWeightOp(Operation *op) { return op->hasTrait<hg::OnWeights>() || isa<hg::StepSeedOp>(op); }

LogicalResult verifyFolded(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    if (!isa<hg::NormOp, hg::GroupNormOp, hg::DropoutOp, hg::DeconvOp>(op))
      return WalkResult::advance();
    op->emitOpError("must be gone after folding");
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

LogicalResult verifyGrouped(ModuleOp module) {
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    for (Operation &op : function.getBody().front().without_terminator())
      if (!isa<hg::GroupOp, hg::ConcatOp, hg::InterleaveOp, hg::SliceOp, hg::PositionsOp>(op) &&
          !isWeightOp(&op))
        return op.emitOpError("must be in a group");
  return success();
}

LogicalResult verifyScheduled(ModuleOp module) {
  if (failed(verifyGrouped(module)))
    return failure();
  auto main = module.lookupSymbol<func::FuncOp>("main"),
       prepare = module.lookupSymbol<func::FuncOp>("prepare");
  if (!main || !prepare)
    return module.emitError("must have @main and @prepare");
  for (Operation &op : main.getBody().front().without_terminator()) {
    if (auto weight = dyn_cast<hg::WeightOp>(op); weight && hg::isConstant(weight))
      return op.emitOpError("must be in @prepare");
    if (auto group = dyn_cast<hg::GroupOp>(op); group && !group.getSchedule())
      return op.emitOpError("has no schedule");
  }
  for (Operation &op : prepare.getBody().front().without_terminator())
    if (!isWeightOp(&op))
      return op.emitOpError("does not belong in @prepare");
  return success();
}

LogicalResult verifyPlanned(ModuleOp module) {
  for (Operation &op : *module.getBody())
    if (!isa<plan::ProgramOp, plan::KernelOp>(op))
      return op.emitOpError("must be gone after planning");
  for (plan::ProgramOp program : module.getOps<plan::ProgramOp>())
    for (plan::LaunchOp launch : program.getBody().front().getOps<plan::LaunchOp>()) {
      auto kernel =
          launch.getKernel() ? module.lookupSymbol<plan::KernelOp>(*launch.getKernel()) : plan::KernelOp();
      if (!kernel)
        return launch.emitOpError("names no kernel");
      if (kernel.getProblem() != launch.getProblem() || kernel.getSchedule() != launch.getSchedule())
        return launch.emitOpError("and its kernel disagree on problem or schedule");
    }
  return success();
}

struct VerifyPhasePass : impl::VerifyPhaseBase<VerifyPhasePass> {
  using VerifyPhaseBase::VerifyPhaseBase;

  void runOnOperation() override {
    static const std::pair<StringRef, LogicalResult (*)(ModuleOp)> phases[] = {{"folded", verifyFolded},
                                                                               {"grouped", verifyGrouped},
                                                                               {"scheduled", verifyScheduled},
                                                                               {"planned", verifyPlanned}};
    for (auto [name, verify] : phases)
      if (name == phase) {
        if (failed(verify(getOperation())))
          signalPassFailure();
        return;
      }
    getOperation().emitError("unknown phase '") << phase << "': folded, grouped, scheduled or planned";
    signalPassFailure();
  }
};

} // namespace
} // namespace segc
