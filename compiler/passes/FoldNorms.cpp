/// \file Folds batch norms into the convolutions before them, as ops on weights.
///
/// gamma * (conv(x) + b - mean) / sqrt(var + eps) + beta = conv'(x) + b' with scale = gamma / sqrt(var +
/// eps), w' = w * scale per output channel, b' = beta + (b - mean) * scale.
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_FOLDNORMS
#include "compiler/passes/Passes.h.inc"

namespace {

/// The convolution-like producer of `value`, if `norm` is the only reader of its pixels. One norm is folded:
/// packing multiplies weights by one scale, a second norm stays an affine behind the convolution.
template <typename ConvT> ConvT soleProducer(Value value, hg::NormOp norm) {
  auto conv = value.getDefiningOp<ConvT>();
  if (!conv || conv.getWeight().template getDefiningOp<hg::ScaleWeightOp>())
    return {};
  for (OpOperand &use : value.getUses())
    if (use.getOwner() != norm && !hg::isShapeOnly(use))
      return {};
  return conv;
}

struct FoldNormsPass : impl::FoldNormsBase<FoldNormsPass> {
  void runOnOperation() override {
    // Inference drops nothing.
    for (hg::DropoutOp dropout : llvm::make_early_inc_range(getOperation().getOps<hg::DropoutOp>())) {
      dropout.replaceAllUsesWith(dropout.getX());
      dropout.erase();
    }
    SmallVector<hg::NormOp> norms(getOperation().getOps<hg::NormOp>());
    for (hg::NormOp norm : norms)
      if (failed(fold(norm)))
        return signalPassFailure();
  }

  LogicalResult fold(hg::NormOp norm) {
    OpBuilder b(norm);
    Location loc = norm.getLoc();
    auto scale = hg::createInferred<hg::NormScaleOp>(b, loc, norm.getVariance().getType(), norm.getGamma(),
                                                     norm.getVariance(), norm.getEpsAttr());
    if (!scale)
      return failure();
    if (auto conv = soleProducer<hg::ConvOp>(norm.getX(), norm))
      return replace(conv, norm, scale, false);
    if (auto deconv = soleProducer<hg::DeconvOp>(norm.getX(), norm))
      return replace(deconv, norm, scale, true);
    auto shift = makeShift(b, norm, scale, Value());
    auto affine =
        hg::createInferred<hg::AffineOp>(b, loc, norm.getX().getType(), norm.getX(), scale.getScale(), shift);
    if (!affine)
      return failure();
    if (Attribute again = norm->getAttr("hourglass.again"))
      affine->setAttr("hourglass.again", again); // must not be merged with the first
    norm.replaceAllUsesWith(affine.getY());
    norm.erase();
    return success();
  }

  Value makeShift(OpBuilder &b, hg::NormOp norm, hg::NormScaleOp scale, Value bias) {
    return hg::createInferred<hg::NormShiftOp>(b, norm.getLoc(), norm.getMean().getType(), norm.getBeta(),
                                               norm.getMean(), scale.getScale(), bias)
        .getShift();
  }

  template <typename ConvT>
  LogicalResult replace(ConvT conv, hg::NormOp norm, hg::NormScaleOp scale, bool isDeconv) {
    OpBuilder b(norm);
    auto weight =
        hg::createInferred<hg::ScaleWeightOp>(b, norm.getLoc(), conv.getWeight().getType(), conv.getWeight(),
                                              scale.getScale(), isDeconv, conv.getGroups());
    if (!weight)
      return failure();
    Value shift = makeShift(b, norm, scale, conv.getBias());
    // The folded convolution stands where the norm stood: all its operands dominate that point.
    auto folded = cast<ConvT>(b.clone(*conv));
    folded->setLoc(FusedLoc::get(b.getContext(), {conv.getLoc(), norm.getLoc()}));
    folded.getWeightMutable().assign(weight.getScaled());
    folded.getBiasMutable().assign(shift);
    norm.replaceAllUsesWith(folded.getY());
    norm.erase();
    conv.getY().replaceAllUsesWith(folded.getY()); // only uses of its extents are left
    conv.erase();
    return success();
  }
};

} // namespace
} // namespace segc
