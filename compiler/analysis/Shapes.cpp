/// \file Runs the shape functions of a whole function, and what can be concluded from their requirements.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/Shapes.h"

using namespace mlir;

namespace segc {

bool isPrepared(func::FuncOp main, BlockArgument argument) {
  return main.getArgAttr(argument.getArgNumber(), "hourglass.prepared") != nullptr;
}

FailureOr<ShapeMap> inferShapes(func::FuncOp main, hg::SizeTable &table) {
  ShapeMap shapes;
  uint32_t input = 0;
  for (BlockArgument argument : main.getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    hg::Shape shape;
    shape.element = type.getElementType();
    for (auto [axis, extent] : llvm::enumerate(type.getShape())) {
      bool isFree = !isPrepared(main, argument) && axis != 1;
      int64_t known = ShapedType::isDynamic(extent) ? 0 : extent;
      shape.dims.push_back(isFree ? table.symbol(input, axis, known) : table.constant(known));
    }
    if (auto most = main.getArgAttrOfType<DenseI64ArrayAttr>(argument.getArgNumber(), "hourglass.max"))
      for (unsigned axis : {0u, 2u, 3u})
        table.require({table.sub(table.constant(most[axis]), shape.dims[axis]), 0, false, 0,
                       "an input is larger than the library was compiled for (-max-shape)"});
    shapes[argument] = shape;
    input += !isPrepared(main, argument);
  }
  for (Operation &op : main.getBody().front().without_terminator()) {
    auto layer = dyn_cast<hg::LayerOp>(op);
    if (!layer)
      return op.emitOpError("is no hourglass op: it cannot be planned"), failure();
    SmallVector<hg::Shape> operands, results;
    for (Value operand : op.getOperands())
      operands.push_back(shapes.lookup(operand));
    if (failed(layer.inferShapes(table, operands, results)))
      return failure();
    for (auto [result, shape] : llvm::zip(op.getResults(), results))
      shapes[result] = shape;
  }
  if (table.overflowed())
    return main.emitError("extents overflow"), failure();
  return shapes;
}

/// Even by what it is made of.
static bool isBuiltEven(const hg::SizeTable &table, hg::Size extent) {
  using Kind = hg::SizeTable::Kind;
  const hg::SizeTable::Node &node = table.nodes()[extent];
  switch (node.kind) {
  case Kind::Constant:
    return node.value % 2 == 0;
  case Kind::Mul:
    return node.value % 2 == 0 || isBuiltEven(table, node.a);
  case Kind::Product:
    return isBuiltEven(table, node.a) || isBuiltEven(table, node.b);
  case Kind::Add: // the phases of a deconvolution: x + x
  case Kind::Sub:
    return node.a == node.b || isBuiltEven(table, node.a) && isBuiltEven(table, node.b);
  default:
    return false;
  }
}

bool isEven(const hg::SizeTable &table, hg::Size extent) {
  return isBuiltEven(table, extent) ||
         llvm::any_of(table.requirements(), [&](const hg::SizeTable::Requirement &known) {
           return known.equal && ((known.a == extent && isBuiltEven(table, known.b)) ||
                                  (known.b == extent && isBuiltEven(table, known.a)));
         });
}

} // namespace segc
