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
    auto training = getOperation()->getAttrOfType<DictionaryAttr>("hourglass.training");
    auto inputs = training ? training.getAs<ArrayAttr>("wrt") : ArrayAttr();
    if (precision == "f16" && inputs && !inputs.empty()) {
      getOperation().emitError("gradients of inputs (\"wrt\") are not scaled back from f16: take -precision "
                               "bf16 or f32");
      return signalPassFailure();
    }
    getOperation()->setAttr(kPrecision, StringAttr::get(&getContext(), precision));
  }
};

} // namespace
} // namespace segc
