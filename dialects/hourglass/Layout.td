// Ops that move elements: reshape, transpose, and batches of windows.
#ifndef SEGC_HOURGLASS_LAYOUT
#define SEGC_HOURGLASS_LAYOUT
include "dialects/hourglass/Hourglass.td"

def ReshapeOp : Hourglass_Layer<"reshape", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand", "checkAttributes"]> {
  let summary = "The same elements in N, C, H, W order under other extents.";
  let description = [{
    `shape` has four extents: 0 copies the operand's, one -1 is what the others leave (never the channels, which are
    always known). With a `like` operand (the transpose) the result has its extents. ONNX: Reshape.
    ```mlir
    %y = hourglass.reshape %x {shape = array<i64: 0, 48, 1, 1>} : (tensor<2x3x4x4xf32>) -> tensor<2x48x1x1xf32>
    ```
  }];
  let arguments = (ins Activation:$x, Optional<Activation>:$like, OptionalAttr<DenseI64ArrayAttr>:$shape);
  let results = (outs Activation:$y);
  let hasFolder = 1;
}

def TransposeOp : Hourglass_Layer<"transpose", [DeclareOpInterfaceMethods<LinearOpInterface>], ["checkAttributes"]> {
  let summary = "The axes in another order: axis k of the result is axis perm[k] of the operand.";
  let description = [{
    Channels are known when compiling; where another axis becomes the channels (perm[1] is not 1), `channels` is its
    extent, and the network runs for that one only. ONNX: Transpose.
  }];
  let arguments = (ins Activation:$x, DenseI64ArrayAttr:$perm, OptionalAttr<I64Attr>:$channels);
  let results = (outs Activation:$y);
  let hasFolder = 1;
}

def WindowsOp : Hourglass_Op<"windows", [DeclareOpInterfaceMethods<LinearOpInterface>], ["checkAttributes", "receptiveField"]> {
  let summary = "All positions of a window as one batch.";
  let description = [{
    y[(n*P + p)*Q + q, c, i, j] = x[n, c, p*s - pt + i, q*s - pl + j], 0 outside; the P x Q positions are those of a pool of
    this kernel, stride and padding.
  }];
  let arguments = (ins Activation:$x, DenseI64ArrayAttr:$kernel,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding);
  let results = (outs Activation:$y);
  let extraClassDeclaration = [{ ::segc::hg::WindowMap window(unsigned axis); }];
}

def WindowsTransposeOp : Hourglass_Op<"windows_transpose", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand", "checkAttributes"]> {
  let summary = "Adds a batch of windows up to the image they are from: the transpose of windows.";
  let description = [{
    `like` is the operand of the `windows` that this transposes and gives batch, height and width. Windows of one pixel
    at stride 1 do not overlap: then this puts the pixels of a batch next to each other.
  }];
  let arguments = (ins Activation:$x, Activation:$like, DenseI64ArrayAttr:$kernel,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding);
  let results = (outs Activation:$y);
  let extraClassDeclaration = [{ ::segc::hg::WindowMap window(unsigned axis); }];
}

def PositionsOp : Hourglass_Op<"positions", [], ["firstShapeOperand", "checkAttributes"]> {
  let summary = "A value whose height and width are the number of a window's positions in x; only its extents are read.";
  let arguments = (ins Activation:$x, DenseI64ArrayAttr:$kernel,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$stride,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding);
  let results = (outs Activation:$y);
  let extraClassDeclaration = [{ ::segc::hg::WindowMap window(unsigned axis); }];
}
#endif
