// Ops on weights, which move to @prepare, and the group: what one kernel computes.
#ifndef SEGC_HOURGLASS_WEIGHTS
#define SEGC_HOURGLASS_WEIGHTS
include "dialects/hourglass/Hourglass.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def WeightOp : Hourglass_Op<"weight", [OnWeights]> {
  let summary = "A tensor of the weights file.";
  let description = [{
    `init` says how training starts and what `-emit weights` writes: he, xavier, zero, one, bilinear, identity,
    normal:s, constant:v. `trainable` weights change from step to step, at `lr_scale` times the learning rate; running
    statistics change where a norm trains with those of the batch. All others are constants, in training too. `stored`
    is the file's shape where it is another one: a dense layer's [units, C*H*W] is read as [units, C, H, W].
    ```mlir
    %w = hourglass.weight "enc1.0.weight" init "he" : tensor<64x3x3x3xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, StrAttr:$init, UnitAttr:$running, UnitAttr:$trainable,
    OptionalAttr<F64Attr>:$lr_scale, OptionalAttr<DenseI64ArrayAttr>:$stored);
  let results = (outs Weight:$value);
  let assemblyFormat = "$name `init` $init attr-dict `:` type($value)";
  let extraClassDeclaration = [{
    /// The shape of the tensor in the weights file.
    ::llvm::ArrayRef<int64_t> storedShape();
  }];
}

def NormScaleOp : Hourglass_Op<"norm_scale", [OnWeights]> {
  let summary = "gamma / sqrt(variance + eps), per channel.";
  let arguments = (ins Optional<Weight>:$gamma, Weight:$variance, F64Attr:$eps);
  let results = (outs Weight:$scale);
}

def NormShiftOp : Hourglass_Op<"norm_shift", [OnWeights, AttrSizedOperandSegments]> {
  let summary = "beta + (bias - mean) * scale, per channel; absent beta and bias count as 0.";
  let arguments = (ins Optional<Weight>:$beta, Weight:$mean, Weight:$scale, Optional<Weight>:$bias);
  let results = (outs Weight:$shift);
}

def ScaleWeightOp : Hourglass_Op<"scale_weight", [OnWeights]> {
  let summary = "Multiplies the weights of each output channel: w[k, ...] * scale[k], or w[c, k', ...] for a deconvolution.";
  let arguments = (ins Weight:$weight, Weight:$scale, UnitAttr:$deconv, DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs Weight:$scaled);
}

def PhaseWeightOp : Hourglass_Op<"phase_weight", [OnWeights]> {
  let summary = "The filter of one phase of a deconvolution, as a convolution's weights.";
  let description = [{
    result[k, c, i, j] = w[c, k, first_h + step_h * (m_h - 1 - i), first_w + step_w * (m_w - 1 - j)], zero where the tap lies
    outside the filter; m = `taps`. Groups stay: result is [out, in/groups, m_h, m_w]. See SplitDeconv.cpp.
  }];
  let arguments = (ins Weight:$weight, DenseI64ArrayAttr:$first, DenseI64ArrayAttr:$step, DenseI64ArrayAttr:$taps,
    DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs Weight:$filter);
}

def PackOp : Hourglass_Op<"pack", [OnWeights]> {
  let summary = "Weights in the layout a kernel reads.";
  let description = [{
    `problem` is the packing kernel's problem string; the result has the extents the schedule family asked for,
    outermost first. `unpack` is the inverse: inside groups, where the kernel reads the packed tensor itself, and with a
    `problem` behind groups that make weight gradients, whose layout it undoes.
  }];
  let arguments = (ins Weight:$weight, StrAttr:$problem, DenseI64ArrayAttr:$extents);
  let results = (outs Weight:$packed);
}

def UnpackOp : Hourglass_Op<"unpack", [OnWeights]> {
  let summary = "The logical weights behind a packed tensor.";
  let arguments = (ins Weight:$packed, DenseI64ArrayAttr:$extents, OptionalAttr<StrAttr>:$problem);
  let results = (outs Weight:$weight);
}

def GroupOp : Hourglass_Op<"group", [IsolatedFromAbove, SingleBlock], ["receptiveField", "macs", "checkAttributes"]> {
  let summary = "What one kernel computes.";
  let description = [{
    The body is a chain of hourglass ops on the block arguments. `schedule` is set by hg-schedule:
    the family with its parameters. `exported` is set there too: the result is nothing but a result of @main,
    and the kernel stores it straight into the caller's memory.
  }];
  let arguments = (ins Variadic<AnyTensor>:$inputs, OptionalAttr<StrAttr>:$schedule, UnitAttr:$exported);
  let results = (outs Variadic<AnyTensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`(` $inputs `)` attr-dict-with-keyword $body `:` functional-type($inputs, $outputs)";
  let extraClassDeclaration = [{
    /// True if the body uses operand `i` for its extents only.
    bool isShapeOnly(unsigned i);
  }];
}

def YieldOp : Op<Hourglass_Dialect, "yield", [Pure, Terminator, ReturnLike, HasParent<"GroupOp">]> {
  let summary = "Ends a group's body.";
  let arguments = (ins Variadic<AnyTensor>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}
#endif
