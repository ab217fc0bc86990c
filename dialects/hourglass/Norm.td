// Norms with statistics of each image: instance, group and layer norm, and what their gradients need.
#ifndef SEGC_HOURGLASS_NORM
#define SEGC_HOURGLASS_NORM
include "dialects/hourglass/Hourglass.td"

def GroupNormOp : Hourglass_Op<"group_norm", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<DifferentiableOpInterface>], ["checkAttributes", "receptiveField"]> {
  let summary = "Normalises groups of channels of each image by their own mean and variance (Wu and He 2018).";
  let description = [{
    y = gamma[c] * (x - mean) / sqrt(variance + eps) + beta[c], with the mean and the biased variance of all pixels of the
    channel's group in this image. One channel a group is instance norm, one group is layer norm. With `scale` and
    `shift`, statistics written out by finish_group_stats, y = x * scale + shift. ONNX: GroupNormalization.
  }];
  let arguments = (ins Activation:$x, Optional<Weight>:$gamma, Optional<Weight>:$beta, Optional<Activation>:$scale,
    Optional<Activation>:$shift, I64Attr:$groups, DefaultValuedAttr<F64Attr, "1e-5">:$eps);
  let results = (outs Activation:$y);
  let extraClassDeclaration = [{
    /// Emits the statistics of x and what becomes of gamma and beta; null after an error.
    ::segc::hg::FinishGroupStatsOp makeStatistics(::mlir::OpBuilder &builder);
  }];
}

def FinishGroupStatsOp : Hourglass_Op<"finish_group_stats", [OnWeights, AttrSizedOperandSegments], ["checkAttributes"]> {
  let summary = "What group norm makes of sums of kind `stats`, for each image and channel.";
  let description = [{
    [N, C, 1, 1] each: scale = gamma * rstd, or 0 for a group of one value, shift = beta - mean * scale, the group's mean, rstd = 1 / sqrt(variance + eps).
  }];
  let arguments = (ins TensorOf<[F64]>:$sums, Optional<Weight>:$gamma, Optional<Weight>:$beta, I64Attr:$groups,
    F64Attr:$eps);
  let results = (outs Activation:$scale, Activation:$shift, Activation:$mean, Activation:$rstd);
}

def FinishGroupNormGradOp : Hourglass_Op<"finish_group_norm_grad", [OnWeights], ["checkAttributes"]> {
  let summary = "What group norm's backward needs, from sums of kind `product` (x = dy, other = x).";
  let description = [{
    With s0 = sum dy and s1 = rstd * (sum dy*x - mean * s0) of a channel in an image, and S0, S1 the sums of gamma * s0 and
    gamma * s1 over the M elements' channels of a group: dgamma = sum of s1, dbeta = sum of s0 over the images, and
    dx = a*dy + b*x + c with a = gamma*rstd, b = -rstd^2 * S1/M, c = -rstd * S0/M - b*mean, [N, C, 1, 1] each;
    all 0 for a group of one value.
  }];
  let arguments = (ins TensorOf<[F64]>:$sums, Activation:$mean, Activation:$rstd, Optional<Weight>:$gamma, I64Attr:$groups);
  let results = (outs Weight:$dgamma, Weight:$dbeta, Activation:$a, Activation:$b, Activation:$c);
}
#endif
