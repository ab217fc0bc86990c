// Ops that change height and width without weights: resizing, cropping, padding, phases.
#ifndef SEGC_HOURGLASS_RESIZE
#define SEGC_HOURGLASS_RESIZE
include "dialects/hourglass/Hourglass.td"

def UpsampleOp : Hourglass_Layer<"upsample", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand", "receptiveField", "checkAttributes"]> {
  let summary = "Resizes height and width.";
  let description = [{
    The result has floor(in * scale) rows (scale = scale_num / scale_den), or `size`, or the extents of `like`;
    coordinates come from the ratio of the extents. `nearest` reads floor(i * in / out); `bilinear` and `bicubic` (Keys'
    kernel with a = -0.75) use half-pixel centres, or corner to corner with `align_corners`, edges clamped; `zeros` puts
    each value at the first pixel of the cell for which `nearest` reads it, zeros elsewhere. ONNX: Resize.
  }];
  let arguments = (ins Activation:$x, Optional<Activation>:$like, StrAttr:$mode,
    OptionalAttr<DenseI64ArrayAttr>:$size, OptionalAttr<DenseI64ArrayAttr>:$scale_num,
    OptionalAttr<DenseI64ArrayAttr>:$scale_den, UnitAttr:$align_corners);
  let results = (outs Activation:$y);
}

def UpsampleTransposeOp : Hourglass_Op<"upsample_transpose", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand", "checkAttributes"]> {
  let summary = "The transpose of upsample: every pixel goes back where it was read from, weighted alike.";
  let arguments = (ins Activation:$x, Activation:$like, StrAttr:$mode, UnitAttr:$align_corners);
  let results = (outs Activation:$y);
}

def CropOp : Hourglass_Layer<"crop", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand", "checkAttributes"]> {
  let summary = "A window of height and width.";
  let description = [{
    The result has the extents `size`, or the smallest of the `like` operands. The window starts at `offset`, or at
    floor((in - out) / 2) where there is none. ONNX: Slice.
  }];
  let arguments = (ins Activation:$x, Variadic<Activation>:$like,
    OptionalAttr<DenseI64ArrayAttr>:$size, OptionalAttr<DenseI64ArrayAttr>:$offset);
  let results = (outs Activation:$y);
  let hasFolder = 1;
  let extraClassDeclaration = [{
    /// First row (axis 0) or column (axis 1) of the window.
    ::segc::hg::Size start(::segc::hg::SizeTable &table, unsigned axis, ::segc::hg::Size in, ::segc::hg::Size out);
  }];
}

def PadOp : Hourglass_Layer<"pad", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand", "checkAttributes"]> {
  let summary = "A border around height and width.";
  let description = [{
    `amount` is [top, left, bottom, right]; with a `like` operand (the transpose of a crop) the result has its extents
    and the operand starts at `amount`'s top and left, or in the centre where there is no amount. `mode` is zero,
    reflect (without repeating the edge) or replicate. ONNX: Pad.
  }];
  let arguments = (ins Activation:$x, Optional<Activation>:$like,
    OptionalAttr<DenseI64ArrayAttr>:$amount, DefaultValuedAttr<StrAttr, "\"zero\"">:$mode);
  let results = (outs Activation:$y);
  let hasFolder = 1;
  let extraClassDeclaration = [{
    /// Row (axis 0) or column (axis 1) of the result at which the operand starts.
    ::segc::hg::Size start(::segc::hg::SizeTable &table, unsigned axis, ::segc::hg::Size in, ::segc::hg::Size out);
  }];
}

def PhaseOp : Hourglass_Op<"phase", [], ["checkAttributes"]> {
  let summary = "Every stride-th pixel from an offset on: y[q, r] = x[stride*q + offset_h, stride*r + offset_w].";
  let description = [{
    What a kernel that writes all phases of its result stores; interleave puts them together. In groups only.
  }];
  let arguments = (ins Activation:$x, DenseI64ArrayAttr:$stride, DenseI64ArrayAttr:$offset);
  let results = (outs Activation:$y);
}

def InterleaveOp : Hourglass_Op<"interleave", [], ["checkAttributes"]> {
  let summary = "Puts phases next to each other: y[stride*q + a, stride*r + b] = phase (a, b)[q, r].";
  let description = [{
    Operands are the stride_h * stride_w phases in row-major order, phase (a, b) of extents ceil((out - a) / stride_h),
    ceil((out - b) / stride_w). No copy: the planner lets the phases' producers write strided views.
  }];
  let arguments = (ins Variadic<Activation>:$phases, DenseI64ArrayAttr:$stride);
  let results = (outs Activation:$y);
}
#endif
