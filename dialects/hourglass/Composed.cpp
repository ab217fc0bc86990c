/// \file Layers of the description that are no ops of their own but made of others.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"
#include "dialects/hourglass/Layer.h"

using namespace mlir;

namespace segc::hg {

/// Fully connected over C, H, W: a convolution whose window is the whole operand. In NCHW order the file's
/// [units, C*H*W] is [units, C, H, W].
static FailureOr<Value> importDense(LayerBuilder &layer) {
  LayerFields &fields = layer.fields();
  OpBuilder &b = layer.builder();
  auto inputs = layer.inputs(1, 1);
  auto units = fields.integer("units", std::nullopt, 1, 1 << 24);
  auto bias = fields.boolean("bias", !layer.hasNorm());
  auto init = fields.init("he");
  if (failed(inputs) || failed(units) || failed(bias) || failed(init))
    return failure();
  Value x = (*inputs)[0];
  if (Value image = flattenedFrom(x)) // the same weights in the same order
    x = image;
  auto type = cast<RankedTensorType>(x.getType());
  if (type.getRank() != 4)
    return fields.error("", "needs an input of rank 4");
  int64_t c = type.getDimSize(1), h = type.getDimSize(2), w = type.getDimSize(3);
  if (ShapedType::isDynamic(h) || ShapedType::isDynamic(w))
    return fields.error("", "needs an input of known height and width: its weights depend on them; give the "
                            "model's inputs a size, or pool to a fixed one (adaptive_avgpool) before it");
  if (*init == "bilinear" || *init == "identity")
    return fields.error("init", Twine("a dense layer cannot start as '") + *init + "'");
  auto weight = layer.weight("weight", {*units, c, h, w}, *init, /*running=*/false, {*units, c * h * w});
  if (failed(weight))
    return failure();
  SmallVector<Value> operands{x, *weight};
  if (*bias) {
    auto vector = layer.weight("bias", {*units}, "zero");
    if (failed(vector))
      return failure();
    operands.push_back(*vector);
  }
  auto op =
      layer.create("hourglass.conv", operands, {b.getNamedAttr("whole", b.getUnitAttr())}, {1, 1, *bias, 0});
  if (failed(op))
    return failure();
  return layer.finish((*op)->getResult(0));
}

/// The mean of each channel: one bin.
static FailureOr<Value> importGlobalAvgPool(LayerBuilder &layer) {
  auto inputs = layer.inputs(1, 1);
  if (failed(inputs))
    return failure();
  auto op =
      layer.create("hourglass.adaptive_avgpool", *inputs,
                   {layer.builder().getNamedAttr("size", layer.builder().getDenseI64ArrayAttr({1, 1}))});
  if (failed(op))
    return failure();
  return (*op)->getResult(0);
}

namespace {
struct ComposedLayer {
  StringRef name;
  LayerImporter import;
};
} // namespace

static constexpr ComposedLayer kComposed[] = {{"dense", importDense},
                                              {"global_avgpool", importGlobalAvgPool},
                                              {"flatten", importFlatten},
                                              {"slice", importSlice}};

LayerImporter findComposedLayer(StringRef name) {
  for (const ComposedLayer &layer : kComposed)
    if (layer.name == name)
      return layer.import;
  return nullptr;
}

SmallVector<StringRef> composedLayers() {
  SmallVector<StringRef> names;
  for (const ComposedLayer &layer : kComposed)
    names.push_back(layer.name);
  return names;
}

} // namespace segc::hg
