/// \file Losses: which operands and fields each type takes, shapes.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"
#include <cmath>

using namespace mlir;

namespace segc::hg {

bool isLabelLoss(StringRef type) {
  return type == "cross_entropy" || type == "focal" || type == "dice" || type == "soft_iou";
}

int64_t lossColumns(StringRef type) {
  return type == "bce" ? 5 : type == "dice" || type == "soft_iou" ? 3 : 2;
}

template <typename OpT> static LogicalResult checkFields(OpT op) {
  static const StringRef types[] = {"cross_entropy", "bce", "focal",     "dice", "soft_iou",
                                    "mse",           "l1",  "smooth_l1", "score"};
  if (!llvm::is_contained(types, op.getKind()))
    return op.emitOpError("unknown loss ") << op.getKind();
  if (op.getReduction() != "mean" && op.getReduction() != "sum")
    return op.emitOpError("reduction must be mean or sum");
  if (op.getClassWeights() && op.getKind() != "cross_entropy")
    return op.emitOpError("class weights go with cross_entropy");
  if (op.getPerImage() && op.getKind() != "dice" && op.getKind() != "soft_iou")
    return op.emitOpError("per_image goes with dice and soft_iou");
  return success();
}

/// The target (operand 1) or the pixel weights (2) against the loss's input.
static LogicalResult checkOperand(Operation *op, SizeTable &table, unsigned index, const Shape &operand,
                                  const Shape &x, Size channels) {
  static const char *const axes[] = {"batch", "channels", "height", "width"};
  const char *what = index == 1 ? "target" : "pixel weights";
  auto given = table.constantValue(operand.dims[1]), wanted = table.constantValue(channels);
  if (given != wanted)
    return op->emitOpError("the ") << what << " must have the extents "
                                   << (*wanted == 1 ? "[N, H, W], one number a pixel"
                                                    : "[N, " + std::to_string(*wanted) +
                                                          ", H, W], those of the loss's input")
                                   << "; here are " << given.value_or(0) << " channels";
  for (unsigned axis : {0u, 2u, 3u}) {
    std::string message =
        (Twine("the ") + what + (index == 1 ? "'s " : "' ") + axes[axis] + " must fit the loss's input")
            .str();
    auto a = table.constantValue(operand.dims[axis]), b = table.constantValue(x.dims[axis]);
    if (a && b && *a != *b && axis >= 2)
      return op->emitOpError(message)
             << " (" << *a << " and " << *b << "); \"resize_target\": true would resize "
             << (index == 1 ? "it" : "them");
    if (failed(requireEqual(op, table, operand.dims[axis], x.dims[axis], message)))
      return failure();
  }
  return success();
}

/// The operands of a loss against each other: x, target and perhaps the pixel weights.
template <typename OpT>
static LogicalResult checkTensors(OpT op, SizeTable &table, ArrayRef<Shape> operands) {
  const Shape &x = operands[0];
  for (const Shape &shape : operands)
    if (shape.dims.size() != 4)
      return op.emitOpError("needs rank-4 operands");
  auto classes = table.constantValue(x.dims[1]);
  if (!classes)
    return op.emitOpError("the channels must be known");
  if (op.getKind() == "cross_entropy" && *classes < 2)
    return op.emitOpError(
        "needs an input of at least 2 channels, this one has 1; bce judges single channels");
  auto perClass = [&](std::optional<ArrayRef<double>> values, const char *name,
                      bool single) -> LogicalResult {
    int64_t count = values ? static_cast<int64_t>(values->size()) : *classes;
    if (count == *classes || (single && count == 1))
      return success();
    return op.emitOpError() << "\"" << name << "\" has " << count << " number" << (count == 1 ? "" : "s")
                            << ", the input has " << *classes << " channels";
  };
  if (failed(perClass(op.getClassWeights(), "class_weights", false)) ||
      failed(perClass(op.getAlpha(), "alpha", true)))
    return failure();
  // With one channel 1 - alpha weighs the other class.
  if (*classes == 1 && op.getAlpha() && op.getAlpha()->front() > 1)
    return op.emitOpError("\"alpha\" must be at most 1 where the input has one channel");
  Size one = table.constant(1);
  if (failed(checkOperand(op, table, 1, operands[1], x, isLabelLoss(op.getKind()) ? one : x.dims[1])))
    return failure();
  return operands.size() < 3 ? success() : checkOperand(op, table, 2, operands[2], x, one);
}

static Type f32(Operation *op) { return Float32Type::get(op->getContext()); }

LogicalResult LossOp::checkAttributes() { return checkFields(*this); }

LogicalResult LossOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                  SmallVectorImpl<Shape> &results) {
  results.push_back({{table.constant(1)}, f32(*this)});
  return checkTensors(*this, table, operands);
}

LogicalResult LossSumsOp::checkAttributes() { return checkFields(*this); }

LogicalResult LossSumsOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                      SmallVectorImpl<Shape> &results) {
  if (failed(checkTensors(*this, table, operands)))
    return failure();
  const Shape &x = operands[0];
  bool perClass = getKind() == "dice" || getKind() == "soft_iou";
  results.push_back({{x.dims[0], perClass ? x.dims[1] : table.constant(1), bandsOf(table, x.dims[2]),
                      table.constant(lossColumns(getKind()))},
                     Float64Type::get(getContext())});
  return success();
}

LogicalResult FinishLossOp::checkAttributes() { return checkFields(*this); }

LogicalResult FinishLossOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                        SmallVectorImpl<Shape> &results) {
  const Shape &sums = operands[0];
  if (sums.dims.size() != 4)
    return emitOpError("needs rank-4 sums");
  Size one = table.constant(1);
  Size coefficients = getKind() == "bce"                               ? table.constant(2)
                      : getKind() == "dice" || getKind() == "soft_iou" ? table.mul(sums.dims[1], 2)
                                                                       : one;
  results.push_back({{one}, f32(*this)});
  results.push_back({{getPerImage() ? sums.dims[0] : one, coefficients, one, one}, f32(*this)});
  return success();
}

LogicalResult LossGradOp::checkAttributes() { return checkFields(*this); }

LogicalResult LossGradOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                      SmallVectorImpl<Shape> &results) {
  results.push_back(operands[0]);
  return checkTensors(*this, table, operands.drop_back());
}

LogicalResult TotalLossOp::checkAttributes() {
  if (getWeights().size() != getLosses().size() || getLosses().empty())
    return emitOpError("needs one weight for each of at least one loss");
  return success();
}

LogicalResult TotalLossOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                       SmallVectorImpl<Shape> &results) {
  for (const Shape &loss : operands)
    if (loss.dims.size() != 1 || loss.dims[0] != table.constant(1))
      return emitOpError("needs vectors of one element");
  results.push_back({{table.constant(1 + static_cast<int64_t>(operands.size()))}, f32(*this)});
  return success();
}

} // namespace segc::hg
