// The plan dialect: a network as buffers, views and launches; what the executor's tables are written from.
#ifndef SEGC_PLAN
#define SEGC_PLAN
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let summary = "Memory and launches of a compiled network.";
  let description = [{
    A `plan.program` is a straight list of steps. Extents are indices into its `sizes`, one expression a line in the
    syntax of SizeTable: `const 3`, `input 0 2 256` (input, axis, extent in the model), `add 1 2`, `sub 1 2`, `product 1 2`, `mul 1 3`,
    `div 1 2`, `min 1 2`, `max 1 2`; the numbers after add, sub, min, max and first after mul, div are earlier lines.
  }];
  let cppNamespace = "::segc::plan";
  let useDefaultTypePrinterParser = 1;
}

class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<Plan_Dialect, mnemonic, traits>;

def Plan_Buffer : TypeDef<Plan_Dialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "A piece of the arena: N x (H + apron) x (W + apron) pixels of C channels.";
}

def Plan_View : TypeDef<Plan_Dialect, "View"> {
  let mnemonic = "view";
  let summary = "A window of memory with the logical tensor it shows at the model's own extents.";
  let parameters = (ins "::mlir::RankedTensorType":$tensor);
  let assemblyFormat = "`<` $tensor `>`";
}

def ProgramOp : Plan_Op<"program", [Symbol, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "A list of steps: @prepare once after load, @run for each call.";
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$sizes,
    DefaultValuedAttr<ArrayAttr, "{}">:$checks);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `sizes` $sizes attr-dict-with-keyword $body";
  let hasRegionVerifier = 1; // after the steps: it relies on theirs
}

def AllocOp : Plan_Op<"alloc"> {
  let summary = "A buffer of the arena.";
  let description = [{
    `extents` are the sizes N, H, W; `apron` is top, left, bottom, right in pixels. After plan-memory `offset` is its byte
    in the arena for the model's own extents (absent where those are unknown).
  }];
  let arguments = (ins StrAttr:$name, TypeAttr:$element, DenseI64ArrayAttr:$extents, I64Attr:$channels,
    DenseI64ArrayAttr:$apron, OptionalAttr<I64Attr>:$offset);
  let results = (outs Plan_Buffer:$buffer);
  let assemblyFormat = "$name $element `extents` $extents `channels` $channels `apron` $apron (`offset` $offset^)? attr-dict `:` type($buffer)";
  let hasVerifier = 1;
}

def ViewOp : Plan_Op<"view", [Pure]> {
  let summary = "A window of a buffer.";
  let description = [{
    Pixel (y, x) of the view is pixel (origin_y + step_y * y, origin_x + step_x * x) of the buffer; a step of 0 shows one
    row or column everywhere, and a buffer of one image shows it for every n (broadcasting). Negative pixels lie in
    the apron. A `bounded` view starts at pixel (0, 0) instead and its origin tells the kernel where its coordinates
    start: the kernel may not leave it. With `phases` (rows, columns) the kernel sees every so-many-th pixel as an axis
    of its own; what the view shows stays the same.
  }];
  let arguments = (ins Plan_Buffer:$buffer, I64Attr:$channel, I64Attr:$channels, DenseI64ArrayAttr:$extents,
    DenseI64ArrayAttr:$origin, DenseI64ArrayAttr:$step, UnitAttr:$bounded,
    OptionalAttr<DenseI64ArrayAttr>:$phases);
  let results = (outs Plan_View:$view);
  let assemblyFormat = "$buffer `channels` $channel `of` $channels `extents` $extents `origin` $origin `step` $step (`bounded` $bounded^)? (`phases` $phases^)? attr-dict `:` type($view)";
  let hasVerifier = 1;
}

def DenseOp : Plan_Op<"dense", [Pure]> {
  let summary = "A tensor without pixels in a buffer of its own: packed weights, vectors of training.";
  let description = [{
    With `padded` the kernel sees whole cache lines of a vector: what lies behind its end has no meaning. With `flat` it
    sees the elements as one row. With `first` (a filter's row and column) it counts taps from that one on: the phase
    of a deconvolution.
  }];
  let arguments = (ins Plan_Buffer:$buffer, UnitAttr:$padded, UnitAttr:$flat, OptionalAttr<DenseI64ArrayAttr>:$first);
  let results = (outs Plan_View:$view);
  let assemblyFormat = "$buffer (`padded` $padded^)? (`flat` $flat^)? attr-dict `:` type($view)";
  let hasVerifier = 1;
}

def GradientOp : Plan_Op<"gradient", [Pure]> {
  let summary = "Where the gradient of a weight goes, in the weight's layout.";
  let arguments = (ins StrAttr:$name, UnitAttr:$flat);
  let results = (outs Plan_View:$view);
  let assemblyFormat = "$name (`flat` $flat^)? attr-dict `:` type($view)";
}

def LossesOp : Plan_Op<"losses", [Pure]> {
  let summary = "The total loss and each loss of the step.";
  let results = (outs Plan_View:$view);
  let assemblyFormat = "attr-dict `:` type($view)";
}

def SeedOp : Plan_Op<"seed", [Pure]> {
  let summary = "The model's seed and the number of the step.";
  let results = (outs Plan_View:$view);
  let assemblyFormat = "attr-dict `:` type($view)";
}

def FlatOp : Plan_Op<"flat", [Pure]> {
  let summary = "Elements of a buffer that has one number for each parameter.";
  let description = [{ `buffer` is parameters, gradients, state0, state1, average or accumulated. }];
  let arguments = (ins StrAttr:$buffer, I64Attr:$first);
  let results = (outs Plan_View:$view);
  let assemblyFormat = "$buffer $first attr-dict `:` type($view)";
  let hasVerifier = 1;
}

def HyperOp : Plan_Op<"hyper", [Pure]> {
  let summary = "The numbers that an optimiser reads for segment `row`: learning rate, decay and so on.";
  let arguments = (ins I64Attr:$row);
  let results = (outs Plan_View:$view);
  let assemblyFormat = "$row attr-dict `:` type($view)";
}

def PartialOp : Plan_Op<"partial", [Pure]> {
  let summary = "256 partial sums of squares, which the runtime adds up in order.";
  let results = (outs Plan_View:$view);
  let assemblyFormat = "attr-dict `:` type($view)";
}

def InputOp : Plan_Op<"input", [Pure]> {
  let summary = "What the caller gives: any strides.";
  let arguments = (ins I64Attr:$index, StrAttr:$name, DenseI64ArrayAttr:$extents);
  let results = (outs Plan_View:$view);
  let assemblyFormat = "$index $name `extents` $extents attr-dict `:` type($view)";
}

def OutputOp : Plan_Op<"output", [Pure]> {
  let summary = "Where the caller wants a result: any strides.";
  let arguments = (ins I64Attr:$index, StrAttr:$name, DenseI64ArrayAttr:$extents);
  let results = (outs Plan_View:$view);
  let assemblyFormat = "$index $name `extents` $extents attr-dict `:` type($view)";
}

def WeightOp : Plan_Op<"weight", [Pure]> {
  let summary = "A tensor of the weights file. In training @run reads the trainable ones and updates running statistics.";
  let description = [{ `padded`, `flat` and `first` as in plan.dense; `stored` as in hourglass.weight. }];
  let arguments = (ins StrAttr:$name, StrAttr:$init, UnitAttr:$running, UnitAttr:$trainable,
    OptionalAttr<F64Attr>:$lr_scale, OptionalAttr<DenseI64ArrayAttr>:$stored, UnitAttr:$padded, UnitAttr:$flat, OptionalAttr<DenseI64ArrayAttr>:$first);
  let results = (outs Plan_View:$view);
  let assemblyFormat = "$name `init` $init (`padded` $padded^)? (`flat` $flat^)? attr-dict `:` type($view)";
}

def PreparedOp : Plan_Op<"prepared", [Pure]> {
  let summary = "Slot `index` of the prepared block: written by @prepare, read by @run.";
  let arguments = (ins I64Attr:$index);
  let results = (outs Plan_View:$view);
  let assemblyFormat = "$index attr-dict `:` type($view)";
}

def BorderOp : Plan_Op<"border"> {
  let summary = "Writes zeros into the apron of a buffer.";
  let arguments = (ins Plan_Buffer:$buffer);
  let assemblyFormat = "$buffer attr-dict";
}

def LaunchOp : Plan_Op<"launch", [AttrSizedOperandSegments]> {
  let summary = "Runs a kernel.";
  let description = [{
    Operands are the kernel's arguments in order: what it reads, then what it writes. `shapes` are views of which only the
    extents matter. Before plan-outline the body says what is computed, afterwards `kernel` names it. Block arguments
    are `reads` and `shapes`; the body yields one value per `writes`.
  }];
  let arguments = (ins Variadic<Plan_View>:$reads, Variadic<Plan_View>:$shapes, Variadic<Plan_View>:$writes,
    StrAttr:$label, StrAttr:$problem, StrAttr:$schedule, OptionalAttr<FlatSymbolRefAttr>:$kernel);
  let regions = (region AnyRegion:$body);
  let assemblyFormat = [{
    $label ($kernel^)? `problem` $problem `schedule` $schedule `reads` `(` $reads `)` `shapes` `(` $shapes `)` `writes` `(` $writes `)`
    attr-dict-with-keyword $body `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def KernelOp : Plan_Op<"kernel", [Symbol, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "A kernel that launches share: its problem, its schedule and what it computes.";
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$problem, StrAttr:$schedule);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `problem` $problem `schedule` $schedule attr-dict-with-keyword $body";
}

def YieldOp : Plan_Op<"yield", [Pure, Terminator]> {
  let summary = "The values a launch writes.";
  let arguments = (ins Variadic<AnyTensor>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}
#endif
