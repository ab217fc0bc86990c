/// \file Convolution and its transpose: shapes, geometry, transposition, import.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"
#include "dialects/hourglass/Layer.h"

using namespace mlir;

namespace segc::hg {

static const char *axisName(unsigned axis) { return axis ? "width" : "height"; }

template <typename OpT> static WindowMap windowOf(OpT op, ArrayRef<int64_t> kernel, unsigned axis) {
  WindowMap map;
  map.kernel = kernel[axis];
  map.stride = op.getStride()[axis];
  map.dilation = op.getDilation()[axis];
  map.before = op.getPadding()[axis];
  map.after = op.getPadding()[axis + 2];
  map.same = op.getSame();
  return map;
}

/// Attribute ranges and the weight's extents against `groups` and the operand's channels.
template <typename OpT>
static LogicalResult checkWindow(OpT op, SizeTable &table, const Shape &x, const Shape &weight,
                                 unsigned inAxis) {
  if (x.dims.size() != 4 || weight.dims.size() != 4)
    return op.emitOpError("needs a rank-4 operand and a rank-4 weight");
  if (op.getStride().size() != 2 || op.getDilation().size() != 2 || op.getPadding().size() != 4)
    return op.emitOpError("needs two strides, two dilations and four paddings");
  for (unsigned axis = 0; axis < 2; ++axis)
    if (op.getStride()[axis] < 1 || op.getDilation()[axis] < 1)
      return op.emitOpError("stride and dilation must be positive");
  for (Size dim : weight.dims)
    if (!table.constantValue(dim))
      return op.emitOpError("the weight's extents must be known");
  auto channels = table.constantValue(x.dims[1]);
  int64_t groups = op.getGroups();
  if (!channels)
    return op.emitOpError("the operand's channels must be known");
  int64_t out = *table.constantValue(weight.dims[0]);
  if (groups < 1 || *channels % groups || out % groups)
    return op.emitOpError("channels ") << *channels << " and the weight's first extent " << out
                                       << " must be multiples of groups = " << groups;
  int64_t expected = inAxis == 1 ? *channels / groups : *channels;
  int64_t actual = *table.constantValue(weight.dims[inAxis]);
  if (actual != expected)
    return op.emitOpError("the operand has ")
           << *channels << " channels, the weight is made for " << (inAxis == 1 ? actual * groups : actual);
  return success();
}

static LogicalResult checkBias(Operation *op, SizeTable &table, ArrayRef<Shape> operands, bool hasBias,
                               Size channels) {
  if (hasBias && (operands[2].dims.size() != 1 || operands[2].dims[0] != channels))
    return op->emitOpError("the bias must have one value per output channel");
  return success();
}

//===-- conv --===//

WindowMap ConvOp::window(unsigned axis) {
  return windowOf(*this, cast<RankedTensorType>(getWeight().getType()).getShape().drop_front(2), axis);
}

unsigned ConvOp::firstShapeOperand() { return getLike() ? getNumOperands() - 1 : getNumOperands(); }

LogicalResult ConvOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                  SmallVectorImpl<Shape> &results) {
  const Shape &x = operands[0], &weight = operands[1];
  if (failed(checkWindow(*this, table, x, weight, 1)) ||
      failed(checkBias(*this, table, operands, getBias() != nullptr, weight.dims[0])))
    return failure();
  Shape y{{x.dims[0], weight.dims[0]}, x.element};
  for (unsigned axis = 0; axis < 2; ++axis) {
    if (getLike()) {
      y.dims.push_back(operands.back().dims[2 + axis]);
      continue;
    }
    WindowMap map = window(axis);
    Size extent = map.result(table, x.dims[2 + axis]);
    if (failed(requireAtLeast(*this, table, extent, 1,
                              Twine("the kernel spans ") + Twine(map.reach()) +
                                  " pixels, more than the padded " + axisName(axis) +
                                  " of its operand: result " + axisName(axis) + " is too small")))
      return failure();
    if (getWhole() && failed(requireEqual(*this, table, extent, table.constant(1),
                                          Twine("a dense layer has weights for a ") + axisName(axis) +
                                              " of " + Twine(map.reach()) + ": result " + axisName(axis))))
      return failure();
    y.dims.push_back(getWhole() ? table.constant(1) : extent);
  }
  results.push_back(y);
  return success();
}

ReceptiveField ConvOp::receptiveField(ArrayRef<ReceptiveField> operands) {
  return operands[0].through(window(0));
}

static int64_t windowMacs(Operation *op, Value perPixel, Value weight) {
  auto pixels = cast<RankedTensorType>(perPixel.getType());
  auto filter = cast<RankedTensorType>(weight.getType());
  if (!pixels.hasStaticShape())
    return 0;
  return pixels.getDimSize(0) * pixels.getDimSize(2) * pixels.getDimSize(3) * filter.getNumElements();
}

int64_t ConvOp::macs() { return windowMacs(*this, getY(), getWeight()); }

SmallVector<Value> ConvOp::transpose(OpBuilder &builder, Value cotangent) {
  auto x = createInferred<DeconvOp>(builder, getLoc(), getX().getType(), cotangent, getWeight(), Value(),
                                    getX(), getStrideAttr(), getPaddingAttr(), getSameAttr(),
                                    getDilationAttr(), getGroupsAttr(), builder.getDenseI64ArrayAttr({0, 0}));
  SmallVector<Value> result(getNumOperands());
  result[0] = x ? x.getY() : Value();
  return result;
}

/// Fields that conv and deconv share, as attributes; adds `groups`.
static FailureOr<SmallVector<NamedAttribute>> importWindow(LayerBuilder &layer, LayerFields::Pair kernel,
                                                           bool transposed) {
  LayerFields &fields = layer.fields();
  OpBuilder &b = layer.builder();
  constexpr int64_t kLargest = 1 << 16;
  auto stride = fields.pair("stride", LayerFields::Pair{1, 1}, 1, kLargest);
  auto dilation = fields.pair("dilation", LayerFields::Pair{1, 1}, 1, kLargest);
  auto padding = fields.padding("padding");
  auto groups = fields.integer("groups", 1, 1, 1 << 20);
  if (failed(stride) || failed(dilation) || failed(padding) || failed(groups))
    return failure();
  LayerFields::Pair outputPadding{0, 0};
  if (transposed) {
    auto given = fields.pair("output_padding", LayerFields::Pair{0, 0}, 0, kLargest);
    if (failed(given))
      return failure();
    outputPadding = *given;
    if (padding->same) {
      // out = in * stride: cut total = reach - stride, floor(total / 2) at top and left; zeros at the end
      // when negative.
      padding->same = false;
      for (unsigned axis = 0; axis < 2; ++axis) {
        int64_t total = (*dilation)[axis] * (kernel[axis] - 1) + 1 - (*stride)[axis];
        padding->amount[axis] = total > 0 ? total / 2 : 0;
        padding->amount[axis + 2] = total - padding->amount[axis];
      }
    }
  }
  SmallVector<NamedAttribute> attributes = {
      b.getNamedAttr("stride", b.getDenseI64ArrayAttr(*stride)),
      b.getNamedAttr("dilation", b.getDenseI64ArrayAttr(*dilation)),
      b.getNamedAttr("padding", b.getDenseI64ArrayAttr(padding->amount)),
      b.getNamedAttr("groups", b.getI64IntegerAttr(*groups)),
  };
  if (padding->same)
    attributes.push_back(b.getNamedAttr("same", b.getUnitAttr()));
  if (transposed)
    attributes.push_back(b.getNamedAttr("output_padding", b.getDenseI64ArrayAttr(outputPadding)));
  return attributes;
}

/// The convolution of the layer that `mirror` names; its norm and activation may stand behind it.
static FailureOr<ConvOp> importMirrored(LayerFields &fields) {
  auto named = fields.layer("mirror");
  if (failed(named))
    return failure();
  Operation *op = named->getDefiningOp();
  while (op && !isa<ConvOp>(op)) {
    Operation *before = op->getNumOperands() ? op->getOperand(0).getDefiningOp() : nullptr;
    op = before && layerName(before->getLoc()) == layerName(op->getLoc()) ? before : nullptr;
  }
  if (!op)
    return fields.error("mirror", "must name a conv layer: what is turned around is its window");
  for (StringRef key : {"kernel", "stride", "padding", "dilation", "output_padding"})
    if (fields.has(key))
      return fields.error(key, "'" + key + "' comes from the layer that \"mirror\" names");
  return cast<ConvOp>(op);
}

static FailureOr<Value> importConvolution(LayerBuilder &layer, bool transposed) {
  LayerFields &fields = layer.fields();
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  if (failed(inputs))
    return failure();
  auto type = cast<RankedTensorType>((*inputs)[0].getType());
  if (type.getRank() != 4)
    return fields.error("", "needs an input of rank 4");
  auto channels = fields.integer("channels", std::nullopt, 1, 1 << 24);
  if (failed(channels))
    return failure();
  LayerFields::Pair window;
  Value like;
  FailureOr<SmallVector<NamedAttribute>> attributes;
  if (transposed && fields.has("mirror")) {
    auto conv = importMirrored(fields);
    auto groups = fields.integer("groups", 1, 1, 1 << 20);
    if (failed(conv) || failed(groups))
      return failure();
    ArrayRef<int64_t> shape = cast<RankedTensorType>(conv->getWeight().getType()).getShape();
    window = {shape[2], shape[3]};
    like = conv->getX();
    attributes = SmallVector<NamedAttribute>{{b.getStringAttr("stride"), conv->getStrideAttr()},
                                             {b.getStringAttr("padding"), conv->getPaddingAttr()},
                                             {b.getStringAttr("dilation"), conv->getDilationAttr()},
                                             {b.getStringAttr("groups"), b.getI64IntegerAttr(*groups)}};
    if (conv->getSame())
      attributes->push_back({b.getStringAttr("same"), conv->getSameAttr()});
  } else {
    auto kernel = fields.pair("kernel", std::nullopt, 1, 1 << 16);
    if (failed(kernel))
      return failure();
    window = *kernel;
    attributes = importWindow(layer, window, transposed);
  }
  auto bias = fields.boolean("bias", !layer.hasNorm());
  auto init = fields.init("he");
  if (failed(attributes) || failed(bias) || failed(init))
    return failure();
  int64_t groups = 1, in = type.getDimSize(1);
  for (NamedAttribute attribute : *attributes)
    if (attribute.getName() == "groups")
      groups = cast<IntegerAttr>(attribute.getValue()).getInt();
  if (in % groups || *channels % groups)
    return fields.error("groups", Twine("groups must divide the ") + Twine(in) + " input channels and the " +
                                      Twine(*channels) + " output channels");
  SmallVector<int64_t, 4> shape{*channels, in / groups, window[0], window[1]};
  if (transposed)
    shape = {in, *channels / groups, window[0], window[1]};
  auto weight = layer.weight("weight", shape, *init);
  if (failed(weight))
    return failure();
  SmallVector<Value> operands{(*inputs)[0], *weight};
  if (*bias) {
    auto vector = layer.weight("bias", {*channels}, "zero");
    if (failed(vector))
      return failure();
    operands.push_back(*vector);
  }
  if (like)
    operands.push_back(like);
  auto op = layer.create(transposed ? "hourglass.deconv" : "hourglass.conv", operands, *attributes,
                         {1, 1, *bias, like ? 1 : 0});
  if (failed(op))
    return failure();
  return layer.finish((*op)->getResult(0));
}

FailureOr<Value> ConvOp::importLayer(LayerBuilder &layer) { return importConvolution(layer, false); }

//===-- deconv --===//

WindowMap DeconvOp::window(unsigned axis) {
  return windowOf(*this, cast<RankedTensorType>(getWeight().getType()).getShape().drop_front(2), axis);
}

unsigned DeconvOp::firstShapeOperand() { return getLike() ? getNumOperands() - 1 : getNumOperands(); }

LogicalResult DeconvOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                    SmallVectorImpl<Shape> &results) {
  const Shape &x = operands[0], &weight = operands[1];
  if (failed(checkWindow(*this, table, x, weight, 0)))
    return failure();
  if (getSame() && !getLike())
    return emitOpError("padding `same` needs a `like` operand: it is the convolution's");
  Size channels = table.mul(weight.dims[1], getGroups());
  if (failed(checkBias(*this, table, operands, getBias() != nullptr, channels)))
    return failure();
  Shape y{{x.dims[0], channels}, x.element};
  for (unsigned axis = 0; axis < 2; ++axis) {
    WindowMap map = window(axis);
    if (getLike()) {
      Size like = operands.back().dims[2 + axis];
      if (failed(requireEqual(*this, table, map.result(table, like), x.dims[2 + axis],
                              Twine("the convolution of `like` does not give this operand's ") +
                                  axisName(axis))))
        return failure();
      y.dims.push_back(like);
      continue;
    }
    if (getOutputPadding()[axis] >= std::max(map.stride, map.dilation))
      return emitOpError("output_padding ")
             << getOutputPadding()[axis] << " must be smaller than the stride or the dilation";
    Size extent = map.transposed(table, x.dims[2 + axis], getOutputPadding()[axis]);
    if (failed(requireAtLeast(*this, table, extent, 1, Twine("the padding leaves no ") + axisName(axis))))
      return failure();
    y.dims.push_back(extent);
  }
  results.push_back(y);
  return success();
}

ReceptiveField DeconvOp::receptiveField(ArrayRef<ReceptiveField> operands) {
  return operands[0].transposedThrough(window(0));
}

int64_t DeconvOp::macs() { return windowMacs(*this, getX(), getWeight()); }

SmallVector<Value> DeconvOp::transpose(OpBuilder &builder, Value cotangent) {
  auto x = createInferred<ConvOp>(builder, getLoc(), getX().getType(), cotangent, getWeight(), Value(),
                                  getX(), getStrideAttr(), getPaddingAttr(), getSameAttr(), getDilationAttr(),
                                  getGroupsAttr());
  SmallVector<Value> result(getNumOperands());
  result[0] = x ? x.getY() : Value();
  return result;
}

FailureOr<Value> DeconvOp::importLayer(LayerBuilder &layer) { return importConvolution(layer, true); }

} // namespace segc::hg
