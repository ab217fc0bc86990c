/// \file The group: a kernel's worth of ops, its shapes by running the shape functions of its body.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"

using namespace mlir;

namespace segc::hg {

LogicalResult GroupOp::checkAttributes() {
  Block &block = getBody().front();
  if (block.getNumArguments() != getInputs().size())
    return emitOpError("has ") << getInputs().size() << " operands, its body takes "
                               << block.getNumArguments();
  for (auto [argument, input] : llvm::zip(block.getArguments(), getInputs()))
    if (argument.getType() != input.getType())
      return emitOpError("body argument #") << argument.getArgNumber() << " is " << argument.getType()
                                            << ", the operand " << input.getType();
  auto yield = dyn_cast<YieldOp>(block.back());
  if (!yield || yield.getValues().size() != getNumResults())
    return emitOpError("body must end with a yield of ") << getNumResults() << " values";
  for (Operation &op : block.without_terminator())
    if (!isa<LayerOp>(op) || isa<GroupOp, WeightOp>(op))
      return emitOpError("body may not contain ") << op.getName();
  return success();
}

bool GroupOp::isShapeOnly(unsigned i) {
  BlockArgument argument = getBody().front().getArgument(i);
  return llvm::all_of(argument.getUses(), [](OpOperand &use) { return hg::isShapeOnly(use); });
}

LogicalResult GroupOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                   SmallVectorImpl<Shape> &results) {
  DenseMap<Value, Shape> known;
  Block &block = getBody().front();
  for (auto [argument, shape] : llvm::zip(block.getArguments(), operands))
    known[argument] = shape;
  for (Operation &op : block.without_terminator()) {
    SmallVector<Shape> in, out;
    for (Value operand : op.getOperands())
      in.push_back(known.lookup(operand));
    if (failed(cast<LayerOp>(op).inferShapes(table, in, out)))
      return failure();
    for (auto [result, shape] : llvm::zip(op.getResults(), out))
      known[result] = shape;
  }
  for (Value value : cast<YieldOp>(block.back()).getValues())
    results.push_back(known.lookup(value));
  return success();
}

ReceptiveField GroupOp::receptiveField(ArrayRef<ReceptiveField> operands) {
  DenseMap<Value, ReceptiveField> known;
  Block &block = getBody().front();
  for (auto [argument, field] : llvm::zip(block.getArguments(), operands))
    known[argument] = field;
  ReceptiveField last;
  for (Operation &op : block.without_terminator()) {
    SmallVector<ReceptiveField> in;
    for (Value operand : op.getOperands())
      in.push_back(known.lookup(operand));
    last = cast<LayerOp>(op).receptiveField(in);
    for (Value result : op.getResults())
      known[result] = last;
  }
  return last;
}

int64_t GroupOp::macs() {
  int64_t sum = 0;
  for (Operation &op : getBody().front().without_terminator())
    sum += cast<LayerOp>(op).macs();
  return sum;
}

} // namespace segc::hg
