/// \file Reads the top level of a description; lookup, liveness and printing of the expanded model.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Model.h"
#include "compiler/frontend/Expand.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace segc {

static constexpr llvm::StringRef kModelWords[] = {"format",  "name",     "params",     "inputs",
                                                  "include", "blocks",   "layers",     "outputs",
                                                  "heads",   "training", "description"};

namespace {

class Reader {
public:
  Reader(const Value &description, llvm::ArrayRef<llvm::StringRef> ops, Diagnostics &diagnostics,
         const IncludeFolders &folders)
      : description(description), diagnostics(diagnostics), includes(folders, diagnostics),
        substitution(diagnostics), symbols(diagnostics), expander(symbols, substitution, ops, diagnostics) {}

  llvm::LogicalResult run(llvm::ArrayRef<Setting> settings, Model &model);

private:
  llvm::FailureOr<const Value *> need(llvm::StringRef key, Value::Kind kind, llvm::StringRef what);
  llvm::LogicalResult readInput(const Value &given, Model &model);
  llvm::LogicalResult readBlocks();
  llvm::FailureOr<ModelOutput> readOutput(const Value &entry, llvm::StringRef what);
  llvm::LogicalResult readOutputs(const Value &given, Model &model);
  llvm::LogicalResult readHeads(const Value &given, Model &model);

  const Value &description;
  Diagnostics &diagnostics;
  Includes includes;
  Substitution substitution;
  Symbols symbols;
  Expander expander;
  Bindings params;
};

} // namespace

/// A required member of the description.
llvm::FailureOr<const Value *> Reader::need(llvm::StringRef key, Value::Kind kind, llvm::StringRef what) {
  const Value *value = description.find(key);
  if (!value)
    return diagnostics.error(description.loc, "the model needs \"" + key + "\", " + what);
  if (value->kind != kind)
    return diagnostics.error(value->loc, "\"" + key + "\" must be " + what + ", not " + value->describe());
  if (kind == Value::Array && value->items.empty())
    return diagnostics.error(value->loc, "\"" + key + "\" is empty; it must be " + what);
  return value;
}

llvm::LogicalResult Reader::readInput(const Value &given, Model &model) {
  auto object = substitution.apply(given, params, 0);
  if (failed(object))
    return llvm::failure();
  auto input = readModelInput(*object, /*isTarget=*/false, diagnostics);
  if (failed(input) || failed(symbols.declare(input->name, input->loc)))
    return llvm::failure();
  symbols[input->name].kind = Symbol::Input;
  symbols[input->name].producer = input->name;
  model.inputs.push_back(std::move(*input));
  return llvm::success();
}

/// Those of included files, then the model's own.
llvm::LogicalResult Reader::readBlocks() {
  const Value *include = description.find("include"), *own = description.find("blocks");
  if (include && failed(includes.read(*include)))
    return llvm::failure();
  for (const Value *blocks : includes.blocks())
    if (failed(expander.addBlocks(*blocks)))
      return llvm::failure();
  return own ? expander.addBlocks(*own) : llvm::success();
}

/// The layer that an entry of `outputs` or `heads` names.
llvm::FailureOr<ModelOutput> Reader::readOutput(const Value &entry, llvm::StringRef what) {
  auto reference = substitution.apply(entry, params, 0);
  if (failed(reference))
    return llvm::failure();
  auto producer = symbols.value(*reference, symbols.scopes[0], "");
  if (failed(producer))
    return llvm::failure();
  if (symbols.find(*producer)->kind == Symbol::Input)
    return diagnostics.error(entry.loc, what + " " + quote(*producer) + " is an input; it must be a layer");
  return ModelOutput{reference->text, *producer, entry.loc};
}

llvm::LogicalResult Reader::readOutputs(const Value &given, Model &model) {
  for (const Value &entry : given.items) {
    auto output = readOutput(entry, "output");
    if (failed(output))
      return llvm::failure();
    if (llvm::any_of(model.outputs, [&](const ModelOutput &other) { return other.name == output->name; }))
      return diagnostics.error(entry.loc, "output " + quote(output->name) + " is listed twice");
    model.outputs.push_back(std::move(*output));
  }
  return llvm::success();
}

llvm::LogicalResult Reader::readHeads(const Value &given, Model &model) {
  if (given.kind != Value::Object)
    return diagnostics.error(given.loc,
                             "\"heads\" must be an object of names and layers, not " + given.describe());
  for (const Member &member : given.members) {
    auto head = readOutput(member.value, "head");
    if (failed(head))
      return llvm::failure();
    model.heads.emplace_back(member.key, std::move(*head));
  }
  return llvm::success();
}

llvm::LogicalResult Reader::run(llvm::ArrayRef<Setting> settings, Model &model) {
  if (description.kind != Value::Object)
    return diagnostics.error(description.loc, "a model must be an object, not " + description.describe());
  if (failed(checkWords(description, "a model", kModelWords, diagnostics)) ||
      failed(checkDescription(description, diagnostics)) ||
      failed(checkFormat(description, "the model", diagnostics)))
    return llvm::failure();
  auto name = need("name", Value::String, "a string");
  if (failed(name))
    return llvm::failure();
  if (!isName((*name)->text))
    return diagnostics.error((*name)->loc, quote((*name)->text) +
                                               " cannot name a model; names are "
                                               "[A-Za-z_][A-Za-z0-9_.]*, at most 128 bytes");
  model.name = (*name)->text;
  model.nameLoc = (*name)->loc;

  Value none;
  none.kind = Value::Object;
  const Value *defaults = description.find("params");
  if ((defaults && failed(checkParamNames(*defaults, {}, diagnostics))) ||
      failed(bindModelParams(defaults ? *defaults : none, settings, substitution, diagnostics, params)))
    return llvm::failure();
  auto inputs = need("inputs", Value::Array, "an array of at least one input");
  if (failed(inputs))
    return llvm::failure();
  for (const Value &input : (*inputs)->items)
    if (failed(readInput(input, model)))
      return llvm::failure();
  if (failed(readBlocks()))
    return llvm::failure();
  auto layers = need("layers", Value::Array, "an array of at least one layer");
  if (failed(layers) || failed(expander.run(**layers, params, model.inputs[0].name, model.layers)))
    return llvm::failure();
  auto outputs = need("outputs", Value::Array, "an array of at least one layer name");
  if (failed(outputs) || failed(readOutputs(**outputs, model)))
    return llvm::failure();
  const Value *heads = description.find("heads");
  if (heads && failed(readHeads(*heads, model)))
    return llvm::failure();
  if (const Value *training = description.find("training")) {
    auto section = substitution.apply(*training, params, 0);
    if (failed(section))
      return llvm::failure();
    auto read = readTraining(*section, model.inputs, symbols, diagnostics);
    if (failed(read))
      return llvm::failure();
    model.training = std::move(*read);
  }
  for (const auto &entry : symbols.all())
    if (entry.second.window == 0 && entry.second.kind != Symbol::Target)
      model.producers[entry.first()] = entry.second.producer;
  return llvm::success();
}

llvm::FailureOr<Model> expandModel(const Value &description, llvm::ArrayRef<Setting> settings,
                                   llvm::ArrayRef<llvm::StringRef> ops, Diagnostics &diagnostics,
                                   const IncludeFolders &folders) {
  Model model;
  if (failed(Reader(description, ops, diagnostics, folders).run(settings, model)))
    return llvm::failure();
  for (auto [index, layer] : llvm::enumerate(model.layers))
    model.index[layer.name] = index;
  return model;
}

llvm::FailureOr<Model> parseModel(llvm::StringRef text, llvm::ArrayRef<std::string> settings,
                                  llvm::ArrayRef<llvm::StringRef> ops, Diagnostics &diagnostics,
                                  const IncludeFolders &folders) {
  auto description = parseJson(text, diagnostics);
  if (failed(description))
    return llvm::failure();
  llvm::SmallVector<Setting> parsed;
  for (const std::string &setting : settings) {
    auto one = parseSetting(setting, diagnostics);
    if (failed(one))
      return llvm::failure();
    parsed.push_back(std::move(*one));
  }
  return expandModel(*description, parsed, ops, diagnostics, folders);
}

llvm::LogicalResult Model::prune(llvm::StringRef head, Diagnostics &diagnostics) {
  llvm::SmallVector<llvm::StringRef> known;
  for (auto &[name, output] : heads) {
    if (name == head) {
      outputs = {output};
      return llvm::success();
    }
    known.push_back(name);
  }
  return diagnostics.error(
      llvm::SMLoc(),
      known.empty()
          ? "-prune " + quote(head) + ": the model " + quote(name) + " has no \"heads\" to choose from"
          : "-prune " + quote(head) + ": there is no such head" + suggestion(head, known));
}

const Layer *Model::find(llvm::StringRef name) const {
  auto producer = producers.find(name);
  auto it = producer == producers.end() ? index.end() : index.find(producer->second);
  return it == index.end() ? nullptr : &layers[it->second];
}

std::vector<bool> Model::liveLayers(llvm::ArrayRef<std::string> names) const {
  std::vector<bool> live(layers.size());
  auto mark = [&](llvm::StringRef name) {
    if (const Layer *layer = find(name))
      live[layer - layers.data()] = true;
  };
  llvm::for_each(names, mark);
  // Layers stand behind what they need, so one pass from the back finds everything.
  for (size_t i = layers.size(); i-- > 0;)
    if (live[i]) {
      llvm::for_each(layers[i].inputs, mark);
      llvm::for_each(layers[i].references, mark);
    }
  return live;
}

std::vector<bool> Model::liveLayers() const {
  std::vector<std::string> names;
  for (const ModelOutput &output : outputs)
    names.push_back(output.producer);
  return liveLayers(names);
}

static void printLayers(llvm::raw_ostream &os, llvm::ArrayRef<Layer> layers, unsigned indent) {
  for (const Layer &layer : layers) {
    os.indent(indent) << layer.name << " = " << layer.op << '(';
    llvm::interleaveComma(layer.inputs, os);
    os << ") {";
    llvm::interleaveComma(layer.fields, os, [&](const Member &field) {
      os << field.key << ": ";
      printJson(os, field.value);
    });
    os << '}';
    if (!layer.share.empty())
      os << " share " << layer.share;
    os << '\n';
    printLayers(os, layer.body, indent + 2);
  }
}

void printModel(llvm::raw_ostream &os, const Model &model) {
  os << "model " << model.name << '\n';
  for (const ModelInput &input : model.inputs) {
    os << "input " << input.name << " [";
    llvm::interleaveComma(input.shape, os, [&](int64_t extent) {
      if (extent == kAnyExtent)
        os << '?';
      else
        os << extent;
    });
    os << "] " << input.dtype << '\n';
  }
  printLayers(os, model.layers, 0);
  for (const ModelOutput &output : model.outputs)
    os << "output " << output.name << " = " << output.producer << '\n';
}

} // namespace segc
