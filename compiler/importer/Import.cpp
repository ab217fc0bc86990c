/// \file Builds ops layer by layer; what a layer means is the op's own business (ImportableOp::importLayer).
// SPDX-License-Identifier: MIT
#include "compiler/importer/Import.h"
#include "compiler/importer/ImportFields.h"
#include "dialects/hourglass/Hourglass.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;

namespace segc {
namespace {

class Importer {
public:
  Importer(MLIRContext &context, Diagnostics &diagnostics, const Model &model, const ImportOptions &options)
      : diagnostics(diagnostics), model(model), options(options), b(&context) {}

  OwningOpRef<ModuleOp> run();
  Diagnostics &diagnostics;
  const Model &model;
  const ImportOptions &options;
  OpBuilder b;
  llvm::StringMap<Value> values;                ///< full name → value
  llvm::StringMap<Value> weights;                ///< tensors made so far
  const Layer *current = nullptr;

  Location location(size_t offset, StringRef name) {
    auto [line, column] = diagnostics.position(offset);
    auto file = FileLineColLoc::get(b.getContext(), diagnostics.path(), line, column);
    return name.empty() ? Location(file) : Location(NameLoc::get(b.getStringAttr(name), file));
  }

private:
  bool importLayer(const Layer &layer);
  Type elementType(StringRef dtype);
};

/// What one op sees of the layer it is made from; nested for an inline norm or activation.
class Builder final : public hg::LayerBuilder {
public:
  Builder(Importer &importer, const Layer &layer, ImportFields &fields, SmallVector<Value> operands, std::string weightPrefix)
      : importer(importer), layer(layer), own(fields), operands(std::move(operands)), weightPrefix(std::move(weightPrefix)) {}

  hg::LayerFields &fields() override { return own; }
  OpBuilder &builder() override { return importer.b; }
  Location loc() override { return importer.location(layer.offset, layer.name); }

  FailureOr<SmallVector<Value>> inputs(unsigned least, unsigned most) override {
    if (operands.size() >= least && operands.size() <= most)
      return operands;
    std::string wanted = least == most ? std::to_string(least) : "at least " + std::to_string(least);
    return own.error("", layer.op + " takes " + wanted + " input(s), not " + Twine(operands.size()));
  }

  FailureOr<Value> weight(StringRef suffix, ArrayRef<int64_t> shape, StringRef init, bool running) override {
    std::string name = weightPrefix + suffix.str();
    StringRef owner = layer.share.empty() ? StringRef(layer.name) : StringRef(layer.share);
    name = owner.str() + "." + name;
    auto type = RankedTensorType::get(shape, importer.b.getF32Type());
    int64_t elements = 1;
    for (int64_t extent : shape)
      if (__builtin_mul_overflow(elements, extent, &elements) || elements > INT32_MAX)
        return own.error("", "tensor '" + name + "' would have more than 2^31 - 1 elements");
    auto found = importer.weights.find(name);
    if (!layer.share.empty() && found == importer.weights.end())
      return own.error("", "shares with '" + layer.share + "', which has no tensor '" + name + "'");
    if (found != importer.weights.end()) {
      if (found->second.getType() != type)
        return own.error("", "shares '" + name + "', whose extents differ from what this layer needs");
      return found->second;
    }
    auto op = hg::WeightOp::create(importer.b, loc(), type, name, init, running);
    importer.weights[name] = op.getValue();
    return op.getValue();
  }

  FailureOr<Operation *> create(StringRef name, ValueRange values, ArrayRef<NamedAttribute> attributes,
                                ArrayRef<int32_t> segments) override {
    OperationState state(loc(), name);
    state.addOperands(values);
    state.addAttributes(attributes);
    if (!segments.empty())
      state.addAttribute("operandSegmentSizes", importer.b.getDenseI32ArrayAttr(segments));
    // Placeholders; the shape function gives the types.
    Type unknown = RankedTensorType::get({1}, importer.b.getF32Type());
    unsigned results = name == hg::MaxPoolOp::getOperationName() ? 2 : 1;
    state.addTypes(SmallVector<Type>(results, unknown));
    Operation *op = importer.b.create(state);
    if (failed(hg::inferResultTypes(op))) {
      op->erase();
      return failure();
    }
    return op;
  }

  bool hasNorm() override {
    const Field *field = own.take("norm");
    return field && !(field->value.isString() && field->value.string == "none");
  }

  FailureOr<Value> finish(Value value) override {
    for (StringRef key : {"norm", "activation"}) {
      const Field *field = own.take(key);
      if (!field || (field->value.isString() && field->value.string == "none"))
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
  FailureOr<Value> inlineOp(StringRef key, const Field &field, Value value) {
    std::vector<Field> nested;
    if (field.value.isString())
      nested.push_back({"type", field.keyOffset, field.value, field.scope});
    else if (field.value.isObject())
      for (const Json::Member &member : field.value.members)
        nested.push_back({member.key, member.offset, member.value, field.scope});
    else
      return own.error(key, "\"" + key + "\" is a name or an object with \"type\", this is " + field.value.kindName());
    ImportFields fields(importer.diagnostics, layer, std::move(nested), field.value.offset, nullptr);
    Builder inner(importer, layer, fields, {value}, weightPrefix + key.str() + ".");
    FailureOr<Value> result = key == "norm" ? hg::NormOp::importLayer(inner) : hg::ActivationOp::importLayer(inner);
    if (failed(result) || failed(fields.finish(key)))
      return failure();
    return *result;
  }

  Importer &importer;
  const Layer &layer;
  ImportFields &own;
  SmallVector<Value> operands;
  std::string weightPrefix; ///< "" or "norm." or "activation."
};

Type Importer::elementType(StringRef dtype) {
  if (dtype == "f16")
    return b.getF16Type();
  if (dtype == "bf16")
    return b.getBF16Type();
  if (dtype == "i8")
    return b.getIntegerType(8, true);
  if (dtype == "u8")
    return b.getIntegerType(8, false);
  return dtype == "i32" ? Type(b.getI32Type()) : Type(b.getF32Type());
}

bool Importer::importLayer(const Layer &layer) {
  current = &layer;
  auto registered = RegisteredOperationName::lookup("hourglass." + layer.op, b.getContext());
  if (!registered || !registered->hasInterface<hg::ImportableOp>()) {
    std::vector<std::string> known;
    for (RegisteredOperationName name : b.getContext()->getRegisteredOperationsByDialect("hourglass"))
      if (name.hasInterface<hg::ImportableOp>())
        known.push_back(name.stripDialect().str());
    diagnostics.error(layer.offset, layer.name, "unknown op '" + layer.op + "'" + suggestion(layer.op, known));
    return false;
  }
  SmallVector<Value> operands;
  for (const std::string &input : layer.inputs)
    operands.push_back(values.lookup(input));
  ImportFields fields(diagnostics, layer, layer.fields, layer.offset, [&](const Field &field) -> FailureOr<Value> {
    auto name = resolveLayer(diagnostics, model, layer, field);
    if (!name)
      return failure();
    return values.lookup(*name);
  });
  Builder builder(*this, layer, fields, operands, "");
  FailureOr<Value> value = registered->getInterface<hg::ImportableOp>()->importLayer(builder);
  if (failed(value) || failed(fields.finish(layer.op)))
    return false;
  values[layer.name] = *value;
  return true;
}

OwningOpRef<ModuleOp> Importer::run() {
  // Errors of the ops' own checks come through MLIR: print them like all others, once a layer.
  ScopedDiagnosticHandler handler(b.getContext(), [&](Diagnostic &diagnostic) {
    std::string text = diagnostic.str();
    StringRef message = text;
    if (message.consume_front("'hourglass."))
      message = message.substr(message.find("' op ") + 5);
    diagnostics.error(current ? current->offset : 0, current ? current->name : "", message);
    return success();
  });
  OwningOpRef<ModuleOp> module = ModuleOp::create(location(0, ""));
  (*module)->setAttr("hourglass.name", b.getStringAttr(model.name));
  b.setInsertionPointToEnd(module->getBody());
  SmallVector<Type> types;
  for (const ModelInput &input : model.inputs) {
    SmallVector<int64_t> shape;
    for (int64_t extent : input.shape)
      shape.push_back(extent < 0 ? ShapedType::kDynamic : extent);
    types.push_back(RankedTensorType::get(shape, b.getF32Type()));
  }
  auto main = func::FuncOp::create(b, location(0, ""), "main", b.getFunctionType(types, {}));
  Block *block = main.addEntryBlock();
  b.setInsertionPointToStart(block);
  for (auto [index, input] : llvm::enumerate(model.inputs)) {
    main.setArgAttr(index, "hourglass.name", b.getStringAttr(input.name));
    main.setArgAttr(index, "hourglass.dtype", TypeAttr::get(elementType(input.dtype)));
    block->getArgument(index).setLoc(location(input.offset, input.name));
    values[input.name] = block->getArgument(index);
  }
  std::vector<ModelOutput> outputs = model.outputs;
  for (const std::string &name : options.tensors) {
    auto alias = model.aliases.find(name);
    std::string layer = alias == model.aliases.end() ? name : alias->second;
    if (!model.find(layer)) {
      std::vector<std::string> known;
      for (const Layer &each : model.layers)
        known.push_back(each.name);
      diagnostics.error(0, "", "-tensors: '" + name + "' is no layer" + suggestion(name, known));
      return {};
    }
    if (llvm::none_of(outputs, [&](const ModelOutput &output) { return output.name == name; }))
      outputs.push_back({layer, name, 0});
  }
  std::vector<std::string> also;
  for (const ModelOutput &output : outputs)
    also.push_back(output.layer);
  std::vector<bool> live = model.live(also);
  for (const Layer &layer : model.layers)
    if ((live[layer.index] || options.everything) && !importLayer(layer))
      return {};
  SmallVector<Value> results;
  for (const ModelOutput &output : outputs)
    results.push_back(values.lookup(output.layer));
  func::ReturnOp::create(b, location(outputs[0].offset, ""), results);
  main.setFunctionType(b.getFunctionType(types, ValueRange(results).getTypes()));
  for (auto [index, output] : llvm::enumerate(outputs))
    main.setResultAttr(index, "hourglass.name", b.getStringAttr(output.name));
  return module;
}

} // namespace

OwningOpRef<ModuleOp> importModel(MLIRContext &context, Diagnostics &diagnostics, const Model &model, const ImportOptions &options) {
  context.loadDialect<hg::HourglassDialect, func::FuncDialect>();
  return Importer(context, diagnostics, model, options).run();
}

} // namespace segc
