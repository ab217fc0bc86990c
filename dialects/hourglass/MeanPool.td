// Means over windows and bins of pixels, and their transposes.
#ifndef SEGC_HOURGLASS_MEANPOOL
#define SEGC_HOURGLASS_MEANPOOL
include "dialects/hourglass/Hourglass.td"

def AvgPoolOp : Hourglass_Layer<"avgpool", [DeclareOpInterfaceMethods<LinearOpInterface>], ["receptiveField", "checkAttributes"]> {
  let summary = "Mean of a window.";
  let description = [{
    The sum over the window's pixels that exist, divided by their number; with `count_include_pad` by the number of the
    window's cells in the padded operand, which with `ceil` may be less than the window has. ONNX: AveragePool.
  }];
  let arguments = (ins Activation:$x, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, UnitAttr:$same, UnitAttr:$ceil,
    UnitAttr:$count_include_pad);
  let results = (outs Activation:$y);
  let extraClassDeclaration = [{ ::segc::hg::WindowMap window(unsigned axis); }];
}

def AvgPoolTransposeOp : Hourglass_Op<"avgpool_transpose", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand", "checkAttributes"]> {
  let summary = "The transpose of avgpool, whose operand `like` was.";
  let description = [{ y[p] = sum over the windows o that contain pixel p of x[o] / the pool's divisor of o. }];
  let arguments = (ins Activation:$x, Activation:$like, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, UnitAttr:$same, UnitAttr:$ceil,
    UnitAttr:$count_include_pad);
  let results = (outs Activation:$y);
  let extraClassDeclaration = [{ ::segc::hg::WindowMap window(unsigned axis); }];
}

def AdaptiveAvgPoolOp : Hourglass_Layer<"adaptive_avgpool", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand", "receptiveField", "checkAttributes"]> {
  let summary = "Means over `size` bins an axis.";
  let description = [{
    Bin i of an axis has the pixels floor(i * in / out) to ceil((i + 1) * in / out) - 1. A size of 0 leaves the axis as
    it is; with a `like` operand (the transpose's transpose) there are as many bins as it has pixels. Means of
    rectangles are means along one axis, then along the other: the canonicaliser makes two ops, so that all rows of
    the operand can be read at the same time. ONNX: GlobalAveragePool where size is 1.
  }];
  let arguments = (ins Activation:$x, Optional<Activation>:$like, OptionalAttr<DenseI64ArrayAttr>:$size);
  let results = (outs Activation:$y);
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def AdaptiveAvgPoolTransposeOp : Hourglass_Op<"adaptive_avgpool_transpose", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand"]> {
  let summary = "The transpose of adaptive_avgpool, whose operand `like` was.";
  let description = [{ y[p] = sum over the bins o that contain pixel p of x[o] / the number of pixels of o. }];
  let arguments = (ins Activation:$x, Activation:$like);
  let results = (outs Activation:$y);
}
#endif
