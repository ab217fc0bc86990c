/// \file Builds ops layer by layer; what a layer means is the op's own business (ImportableOp::importLayer).
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Import.h"
#include "compiler/frontend/ImportFields.h"
#include "dialects/hourglass/Hourglass.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace segc {
namespace {

using Value = mlir::Value; // segc::Value is JSON's

class Importer {
public:
  Importer(MLIRContext &context, Diagnostics &diagnostics, const Model &model, const ImportOptions &options)
      : diagnostics(diagnostics), b(&context), model(model), options(options) {}

  OwningOpRef<ModuleOp> run();

  Location location(llvm::SMLoc loc, StringRef name) {
    auto [line, column] = diagnostics.lineAndColumn(loc);
    auto file = FileLineColLoc::get(b.getContext(), diagnostics.fileOf(loc), line, column);
    return name.empty() ? Location(file) : Location(NameLoc::get(b.getStringAttr(name), file));
  }

  Diagnostics &diagnostics;
  OpBuilder b;
  llvm::StringMap<Value> values;  ///< full name → value
  llvm::StringMap<Value> weights; ///< tensors made so far

private:
  bool importInputs(func::FuncOp main);
  bool importLayer(const Layer &layer);
  bool chooseOutputs(std::vector<ModelOutput> &outputs);
  Type elementType(StringRef dtype);
  const Model &model;
  const ImportOptions &options;
  const Layer *current = nullptr;
};

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

  FailureOr<Value> weight(StringRef suffix, ArrayRef<int64_t> shape, StringRef init, bool running) override {
    std::string name = (layer.share.empty() ? layer.name : layer.share) + "." + weightPrefix + suffix.str();
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
        return own.error("", "shares '" + name + "' of extents " +
                                 extents(cast<RankedTensorType>(found->second.getType()).getShape()) +
                                 ", but needs " + extents(shape));
      return found->second;
    }
    auto op = hg::WeightOp::create(importer.b, loc(), type, name, init, running, /*trainable=*/false, FloatAttr());
    importer.weights[name] = op.getValue();
    return Value(op.getValue());
  }

  FailureOr<Operation *> create(StringRef name, ValueRange inputs, ArrayRef<NamedAttribute> attributes,
                                ArrayRef<int32_t> segments) override {
    OperationState state(loc(), name);
    state.addOperands(inputs);
    state.addAttributes(attributes);
    if (!segments.empty())
      state.addAttribute("operandSegmentSizes", importer.b.getDenseI32ArrayAttr(segments));
    // Placeholders; the shape function gives the types.
    Type unknown = RankedTensorType::get({1}, importer.b.getF32Type());
    state.addTypes(SmallVector<Type>(name == hg::MaxPoolOp::getOperationName() ? 2 : 1, unknown));
    Operation *op = importer.b.create(state);
    if (succeeded(hg::inferResultTypes(op)))
      return op;
    op->erase();
    return failure();
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

Type Importer::elementType(StringRef dtype) {
  if (dtype == "f16")
    return b.getF16Type();
  if (dtype == "bf16")
    return b.getBF16Type();
  if (dtype == "i8" || dtype == "u8")
    return b.getIntegerType(8, dtype == "i8");
  return dtype == "i32" ? Type(b.getI32Type()) : Type(b.getF32Type());
}

bool Importer::importLayer(const Layer &layer) {
  current = &layer;
  auto registered = RegisteredOperationName::lookup("hourglass." + layer.op, b.getContext());
  if (!registered || !registered->hasInterface<hg::ImportableOp>()) {
    std::vector<std::string> names = importableOps(*b.getContext());
    std::vector<StringRef> known(names.begin(), names.end());
    (void)diagnostics.error(layer.opLoc, "unknown op " + quote(layer.op) + suggestion(layer.op, known),
                            layer.name);
    return false;
  }
  SmallVector<Value> operands;
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
  FailureOr<Value> value = registered->getInterface<hg::ImportableOp>()->importLayer(builder);
  if (failed(value) || failed(fields.fields.finish()))
    return false;
  values[layer.name] = *value;
  return true;
}

bool Importer::importInputs(func::FuncOp main) {
  Block *block = main.addEntryBlock();
  b.setInsertionPointToStart(block);
  for (auto [index, input] : llvm::enumerate(model.inputs)) {
    main.setArgAttr(index, "hourglass.name", b.getStringAttr(input.name));
    main.setArgAttr(index, "hourglass.dtype", TypeAttr::get(elementType(input.dtype)));
    block->getArgument(index).setLoc(location(input.loc, input.name));
    values[input.name] = block->getArgument(index);
  }
  return true;
}

/// The model's outputs and the layers asked for besides.
bool Importer::chooseOutputs(std::vector<ModelOutput> &outputs) {
  for (const ModelOutput &output : outputs)
    if (!model.find(output.producer)) {
      (void)diagnostics.error(output.loc,
                              "output " + quote(output.name) + " is an input: nothing would be computed");
      return false;
    }
  for (const std::string &name : options.tensors) {
    const Layer *layer = model.find(name);
    if (!layer) {
      std::vector<StringRef> known;
      for (const auto &entry : model.producers)
        known.push_back(entry.first());
      llvm::sort(known);
      (void)diagnostics.error(llvm::SMLoc(),
                              "-tensors: " + quote(name) + " is no layer" + suggestion(name, known));
      return false;
    }
    if (llvm::none_of(outputs, [&](const ModelOutput &output) { return output.name == name; }))
      outputs.push_back({name, layer->name, layer->loc});
  }
  return true;
}

OwningOpRef<ModuleOp> Importer::run() {
  // Errors of the ops' own checks come through MLIR.
  ScopedDiagnosticHandler handler(b.getContext(), [&](Diagnostic &diagnostic) {
    report(diagnostics, diagnostic);
    return success();
  });
  std::vector<ModelOutput> outputs = model.outputs;
  if (!chooseOutputs(outputs))
    return {};
  OwningOpRef<ModuleOp> module = ModuleOp::create(location(model.nameLoc, ""));
  (*module)->setAttr("hourglass.name", b.getStringAttr(model.name));
  b.setInsertionPointToEnd(module->getBody());
  SmallVector<Type> types;
  for (const ModelInput &input : model.inputs) {
    if (input.shape.size() != 4) {
      (void)diagnostics.error(input.loc,
                              "input " + quote(input.name) + " must have four extents: [N, C, H, W]");
      return {};
    }
    if (input.shape[1] == kAnyExtent) {
      (void)diagnostics.error(input.loc, "input " + quote(input.name) +
                                             ": the channels must be known, kernels are compiled for them");
      return {};
    }
    SmallVector<int64_t> shape;
    for (int64_t extent : input.shape)
      shape.push_back(extent == kAnyExtent ? ShapedType::kDynamic : extent);
    types.push_back(RankedTensorType::get(shape, b.getF32Type()));
  }
  auto main = func::FuncOp::create(b, location(model.nameLoc, ""), "main", b.getFunctionType(types, {}));
  importInputs(main);
  std::vector<std::string> wanted;
  for (const ModelOutput &output : outputs)
    wanted.push_back(output.producer);
  std::vector<bool> live = model.liveLayers(wanted);
  for (auto [index, layer] : llvm::enumerate(model.layers))
    if ((live[index] || options.everything) && !importLayer(layer))
      return {};
  SmallVector<Value> results;
  for (const ModelOutput &output : outputs)
    results.push_back(values.lookup(output.producer));
  func::ReturnOp::create(b, location(outputs[0].loc, ""), results);
  main.setFunctionType(b.getFunctionType(types, ValueRange(results).getTypes()));
  for (auto [index, output] : llvm::enumerate(outputs))
    main.setResultAttr(index, "hourglass.name", b.getStringAttr(output.name));
  return module;
}

} // namespace

std::vector<std::string> importableOps(MLIRContext &context) {
  context.loadDialect<hg::HourglassDialect>();
  std::vector<std::string> names;
  for (RegisteredOperationName name : context.getRegisteredOperationsByDialect("hourglass"))
    if (name.hasInterface<hg::ImportableOp>())
      names.push_back(name.stripDialect().str());
  llvm::sort(names);
  return names;
}

void report(Diagnostics &diagnostics, Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
    return;
  std::string text = diagnostic.str();
  StringRef message = text;
  if (message.starts_with("'hourglass.") || message.starts_with("'plan."))
    message = message.substr(message.find("' op ") + 5);
  FileLineColLoc place;
  diagnostic.getLocation()->walk([&](Location loc) {
    if (auto file = dyn_cast<FileLineColLoc>(loc); file && !place)
      place = file;
    return WalkResult::advance();
  });
  llvm::SMLoc at =
      place ? diagnostics.at(place.getFilename(), place.getLine(), place.getColumn()) : llvm::SMLoc();
  (void)diagnostics.error(at, message, hg::layerName(diagnostic.getLocation()));
}

OwningOpRef<ModuleOp> importModel(MLIRContext &context, Diagnostics &diagnostics, const Model &model,
                                  const ImportOptions &options) {
  context.loadDialect<hg::HourglassDialect, func::FuncDialect>();
  return Importer(context, diagnostics, model, options).run();
}

} // namespace segc
