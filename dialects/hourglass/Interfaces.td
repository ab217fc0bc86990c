// What every hourglass op can be asked: its shapes, its receptive field, its work, its import and its transpose.
#ifndef SEGC_HOURGLASS_INTERFACES
#define SEGC_HOURGLASS_INTERFACES
include "mlir/IR/OpBase.td"

def LayerOpInterface : OpInterface<"LayerOp"> {
  let cppNamespace = "::segc::hg";
  let description = [{
    Shape and geometry of an op. Shapes are written once, over `SizeTable`; the verifier, the result types of new
    ops and the plan's run-time extents all come from `inferShapes`.
  }];
  let methods = [
    InterfaceMethod<"Checks what does not depend on shapes; comes before inferShapes, which may rely on it.",
      "::llvm::LogicalResult", "checkAttributes", (ins), [{}], [{ return ::mlir::success(); }]>,
    InterfaceMethod<"Shapes of the results; emits an error where the operands cannot be used.",
      "::llvm::LogicalResult", "inferShapes",
      (ins "::segc::hg::SizeTable &":$table, "::llvm::ArrayRef<::segc::hg::Shape>":$operands,
           "::llvm::SmallVectorImpl<::segc::hg::Shape> &":$results)>,
    InterfaceMethod<"Operands from this one on are read for their extents only: they keep nothing alive.",
      "unsigned", "firstShapeOperand", (ins), [{}], [{ return $_op->getNumOperands(); }]>,
    InterfaceMethod<"Receptive field of the results, given those of the operands.",
      "::segc::hg::ReceptiveField", "receptiveField",
      (ins "::llvm::ArrayRef<::segc::hg::ReceptiveField>":$operands), [{}],
      [{ return ::segc::hg::widest(operands); }]>,
    InterfaceMethod<"Multiply-accumulates for the given operand and result extents (static shapes).",
      "int64_t", "macs", (ins), [{}], [{ return 0; }]>
  ];
  let verify = [{ return ::segc::hg::verifyShapes($_op); }];
}

def LinearOpInterface : OpInterface<"LinearOp"> {
  let cppNamespace = "::segc::hg";
  let description = [{
    An op y = A x that is linear in its activations. `transpose` emits x' = A^T y' and returns one value per operand,
    null for those it is not linear in (weights, indices, shapes). Transposing twice gives the op back.
  }];
  let methods = [
    InterfaceMethod<"Emits the transposed op.", "::llvm::SmallVector<::mlir::Value>", "transpose",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Value":$cotangent)>
  ];
}

def DifferentiableOpInterface : OpInterface<"DifferentiableOp"> {
  let cppNamespace = "::segc::hg";
  let description = [{
    An op that a gradient can pass. `adjoint` gets the gradient of the loss with respect to each result (null where
    nothing depends on it) and returns that of each operand, null where `wanted` is false or there is none.
    Ops that are linear in all they pass gradients to need not implement it: their transpose is it.
  }];
  let methods = [
    InterfaceMethod<"Emits the backward ops.", "::llvm::SmallVector<::mlir::Value>", "adjoint",
      (ins "::mlir::OpBuilder &":$builder, "::llvm::ArrayRef<::mlir::Value>":$gradients,
           "::llvm::ArrayRef<bool>":$wanted)>
  ];
}

def ImportableOpInterface : OpInterface<"ImportableOp"> {
  let cppNamespace = "::segc::hg";
  let description = [{ An op that a model description can name: it reads its own fields. }];
  let methods = [
    StaticInterfaceMethod<"Builds the layer from its description.", "::mlir::FailureOr<::mlir::Value>",
      "importLayer", (ins "::segc::hg::LayerBuilder &":$layer)>
  ];
}
#endif
