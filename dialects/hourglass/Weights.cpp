/// \file Ops on weights: the file's tensors, folding of norms, phases of deconvolutions, packing.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"

using namespace mlir;

namespace segc::hg {

static Shape constantShape(SizeTable &table, ArrayRef<int64_t> extents, Type element) {
  Shape shape;
  shape.element = element;
  for (int64_t extent : extents)
    shape.dims.push_back(table.constant(extent));
  return shape;
}

bool isConstant(WeightOp weight) {
  return !weight.getTrainable() && llvm::none_of(weight.getValue().getUses(), [](OpOperand &use) {
    return isa<RunningUpdateOp>(use.getOwner()) && use.getOperandNumber() == 0;
  });
}

ArrayRef<int64_t> WeightOp::storedShape() {
  return getStored() ? *getStored() : cast<RankedTensorType>(getValue().getType()).getShape();
}

LogicalResult WeightOp::inferShapes(SizeTable &table, ArrayRef<Shape>, SmallVectorImpl<Shape> &results) {
  auto type = dyn_cast<RankedTensorType>(getValue().getType());
  if (!type || !type.hasStaticShape() || type.getRank() < 1 || type.getRank() > 4)
    return emitOpError("must be a tensor of rank 1 to 4 with known extents");
  if (std::optional<ArrayRef<int64_t>> stored = getStored())
    if (stored->empty() || stored->size() > 4 || llvm::any_of(*stored, [](int64_t e) { return e < 1; }) ||
        ShapedType::getNumElements(*stored) != type.getNumElements())
      return emitOpError("`stored` must have as many elements as the tensor");
  results.push_back(constantShape(table, type.getShape(), type.getElementType()));
  return success();
}

/// All operands must be vectors of one length.
static LogicalResult sameVectors(Operation *op, ArrayRef<Shape> operands, SmallVectorImpl<Shape> &results) {
  for (const Shape &shape : operands)
    if (shape.dims.size() != 1 || shape.dims[0] != operands[0].dims[0])
      return op->emitOpError("needs vectors of equal length");
  results.push_back(operands[0]);
  return success();
}

LogicalResult NormScaleOp::inferShapes(SizeTable &, ArrayRef<Shape> operands,
                                       SmallVectorImpl<Shape> &results) {
  return sameVectors(*this, operands, results);
}

LogicalResult NormShiftOp::inferShapes(SizeTable &, ArrayRef<Shape> operands,
                                       SmallVectorImpl<Shape> &results) {
  return sameVectors(*this, operands, results);
}

LogicalResult ScaleWeightOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                         SmallVectorImpl<Shape> &results) {
  const Shape &weight = operands[0], &scale = operands[1];
  if (weight.dims.size() < 2 || scale.dims.size() != 1)
    return emitOpError("needs a weight and a vector");
  Size channels = getDeconv() ? table.mul(weight.dims[1], getGroups()) : weight.dims[0];
  if (scale.dims[0] != channels)
    return emitOpError("needs one scale per output channel");
  results.push_back(weight);
  return success();
}

LogicalResult PhaseWeightOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                         SmallVectorImpl<Shape> &results) {
  const Shape &weight = operands[0];
  if (weight.dims.size() != 4 || getFirst().size() != 2 || getStep().size() != 2 || getTaps().size() != 2)
    return emitOpError("needs a rank-4 weight and two firsts, steps and taps");
  int64_t in = table.constantValue(weight.dims[0]).value_or(0),
          out = table.constantValue(weight.dims[1]).value_or(0);
  int64_t groups = getGroups();
  if (groups < 1 || in % groups)
    return emitOpError("groups must divide the input channels");
  results.push_back(
      constantShape(table, {out * groups, in / groups, getTaps()[0], getTaps()[1]}, weight.element));
  return success();
}

LogicalResult PackOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                  SmallVectorImpl<Shape> &results) {
  Type element = operands[0].element;
  if (getProblem().ends_with(" : bf16"))
    element = BFloat16Type::get(getContext());
  else if (getProblem().ends_with(" : f16"))
    element = Float16Type::get(getContext());
  results.push_back(constantShape(table, getExtents(), element));
  return success();
}

LogicalResult UnpackOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                    SmallVectorImpl<Shape> &results) {
  Type element = operands[0].element;
  if (element.isBF16() || element.isF16()) // weights mean f32, however they are packed
    element = Float32Type::get(getContext());
  results.push_back(constantShape(table, getExtents(), element));
  return success();
}

} // namespace segc::hg
