/// \file Mean-pooling over windows and over bins, with their transposes: shapes, rewrites, import.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/PoolWindow.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace segc::hg {

//===-- avgpool --===//

WindowMap AvgPoolOp::window(unsigned axis) { return poolWindow(*this, axis, getCeil()); }
LogicalResult AvgPoolOp::checkAttributes() { return verifyPoolWindow(*this); }

LogicalResult AvgPoolOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                     SmallVectorImpl<Shape> &results) {
  auto pooled = pooledShape(*this, table, operands[0]);
  if (failed(pooled))
    return failure();
  results.push_back(*pooled);
  return success();
}

ReceptiveField AvgPoolOp::receptiveField(ArrayRef<ReceptiveField> operands) {
  WindowMap map = window(0);
  return operands[0].through(map.kernel, map.dilation, map.stride);
}

SmallVector<Value> AvgPoolOp::transpose(OpBuilder &builder, Value cotangent) {
  auto back = createInferred<AvgPoolTransposeOp>(builder, getLoc(), getX().getType(), cotangent, getX(),
                                                 getKernelAttr(), getStrideAttr(), getPaddingAttr(),
                                                 getSameAttr(), getCeilAttr(), getCountIncludePadAttr());
  return {back ? back.getY() : Value()};
}

FailureOr<Value> AvgPoolOp::importLayer(LayerBuilder &layer) {
  auto inputs = layer.inputs(1, 1);
  auto attributes = importPoolWindow(layer, 1 << 16);
  auto countsPadding = layer.fields().boolean("count_include_pad", false);
  if (failed(inputs) || failed(attributes) || failed(countsPadding))
    return failure();
  if (*countsPadding)
    attributes->push_back(layer.builder().getNamedAttr("count_include_pad", layer.builder().getUnitAttr()));
  auto op = layer.create("hourglass.avgpool", *inputs, *attributes);
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

//===-- avgpool_transpose --===//

WindowMap AvgPoolTransposeOp::window(unsigned axis) { return poolWindow(*this, axis, getCeil()); }
LogicalResult AvgPoolTransposeOp::checkAttributes() { return verifyPoolWindow(*this); }
unsigned AvgPoolTransposeOp::firstShapeOperand() { return 1; }

LogicalResult AvgPoolTransposeOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                              SmallVectorImpl<Shape> &results) {
  const Shape &x = operands[0], &like = operands[1];
  auto pooled = pooledShape(*this, table, like);
  if (failed(pooled))
    return failure();
  if (x.dims.size() != 4)
    return emitOpError("needs a rank-4 operand");
  for (unsigned axis = 2; axis < 4; ++axis)
    if (failed(requireEqual(*this, table, x.dims[axis], pooled->dims[axis],
                            Twine("the pool of `like` does not give this operand's ") +
                                (axis == 2 ? "height" : "width"))))
      return failure();
  results.push_back({{x.dims[0], x.dims[1], like.dims[2], like.dims[3]}, x.element});
  return success();
}

SmallVector<Value> AvgPoolTransposeOp::transpose(OpBuilder &builder, Value cotangent) {
  auto forth = createInferred<AvgPoolOp>(builder, getLoc(), getX().getType(), cotangent, getKernelAttr(),
                                         getStrideAttr(), getPaddingAttr(), getSameAttr(), getCeilAttr(),
                                         getCountIncludePadAttr());
  return {forth ? forth.getY() : Value(), Value()};
}

//===-- adaptive_avgpool --===//

LogicalResult AdaptiveAvgPoolOp::checkAttributes() {
  if (getSize().has_value() == (getLike() != nullptr))
    return emitOpError("needs either size or a like operand");
  if (getSize() &&
      (getSize()->size() != 2 || llvm::any_of(*getSize(), [](int64_t bins) { return bins < 0; })))
    return emitOpError("size needs two numbers, none negative");
  return success();
}

unsigned AdaptiveAvgPoolOp::firstShapeOperand() { return 1; }

LogicalResult AdaptiveAvgPoolOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                             SmallVectorImpl<Shape> &results) {
  for (const Shape &shape : operands)
    if (shape.dims.size() != 4)
      return emitOpError("needs rank-4 operands");
  Shape y = operands[0];
  for (unsigned axis = 0; axis < 2; ++axis)
    if (getLike())
      y.dims[2 + axis] = operands[1].dims[2 + axis];
    else if (int64_t bins = (*getSize())[axis])
      y.dims[2 + axis] = table.constant(bins);
  results.push_back(y);
  return success();
}

ReceptiveField AdaptiveAvgPoolOp::receptiveField(ArrayRef<ReceptiveField> operands) {
  auto in = cast<RankedTensorType>(getX().getType()), out = cast<RankedTensorType>(getY().getType());
  ReceptiveField field = operands[0];
  if (getSize() && (*getSize())[0] == 0)
    return field;
  if (out.getDimSize(2) == 1) {
    field.global = true;
  } else if (!in.isDynamicDim(2) && !out.isDynamicDim(2)) {
    int64_t bins = out.getDimSize(2), pixels = in.getDimSize(2), largest = 0;
    for (int64_t i = 0; i < bins; ++i)
      largest = std::max(largest, ((i + 1) * pixels + bins - 1) / bins - i * pixels / bins);
    field.field += static_cast<double>(largest - 1) * field.jump;
    field.jump = field.jump * static_cast<double>(pixels) / static_cast<double>(bins);
  }
  return field;
}

OpFoldResult AdaptiveAvgPoolOp::fold(FoldAdaptor) {
  // Bins of one pixel each; also where no axis changes.
  auto type = cast<RankedTensorType>(getType());
  bool isSame = type == getX().getType() && type.hasStaticShape();
  bool keepsBoth = getSize() && llvm::all_of(*getSize(), [](int64_t bins) { return bins == 0; });
  return isSame || keepsBoth ? OpFoldResult(getX()) : OpFoldResult();
}

namespace {
/// Rows first: their means are few numbers, and as many tasks as the operand has rows compute them.
struct OneAxisAtATime : OpRewritePattern<AdaptiveAvgPoolOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AdaptiveAvgPoolOp op, PatternRewriter &rewriter) const override {
    auto size = op.getSize();
    if (!size || (*size)[0] == 0 || (*size)[1] == 0)
      return failure();
    auto create = [&](Value x, int64_t height, int64_t width) {
      return createInferred<AdaptiveAvgPoolOp>(rewriter, op.getLoc(), x.getType(), x, Value(),
                                               rewriter.getDenseI64ArrayAttr({height, width}));
    };
    auto rows = create(op.getX(), 0, (*size)[1]);
    if (!rows)
      return failure();
    auto columns = create(rows.getY(), (*size)[0], 0);
    if (!columns)
      return failure();
    rewriter.replaceOp(op, columns.getY());
    return success();
  }
};
} // namespace

void AdaptiveAvgPoolOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<OneAxisAtATime>(context);
}

SmallVector<Value> AdaptiveAvgPoolOp::transpose(OpBuilder &builder, Value cotangent) {
  auto back =
      createInferred<AdaptiveAvgPoolTransposeOp>(builder, getLoc(), getX().getType(), cotangent, getX());
  SmallVector<Value> result(getNumOperands());
  result[0] = back ? back.getY() : Value();
  return result;
}

FailureOr<Value> AdaptiveAvgPoolOp::importLayer(LayerBuilder &layer) {
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  auto size = layer.fields().pair("size", std::nullopt, 1, 1 << 24);
  if (failed(inputs) || failed(size))
    return failure();
  auto op = layer.create("hourglass.adaptive_avgpool", *inputs,
                         {b.getNamedAttr("size", b.getDenseI64ArrayAttr(*size))});
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

//===-- adaptive_avgpool_transpose --===//

unsigned AdaptiveAvgPoolTransposeOp::firstShapeOperand() { return 1; }

LogicalResult AdaptiveAvgPoolTransposeOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                                      SmallVectorImpl<Shape> &results) {
  for (const Shape &shape : operands)
    if (shape.dims.size() != 4)
      return emitOpError("needs rank-4 operands");
  results.push_back({{operands[0].dims[0], operands[0].dims[1], operands[1].dims[2], operands[1].dims[3]},
                     operands[0].element});
  return success();
}

SmallVector<Value> AdaptiveAvgPoolTransposeOp::transpose(OpBuilder &builder, Value cotangent) {
  auto forth = createInferred<AdaptiveAvgPoolOp>(builder, getLoc(), getX().getType(), cotangent, getX(),
                                                 DenseI64ArrayAttr());
  return {forth ? forth.getY() : Value(), Value()};
}

} // namespace segc::hg
