/// \file The compiler's table of contents.
// SPDX-License-Identifier: MIT
#include "compiler/Pipeline.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Transforms/Passes.h"
#include "schedules/Family.h"

using namespace mlir;

namespace segc {

void buildPipeline(OpPassManager &passes, const PipelineOptions &options) {
  std::optional<schedules::Isa> isa = schedules::parseIsa(options.isa);
  bool onGpu = isa && schedules::isGpu(*isa); // there the channels of a pixel belong to many threads
  ScheduleGroupsOptions scheduling;
  scheduling.instructionSet = options.isa;
  scheduling.without.assign(options.without.begin(), options.without.end());
  scheduling.asked.assign(options.asked.begin(), options.asked.end());
  scheduling.thrifty = options.thrifty;
  // graph: @main as imported, one op a layer.
  if (options.stopAfter == Stage::Graph)
    return;
  passes.addPass(createCanonicalizerPass()); // no op computes what a simpler one can
  if (options.precision != "f32")
    passes.addPass(createSetPrecision({options.precision})); // kernels and buffers know their dtype
  if (options.training) {
    passes.addPass(createDifferentiate()); // @main returns gradients; no loss, dropout, unfrozen norm of
                                           // running statistics
    passes.addPass(createCSEPass()); // equal values once, the last time that this is right for all of them:
    passes.addPass(
        createChooseSaved({options.recompute})); // backward ops read what is kept or computed again
  }
  if (options.stopAfter == Stage::Gradient)
    return;
  passes.addNestedPass<func::FuncOp>(createSplitNorms());  // no hourglass.group_norm
  passes.addNestedPass<func::FuncOp>(createFoldNorms());   // no hourglass.norm
  passes.addNestedPass<func::FuncOp>(createSplitDeconv()); // no hourglass.deconv
  passes.addPass(createVerifyPhase({"folded"}));
  passes.addPass(createCSEPass()); // equal values once
  passes.addNestedPass<func::FuncOp>(
      createFuseGroups({!onGpu})); // activations come from group, concat, interleave only
  // Dot products of bf16 on processors have a kernel of their own, which makes no maxima; AMX's makes them.
  const bool winograd = !llvm::is_contained(options.without, "winograd");
  if (onGpu                        ? !llvm::is_contained(options.without, "tensor_cores")
      : options.precision == "f32" ? winograd
                                   : isa == schedules::Isa::Amx && options.precision == "bf16")
    passes.addNestedPass<func::FuncOp>(
        createFusePools({options.isa, winograd})); // 2x2 maxima in the kernels of convolutions
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
  if (onGpu || isa == schedules::Isa::Amx)
    passes.addPass(createMergePhases({options.isa})); // a deconvolution's phases are one launch
  if (options.training)
    passes.addPass(createPlanOptimizer({options.isa})); // the programs of an update
  passes.addPass(createOutline());                      // each kernel once
  passes.addPass(createVerifyPhase({"planned"}));
  passes.addPass(createPlanArena()); // every buffer has its bytes; the verifier proves them disjoint
}

void registerDialects(DialectRegistry &registry) {
  registry.insert<func::FuncDialect, hg::HourglassDialect, plan::PlanDialect>();
}

namespace {
struct WholeOptions : PassPipelineOptions<WholeOptions> {
  Option<std::string> isa{*this, "isa", llvm::cl::desc("amx, avx512bf16, avx512, avx2 or portable"),
                          llvm::cl::init("avx512")};
  Option<std::string> precision{*this, "precision", llvm::cl::desc("f32, bf16, f16 or tf32"),
                                llvm::cl::init("f32")};
  Option<unsigned> recompute{*this, "recompute", llvm::cl::desc("convolutions computed again"),
                             llvm::cl::init(0)};
};
} // namespace

void registerPipelines() {
  PassPipelineRegistration<WholeOptions>(
      "segc-infer", "Everything from the graph to the plan of an inference library",
      [](OpPassManager &passes, const WholeOptions &options) {
        buildPipeline(passes, {options.isa, {}, options.precision, Stage::Plan});
      });
  PassPipelineRegistration<WholeOptions>(
      "segc-train", "Everything from the graph with its losses to the plan of a training step",
      [](OpPassManager &passes, const WholeOptions &options) {
        buildPipeline(passes, {options.isa, {}, options.precision, Stage::Plan, true, options.recompute});
      });
}

} // namespace segc
