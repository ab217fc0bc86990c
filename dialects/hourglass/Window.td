// Ops that slide a window: convolution, its transpose, pooling with argmax, and its inverse.
#ifndef SEGC_HOURGLASS_WINDOW
#define SEGC_HOURGLASS_WINDOW
include "dialects/hourglass/Hourglass.td"

def ConvOp : Hourglass_Layer<"conv", [DeclareOpInterfaceMethods<LinearOpInterface>, AttrSizedOperandSegments, DeclareOpInterfaceMethods<DifferentiableOpInterface>], ["firstShapeOperand", "receptiveField", "macs"]> {
  let summary = "Cross-correlation with optional bias.";
  let description = [{
    y[n,k,o,p] = b[k] + sum over c,i,j of w[k,c,i,j] * x[n, g(c), o*s - pt + i*d, p*s - pl + j*d], x = 0 outside.
    w is [out, in/groups, kh, kw]. `padding` is [top, left, bottom, right], negative values crop; with `same` the
    result is ceil(in / stride) and the odd pixel of padding lies at the end. With a `like` operand (the transpose of a
    deconvolution) the result has its height and width. With `whole` (a dense layer) the window must cover the operand:
    the result is 1 x 1. ONNX: Conv.
    ```mlir
    %y = hourglass.conv %x, %w, %b {padding = array<i64: 1, 1, 1, 1>} : (...) -> tensor<1x64x32x32xf32>
    ```
  }];
  let arguments = (ins Activation:$x, Weight:$weight, Optional<Weight>:$bias, Optional<Activation>:$like,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, UnitAttr:$same,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilation, DefaultValuedAttr<I64Attr, "1">:$groups,
    UnitAttr:$whole);
  let results = (outs Activation:$y);
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// The window along axis 0 (height) or 1 (width).
    ::segc::hg::WindowMap window(unsigned axis);
  }];
}

def DeconvOp : Hourglass_Layer<"deconv", [DeclareOpInterfaceMethods<LinearOpInterface>, AttrSizedOperandSegments, DeclareOpInterfaceMethods<DifferentiableOpInterface>], ["firstShapeOperand", "receptiveField", "macs"]> {
  let summary = "Transposed convolution with optional bias.";
  let description = [{
    Every x[n,c,q,r] adds w[c,k,i,j] * x to y[n,k, q*s - pt + i*d, r*s - pl + j*d]. w is [in, out/groups, kh, kw].
    out = (in - 1)*stride - padding + dilation*(kernel - 1) + 1 + output_padding, or the extents of `like` (the operand of
    the convolution that this transposes; `same` then means that convolution's padding). ONNX: ConvTranspose.
  }];
  let arguments = (ins Activation:$x, Weight:$weight, Optional<Weight>:$bias, Optional<Activation>:$like,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, UnitAttr:$same,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilation, DefaultValuedAttr<I64Attr, "1">:$groups,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0}">:$output_padding);
  let results = (outs Activation:$y);
  let extraClassDeclaration = [{ ::segc::hg::WindowMap window(unsigned axis); }];
}

def MaxPoolOp : Hourglass_Layer<"maxpool", [DeclareOpInterfaceMethods<DifferentiableOpInterface>], ["receptiveField", "checkAttributes"]> {
  let summary = "Maximum of a window and where it was.";
  let description = [{
    `index` is the position inside the window, row-major (ki * kw + kj); the first on ties, the first NaN if there is
    one. Pixels outside count as minus infinity. ONNX: MaxPool.
  }];
  let arguments = (ins Activation:$x, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, UnitAttr:$same,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilation, UnitAttr:$ceil);
  let results = (outs Activation:$y, TensorOf<[I8]>:$index);
  let extraClassDeclaration = [{ ::segc::hg::WindowMap window(unsigned axis); }];
}

def UnpoolOp : Hourglass_Layer<"unpool", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand", "receptiveField", "checkAttributes"]> {
  let summary = "Puts values back where the maxima of a pool came from.";
  let description = [{
    y is zero but for y[n,c, o*s - pt + ki*d, p*s - pl + kj*d] = x[n,c,o,p] with (ki, kj) = index[n,c,o,p]; where windows
    overlap the last in row-major order wins, or with `sum` (the gradient of a max-pool) their values add. `like` is the pool's operand and gives the extents. ONNX: MaxUnpool.
  }];
  let arguments = (ins Activation:$x, TensorOf<[I8]>:$index, Activation:$like,
    DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, UnitAttr:$same,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilation, UnitAttr:$sum);
  let results = (outs Activation:$y);
  let extraClassDeclaration = [{ ::segc::hg::WindowMap window(unsigned axis); }];
}

def TakeOp : Hourglass_Op<"take", [DeclareOpInterfaceMethods<LinearOpInterface>]> {
  let summary = "Reads the pixels that a pool's index points at: the transpose of unpool.";
  let description = [{
    y[n,c,o,p] = x[n,c, o*s - pt + ki*d, p*s - pl + kj*d]; where windows overlap and a later one points at the same
    pixel, the earlier gets 0, as unpool's last window wins; with `sum` each gets it.
  }];
  let arguments = (ins Activation:$x, TensorOf<[I8]>:$index,
    DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, UnitAttr:$same,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilation, UnitAttr:$sum);
  let results = (outs Activation:$y);
  let extraClassDeclaration = [{ ::segc::hg::WindowMap window(unsigned axis); }];
}
#endif
