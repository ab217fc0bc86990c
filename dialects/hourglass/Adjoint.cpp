/// \file The written adjoints: what a gradient becomes on its way back through the ops that are not just
/// transposed.
///
/// With g the gradient of the loss with respect to a result, each returns the gradient with respect to the
/// operands.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Activation.h"
#include "dialects/hourglass/Hourglass.h"

using namespace mlir;

namespace segc::hg {

/// Sums per channel over all pixels of `kind`, as f64 bands.
static Value sums(OpBuilder &b, Location loc, Value x, Value other, StringRef kind) {
  return createInferred<ChannelSumsOp>(b, loc, x.getType(), x, other, b.getStringAttr(kind)).getSums();
}

/// The sum over all pixels, per channel.
static Value sumOverPixels(OpBuilder &b, Location loc, Value x, Value other, StringRef kind) {
  Value bands = sums(b, loc, x, other, kind);
  return createInferred<FinishSumOp>(b, loc, bands.getType(), bands).getSum();
}

//===-- conv, deconv: y = W x + b --===//

/// dW sums products of `windowed`, whose windows the other operand's pixels stand for.
template <typename OpT> static Value weightGrad(OpBuilder &b, OpT op, Value windowed, Value pixels) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(op.getWeight().getType()).getShape();
  return createInferred<ConvWeightGradOp>(b, op.getLoc(), op.getWeight().getType(), windowed, pixels,
                                          b.getDenseI64ArrayAttr(shape.drop_front(2)), op.getStrideAttr(),
                                          op.getPaddingAttr(), op.getSameAttr(), op.getDilationAttr(),
                                          op.getGroupsAttr())
      .getDw();
}

template <typename OpT>
static SmallVector<Value> convolutionAdjoint(OpBuilder &b, OpT op, Value g, ArrayRef<bool> wanted,
                                             bool transposed) {
  SmallVector<Value> result(op->getNumOperands());
  if (wanted[1])
    result[1] = transposed ? weightGrad(b, op, g, op.getX()) : weightGrad(b, op, op.getX(), g);
  if (op.getBias() && wanted[2])
    result[2] = sumOverPixels(b, op.getLoc(), g, Value(), "sum");
  if (wanted[0])
    result[0] = op.transpose(b, g)[0];
  return result;
}

SmallVector<Value> ConvOp::adjoint(OpBuilder &b, ArrayRef<Value> gradients, ArrayRef<bool> wanted) {
  return convolutionAdjoint(b, *this, gradients[0], wanted, false);
}

SmallVector<Value> DeconvOp::adjoint(OpBuilder &b, ArrayRef<Value> gradients, ArrayRef<bool> wanted) {
  return convolutionAdjoint(b, *this, gradients[0], wanted, true);
}

//===-- maxpool: y[o] = x[argmax of window o] --===//

SmallVector<Value> MaxPoolOp::adjoint(OpBuilder &b, ArrayRef<Value> gradients, ArrayRef<bool> wanted) {
  auto back = createInferred<UnpoolOp>(b, getLoc(), getX().getType(), gradients[0], getIndex(), getX(),
                                       getKernelAttr(), getStrideAttr(), getPaddingAttr(), getSameAttr(),
                                       getDilationAttr(), b.getUnitAttr());
  return {back.getY()};
}

//===-- mul: y = a b --===//

SmallVector<Value> MulOp::adjoint(OpBuilder &b, ArrayRef<Value> gradients, ArrayRef<bool> wanted) {
  SmallVector<Value> result(2);
  for (unsigned side : {0u, 1u})
    if (wanted[side])
      result[side] =
          createInferred<MulOp>(b, getLoc(), getY().getType(), gradients[0], getOperand(1 - side)).getY();
  return result;
}

//===-- activation: y = f(x) --===//

/// f' from f(x), which most functions allow: x then needs no memory.
static bool derivativeFromValue(const ActivationFunction &row, double alpha) {
  return row.derivativeOfValue && (row.name != "leaky_relu" || alpha > 0);
}

SmallVector<Value> ActivationOp::adjoint(OpBuilder &b, ArrayRef<Value> gradients, ArrayRef<bool> wanted) {
  const ActivationFunction *row = findActivation(getFunction());
  double alpha = getAlpha() ? getAlpha()->convertToDouble() : row->defaultAlpha;
  bool fromValue = derivativeFromValue(*row, alpha);
  SmallVector<Value> result(getNumOperands());
  if (wanted[0])
    result[0] = createInferred<ActivationGradOp>(b, getLoc(), getX().getType(), gradients[0],
                                                 fromValue ? getY() : getX(), getSlope(), getFunctionAttr(),
                                                 getAlphaAttr(), fromValue ? b.getUnitAttr() : UnitAttr())
                    .getDx();
  if (getSlope() && wanted[1]) // y = slope * x where x < 0
    result[1] = sumOverPixels(b, getLoc(), gradients[0], getX(), "negative");
  return result;
}

//===-- norm --===//

SmallVector<Value> NormOp::adjoint(OpBuilder &b, ArrayRef<Value> gradients, ArrayRef<bool> wanted) {
  Value g = gradients[0];
  SmallVector<Value> result(getNumOperands());
  unsigned beta = getGamma() ? 2 : 1;
  bool ofBatch = getMean().getDefiningOp<FinishStatsOp>() != nullptr;
  bool affineWanted = (getGamma() && wanted[1]) || (getBeta() && wanted[beta]);
  if (!ofBatch && wanted[0]) { // statistics are constants
    auto scale = createInferred<NormScaleOp>(b, getLoc(), getVariance().getType(), getGamma(), getVariance(),
                                             getEpsAttr());
    result[0] = createInferred<AffineOp>(b, getLoc(), g.getType(), g, scale.getScale(), Value()).getY();
  }
  if (!ofBatch && !affineWanted)
    return result;
  Value products = sums(b, getLoc(), g, getX(), "product");
  auto finish =
      createInferred<FinishNormGradOp>(b, getLoc(), SmallVector<Type>(5, getMean().getType()), products,
                                       getMean(), getVariance(), getGamma(), getEpsAttr());
  if (getGamma() && wanted[1])
    result[1] = finish.getDgamma();
  if (getBeta() && wanted[beta])
    result[beta] = finish.getDbeta();
  if (ofBatch && wanted[0])
    result[0] = createInferred<NormGradOp>(b, getLoc(), g.getType(), g, getX(), finish.getA(), finish.getB(),
                                           finish.getC())
                    .getDx();
  return result;
}

/// x times a value for each image and channel.
static Value timesPerImage(OpBuilder &b, Location loc, Value x, Value factors) {
  auto wide = createInferred<BroadcastOp>(b, loc, x.getType(), factors, x);
  return createInferred<MulOp>(b, loc, x.getType(), x, wide.getY()).getY();
}

/// The statistics depend on x too; hourglass.finish_group_norm_grad has the formula.
SmallVector<Value> GroupNormOp::adjoint(OpBuilder &b, ArrayRef<Value> gradients, ArrayRef<bool> wanted) {
  auto statistics = getScale().getDefiningOp<FinishGroupStatsOp>(); // written out by differentiation
  Value g = gradients[0], x = getX();
  SmallVector<Value> result(getNumOperands());
  unsigned beta = getGamma() ? 2 : 1;
  Type perImage = getScale().getType(),
       perChannel =
           RankedTensorType::get({cast<RankedTensorType>(x.getType()).getDimSize(1)}, b.getF32Type());
  auto finish = createInferred<FinishGroupNormGradOp>(
      b, getLoc(), TypeRange{perChannel, perChannel, perImage, perImage, perImage},
      sums(b, getLoc(), g, x, "product"), statistics.getMean(), statistics.getRstd(), getGamma(),
      getGroupsAttr());
  if (getGamma() && wanted[1])
    result[1] = finish.getDgamma();
  if (getBeta() && wanted[beta])
    result[beta] = finish.getDbeta();
  if (!wanted[0])
    return result;
  Value ofX = timesPerImage(b, getLoc(), x, finish.getB());
  auto constant = createInferred<BroadcastOp>(b, getLoc(), x.getType(), finish.getC(), x);
  auto rest = createInferred<AddOp>(b, getLoc(), x.getType(), ofX, constant.getY());
  result[0] = createInferred<AddOp>(b, getLoc(), x.getType(), timesPerImage(b, getLoc(), g, finish.getA()),
                                    rest.getY())
                  .getY();
  return result;
}

//===-- softmax --===//

SmallVector<Value> SoftmaxOp::adjoint(OpBuilder &b, ArrayRef<Value> gradients, ArrayRef<bool> wanted) {
  return {createInferred<SoftmaxGradOp>(b, getLoc(), getX().getType(), gradients[0], getY()).getDx()};
}

SmallVector<Value> LogSoftmaxOp::adjoint(OpBuilder &b, ArrayRef<Value> gradients, ArrayRef<bool> wanted) {
  return {createInferred<LogSoftmaxGradOp>(b, getLoc(), getX().getType(), gradients[0], getY()).getDx()};
}

} // namespace segc::hg
