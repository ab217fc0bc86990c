/// \file Rewrites that make an op out of several, run by the canonicaliser.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace segc::hg {
namespace {

/// conv(pad(x)) = conv(x) with the zeros in its own padding: they are then the planner's business.
struct PadIntoConv : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ConvOp conv, PatternRewriter &rewriter) const override {
    auto pad = conv.getX().getDefiningOp<PadOp>();
    if (!pad || pad.getMode() != "zero" || pad.getLike() || conv.getSame() || conv.getLike())
      return failure();
    SmallVector<int64_t, 4> padding(conv.getPadding());
    for (auto [total, amount] : llvm::zip(padding, *pad.getAmount()))
      total += amount;
    rewriter.modifyOpInPlace(conv, [&] {
      conv.getXMutable().assign(pad.getX());
      conv.setPadding(padding);
    });
    return success();
  }
};

} // namespace

void ConvOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<PadIntoConv>(context);
}

} // namespace segc::hg
