/// \file The compiler's table of contents.
// SPDX-License-Identifier: MIT
#include "compiler/Pipeline.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace segc {

void buildPipeline(OpPassManager &passes, const PipelineOptions &options) {
  ScheduleGroupsOptions scheduling;
  scheduling.instructionSet = options.isa;
  scheduling.without.assign(options.without.begin(), options.without.end());
  // graph: @main as imported, one op a layer.
  if (options.stopAfter == Stage::Graph)
    return;
  passes.addPass(createCanonicalizerPass());               // no op computes what a simpler one can
  passes.addNestedPass<func::FuncOp>(createFoldNorms());   // no hourglass.norm
  passes.addNestedPass<func::FuncOp>(createSplitDeconv()); // no hourglass.deconv
  passes.addPass(createVerifyPhase({"folded"}));
  passes.addPass(createCSEPass()); // equal values once
  passes.addNestedPass<func::FuncOp>(
      createFuseGroups()); // activations come from group, concat, interleave only
  passes.addPass(createVerifyPhase({"grouped"}));
  if (options.stopAfter == Stage::Fused)
    return;
  passes.addNestedPass<func::FuncOp>(
      createScheduleGroups(scheduling)); // every group has a schedule, weights are packed
  passes.addPass(createCSEPass());       // each tensor is packed once
  passes.addPass(createHoistWeights());  // @main reads no weight, @prepare no activation
  passes.addPass(createVerifyPhase({"scheduled"}));
  if (options.stopAfter == Stage::Scheduled)
    return;
  passes.addPass(createPlanMemory({options.isa})); // @run and @prepare are lists of launches on views
  passes.addPass(createOutline());                 // each kernel once
  passes.addPass(createVerifyPhase({"planned"}));
  passes.addPass(createPlanArena()); // every buffer has its bytes; the verifier proves them disjoint
}

void registerDialects(DialectRegistry &registry) {
  registry.insert<func::FuncDialect, hg::HourglassDialect, plan::PlanDialect>();
}

namespace {
struct InferOptions : PassPipelineOptions<InferOptions> {
  Option<std::string> isa{*this, "isa", llvm::cl::desc("avx512, avx2 or portable"), llvm::cl::init("avx512")};
};
} // namespace

void registerPipelines() {
  PassPipelineRegistration<InferOptions>("segc-infer",
                                         "Everything from the graph to the plan of an inference library",
                                         [](OpPassManager &passes, const InferOptions &options) {
                                           buildPipeline(passes, {options.isa, {}, Stage::Plan});
                                         });
}

} // namespace segc
