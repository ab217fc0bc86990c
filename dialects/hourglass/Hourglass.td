// The hourglass dialect: a segmentation network as values, one op a layer.
#ifndef SEGC_HOURGLASS
#define SEGC_HOURGLASS
include "dialects/hourglass/Interfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/RegionKindInterface.td"

def Hourglass_Dialect : Dialect {
  let name = "hourglass";
  let summary = "Segmentation networks as values.";
  let description = [{
    Activations are rank-4 tensors in logical order N, C, H, W; N, H and W may be unknown. Weights are tensors in the
    layout of the weights file. All ops are pure; the physical layout appears only in the plan dialect.
  }];
  let cppNamespace = "::segc::hg";
}

// `asked` lists the optional methods of LayerOp that the op implements itself.
class Hourglass_Op<string mnemonic, list<Trait> traits = [], list<string> asked = []>
    : Op<Hourglass_Dialect, mnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<LayerOpInterface, asked>], traits)> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

// Marks ops that make weights or vectors of weights, sums or each other: no groups, one small kernel each.
def OnWeights : NativeOpTrait<"OnWeights"> { let cppNamespace = "::segc::hg"; }

// A layer that a model description can name.
class Hourglass_Layer<string mnemonic, list<Trait> traits = [], list<string> asked = []>
    : Hourglass_Op<mnemonic, !listconcat([DeclareOpInterfaceMethods<ImportableOpInterface>], traits), asked>;

def Activation : TensorOf<[F32, F64]>;
def Weight : TensorOf<[F32, F64, BF16, F16]>;
#endif
