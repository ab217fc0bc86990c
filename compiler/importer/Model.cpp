/// \file The file's top level: format, name, parameters, inputs, outputs; what the expanded model can be asked.
// SPDX-License-Identifier: MIT
#include "compiler/importer/Model.h"
#include "compiler/importer/Expand.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <nlohmann/json.hpp>

namespace segc {

const Field *Layer::find(llvm::StringRef key) const {
  for (const Field &field : fields)
    if (field.key == key)
      return &field;
  return nullptr;
}

const Layer *Model::find(llvm::StringRef fullName) const {
  auto found = layerIndex.find(fullName);
  return found == layerIndex.end() ? nullptr : &layers[found->second];
}

std::vector<bool> Model::live(llvm::ArrayRef<std::string> also) const {
  std::vector<bool> needed(layers.size());
  auto mark = [&](const std::string &name) {
    auto found = layerIndex.find(name);
    if (found != layerIndex.end())
      needed[found->second] = true;
  };
  for (const ModelOutput &output : outputs)
    mark(output.layer);
  for (const std::string &name : also)
    mark(name);
  for (size_t i = layers.size(); i-- > 0;) {
    if (!needed[i])
      continue;
    for (const std::string &input : layers[i].inputs)
      mark(input);
    for (const Field &field : layers[i].fields) // pool, like, mirror: names seen from the layer
      if (field.value.isString())
        if (auto name = lookUp(*field.scope, field.value.string, *this))
          if (layerIndex.count(*name) && layerIndex.lookup(*name) < i)
            mark(*name);
  }
  return needed;
}

std::optional<Setting> parseSetting(llvm::StringRef text) {
  auto [name, value] = text.split('=');
  if (!isName(name) || !text.contains('='))
    return std::nullopt;
  return Setting{name.str(), value.str()};
}

/// A -set value: a JSON scalar where it is one, else text.
static Json settingValue(const std::string &text) {
  Json value;
  auto parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_number_integer() && !(parsed.is_number_unsigned() && parsed.get<uint64_t>() > INT64_MAX)) {
    value.kind = Json::Kind::Integer;
    value.integer = parsed.get<int64_t>();
  } else if (parsed.is_number()) {
    value.kind = Json::Kind::Real;
    value.real = parsed.get<double>();
  } else if (parsed.is_boolean()) {
    value.kind = Json::Kind::Boolean;
    value.boolean = parsed.get<bool>();
  } else {
    value.kind = Json::Kind::String;
    value.string = parsed.is_string() ? parsed.get<std::string>() : text;
  }
  return value;
}

namespace {

class Reader {
public:
  Reader(Diagnostics &diagnostics, const Json &root) : diagnostics(diagnostics), root(root) {}

  std::optional<Model> run(llvm::ArrayRef<Setting> settings) {
    static const std::vector<std::string> kKeys = {"format", "name", "params", "inputs", "blocks", "layers", "outputs", "training", "description"};
    if (!root.isObject())
      return error(root.offset, "a model is a JSON object, this is " + std::string(root.kindName()));
    for (const Json::Member &member : root.members)
      if (!llvm::is_contained(kKeys, member.key))
        return error(member.offset, "unknown field '" + member.key + "'" + suggestion(member.key, kKeys));
    auto scope = std::make_shared<Scope>();
    if (!readHead() || !readParameters(*scope, settings) || !readInputs(scope))
      return std::nullopt;
    const Json *layers = root.find("layers"), *blocks = root.find("blocks");
    if (!layers || !layers->isArray() || layers->items.empty())
      return error(layers ? layers->offset : root.offset, "\"layers\" must be a list of at least one layer");
    if (blocks && !blocks->isObject())
      return error(blocks->offset, "\"blocks\" must be an object, this is " + std::string(blocks->kindName()));
    if (!expandLayers(diagnostics, model, scope, *layers, blocks) || !readOutputs(*scope) || !readTraining(scope))
      return std::nullopt;
    return std::move(model);
  }

private:
  std::nullopt_t error(size_t offset, const llvm::Twine &message) {
    diagnostics.error(offset, "", message);
    return std::nullopt;
  }
  bool fail(size_t offset, const llvm::Twine &message) {
    diagnostics.error(offset, "", message);
    return false;
  }

  bool readHead() {
    const Json *format = root.find("format"), *name = root.find("name");
    if (!format || !format->isString() || format->string != "segc-model/1")
      return fail(format ? format->offset : root.offset, "\"format\" must be \"segc-model/1\"");
    if (!name || !name->isString())
      return fail(name ? name->offset : root.offset, "\"name\" must be a string: the name of the library");
    if (!isName(name->string))
      return fail(name->offset, "name '" + name->string.substr(0, 140) + "' must match [A-Za-z_][A-Za-z0-9_.]*, 128 bytes at most: it names files and C functions");
    model.name = name->string;
    return true;
  }

  bool readParameters(Scope &scope, llvm::ArrayRef<Setting> settings) {
    const Json *params = root.find("params");
    if (params && !params->isObject())
      return fail(params->offset, "\"params\" must be an object, this is " + std::string(params->kindName()));
    std::vector<std::string> known;
    if (params)
      for (const Json::Member &member : params->members) {
        if (!isName(member.key) || member.key == "in")
          return fail(member.offset, "'" + member.key + "' cannot name a parameter");
        scope.parameters[member.key] = {member.value, nullptr};
        known.push_back(member.key);
      }
    for (const Setting &setting : settings) {
      auto found = scope.parameters.find(setting.name);
      if (found == scope.parameters.end())
        return fail(params ? params->offset : root.offset, "-set " + setting.name + ": the model has no such parameter" + suggestion(setting.name, known));
      size_t offset = found->second.value.offset;
      found->second.value = settingValue(setting.value);
      found->second.value.offset = offset;
    }
    if (params)
      for (const Json::Member &member : params->members)
        if (scope.parameters[member.key].value.isNull())
          return fail(member.offset, "parameter '" + member.key + "' has no default: give it with -set " + member.key + "=...");
    return true;
  }

  bool readInputs(const std::shared_ptr<Scope> &scope) {
    const Json *inputs = root.find("inputs");
    if (!inputs || !inputs->isArray() || inputs->items.empty())
      return fail(inputs ? inputs->offset : root.offset, "\"inputs\" must be a list of at least one input");
    for (const Json &written : inputs->items) {
      auto item = substitute(diagnostics, scope, written, "");
      if (!item || !readInput(item->value))
        return false;
      scope->own[model.inputs.back().name] = model.inputs.back().name;
    }
    return true;
  }

  bool readInput(const Json &item) {
    static const std::vector<std::string> kKeys = {"name", "shape", "dtype"};
    if (!item.isObject())
      return fail(item.offset, "an input is an object with name, shape and dtype");
    for (const Json::Member &member : item.members)
      if (!llvm::is_contained(kKeys, member.key))
        return fail(member.offset, "unknown field '" + member.key + "' of an input" + suggestion(member.key, kKeys));
    ModelInput input;
    input.offset = item.offset;
    const Json *name = item.find("name"), *shape = item.find("shape"), *dtype = item.find("dtype");
    if (!name || !name->isString() || !isName(name->string))
      return fail(name ? name->offset : item.offset, "an input needs a \"name\" matching [A-Za-z_][A-Za-z0-9_.]*");
    input.name = name->string;
    for (const ModelInput &other : model.inputs)
      if (other.name == input.name)
        return fail(name->offset, "duplicate input '" + input.name + "'");
    static const std::vector<std::string> kTypes = {"f32", "f16", "bf16", "i8", "u8", "i32"};
    input.dtype = dtype && dtype->isString() ? dtype->string : "f32";
    if (dtype && (!dtype->isString() || !llvm::is_contained(kTypes, dtype->string)))
      return fail(dtype->offset, "unknown dtype" + suggestion(input.dtype, kTypes));
    if (!shape || !shape->isArray() || shape->items.size() != 4)
      return fail(shape ? shape->offset : item.offset, "input '" + input.name + "' needs a \"shape\" of four extents: [N, C, H, W]");
    for (auto [axis, extent] : llvm::enumerate(shape->items)) {
      bool isFree = extent.isString() && extent.string == "?";
      if (isFree && axis == 1)
        return fail(extent.offset, "the channels must be known: kernels are compiled for them");
      if (!isFree && (!extent.isInteger() || extent.integer < 1 || extent.integer > kMaxExtent))
        return fail(extent.offset, "an extent is a whole number from 1 to 16777216, or \"?\" for N, H and W");
      input.shape.push_back(isFree ? -1 : extent.integer);
    }
    model.inputs.push_back(std::move(input));
    return true;
  }

  bool readOutputs(const Scope &scope) {
    const Json *outputs = root.find("outputs");
    if (!outputs || !outputs->isArray() || outputs->items.empty())
      return fail(outputs ? outputs->offset : root.offset, "\"outputs\" must be a list of at least one layer");
    for (const Json &item : outputs->items) {
      if (!item.isString())
        return fail(item.offset, "an output is the name of a layer, this is " + std::string(item.kindName()));
      auto name = lookUp(scope, item.string, model);
      if (!name || !model.find(*name))
        return fail(item.offset, "output '" + item.string + "' is no layer" + suggestion(item.string, layerNames(scope, model)));
      for (const ModelOutput &other : model.outputs)
        if (other.layer == *name)
          return fail(item.offset, "duplicate output '" + item.string + "'");
      model.outputs.push_back({*name, item.string, item.offset});
    }
    return true;
  }

  bool readTraining(const std::shared_ptr<Scope> &scope) {
    const Json *training = root.find("training");
    if (!training)
      return true;
    static const std::vector<std::string> kKeys = {"targets", "losses", "optimizer", "freeze", "lr_scale", "wrt", "phases", "clip_norm", "ema", "accumulate", "seed"};
    if (!training->isObject())
      return fail(training->offset, "\"training\" must be an object, this is " + std::string(training->kindName()));
    for (const Json::Member &member : training->members)
      if (!llvm::is_contained(kKeys, member.key))
        return fail(member.offset, "unknown field '" + member.key + "' of training" + suggestion(member.key, kKeys));
    auto value = substitute(diagnostics, scope, *training, "");
    if (!value)
      return false;
    model.training = value->value;
    return true;
  }

  Diagnostics &diagnostics;
  const Json &root;
  Model model;
};

void printValue(const Json &value, llvm::raw_ostream &out) {
  switch (value.kind) {
  case Json::Kind::Null:
    out << "null";
    break;
  case Json::Kind::Boolean:
    out << (value.boolean ? "true" : "false");
    break;
  case Json::Kind::Integer:
    out << value.integer;
    break;
  case Json::Kind::Real:
    out << value.real;
    break;
  case Json::Kind::String:
    out << value.string;
    break;
  case Json::Kind::Array:
    out << "[";
    for (const Json &item : value.items) {
      out << (&item == value.items.data() ? "" : ", ");
      printValue(item, out);
    }
    out << "]";
    break;
  case Json::Kind::Object:
    out << "{";
    for (const Json::Member &member : value.members) {
      out << (&member == value.members.data() ? "" : ", ") << member.key << "=";
      printValue(member.value, out);
    }
    out << "}";
  }
}

} // namespace

std::optional<Model> readModel(Diagnostics &diagnostics, llvm::ArrayRef<Setting> settings) {
  auto root = parseJson(diagnostics);
  if (!root)
    return std::nullopt;
  return Reader(diagnostics, *root).run(settings);
}

void printModel(const Model &model, llvm::raw_ostream &out) {
  for (const Layer &layer : model.layers) {
    out << layer.name << ": " << layer.op << "(" << llvm::join(layer.inputs, ", ") << ")";
    for (const Field &field : layer.fields) {
      out << " " << field.key << "=";
      printValue(field.value, out);
    }
    if (!layer.share.empty())
      out << " share=" << layer.share;
    out << "\n";
  }
}

} // namespace segc
