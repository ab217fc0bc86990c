// Ops that only training needs: gradients of weights, derivatives, statistics of a batch.
#ifndef SEGC_HOURGLASS_GRADIENT
#define SEGC_HOURGLASS_GRADIENT
include "dialects/hourglass/Hourglass.td"

def ConvWeightGradOp : Hourglass_Op<"conv_weight_grad", [], ["checkAttributes", "macs"]> {
  let summary = "The gradient of a convolution with respect to its weights.";
  let description = [{
    dw[k,c,i,j] = sum over n,o,p of dy[n,k,o,p] * x[n, g(k)*C/groups + c, o*s - pt + i*d, p*s - pl + j*d], x = 0 outside.
    A deconvolution's is the same with its operand as `dy` and the gradient of its result as `x`.
  }];
  let arguments = (ins Activation:$x, Activation:$dy, DenseI64ArrayAttr:$kernel,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, UnitAttr:$same,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilation, DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs Weight:$dw);
  let extraClassDeclaration = [{ ::segc::hg::WindowMap window(unsigned axis); }];
}

def ActivationGradOp : Hourglass_Op<"activation_grad", [], ["checkAttributes"]> {
  let summary = "dx = dy * f'(x), the derivative taken from the function's value or its operand.";
  let description = [{
    `saved` is f(x) with `from_value`, which the functions allow whose row in Activation.h has that derivative, else x.
  }];
  let arguments = (ins Activation:$dy, Activation:$saved, Optional<Weight>:$slope, StrAttr:$function,
    OptionalAttr<F64Attr>:$alpha, UnitAttr:$from_value);
  let results = (outs Activation:$dx);
}

def SoftmaxGradOp : Hourglass_Op<"softmax_grad"> {
  let summary = "dx[c] = y[c] * (dy[c] - sum over channels of dy * y), y the softmax.";
  let arguments = (ins Activation:$dy, Activation:$y);
  let results = (outs Activation:$dx);
}

def LogSoftmaxGradOp : Hourglass_Op<"log_softmax_grad"> {
  let summary = "dx[c] = dy[c] - exp(y[c]) * sum over channels of dy, y the logarithm of the softmax.";
  let arguments = (ins Activation:$dy, Activation:$y);
  let results = (outs Activation:$dx);
}

def PadTransposeOp : Hourglass_Op<"pad_transpose", [], ["firstShapeOperand", "checkAttributes"]> {
  let summary = "The transpose of a reflecting or replicating pad: each pixel gathers what was read from it.";
  let arguments = (ins Activation:$x, Activation:$like, DenseI64ArrayAttr:$amount, StrAttr:$mode);
  let results = (outs Activation:$y);
}

def StepSeedOp : Hourglass_Op<"step_seed"> {
  let summary = "The model's seed and the number of the training step.";
  let results = (outs TensorOf<[I32]>:$seed);
}

def DropOp : Hourglass_Op<"drop", [DeclareOpInterfaceMethods<LinearOpInterface>], ["checkAttributes"]> {
  let summary = "Sets elements to zero with probability `rate` and divides the others by 1 - rate.";
  let description = [{
    Element i (row-major in N, H, W, C) survives if its random number is not below `rate`; see Random.h for the
    generator. The same seed, `site` and extents give the same mask, so the transpose is the op itself.
  }];
  let arguments = (ins Activation:$x, TensorOf<[I32]>:$seed, F64Attr:$rate, I64Attr:$site);
  let results = (outs Activation:$y);
}

def ChannelSumsOp : Hourglass_Op<"channel_sums", [], ["checkAttributes"]> {
  let summary = "Sums per channel over bands of rows, in double.";
  let description = [{
    The result is [N, C, B, K] with B = min(H, 32) bands; band b of an image has the rows floor(b*H/B) to
    floor((b+1)*H/B), so that the order of the sums depends on the extents alone. The K columns by `kind`:
    `sum`: x. `stats`: x, x*x, 1. `product`: x, x*other, 1. `negative`: x*min(other, 0).
  }];
  let arguments = (ins Activation:$x, Optional<Activation>:$other, StrAttr:$kind);
  let results = (outs TensorOf<[F64]>:$sums);
}

def FinishSumOp : Hourglass_Op<"finish_sum", [OnWeights]> {
  let summary = "The sum of all bands of the first column, per channel.";
  let arguments = (ins TensorOf<[F64]>:$sums);
  let results = (outs Weight:$sum);
}

def FinishStatsOp : Hourglass_Op<"finish_stats", [OnWeights]> {
  let summary = "Mean and biased variance per channel from sums of kind `stats`.";
  let arguments = (ins TensorOf<[F64]>:$sums);
  let results = (outs Weight:$mean, Weight:$variance);
}

def FinishNormGradOp : Hourglass_Op<"finish_norm_grad", [OnWeights]> {
  let summary = "What batch norm's backward needs of each channel, from sums of kind `product` (x = dy, other = x).";
  let description = [{
    With M elements, r = 1/sqrt(variance + eps), s0 = sum dy, s1 = r * (sum dy*x - mean * s0):
    dgamma = s1, dbeta = s0, and dx = a*dy + b*x + c with a = gamma*r, or 0 where M is 1, b = -a*r*s1/M,
    c = -a*s0/M - b*mean. (Ioffe and Szegedy 2015, section 3.)
  }];
  let arguments = (ins TensorOf<[F64]>:$sums, Weight:$mean, Weight:$variance, Optional<Weight>:$gamma, F64Attr:$eps);
  let results = (outs Weight:$dgamma, Weight:$dbeta, Weight:$a, Weight:$b, Weight:$c);
}

def NormGradOp : Hourglass_Op<"norm_grad"> {
  let summary = "dx = a[c]*dy + b[c]*x + c[c].";
  let arguments = (ins Activation:$dy, Activation:$x, Weight:$a, Weight:$b, Weight:$c);
  let results = (outs Activation:$dx);
}

def SumWeightsOp : Hourglass_Op<"sum_weights", [OnWeights, Commutative]> {
  let summary = "The sum of two gradients of one weight, which several layers share.";
  let arguments = (ins Weight:$a, Weight:$b);
  let results = (outs Weight:$sum);
}

def RunningUpdateOp : Hourglass_Op<"running_update", [OnWeights]> {
  let summary = "(1 - momentum) * running + momentum * batch; with `unbiased` batch is scaled by M / (M - 1).";
  let description = [{ M, the elements of a channel, comes from the sums of kind `stats`; M = 1 leaves batch as it is. }];
  let arguments = (ins Weight:$running, Weight:$batch, TensorOf<[F64]>:$sums, F64Attr:$momentum, UnitAttr:$unbiased);
  let results = (outs Weight:$updated);
}
#endif
