// Ops that work on each pixel by itself, and on channels: sums, norms, activations, concat, softmax.
#ifndef SEGC_HOURGLASS_POINTWISE
#define SEGC_HOURGLASS_POINTWISE
include "dialects/hourglass/Hourglass.td"

def AddOp : Hourglass_Layer<"add", [DeclareOpInterfaceMethods<LinearOpInterface>, Commutative]> {
  let summary = "Elementwise sum of two values of equal extents. ONNX: Add.";
  let arguments = (ins Activation:$a, Activation:$b);
  let results = (outs Activation:$y);
}

def SubOp : Hourglass_Layer<"sub", [DeclareOpInterfaceMethods<LinearOpInterface>]> {
  let summary = "Elementwise difference a - b of two values of equal extents. ONNX: Sub.";
  let arguments = (ins Activation:$a, Activation:$b);
  let results = (outs Activation:$y);
}

def MulOp : Hourglass_Layer<"mul", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, Commutative]> {
  let summary = "Elementwise product of two values of equal extents. ONNX: Mul.";
  let arguments = (ins Activation:$a, Activation:$b);
  let results = (outs Activation:$y);
}

def ScaleOp : Hourglass_Op<"scale", [DeclareOpInterfaceMethods<LinearOpInterface>], ["checkAttributes"]> {
  let summary = "y = factor * x.";
  let arguments = (ins Activation:$x, F64Attr:$factor);
  let results = (outs Activation:$y);
}

def ActivationOp : Hourglass_Layer<"activation", [DeclareOpInterfaceMethods<DifferentiableOpInterface>], ["checkAttributes"]> {
  let summary = "A function of each element.";
  let description = [{
    `function` is a row of the table in Activation.h: relu, relu6, leaky_relu (alpha), prelu (a slope per channel), elu
    (alpha), selu, gelu (exact erf), silu, sigmoid, tanh, hardsigmoid, hardswish. NaN propagates.
  }];
  let arguments = (ins Activation:$x, Optional<Weight>:$slope, StrAttr:$function, OptionalAttr<F64Attr>:$alpha);
  let results = (outs Activation:$y);
  let hasFolder = 1;
}

def DropoutOp : Hourglass_Layer<"dropout", [], ["checkAttributes"]> {
  let summary = "Identity when inferring; training drops elements with probability `rate`. ONNX: Dropout.";
  let arguments = (ins Activation:$x, F64Attr:$rate);
  let results = (outs Activation:$y);
}

def NormOp : Hourglass_Layer<"norm", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<DifferentiableOpInterface>], ["checkAttributes"]> {
  let summary = "Batch normalisation with running statistics.";
  let description = [{
    y = gamma * (x - mean) / sqrt(variance + eps) + beta per channel. ONNX: BatchNormalization.
  }];
  let arguments = (ins Activation:$x, Optional<Weight>:$gamma, Optional<Weight>:$beta, Weight:$mean,
    Weight:$variance, DefaultValuedAttr<F64Attr, "1e-5">:$eps, DefaultValuedAttr<F64Attr, "0.1">:$momentum,
    UnitAttr:$frozen);
  let results = (outs Activation:$y);
}

def AffineOp : Hourglass_Op<"affine"> {
  let summary = "y = x * scale[c] + shift[c], or without the shift: what is left of a norm that no convolution could take.";
  let arguments = (ins Activation:$x, Weight:$scale, Optional<Weight>:$shift);
  let results = (outs Activation:$y);
}

def ConcatOp : Hourglass_Layer<"concat", [DeclareOpInterfaceMethods<LinearOpInterface>], ["checkAttributes"]> {
  let summary = "Channels of all operands one after the other. ONNX: Concat.";
  let arguments = (ins Variadic<Activation>:$inputs);
  let results = (outs Activation:$y);
  let hasFolder = 1;
}

def SliceOp : Hourglass_Op<"slice", [DeclareOpInterfaceMethods<LinearOpInterface>], ["checkAttributes"]> {
  let summary = "Channels [offset, offset + size) of the operand; its transpose pads with zero channels.";
  let arguments = (ins Activation:$x, I64Attr:$offset, I64Attr:$size);
  let results = (outs Activation:$y);
}

def EmbedOp : Hourglass_Op<"embed", [DeclareOpInterfaceMethods<LinearOpInterface>], ["checkAttributes"]> {
  let summary = "The operand at channel `offset` among `channels` channels, zero elsewhere: the transpose of slice.";
  let arguments = (ins Activation:$x, I64Attr:$offset, I64Attr:$channels);
  let results = (outs Activation:$y);
}

def SoftmaxOp : Hourglass_Layer<"softmax", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "exp(x[c]) / sum over channels of exp(x), computed with the maximum subtracted. ONNX: Softmax.";
  let arguments = (ins Activation:$x);
  let results = (outs Activation:$y);
}

def LogSoftmaxOp : Hourglass_Layer<"log_softmax", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "x[c] - log(sum over channels of exp(x)). ONNX: LogSoftmax.";
  let arguments = (ins Activation:$x);
  let results = (outs Activation:$y);
}

def ArgmaxOp : Hourglass_Layer<"argmax"> {
  let summary = "The channel of the maximum as i32 [N, H, W]: the first on ties, the first NaN if there is one. ONNX: ArgMax.";
  let arguments = (ins Activation:$x);
  let results = (outs TensorOf<[I32]>:$y);
}
#endif
