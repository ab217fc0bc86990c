/// \file Reshape, transpose, and the layers made of them and of crops and slices: shapes, folds, transposes,
/// import.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"
#include "dialects/hourglass/Layer.h"

using namespace mlir;

namespace segc::hg {

static LogicalResult needRank4(Operation *op, ArrayRef<Shape> operands) {
  for (const Shape &shape : operands)
    if (shape.dims.size() != 4)
      return op->emitOpError("needs operands of rank 4");
  return success();
}

//===-- reshape --===//

unsigned ReshapeOp::firstShapeOperand() { return 1; }

LogicalResult ReshapeOp::checkAttributes() {
  if (getLike() ? getShape().has_value() : !getShape())
    return emitOpError("needs either a shape or a like operand");
  if (!getShape())
    return success();
  ArrayRef<int64_t> shape = *getShape();
  if (shape.size() != 4 || llvm::any_of(shape, [](int64_t extent) { return extent < -1; }))
    return emitOpError("shape needs four extents: numbers, 0 to copy one, -1 for what is left");
  if (llvm::count(shape, -1) > 1)
    return emitOpError("shape has more than one -1");
  if (shape[1] == -1)
    return emitOpError("the channels of the result must be a number");
  return success();
}

/// The extents that `shape` asks for; fails where what -1 stands for depends on unknown extents in a way that
/// no expression gives.
static FailureOr<SmallVector<Size, 4>> requestedExtents(SizeTable &table, ArrayRef<int64_t> shape,
                                                        ArrayRef<Size> operand) {
  SmallVector<Size, 4> extents;
  SmallVector<Size> others;
  for (auto [axis, extent] : llvm::enumerate(shape)) {
    extents.push_back(extent > 0 ? table.constant(extent) : operand[axis]);
    if (extent != -1)
      others.push_back(extents.back());
  }
  // Copied extents are factors of both sides, so only numbers are left to divide by.
  for (auto [axis, extent] : llvm::enumerate(shape))
    if (extent == -1) {
      auto rest = table.quotient(operand, others);
      if (!rest)
        return failure();
      extents[axis] = *rest;
    }
  return extents;
}

LogicalResult ReshapeOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                     SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  const Shape &x = operands[0];
  Shape y{{}, x.element};
  if (getLike()) {
    y.dims = operands[1].dims;
  } else {
    auto extents = requestedExtents(table, *getShape(), x.dims);
    if (failed(extents))
      return emitOpError("cannot tell what -1 stands for");
    y.dims = *extents;
  }
  results.push_back(y);
  return requireEqual(*this, table, table.product(x.dims), table.product(y.dims),
                      "a reshape keeps the number of elements");
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  auto type = cast<RankedTensorType>(getType());
  if (type == getX().getType() && type.hasStaticShape())
    return getX();
  // Of two reshapes the last decides, if what it copies was copied before.
  auto inner = getX().getDefiningOp<ReshapeOp>();
  if (!inner || getLike() || inner.getLike())
    return {};
  for (auto [last, first] : llvm::zip(*getShape(), *inner.getShape()))
    if (last == 0 && first != 0)
      return {};
  getXMutable().assign(inner.getX());
  return getY();
}

SmallVector<Value> ReshapeOp::transpose(OpBuilder &builder, Value cotangent) {
  auto back =
      createInferred<ReshapeOp>(builder, getLoc(), getX().getType(), cotangent, getX(), DenseI64ArrayAttr());
  SmallVector<Value> result(getNumOperands());
  result[0] = back ? back.getY() : Value();
  return result;
}

Value flattenedFrom(Value value) {
  auto reshape = value.getDefiningOp<ReshapeOp>();
  bool flat = reshape && reshape.getShape() && (*reshape.getShape())[0] == 0 &&
              (*reshape.getShape())[2] == 1 && (*reshape.getShape())[3] == 1;
  return flat ? reshape.getX() : Value();
}

/// Emits the reshape; the channels are computed here if they are -1.
static FailureOr<Value> createReshape(LayerBuilder &layer, Value x, SmallVector<int64_t, 4> shape) {
  LayerFields &fields = layer.fields();
  auto type = cast<RankedTensorType>(x.getType());
  if (type.getRank() != 4)
    return fields.error("", "needs an input of rank 4");
  if (shape[1] == -1) {
    SizeTable table;
    auto extents = requestedExtents(table, shape, shapeOf(table, type, 0).dims);
    auto channels = succeeded(extents) ? table.constantValue((*extents)[1]) : std::nullopt;
    if (!channels)
      return fields.error("shape",
                          "the result's channels depend on a height or width that is not known; give "
                          "the model's inputs a size, or pool to a fixed one before");
    if (*channels < 1)
      return fields.error("shape", Twine("the other extents have more elements than the input's ") +
                                       Twine(type.getNumElements()));
    shape[1] = *channels;
  }
  auto op =
      layer.create("hourglass.reshape", x,
                   {layer.builder().getNamedAttr("shape", layer.builder().getDenseI64ArrayAttr(shape))});
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

FailureOr<Value> ReshapeOp::importLayer(LayerBuilder &layer) {
  auto inputs = layer.inputs(1, 1);
  auto shape = layer.fields().extents("shape", -1);
  if (failed(inputs) || failed(shape))
    return failure();
  if (llvm::count(*shape, -1) > 1)
    return layer.fields().error("shape", "\"shape\" has more than one -1");
  return createReshape(layer, (*inputs)[0], SmallVector<int64_t, 4>(shape->begin(), shape->end()));
}

FailureOr<Value> importFlatten(LayerBuilder &layer) {
  auto inputs = layer.inputs(1, 1);
  if (failed(inputs))
    return failure();
  return createReshape(layer, (*inputs)[0], {0, -1, 1, 1});
}

//===-- transpose --===//

static bool isPermutation(ArrayRef<int64_t> perm) {
  if (perm.size() != 4)
    return false;
  for (int64_t axis = 0; axis < 4; ++axis)
    if (!llvm::is_contained(perm, axis))
      return false;
  return true;
}

LogicalResult TransposeOp::checkAttributes() {
  if (!isPermutation(getPerm()))
    return emitOpError("perm must hold each of 0, 1, 2, 3 once");
  if ((getPerm()[1] == 1) == getChannels().has_value())
    return emitOpError("needs channels exactly where another axis becomes the channels");
  return success();
}

LogicalResult TransposeOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                       SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  Shape y{{}, operands[0].element};
  for (int64_t axis : getPerm())
    y.dims.push_back(operands[0].dims[axis]);
  if (getChannels()) {
    Size channels = table.constant(static_cast<int64_t>(*getChannels()));
    static const char *const axes[] = {"batch", "channels", "height", "width"};
    if (failed(requireEqual(*this, table, y.dims[1], channels,
                            Twine("the transpose makes channels of the operand's ") + axes[getPerm()[1]] +
                                ", which cannot change")))
      return failure();
    y.dims[1] = channels;
  }
  results.push_back(y);
  return success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  if (getPerm() == ArrayRef<int64_t>{0, 1, 2, 3})
    return getX();
  auto inner = getX().getDefiningOp<TransposeOp>();
  if (!inner)
    return {};
  SmallVector<int64_t, 4> perm;
  for (int64_t axis : getPerm())
    perm.push_back(inner.getPerm()[axis]);
  std::optional<int64_t> channels;
  if (perm[1] != 1)
    channels = cast<RankedTensorType>(getType()).getDimSize(1);
  setPerm(perm);
  setChannels(channels);
  getXMutable().assign(inner.getX());
  return getY();
}

/// The axes of a transpose that makes `x`'s axis perm[1] its channels.
static IntegerAttr channelsAttr(OpBuilder &builder, Value x, ArrayRef<int64_t> perm) {
  if (perm[1] == 1)
    return {};
  return builder.getI64IntegerAttr(cast<RankedTensorType>(x.getType()).getDimSize(perm[1]));
}

SmallVector<Value> TransposeOp::transpose(OpBuilder &builder, Value cotangent) {
  SmallVector<int64_t, 4> inverse(4);
  for (auto [position, axis] : llvm::enumerate(getPerm()))
    inverse[axis] = static_cast<int64_t>(position);
  IntegerAttr channels;
  if (inverse[1] != 1) // the operand's, which are always known
    channels = builder.getI64IntegerAttr(cast<RankedTensorType>(getX().getType()).getDimSize(1));
  auto back = createInferred<TransposeOp>(builder, getLoc(), getX().getType(), cotangent,
                                          builder.getDenseI64ArrayAttr(inverse), channels);
  return {back ? back.getY() : Value()};
}

static FailureOr<Value> createTranspose(LayerBuilder &layer, StringRef field, Value x,
                                        ArrayRef<int64_t> perm) {
  auto type = cast<RankedTensorType>(x.getType());
  if (type.getRank() != 4)
    return layer.fields().error("", "needs an input of rank 4");
  static const char *const axes[] = {"batch", "channels", "height", "width"};
  if (type.isDynamicDim(perm[1]))
    return layer.fields().error(field,
                                Twine("the input's ") + axes[perm[1]] +
                                    " would become the channels, which must be known; give the model's "
                                    "inputs a size");
  OpBuilder &b = layer.builder();
  SmallVector<NamedAttribute> attributes{b.getNamedAttr("perm", b.getDenseI64ArrayAttr(perm))};
  if (IntegerAttr channels = channelsAttr(b, x, perm))
    attributes.push_back(b.getNamedAttr("channels", channels));
  auto op = layer.create("hourglass.transpose", x, attributes);
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

FailureOr<Value> TransposeOp::importLayer(LayerBuilder &layer) {
  auto inputs = layer.inputs(1, 1);
  auto perm = layer.fields().extents("perm", 0);
  if (failed(inputs) || failed(perm))
    return failure();
  if (!isPermutation(*perm))
    return layer.fields().error("perm", "\"perm\" must hold each of 0, 1, 2, 3 once");
  return createTranspose(layer, "perm", (*inputs)[0], *perm);
}

//===-- slice: a window of all four axes --===//

/// Channels are a slice, height and width a crop. Images are sliced as channels, between two transposes.
FailureOr<Value> importSlice(LayerBuilder &layer) {
  LayerFields &fields = layer.fields();
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  auto offset = fields.extents("offset", 0), size = fields.extents("size", 0);
  if (failed(inputs) || failed(offset) || failed(size))
    return failure();
  Value value = (*inputs)[0];
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() != 4)
    return fields.error("", "needs an input of rank 4");
  static const char *const axes[] = {"batch", "channels", "height", "width"};
  std::array<bool, 4> cut;
  for (unsigned axis = 0; axis < 4; ++axis) {
    int64_t begin = (*offset)[axis], &count = (*size)[axis];
    cut[axis] = begin != 0 || count != 0;
    if (begin != 0 && count == 0)
      return fields.error("size", Twine("0 keeps the whole ") + axes[axis] + " and goes with offset 0, not " +
                                      Twine(begin));
    if (cut[axis] && !type.isDynamicDim(axis) && begin + count > type.getDimSize(axis))
      return fields.error("size", Twine("the slice from ") + Twine(begin) + " to " + Twine(begin + count) +
                                      " leaves the input's " + axes[axis] + " of " +
                                      Twine(type.getDimSize(axis)));
  }
  auto channelSlice = [&](unsigned axis) -> LogicalResult {
    auto op = layer.create("hourglass.slice", value,
                           {b.getNamedAttr("offset", b.getI64IntegerAttr((*offset)[axis])),
                            b.getNamedAttr("size", b.getI64IntegerAttr((*size)[axis]))});
    if (failed(op))
      return failure();
    value = (*op)->getResult(0);
    return success();
  };
  auto swapped = [&]() -> LogicalResult {
    auto next = createTranspose(layer, "offset", value, {1, 0, 2, 3});
    if (failed(next))
      return failure();
    value = *next;
    return success();
  };
  if (cut[1] && failed(channelSlice(1)))
    return failure();
  for (unsigned axis : {2u, 3u}) // an axis that is kept has no number: cropped one after the other
    if (cut[axis] && type.isDynamicDim(5 - axis) && !cut[5 - axis])
      return fields.error("size", Twine("needs a number for the ") + axes[5 - axis] +
                                      " too: the input's is not known");
  if (cut[2] || cut[3]) {
    for (unsigned axis : {2u, 3u})
      if (!cut[axis])
        (*size)[axis] = type.getDimSize(axis);
    auto op = layer.create("hourglass.crop", value,
                           {b.getNamedAttr("size", b.getDenseI64ArrayAttr({(*size)[2], (*size)[3]})),
                            b.getNamedAttr("offset", b.getDenseI64ArrayAttr({(*offset)[2], (*offset)[3]}))});
    if (failed(op))
      return failure();
    value = (*op)->getResult(0);
  }
  if (cut[0] && (failed(swapped()) || failed(channelSlice(0)) || failed(swapped())))
    return failure();
  return value;
}

} // namespace segc::hg
