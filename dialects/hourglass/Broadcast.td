// Broadcasting and its transpose.
#ifndef SEGC_HOURGLASS_BROADCAST
#define SEGC_HOURGLASS_BROADCAST
include "dialects/hourglass/Hourglass.td"

def BroadcastOp : Hourglass_Op<"broadcast", [DeclareOpInterfaceMethods<LinearOpInterface>], ["firstShapeOperand"]> {
  let summary = "Repeats the operand along its axes of extent 1.";
  let description = [{
    Where x has an extent of 1, known when compiling, the result has that of `like`; all other extents are x's. ONNX: Expand.
    Elementwise ops read a broadcast operand through a view of step 0: no copy.
  }];
  let arguments = (ins Activation:$x, Activation:$like);
  let results = (outs Activation:$y);
  let hasFolder = 1;
  let extraClassDeclaration = [{
    /// Is one channel repeated? A view of step 0 cannot show that: channels lie side by side in vectors.
    bool repeatsChannel();
  }];
}

def ReduceSumOp : Hourglass_Op<"reduce_sum", [DeclareOpInterfaceMethods<LinearOpInterface>], ["checkAttributes"]> {
  let summary = "Sums over `axes` of N, C, H, W, whose extents become 1: the transpose of broadcast.";
  let arguments = (ins Activation:$x, DenseI64ArrayAttr:$axes);
  let results = (outs Activation:$y);
}
#endif
