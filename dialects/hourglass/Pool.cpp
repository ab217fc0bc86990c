/// \file Max-pooling with argmax, its inverse, and the inverse's transpose.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/PoolWindow.h"

using namespace mlir;

namespace segc::hg {

/// The window of a pool whose index has one byte.
template <typename OpT> static LogicalResult verifyPool(OpT op) {
  if (failed(verifyPoolWindow(op, op.getDilation())))
    return failure();
  if (op.getKernel()[0] * op.getKernel()[1] > 256)
    return op.emitOpError("the window has ")
           << op.getKernel()[0] * op.getKernel()[1] << " pixels; its one-byte index reaches 256";
  return success();
}

//===-- maxpool --===//

WindowMap MaxPoolOp::window(unsigned axis) { return poolWindow(*this, axis, getCeil(), getDilation()); }
LogicalResult MaxPoolOp::checkAttributes() { return verifyPool(*this); }

LogicalResult MaxPoolOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                     SmallVectorImpl<Shape> &results) {
  auto pooled = pooledShape(*this, table, operands[0]);
  if (failed(pooled))
    return failure();
  results.push_back(*pooled);
  Shape y = *pooled;
  y.element = IntegerType::get(getContext(), 8);
  results.push_back(y);
  return success();
}

ReceptiveField MaxPoolOp::receptiveField(ArrayRef<ReceptiveField> operands) {
  return operands[0].through(window(0));
}

FailureOr<SmallVector<NamedAttribute>> importPoolWindow(LayerBuilder &layer, int64_t largest) {
  LayerFields &fields = layer.fields();
  OpBuilder &b = layer.builder();
  auto kernel = fields.pair("kernel", std::nullopt, 1, largest);
  if (failed(kernel))
    return failure();
  auto stride = fields.pair("stride", *kernel, 1, 1 << 16);
  auto padding = fields.padding("padding");
  auto ceil = fields.boolean("ceil", false);
  if (failed(stride) || failed(padding) || failed(ceil))
    return failure();
  SmallVector<NamedAttribute> attributes = {
      b.getNamedAttr("kernel", b.getDenseI64ArrayAttr(*kernel)),
      b.getNamedAttr("stride", b.getDenseI64ArrayAttr(*stride)),
      b.getNamedAttr("padding", b.getDenseI64ArrayAttr(padding->amount)),
  };
  if (padding->same)
    attributes.push_back(b.getNamedAttr("same", b.getUnitAttr()));
  if (*ceil)
    attributes.push_back(b.getNamedAttr("ceil", b.getUnitAttr()));
  return attributes;
}

FailureOr<Value> MaxPoolOp::importLayer(LayerBuilder &layer) {
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  auto attributes = importPoolWindow(layer, 256);
  auto dilation = layer.fields().pair("dilation", LayerFields::Pair{1, 1}, 1, 1 << 16);
  if (failed(inputs) || failed(attributes) || failed(dilation))
    return failure();
  attributes->push_back(b.getNamedAttr("dilation", b.getDenseI64ArrayAttr(*dilation)));
  auto op = layer.create("hourglass.maxpool", *inputs, *attributes);
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

//===-- unpool --===//

WindowMap UnpoolOp::window(unsigned axis) { return poolWindow(*this, axis, false, getDilation()); }
LogicalResult UnpoolOp::checkAttributes() { return verifyPool(*this); }
unsigned UnpoolOp::firstShapeOperand() { return 2; }

LogicalResult UnpoolOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                    SmallVectorImpl<Shape> &results) {
  const Shape &x = operands[0], &index = operands[1], &like = operands[2];
  if (x.dims.size() != 4 || index.dims.size() != 4 || like.dims.size() != 4)
    return emitOpError("needs rank-4 operands");
  static const char *const axes[] = {"batch", "channels", "height", "width"};
  for (unsigned axis = 0; axis < 4; ++axis)
    if (failed(requireEqual(*this, table, x.dims[axis], index.dims[axis],
                            Twine("the value's ") + axes[axis] + " must equal that of the pool it undoes")))
      return failure();
  results.push_back({{x.dims[0], x.dims[1], like.dims[2], like.dims[3]}, x.element});
  return success();
}

ReceptiveField UnpoolOp::receptiveField(ArrayRef<ReceptiveField> operands) {
  WindowMap map = window(0);
  return widest({operands[0].transposedThrough(map), operands[1].transposedThrough(map)});
}

SmallVector<Value> UnpoolOp::transpose(OpBuilder &builder, Value cotangent) {
  auto take = createInferred<TakeOp>(builder, getLoc(), getX().getType(), cotangent, getIndex(),
                                     getKernelAttr(), getStrideAttr(), getPaddingAttr(), getSameAttr(),
                                     getDilationAttr(), getSumAttr());
  return {take ? take.getY() : Value(), Value(), Value()};
}

FailureOr<Value> UnpoolOp::importLayer(LayerBuilder &layer) {
  LayerFields &fields = layer.fields();
  auto inputs = layer.inputs(1, 1);
  if (failed(inputs))
    return failure();
  auto poolValue = fields.layer("pool");
  if (failed(poolValue))
    return failure();
  auto pool = (*poolValue).getDefiningOp<MaxPoolOp>();
  if (!pool)
    return fields.error("pool",
                        "must name a maxpool layer: only a max-pool remembers where its maxima came from");
  SmallVector<NamedAttribute> attributes = {
      {StringAttr::get(pool.getContext(), "kernel"), pool.getKernelAttr()},
      {StringAttr::get(pool.getContext(), "stride"), pool.getStrideAttr()},
      {StringAttr::get(pool.getContext(), "dilation"), pool.getDilationAttr()},
      {StringAttr::get(pool.getContext(), "padding"), pool.getPaddingAttr()},
  };
  if (pool.getSame())
    attributes.push_back({StringAttr::get(pool.getContext(), "same"), pool.getSameAttr()});
  auto op = layer.create("hourglass.unpool", {(*inputs)[0], pool.getIndex(), pool.getX()}, attributes);
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

//===-- take --===//

WindowMap TakeOp::window(unsigned axis) { return poolWindow(*this, axis, false, getDilation()); }

LogicalResult TakeOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                  SmallVectorImpl<Shape> &results) {
  if (operands[0].dims.size() != 4 || operands[1].dims.size() != 4)
    return emitOpError("needs rank-4 operands");
  results.push_back({operands[1].dims, operands[0].element});
  return success();
}

SmallVector<Value> TakeOp::transpose(OpBuilder &builder, Value cotangent) {
  auto unpool = createInferred<UnpoolOp>(builder, getLoc(), getX().getType(), cotangent, getIndex(), getX(),
                                         getKernelAttr(), getStrideAttr(), getPaddingAttr(), getSameAttr(),
                                         getDilationAttr(), getSumAttr());
  return {unpool ? unpool.getY() : Value(), Value()};
}

} // namespace segc::hg
