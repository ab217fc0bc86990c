/// \file Writes group norms out: sums, what follows from them, one multiplication and one addition.
///
/// y = x * scale + shift with scale = gamma * rstd and shift = beta - mean * scale, a value for each image
/// and channel (hourglass.finish_group_stats). The two elementwise ops join the kernels of what reads them.
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_SPLITNORMS
#include "compiler/passes/Passes.h.inc"

namespace {

struct SplitNormsPass : impl::SplitNormsBase<SplitNormsPass> {
  void runOnOperation() override {
    for (hg::GroupNormOp norm : llvm::make_early_inc_range(getOperation().getOps<hg::GroupNormOp>()))
      if (failed(split(norm)))
        return signalPassFailure();
  }

  static LogicalResult split(hg::GroupNormOp norm) {
    OpBuilder b(norm);
    Value scale = norm.getScale(), shift = norm.getShift();
    if (!scale) { // when training, differentiation has written them out
      hg::FinishGroupStatsOp statistics = norm.makeStatistics(b);
      if (!statistics)
        return failure();
      scale = statistics.getScale();
      shift = statistics.getShift();
    }
    auto scaled = withWide<hg::MulOp>(b, norm, norm.getX(), scale);
    if (!scaled)
      return failure();
    auto shifted = withWide<hg::AddOp>(b, norm, scaled.getY(), shift);
    if (!shifted)
      return failure();
    norm.replaceAllUsesWith(shifted.getY());
    norm.erase();
    return success();
  }

  /// The op on `value` and `perImage`, which is repeated for all pixels.
  template <typename OpT>
  static OpT withWide(OpBuilder &b, hg::GroupNormOp norm, Value value, Value perImage) {
    Location loc = norm.getLoc();
    auto wide = hg::createInferred<hg::BroadcastOp>(b, loc, value.getType(), perImage, value);
    auto op = wide ? hg::createInferred<OpT>(b, loc, value.getType(), value, wide.getY()) : OpT();
    if (Attribute again = norm->getAttr("hourglass.again"); again && op)
      op->setAttr("hourglass.again", again); // must not be merged with the first
    return op;
  }
};

} // namespace
} // namespace segc
