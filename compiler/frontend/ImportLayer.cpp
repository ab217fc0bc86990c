/// \file Builds one layer: what its op sees of the description, and the tensors it makes.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/ImportFields.h"
#include "compiler/frontend/Importer.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace segc {
namespace {

using Value = mlir::Value; // segc::Value is JSON's

/// [4, 3, 3, 3]
std::string extents(ArrayRef<int64_t> shape) {
  std::string text;
  for (int64_t extent : shape)
    text += (text.empty() ? "[" : ", ") + std::to_string(extent);
  return text + "]";
}

/// What one op sees of the layer it is made from; nested for an inline norm or activation.
class Builder final : public hg::LayerBuilder {
public:
  Builder(Importer &importer, const Layer &layer, ImportFields &fields, SmallVector<Value> operands,
          std::string weightPrefix)
      : importer(importer), layer(layer), own(fields), operands(std::move(operands)),
        weightPrefix(std::move(weightPrefix)) {}

  hg::LayerFields &fields() override { return own; }
  OpBuilder &builder() override { return importer.b; }
  Location loc() override { return importer.location(layer.loc, layer.name); }

  FailureOr<SmallVector<Value>> inputs(unsigned least, unsigned most) override {
    if (operands.size() >= least && operands.size() <= most)
      return operands;
    std::string wanted = (least == most ? "" : "at least ") + std::to_string(least);
    return own.error("", layer.op + " takes " + wanted + " input(s), not " + Twine(operands.size()));
  }

  FailureOr<Value> weight(StringRef suffix, ArrayRef<int64_t> shape, StringRef init, bool running,
                          ArrayRef<int64_t> stored) override {
    std::string name = (layer.share.empty() ? layer.name : layer.share) + "." + weightPrefix + suffix.str();
    auto type = RankedTensorType::get(shape, importer.b.getF32Type());
    int64_t elements = 1;
    for (int64_t extent : shape)
      if (__builtin_mul_overflow(elements, extent, &elements) || elements > INT32_MAX)
        return own.error("", "tensor '" + name + "' would have more than 2^31 - 1 elements");
    Value known = importer.knownWeight(name);
    if (!layer.share.empty() && !known)
      return own.error("", "shares with '" + layer.share + "', which has no tensor '" + name + "'");
    if (known) {
      if (known.getType() != type)
        return own.error("", "shares '" + name + "' of extents " +
                                 extents(cast<RankedTensorType>(known.getType()).getShape()) +
                                 ", but needs " + extents(shape));
      return known;
    }
    auto op =
        hg::WeightOp::create(importer.b, loc(), type, name, init, running, /*trainable=*/false, FloatAttr(),
                             stored.empty() ? DenseI64ArrayAttr() : importer.b.getDenseI64ArrayAttr(stored));
    importer.weights[name] = op.getValue();
    return Value(op.getValue());
  }

  FailureOr<Operation *> create(StringRef name, ValueRange inputs, ArrayRef<NamedAttribute> attributes,
                                ArrayRef<int32_t> segments) override {
    Operation *op = importer.create(loc(), name, inputs, attributes, segments);
    if (!op)
      return failure();
    return op;
  }

  bool hasNorm() override {
    const segc::Value *norm = own.fields.value("norm");
    return norm && !(norm->isString() && norm->text == "none");
  }

  FailureOr<Value> finish(Value value) override {
    for (StringRef key : {"norm", "activation"}) {
      const segc::Value *field = own.fields.value(key);
      if (!field || (field->isString() && field->text == "none"))
        continue;
      auto next = inlineOp(key, *field, value);
      if (failed(next))
        return failure();
      value = *next;
    }
    return value;
  }

private:
  /// `"norm": "batch"` is short for `"norm": {"type": "batch"}`.
  FailureOr<Value> inlineOp(StringRef key, const segc::Value &field, Value value) {
    std::vector<Member> shorthand{{"type", field.loc, field}};
    if (!field.isString() && field.kind != segc::Value::Object)
      return own.error(key, "'" + key + "' must be a name or an object with 'type', not " + field.describe());
    Fields nested(field.isString() ? llvm::ArrayRef<Member>(shorthand)
                                   : llvm::ArrayRef<Member>(field.members),
                  key, layer.name, field.loc, importer.diagnostics);
    ImportFields fields(nested, [](StringRef) { return Value(); });
    Builder inner(importer, layer, fields, {value}, weightPrefix + key.str() + ".");
    FailureOr<Value> result =
        key == "norm" ? hg::NormOp::importLayer(inner) : hg::ActivationOp::importLayer(inner);
    if (failed(result) || failed(fields.fields.finish()))
      return failure();
    return *result;
  }

  Importer &importer;
  const Layer &layer;
  ImportFields &own;
  SmallVector<Value> operands;
  std::string weightPrefix; ///< "" or "norm." or "activation."
};

} // namespace

Operation *Importer::create(Location loc, StringRef name, ValueRange operands,
                            ArrayRef<NamedAttribute> attributes, ArrayRef<int32_t> segments) {
  OperationState state(loc, name);
  state.addOperands(operands);
  state.addAttributes(attributes);
  if (!segments.empty())
    state.addAttribute("operandSegmentSizes", b.getDenseI32ArrayAttr(segments));
  // Placeholders; the shape function gives the types.
  Type unknown = RankedTensorType::get({1}, b.getF32Type());
  state.addTypes(SmallVector<Type>(name == hg::MaxPoolOp::getOperationName() ? 2 : 1, unknown));
  Operation *op = b.create(state);
  if (succeeded(hg::inferResultTypes(op)))
    return op;
  op->erase();
  return nullptr;
}

bool Importer::importLayer(const Layer &layer) {
  if (layer.op == kSlidingWindow)
    return importSlidingWindow(layer);
  hg::LayerImporter import = hg::findComposedLayer(layer.op);
  auto registered = RegisteredOperationName::lookup("hourglass." + layer.op, b.getContext());
  if (!import && (!registered || !registered->hasInterface<hg::ImportableOp>())) {
    std::vector<std::string> names = importableOps(*b.getContext());
    std::vector<StringRef> known(names.begin(), names.end());
    (void)diagnostics.error(layer.opLoc, "unknown op " + quote(layer.op) + suggestion(layer.op, known),
                            layer.name);
    return false;
  }
  SmallVector<mlir::Value> operands;
  for (const std::string &input : layer.inputs) {
    operands.push_back(values.lookup(input));
    if (cast<RankedTensorType>(operands.back().getType()).getElementType().isInteger()) {
      (void)diagnostics.error(layer.loc, "reads " + quote(input) + ", an argmax; that can only be an output",
                              layer.name);
      return false;
    }
  }
  ImportFields fields(Fields(layer, diagnostics), [&](StringRef name) { return values.lookup(name); });
  Builder builder(*this, layer, fields, operands, "");
  FailureOr<mlir::Value> value =
      import ? import(builder) : registered->getInterface<hg::ImportableOp>()->importLayer(builder);
  if (failed(value) || failed(fields.fields.finish()))
    return false;
  values[layer.name] = *value;
  return true;
}

} // namespace segc
