/// \file Upsampling, cropping, padding and interleaving: shapes, transposes, import.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"
#include "dialects/hourglass/Layer.h"

using namespace mlir;

namespace segc::hg {

static LogicalResult needRank4(Operation *op, ArrayRef<Shape> operands) {
  for (const Shape &shape : operands)
    if (shape.dims.size() != 4)
      return op->emitOpError("needs rank-4 operands");
  return success();
}

//===-- upsample --===//

static bool interpolates(StringRef mode) { return mode == "bilinear" || mode == "bicubic"; }

/// What upsampling and its transpose have in common.
template <typename OpT> static LogicalResult checkMode(OpT op) {
  StringRef mode = op.getMode();
  if (mode != "nearest" && mode != "zeros" && !interpolates(mode))
    return op.emitOpError("mode must be nearest, bilinear, bicubic or zeros, not ") << mode;
  if (op.getAlignCorners() && !interpolates(mode))
    return op.emitOpError("align_corners needs mode bilinear or bicubic");
  return success();
}

LogicalResult UpsampleOp::checkAttributes() {
  if (failed(checkMode(*this)))
    return failure();
  if ((getLike() != nullptr) + getSize().has_value() + getScaleNum().has_value() != 1)
    return emitOpError("needs exactly one of a like operand, size and scale");
  if (getScaleNum().has_value() != getScaleDen().has_value())
    return emitOpError("scale_num and scale_den come together");
  return success();
}

unsigned UpsampleOp::firstShapeOperand() { return 1; }

LogicalResult UpsampleOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                      SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  const Shape &x = operands[0];
  Shape y{{x.dims[0], x.dims[1]}, x.element};
  for (unsigned axis = 0; axis < 2; ++axis) {
    if (getLike())
      y.dims.push_back(operands[1].dims[2 + axis]);
    else if (auto size = getSize())
      y.dims.push_back(table.constant((*size)[axis]));
    else
      y.dims.push_back(
          table.div(table.mul(x.dims[2 + axis], (*getScaleNum())[axis]), (*getScaleDen())[axis]));
  }
  results.push_back(y);
  return success();
}

ReceptiveField UpsampleOp::receptiveField(ArrayRef<ReceptiveField> operands) {
  auto in = cast<RankedTensorType>(getX().getType()), out = cast<RankedTensorType>(getY().getType());
  ReceptiveField field = operands[0];
  if (interpolates(getMode())) // reads two neighbours, or four
    field.field += (getMode() == "bilinear" ? 1 : 3) * field.jump;
  double step = 1; // operand pixels from one result pixel to the next
  if (auto num = getScaleNum())
    step = static_cast<double>((*getScaleDen())[0]) / static_cast<double>((*num)[0]);
  else if (!in.isDynamicDim(2) && !out.isDynamicDim(2))
    step = static_cast<double>(in.getDimSize(2)) / static_cast<double>(out.getDimSize(2));
  field.centre += field.jump * (step - 1) / 2;
  field.jump *= step;
  return field;
}

SmallVector<Value> UpsampleOp::transpose(OpBuilder &builder, Value cotangent) {
  auto back = createInferred<UpsampleTransposeOp>(builder, getLoc(), getX().getType(), cotangent, getX(),
                                                  getModeAttr(), getAlignCornersAttr());
  SmallVector<Value> result(getNumOperands());
  result[0] = back ? back.getY() : Value();
  return result;
}

FailureOr<Value> UpsampleOp::importLayer(LayerBuilder &layer) {
  LayerFields &fields = layer.fields();
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  auto mode = fields.word("mode", "nearest", {"nearest", "bilinear", "bicubic", "zeros"});
  auto align = fields.boolean("align_corners", false);
  if (failed(inputs) || failed(mode) || failed(align))
    return failure();
  if (fields.has("scale") + fields.has("size") + fields.has("like") != 1)
    return fields.error("", "needs exactly one of \"scale\", \"size\" and \"like\"");
  if (*align && !interpolates(*mode))
    return fields.error("align_corners", "aligned corners need \"mode\": \"bilinear\" or \"bicubic\"");
  SmallVector<Value> operands = *inputs;
  SmallVector<NamedAttribute> attributes = {b.getNamedAttr("mode", b.getStringAttr(*mode))};
  if (*align)
    attributes.push_back(b.getNamedAttr("align_corners", b.getUnitAttr()));
  if (fields.has("like")) {
    auto like = fields.layer("like");
    if (failed(like))
      return failure();
    operands.push_back(*like);
  } else if (fields.has("size")) {
    auto size = fields.pair("size", std::nullopt, 1, 1 << 24);
    if (failed(size))
      return failure();
    attributes.push_back(b.getNamedAttr("size", b.getDenseI64ArrayAttr(*size)));
  } else {
    auto scale = fields.ratios("scale");
    if (failed(scale))
      return failure();
    attributes.push_back(
        b.getNamedAttr("scale_num", b.getDenseI64ArrayAttr({(*scale)[0][0], (*scale)[1][0]})));
    attributes.push_back(
        b.getNamedAttr("scale_den", b.getDenseI64ArrayAttr({(*scale)[0][1], (*scale)[1][1]})));
  }
  auto op = layer.create("hourglass.upsample", operands, attributes);
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

LogicalResult UpsampleTransposeOp::checkAttributes() { return checkMode(*this); }
unsigned UpsampleTransposeOp::firstShapeOperand() { return 1; }

LogicalResult UpsampleTransposeOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                               SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  results.push_back({{operands[0].dims[0], operands[0].dims[1], operands[1].dims[2], operands[1].dims[3]},
                     operands[0].element});
  return success();
}

SmallVector<Value> UpsampleTransposeOp::transpose(OpBuilder &builder, Value cotangent) {
  auto forth = createInferred<UpsampleOp>(builder, getLoc(), getX().getType(), cotangent, getX(),
                                          getModeAttr(), DenseI64ArrayAttr(), DenseI64ArrayAttr(),
                                          DenseI64ArrayAttr(), getAlignCornersAttr());
  return {forth ? forth.getY() : Value(), Value()};
}

//===-- crop and pad --===//

unsigned CropOp::firstShapeOperand() { return 1; }

LogicalResult CropOp::checkAttributes() {
  if (getSize().has_value() == !getLike().empty())
    return emitOpError("needs either size or like operands");
  return success();
}

LogicalResult CropOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                  SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  const Shape &x = operands[0];
  Shape y{{x.dims[0], x.dims[1]}, x.element};
  for (unsigned axis = 0; axis < 2; ++axis) {
    Size extent = getSize() ? table.constant((*getSize())[axis]) : operands[1].dims[2 + axis];
    for (const Shape &like : operands.drop_front(getSize() ? operands.size() : 2))
      extent = table.min(extent, like.dims[2 + axis]);
    Size end = extent;
    if (auto offset = getOffset()) {
      if ((*offset)[axis] < 0)
        return emitOpError("offset must not be negative");
      end = table.plus(extent, (*offset)[axis]);
    }
    if (failed(
            requireAtLeast(*this, table, table.sub(x.dims[2 + axis], end), 0,
                           Twine("the window reaches beyond the operand's ") + (axis ? "width" : "height"))))
      return failure();
    y.dims.push_back(extent);
  }
  results.push_back(y);
  return success();
}

Size CropOp::start(SizeTable &table, unsigned axis, Size in, Size out) {
  if (auto offset = getOffset())
    return table.constant((*offset)[axis]);
  return table.div(table.sub(in, out), 2);
}

OpFoldResult CropOp::fold(FoldAdaptor) {
  auto type = cast<RankedTensorType>(getType());
  return type == getX().getType() && type.hasStaticShape() ? OpFoldResult(getX()) : OpFoldResult();
}

SmallVector<Value> CropOp::transpose(OpBuilder &builder, Value cotangent) {
  DenseI64ArrayAttr amount;
  if (auto offset = getOffset())
    amount = builder.getDenseI64ArrayAttr({(*offset)[0], (*offset)[1], 0, 0});
  auto pad = createInferred<PadOp>(builder, getLoc(), getX().getType(), cotangent, getX(), amount,
                                   builder.getStringAttr("zero"));
  SmallVector<Value> result(getNumOperands());
  result[0] = pad ? pad.getY() : Value();
  return result;
}

FailureOr<Value> CropOp::importLayer(LayerBuilder &layer) {
  LayerFields &fields = layer.fields();
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  if (failed(inputs))
    return failure();
  if (fields.has("size") == fields.has("like"))
    return fields.error("", "needs either \"size\" or \"like\"");
  SmallVector<Value> operands = *inputs;
  SmallVector<NamedAttribute> attributes;
  if (fields.has("like")) {
    auto like = fields.layer("like");
    if (failed(like))
      return failure();
    operands.push_back(*like);
  } else {
    auto size = fields.pair("size", std::nullopt, 1, 1 << 24);
    if (failed(size))
      return failure();
    attributes.push_back(b.getNamedAttr("size", b.getDenseI64ArrayAttr(*size)));
  }
  auto centre = fields.word("offset", "center", {"center"}, /*orPair=*/true);
  if (failed(centre))
    return failure();
  if (centre->empty()) {
    auto offset = fields.pair("offset", std::nullopt, 0, 1 << 24);
    if (failed(offset))
      return failure();
    attributes.push_back(b.getNamedAttr("offset", b.getDenseI64ArrayAttr(*offset)));
  }
  auto op = layer.create("hourglass.crop", operands, attributes);
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

unsigned PadOp::firstShapeOperand() { return 1; }

LogicalResult PadOp::checkAttributes() {
  if (!getLike() && !getAmount())
    return emitOpError("needs an amount or a like operand");
  if (getMode() != "zero" && getMode() != "reflect" && getMode() != "replicate")
    return emitOpError("mode must be zero, reflect or replicate, not ") << getMode();
  if (getLike() && getMode() != "zero")
    return emitOpError("a like operand goes with mode zero");
  if (auto amount = getAmount())
    for (int64_t pixels : *amount)
      if (pixels < 0 || amount->size() != 4)
        return emitOpError("amount needs four numbers, none negative");
  return success();
}

LogicalResult PadOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                 SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  const Shape &x = operands[0];
  Shape y{{x.dims[0], x.dims[1]}, x.element};
  for (unsigned axis = 0; axis < 2; ++axis) {
    Size in = x.dims[2 + axis];
    if (getLike()) {
      y.dims.push_back(operands[1].dims[2 + axis]);
      continue;
    }
    int64_t before = (*getAmount())[axis], after = (*getAmount())[axis + 2];
    if (getMode() == "reflect" &&
        failed(requireAtLeast(*this, table, in, std::max(before, after) + 1,
                              Twine("reflection needs more pixels than it pads: the operand's ") +
                                  (axis ? "width" : "height"))))
      return failure();
    y.dims.push_back(table.plus(in, before + after));
  }
  results.push_back(y);
  return success();
}

Size PadOp::start(SizeTable &table, unsigned axis, Size in, Size out) {
  if (auto amount = getAmount())
    return table.constant((*amount)[axis]);
  return table.div(table.sub(out, in), 2);
}

OpFoldResult PadOp::fold(FoldAdaptor) {
  if (getLike() || llvm::any_of(*getAmount(), [](int64_t pixels) { return pixels != 0; }))
    return {};
  return getX();
}

SmallVector<Value> PadOp::transpose(OpBuilder &builder, Value cotangent) {
  SmallVector<Value> result(getNumOperands());
  if (getMode() != "zero") {
    auto folded = createInferred<PadTransposeOp>(builder, getLoc(), getX().getType(), cotangent, getX(),
                                                 getAmountAttr(), getModeAttr());
    result[0] = folded ? folded.getY() : Value();
    return result;
  }
  DenseI64ArrayAttr offset;
  if (auto amount = getAmount())
    offset = builder.getDenseI64ArrayAttr({(*amount)[0], (*amount)[1]});
  auto crop = createInferred<CropOp>(builder, getLoc(), getX().getType(), cotangent, ValueRange{getX()},
                                     DenseI64ArrayAttr(), offset);
  result[0] = crop ? crop.getY() : Value();
  return result;
}

FailureOr<Value> PadOp::importLayer(LayerBuilder &layer) {
  LayerFields &fields = layer.fields();
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  auto amount = fields.padding("amount");
  auto mode = fields.word("mode", "zero", {"zero", "reflect", "replicate"});
  if (failed(inputs) || failed(amount) || failed(mode))
    return failure();
  if (amount->same)
    return fields.error("amount", "needs numbers: one, [height, width] or [top, left, bottom, right]");
  auto op = layer.create("hourglass.pad", *inputs,
                         {b.getNamedAttr("amount", b.getDenseI64ArrayAttr(amount->amount)),
                          b.getNamedAttr("mode", b.getStringAttr(*mode))});
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

//===-- phase --===//

LogicalResult PhaseOp::checkAttributes() {
  if (getStride().size() != 2 || getOffset().size() != 2)
    return emitOpError("needs a stride and an offset for each axis");
  for (unsigned axis = 0; axis < 2; ++axis)
    if (getStride()[axis] < 1 || getOffset()[axis] < 0 || getOffset()[axis] >= getStride()[axis])
      return emitOpError("needs strides from 1 on and offsets below them");
  return success();
}

LogicalResult PhaseOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                   SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  Shape phase = operands[0];
  for (unsigned axis = 0; axis < 2; ++axis) // ceil((extent - offset) / stride)
    phase.dims[2 + axis] = table.div(
        table.plus(phase.dims[2 + axis], getStride()[axis] - 1 - getOffset()[axis]), getStride()[axis]);
  results.push_back(phase);
  return success();
}

//===-- interleave --===//

LogicalResult InterleaveOp::checkAttributes() {
  if (getStride().size() != 2 || getStride()[0] < 1 || getStride()[1] < 1 ||
      static_cast<int64_t>(getPhases().size()) != getStride()[0] * getStride()[1])
    return emitOpError("needs one phase for each of stride_h * stride_w positions");
  return success();
}

LogicalResult InterleaveOp::inferShapes(SizeTable &table, ArrayRef<Shape> operands,
                                        SmallVectorImpl<Shape> &results) {
  if (failed(needRank4(*this, operands)))
    return failure();
  // The extent is the sum over the phases of one row (column) of phases.
  int64_t rows = getStride()[0], columns = getStride()[1];
  Size height = operands[0].dims[2], width = operands[0].dims[3];
  for (int64_t a = 1; a < rows; ++a)
    height = table.add(height, operands[a * columns].dims[2]);
  for (int64_t b = 1; b < columns; ++b)
    width = table.add(width, operands[b].dims[3]);
  for (int64_t i = 0; i < rows * columns; ++i) {
    const Shape &phase = operands[i];
    if (phase.dims[1] != operands[0].dims[1])
      return emitOpError("phases must have equal channels");
    // Phase a has ceil((height - a) / rows) rows.
    auto expected = [&](Size total, int64_t position, int64_t stride) {
      return table.div(table.plus(total, stride - 1 - position), stride);
    };
    auto known = [&](Size size) { return table.constantValue(size); };
    Size h = expected(height, i / columns, rows), w = expected(width, i % columns, columns);
    if ((known(h) && known(phase.dims[2]) && *known(h) != *known(phase.dims[2])) ||
        (known(w) && known(phase.dims[3]) && *known(w) != *known(phase.dims[3])))
      return emitOpError("phase #") << i << " has wrong extents";
  }
  results.push_back({{operands[0].dims[0], operands[0].dims[1], height, width}, operands[0].element});
  return success();
}

} // namespace segc::hg
