// The passes of segc, in the order in which the pipeline runs them.
#ifndef SEGC_PASSES
#define SEGC_PASSES
include "mlir/Pass/PassBase.td"

def FoldNorms : Pass<"hg-fold-norms", "::mlir::func::FuncOp"> {
  let summary = "Turns batch norms with running statistics into scaled weights and biases.";
  let description = [{
    A norm behind a convolution that nothing else reads disappears into that convolution's weights and bias; any other
    becomes hourglass.affine. What it computes from weights are ops, which hg-hoist-weights moves to @prepare.
    Dropout, the identity when inferring, goes too. Afterwards no hourglass.norm and no hourglass.dropout is left.
  }];
  let dependentDialects = ["::segc::hg::HourglassDialect"];
}

def Differentiate : Pass<"hg-differentiate", "::mlir::ModuleOp"> {
  let summary = "Adds the gradients of the total loss with respect to every trainable weight to @main.";
  let description = [{
    @main returns the losses, then one gradient a trainable weight (result attribute hourglass.gradient) and a wanted
    input (hourglass.name = "grad.x"), then the new running statistics (hourglass.running). Norms use their batch's
    statistics, dropout drops. Afterwards no hourglass.loss and no hourglass.dropout is left.
  }];
  let dependentDialects = ["::segc::hg::HourglassDialect"];
}

def ChooseSaved : Pass<"hg-choose-saved", "::mlir::ModuleOp"> {
  let summary = "Lets the backward pass compute again what is cheaper to compute than to keep.";
  let description = [{
    A minimum cut by bytes decides which forward values live until the backward pass reads them; the others are
    computed again next to their readers, by clones marked `hourglass.again`.
  }];
  let options = [Option<"recompute", "recompute", "unsigned", "0",
                        "How many convolutions, those with the least work a byte first, may be computed again">];
  let dependentDialects = ["::segc::hg::HourglassDialect"];
}

def SplitNorms : Pass<"hg-split-norms", "::mlir::func::FuncOp"> {
  let summary = "Writes instance, group and layer norms out: sums over pixels, a scale and a shift for each image.";
  let description = [{ Afterwards no hourglass.group_norm is left. }];
  let dependentDialects = ["::segc::hg::HourglassDialect"];
}

def SplitDeconv : Pass<"hg-split-deconv", "::mlir::func::FuncOp"> {
  let summary = "Turns each deconvolution into plain convolutions whose results interleave.";
  let description = [{ Afterwards no hourglass.deconv is left. }];
  let dependentDialects = ["::segc::hg::HourglassDialect"];
}

def FuseGroups : Pass<"hg-fuse-groups", "::mlir::func::FuncOp"> {
  let summary = "Puts every activation op into a group: an anchor and the pointwise chain that only it feeds.";
  let description = [{
    Afterwards activations are made by hourglass.group, concat and interleave only.
  }];
  let dependentDialects = ["::segc::hg::HourglassDialect"];
  let options = [Option<"separable", "separable", "bool", "true",
                        "a depthwise convolution may join the 1x1 convolution behind it">];
  let statistics = [Statistic<"fused", "fused-ops", "Ops that joined an anchor's group">];
}

def FusePools : Pass<"hg-fuse-pools", "::mlir::func::FuncOp"> {
  let summary = "Lets the kernels of convolutions, Winograd's and those on AMX or tensor cores, make the maxima of their own 2x2 pixels.";
  let description = [{
    Where others read the pixels too, the kernel writes their four phases beside the maxima, and an interleave puts
    these together; for that extents must be even by what the network requires of them. On GPUs hg-set-precision goes
    first, for it decides what tensor cores compute.
  }];
  let options = [Option<"instructionSet", "isa", "std::string", "\"avx512\"",
                        "amx, avx512, avx2, portable, cuda or opencl">,
                 Option<"winograd", "winograd", "bool", "true", "Winograd's kernels are there">];
  let dependentDialects = ["::segc::hg::HourglassDialect"];
  let statistics = [Statistic<"fused", "fused-pools", "Pools that joined a convolution's kernel">];
}

def VerifyPhase : Pass<"verify-phase", "::mlir::ModuleOp"> {
  let summary = "Checks what must hold after a phase of the pipeline.";
  let description = [{
    `folded`: no norm, dropout or deconv is left. `grouped`: activations come from group, concat and interleave only.
    `scheduled`: besides, every group has a schedule, @main reads no weight and @prepare no activation. `planned`: the
    module holds programs and kernels only, and each launch names a kernel of its problem and schedule.
  }];
  let options = [Option<"phase", "phase", "std::string", "\"folded\"", "folded, grouped, scheduled or planned">];
}

def SetPrecision : Pass<"hg-set-precision", "::mlir::ModuleOp"> {
  let summary = "Says how activations lie in memory: module attribute hourglass.precision.";
  let description = [{
    What ops mean does not change: types stay f32. The attribute decides the dtype of kernels (hg-schedule,
    plan-memory) and the element type of the plan's buffers (plan-memory).
  }];
  let options = [Option<"precision", "precision", "std::string", "\"f32\"", "f32, bf16, f16 or tf32">];
}

def ScheduleGroups : Pass<"hg-schedule", "::mlir::func::FuncOp"> {
  let summary = "Chooses family and parameters of every group and packs its weights accordingly.";
  let options = [Option<"instructionSet", "isa", "std::string", "\"avx512\"", "avx512, avx2 or portable">,
                 ListOption<"without", "without", "std::string", "Schedule families that must not be used">,
                 ListOption<"asked", "asked", "std::string", "What the user wants: LAYER: FAMILY [key=value ...]">,
                 Option<"thrifty", "thrifty", "unsigned", "0", "Steps towards small filters: convolutions with small tiles, then without Winograd">];
  let dependentDialects = ["::segc::hg::HourglassDialect"];
}

def HoistWeights : Pass<"hg-hoist-weights", "::mlir::ModuleOp"> {
  let summary = "Moves everything that depends on constant weights only from @main into @prepare.";
  let description = [{
    @prepare returns the values that @main needs; @main takes them as further arguments, marked hourglass.prepared.
    Afterwards @main contains no hourglass.weight but those that training changes.
  }];
  let dependentDialects = ["::segc::hg::HourglassDialect", "::mlir::func::FuncDialect"];
}

def PlanMemory : Pass<"plan-memory", "::mlir::ModuleOp"> {
  let summary = "Lowers @prepare and @main to plan programs: buffers, views, launches.";
  let description = [{
    Concats and interleavings become places in one buffer that their producers write; what cannot be placed is copied.
    Buffers get the apron their readers need. Buffers that never live together share bytes.
  }];
  let options = [Option<"instructionSet", "isa", "std::string", "\"avx512\"", "avx512, avx2 or portable">];
  let dependentDialects = ["::segc::plan::PlanDialect"];
  let statistics = [Statistic<"elided", "elided-copies", "Operands of concat and interleave written in place">,
                    Statistic<"copied", "copies", "Operands that had to be copied">,
                    Statistic<"inPlace", "in-place", "Results written over an operand">];
}

def MergePhases : Pass<"plan-merge-phases", "::mlir::ModuleOp"> {
  let summary = "Puts the phases of a deconvolution that tensor cores or AMX compute into one launch.";
  let options = [Option<"instructionSet", "isa", "std::string", "\"cuda\"", "cuda, opencl or amx">];
  let dependentDialects = ["::segc::plan::PlanDialect"];
}

def PlanOptimizer : Pass<"plan-optimizer", "::mlir::ModuleOp"> {
  let summary = "Adds the programs of a training step's update: @norm, @update, @average, @accumulate.";
  let options = [Option<"instructionSet", "isa", "std::string", "\"avx512\"", "avx512, avx2 or portable">];
  let dependentDialects = ["::segc::plan::PlanDialect"];
}

def PlanArena : Pass<"plan-arena", "::mlir::ModuleOp"> {
  let summary = "Gives every buffer its byte in the arena for the model's own extents.";
  let description = [{ Does nothing to a program whose extents are not all known. }];
  let dependentDialects = ["::segc::plan::PlanDialect"];
}

def Outline : Pass<"plan-outline", "::mlir::ModuleOp"> {
  let summary = "Gives each distinct kernel a symbol that its launches share.";
  let dependentDialects = ["::segc::plan::PlanDialect"];
}
#endif
