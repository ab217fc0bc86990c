/// \file From the model to @main: arguments, the layers that something needs, results.
///
/// What a layer means is the op's own business (ImportableOp::importLayer).
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Import.h"
#include "compiler/frontend/Importer.h"
#include "dialects/hourglass/Layer.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace segc {

Location Importer::location(llvm::SMLoc loc, StringRef name) {
  auto [line, column] = diagnostics.lineAndColumn(loc);
  auto file = FileLineColLoc::get(b.getContext(), diagnostics.fileOf(loc), line, column);
  return name.empty() ? Location(file) : Location(NameLoc::get(b.getStringAttr(name), file));
}

static Type elementType(StringRef dtype, Builder &b) {
  if (dtype == "f16")
    return b.getF16Type();
  if (dtype == "bf16")
    return b.getBF16Type();
  if (dtype == "i8" || dtype == "u8")
    return b.getIntegerType(8, dtype == "i8");
  return dtype == "i32" ? Type(b.getI32Type()) : Type(b.getF32Type());
}

/// Inputs have rank 4; a target [N, H, W] becomes [N, 1, H, W].
bool Importer::addArgumentType(const ModelInput &input, bool isTarget, SmallVectorImpl<Type> &types) {
  if (!isTarget && input.shape.size() != 4) {
    (void)diagnostics.error(input.loc,
                            "input " + quote(input.name) + " must have four extents: [N, C, H, W]");
    return false;
  }
  SmallVector<int64_t> shape;
  for (int64_t extent : input.shape)
    shape.push_back(extent == kAnyExtent ? ShapedType::kDynamic : extent);
  if (shape.size() == 3)
    shape.insert(shape.begin() + 1, 1);
  types.push_back(RankedTensorType::get(shape, b.getF32Type()));
  return true;
}

/// Makes the module and @main with its arguments.
bool Importer::start() {
  module = ModuleOp::create(location(model.nameLoc, ""));
  (*module)->setAttr("hourglass.name", b.getStringAttr(model.name));
  b.setInsertionPointToEnd(module->getBody());
  SmallVector<const ModelInput *> given;
  for (const ModelInput &input : model.inputs)
    given.push_back(&input);
  if (options.training)
    for (const ModelInput &target : model.training->targets)
      given.push_back(&target);
  SmallVector<Type> types;
  for (auto [index, input] : llvm::enumerate(given))
    if (!addArgumentType(*input, index >= model.inputs.size(), types))
      return false;
  main = func::FuncOp::create(b, location(model.nameLoc, ""), "main", b.getFunctionType(types, {}));
  Block *block = main.addEntryBlock();
  b.setInsertionPointToStart(block);
  for (auto [index, input] : llvm::enumerate(given)) {
    main.setArgAttr(index, "hourglass.name", b.getStringAttr(input->name));
    main.setArgAttr(index, "hourglass.dtype", TypeAttr::get(elementType(input->dtype, b)));
    if (index >= model.inputs.size())
      main.setArgAttr(index, "hourglass.target", b.getUnitAttr());
    if (input->shape.size() == 3)
      main.setArgAttr(index, "hourglass.rank3", b.getUnitAttr());
    block->getArgument(index).setLoc(location(input->loc, input->name));
    values[input->name] = block->getArgument(index);
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

/// Imports what the wanted layers need, in order.
bool Importer::importLayers(const std::vector<std::string> &wanted) {
  std::vector<bool> live = model.liveLayers(wanted);
  for (auto [index, layer] : llvm::enumerate(model.layers))
    if ((live[index] || options.everything) && !importLayer(layer))
      return false;
  return true;
}

/// Ends @main.
void Importer::finish(ValueRange results, llvm::SMLoc loc) {
  func::ReturnOp::create(b, location(loc, ""), results);
  main.setFunctionType(b.getFunctionType(main.getArgumentTypes(), results.getTypes()));
}

bool Importer::importOutputs() {
  std::vector<ModelOutput> outputs = model.outputs;
  if (!chooseOutputs(outputs) || !start())
    return false;
  std::vector<std::string> wanted;
  for (const ModelOutput &output : outputs)
    wanted.push_back(output.producer);
  if (!importLayers(wanted))
    return false;
  SmallVector<mlir::Value> results;
  for (const ModelOutput &output : outputs)
    results.push_back(values.lookup(output.producer));
  finish(results, outputs[0].loc);
  for (auto [index, output] : llvm::enumerate(outputs))
    main.setResultAttr(index, "hourglass.name", b.getStringAttr(output.name));
  return true;
}

OwningOpRef<ModuleOp> Importer::run() {
  // Errors of the ops' own checks come through MLIR.
  ScopedDiagnosticHandler handler(b.getContext(), [&](Diagnostic &diagnostic) {
    report(diagnostics, diagnostic);
    return success();
  });
  bool good = options.training ? importTraining() : importOutputs();
  return good ? std::move(module) : OwningOpRef<ModuleOp>();
}

std::vector<std::string> Importer::tensorNames() {
  Diagnostics::Muted muted(diagnostics);
  ScopedDiagnosticHandler handler(b.getContext(), [](Diagnostic &) { return success(); });
  std::vector<std::string> names;
  if (!start())
    return names;
  for (const Layer &layer : model.layers)
    if (llvm::all_of(layer.inputs, [&](const std::string &input) { return values.count(input); }))
      (void)importLayer(layer);
  for (const auto &weight : weights)
    names.push_back(weight.first().str());
  llvm::sort(names); // a StringMap's order depends on its history
  return names;
}

std::vector<std::string> importableOps(MLIRContext &context) {
  context.loadDialect<hg::HourglassDialect>();
  std::vector<std::string> names;
  for (RegisteredOperationName name : context.getRegisteredOperationsByDialect("hourglass"))
    if (name.hasInterface<hg::ImportableOp>())
      names.push_back(name.stripDialect().str());
  for (StringRef layer : hg::composedLayers())
    names.push_back(layer.str());
  names.push_back(kSlidingWindow.str());
  llvm::sort(names);
  return names;
}

void report(Diagnostics &diagnostics, Diagnostic &diagnostic) {
  bool isError = diagnostic.getSeverity() == DiagnosticSeverity::Error;
  if (!isError && diagnostic.getSeverity() != DiagnosticSeverity::Warning)
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
  std::string layer = hg::layerName(diagnostic.getLocation());
  if (isError)
    (void)diagnostics.error(at, message, layer);
  else
    diagnostics.warning(at, message, layer);
}

OwningOpRef<ModuleOp> importModel(MLIRContext &context, Diagnostics &diagnostics, const Model &model,
                                  const ImportOptions &options) {
  context.loadDialect<hg::HourglassDialect, func::FuncDialect>();
  OwningOpRef<ModuleOp> module = Importer(context, diagnostics, model, options).run();
  // Patterns may mean layers that only other phases or other modes need, so all tensors count.
  if (module && model.training && !model.training->patterns().empty() &&
      failed(checkPatterns(*model.training, Importer(context, diagnostics, model, {}).tensorNames(),
                           diagnostics)))
    return {};
  return module;
}

} // namespace segc
