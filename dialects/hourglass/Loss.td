// Losses: the whole as a user means it, and the kernels it is trained with.
#ifndef SEGC_HOURGLASS_LOSS
#define SEGC_HOURGLASS_LOSS
include "dialects/hourglass/Hourglass.td"

defvar LossTensors = (ins Activation:$x, Activation:$target, Optional<Activation>:$pixel_weight);
// What each kind means is in docs/model-format.md. `pos_weight` absent: "auto". `class_weights` and `alpha` have one
// number a class; a single `alpha` counts for all.
defvar LossFields = (ins StrAttr:$kind, DefaultValuedAttr<StrAttr, "\"mean\"">:$reduction,
  DefaultValuedAttr<I64Attr, "255">:$ignore_index, OptionalAttr<DenseF64ArrayAttr>:$class_weights,
  OptionalAttr<F64Attr>:$pos_weight, OptionalAttr<DenseF64ArrayAttr>:$alpha, OptionalAttr<F64Attr>:$gamma,
  OptionalAttr<F64Attr>:$eps, OptionalAttr<F64Attr>:$beta, UnitAttr:$per_image);

def LossOp : Hourglass_Op<"loss", [], ["checkAttributes"]> {
  let summary = "The loss of one value against its target.";
  let description = [{
    `kind` is cross_entropy, bce, focal, dice, soft_iou, mse, l1, smooth_l1 or score. Targets are f32 [N, 1, H, W] with
    the class (cross_entropy, focal, dice, soft_iou) or [N, C, H, W] (the others); `pixel_weight` is [N, 1, H, W].
  }];
  let arguments = !con(LossTensors, LossFields);
  let results = (outs Weight:$loss);
}

def LossSumsOp : Hourglass_Op<"loss_sums", [], ["checkAttributes"]> {
  let summary = "What a loss sums over its pixels, in bands as in channel_sums, in double.";
  let description = [{
    With w the pixel's weight and class weight (0 for an ignored pixel), the columns are
    cross_entropy, focal, mse, l1, smooth_l1, score (one channel): sum w*term, sum w.
    bce (one channel): sum w*y*(-log p), sum w*(1-y)*(-log(1-p)), sum w, sum y, sum (1-y) over counting elements.
    dice, soft_iou (a channel a class): sum w*p*y, sum w*p, sum w*y.
  }];
  let arguments = !con(LossTensors, LossFields);
  let results = (outs TensorOf<[F64]>:$sums);
}

def FinishLossOp : Hourglass_Op<"finish_loss", [OnWeights], ["checkAttributes"]> {
  let summary = "The loss and, times `weight`, what its gradient needs.";
  let description = [{
    `coefficients` is [1, M, 1, 1], or [N, M, 1, 1] with `per_image`. M = 1: weight / sum w, or the weight itself for
    reduction `sum`, 0 where nothing counts. bce, M = 2: the same times the positive weight, and as it is. dice and
    soft_iou, M = 2C: dL/d(sum p*y) of each class, then dL/d(sum p).
  }];
  let arguments = !con((ins TensorOf<[F64]>:$sums), LossFields, (ins F64Attr:$weight));
  let results = (outs Weight:$loss, Activation:$coefficients);
}

def LossGradOp : Hourglass_Op<"loss_grad", [], ["checkAttributes"]> {
  let summary = "The gradient of weight * loss with respect to x.";
  let arguments = !con(LossTensors, (ins Activation:$coefficients), LossFields);
  let results = (outs Activation:$dx);
}

def TotalLossOp : Hourglass_Op<"total_loss", [OnWeights], ["checkAttributes"]> {
  let summary = "[sum of weights[i] * losses[i], losses[0], losses[1], ...].";
  let arguments = (ins Variadic<Weight>:$losses, DenseF64ArrayAttr:$weights);
  let results = (outs Weight:$total);
}
#endif
