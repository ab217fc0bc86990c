/// \file Decides how activations lie in memory.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/GroupSpec.h"
#include "compiler/passes/Passes.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_SETPRECISION
#include "compiler/passes/Passes.h.inc"

namespace {

struct SetPrecisionPass : impl::SetPrecisionBase<SetPrecisionPass> {
  using SetPrecisionBase::SetPrecisionBase;

  void runOnOperation() override {
    if (precision == "tf32") { // how f32 is multiplied, not how it lies in memory
      getOperation()->setAttr(kTf32, UnitAttr::get(&getContext()));
      return;
    }
    if (precision != "f32" && precision != "bf16" && precision != "f16") {
      getOperation().emitError("unknown precision '") << precision << "': f32, bf16, f16 or tf32";
      return signalPassFailure();
    }
    // Gradients of f16 need a factor that keeps them off zero, which the update does not know yet.
    if (precision == "f16" && getOperation()->hasAttr("hourglass.training")) {
      getOperation().emitError("training runs in f32 or bf16: -precision f16 goes with -mode infer");
      return signalPassFailure();
    }
    getOperation()->setAttr(kPrecision, StringAttr::get(&getContext(), precision));
  }
};

} // namespace
} // namespace segc
