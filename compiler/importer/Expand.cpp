/// \file Walks layer lists, recursing into blocks; names and inputs are resolved on the way.
// SPDX-License-Identifier: MIT
#include "compiler/importer/Expand.h"
#include "llvm/ADT/STLExtras.h"

namespace segc {

std::optional<std::string> lookUp(const Scope &scope, llvm::StringRef text, const Model &model) {
  llvm::StringRef rest = text;
  if (rest.consume_front("$in")) {
    size_t index = 0;
    if (!rest.empty() && (!rest.consume_front(".") || rest.getAsInteger(10, index)))
      return std::nullopt;
    return index < scope.inputs.size() ? std::optional<std::string>(scope.inputs[index]) : std::nullopt;
  }
  if (auto found = scope.own.find(text); found != scope.own.end())
    return found->second;
  if (auto found = model.aliases.find(text); found != model.aliases.end())
    return found->second;
  bool isInput = llvm::any_of(model.inputs, [&](const ModelInput &input) { return input.name == text; });
  return isInput || model.layerIndex.count(text) ? std::optional<std::string>(text.str()) : std::nullopt;
}

std::vector<std::string> layerNames(const Scope &scope, const Model &model) {
  std::vector<std::string> names;
  for (const auto &entry : scope.own)
    names.push_back(entry.first().str());
  for (const Layer &layer : model.layers)
    names.push_back(layer.name);
  llvm::sort(names);
  names.erase(llvm::unique(names), names.end());
  return names;
}

namespace {

class Expander {
public:
  Expander(Diagnostics &diagnostics, Model &model, const Json *blocks) : diagnostics(diagnostics), model(model), blocks(blocks) {}

  /// Expands one list; the value of its last layer is in `last` afterwards.
  bool list(const std::shared_ptr<Scope> &scope, const Json &layers, bool isTop, const std::string &sharePrefix, std::string &last) {
    llvm::StringMap<unsigned> unnamed;
    for (auto [index, item] : llvm::enumerate(layers.items)) {
      if (!item.isObject())
        return fail(item.offset, "", "a layer is an object, this is " + std::string(item.kindName()));
      if (!layer(scope, layers, item, index, isTop, unnamed, sharePrefix, last))
        return false;
    }
    return true;
  }

private:
  bool fail(size_t offset, llvm::StringRef layer, const llvm::Twine &message) {
    diagnostics.error(offset, layer, message);
    return false;
  }

  /// The layer's local name: as written, or made from its op (top level) or its place (in a block).
  std::optional<std::string> localName(const Json &item, size_t index, bool isTop, llvm::StringMap<unsigned> &unnamed) {
    if (const Json *name = item.find("name")) {
      if (name->isString() && isName(name->string))
        return name->string;
      std::string shown = name->isString() ? "'" + name->string.substr(0, 140) + "'" : name->kindName();
      fail(name->offset, "", shown + " cannot name a layer: [A-Za-z_][A-Za-z0-9_.]*, 128 bytes at most");
      return std::nullopt;
    }
    if (!isTop)
      return std::to_string(index);
    const Json *kind = item.find("op") ? item.find("op") : item.find("block");
    std::string stem = kind && kind->isString() ? kind->string : "layer";
    return stem + std::to_string(unnamed[stem]++);
  }

  bool layer(const std::shared_ptr<Scope> &scope, const Json &layers, const Json &item, size_t index, bool isTop,
             llvm::StringMap<unsigned> &unnamed, const std::string &sharePrefix, std::string &last) {
    auto local = localName(item, index, isTop, unnamed);
    if (!local)
      return false;
    std::string full = scope->prefix + *local;
    if (full.size() > 1024)
      return fail(item.offset, full.substr(0, 60), "the expanded name is longer than 1024 bytes");
    if (scope->own.count(*local) || model.layerIndex.count(full) || model.aliases.count(full))
      return fail(item.find("name") ? item.find("name")->offset : item.offset, full, "duplicate name");

    int64_t repeat = 1;
    const Json *repeatField = item.find("repeat");
    if (repeatField) {
      auto value = substitute(diagnostics, scope, *repeatField, full);
      if (!value)
        return false;
      if (!value->value.isInteger() || value->value.integer < 1)
        return fail(repeatField->offset, full, "\"repeat\" must be a whole number from 1 on");
      repeat = value->value.integer;
      if (repeat > static_cast<int64_t>(kMaxLayers))
        return fail(repeatField->offset, full, "\"repeat\": " + llvm::Twine(repeat) + " exceeds the limit of 100,000 layers");
    }
    const Json *first = item.find("first");
    if (first && !repeatField)
      return fail(first->offset, full, "\"first\" goes with \"repeat\"");
    if (first && !first->isObject())
      return fail(first->offset, full, "\"first\" must be an object of fields");

    std::vector<std::string> inputs;
    if (!resolveInputs(scope, layers, item, index, full, last, inputs))
      return false;
    std::string share = sharePrefix.empty() ? "" : sharePrefix + *local;
    if (const Json *written = item.find("share"))
      if (!resolveShare(scope, *written, full, share))
        return false;
    std::string value;
    for (int64_t iteration = 0; iteration < repeat; ++iteration) {
      std::string suffix = repeatField ? "." + std::to_string(iteration) : "";
      if (iteration > 0)
        inputs[0] = value;
      Json merged = iteration == 0 && first ? merge(item, *first) : item;
      std::string shared = share.empty() ? "" : share + suffix;
      if (!one(scope, merged, full + suffix, inputs, shared, value))
        return false;
    }
    if (value != full)
      model.aliases[full] = value;
    scope->own[*local] = value;
    last = value;
    return true;
  }

  /// The layer with the fields of `first` in place of its own; op and block replace each other.
  static Json merge(const Json &item, const Json &first) {
    Json merged = item;
    bool replacesKind = first.find("op") || first.find("block");
    llvm::erase_if(merged.members, [&](const Json::Member &member) {
      return first.find(member.key) || (replacesKind && (member.key == "op" || member.key == "block"));
    });
    merged.members.insert(merged.members.end(), first.members.begin(), first.members.end());
    return merged;
  }

  bool resolveInputs(const std::shared_ptr<Scope> &scope, const Json &layers, const Json &item, size_t index,
                     const std::string &full, const std::string &last, std::vector<std::string> &inputs) {
    const Json *single = item.find("input"), *several = item.find("inputs");
    if (single && several)
      return fail(several->offset, full, "\"input\" and \"inputs\" exclude each other");
    if (!single && !several) {
      std::string before = index > 0 ? last : !scope->inputs.empty() ? scope->inputs[0] : model.inputs[0].name;
      inputs.push_back(before);
      return true;
    }
    if (single) {
      auto one = substitute(diagnostics, scope, *single, full);
      return one && resolveInput(*one->scope, *single, one->value, layers, full, inputs);
    }
    if (!several->isArray() || several->items.empty())
      return fail(several->offset, full, "\"inputs\" must be a list of at least one layer name");
    for (const Json &name : several->items) {
      auto one = substitute(diagnostics, scope, name, full);
      if (!one || !resolveInput(*one->scope, name, one->value, layers, full, inputs))
        return false;
    }
    return true;
  }

  bool resolveInput(const Scope &scope, const Json &written, const Json &value, const Json &layers, const std::string &full,
                    std::vector<std::string> &inputs) {
    if (!value.isString())
      return fail(written.offset, full, "an input is the name of a layer, this is " + std::string(value.kindName()));
    if (auto name = lookUp(scope, value.string, model)) {
      inputs.push_back(*name);
      return true;
    }
    if (llvm::StringRef(value.string).starts_with("$in"))
      return fail(written.offset, full, "'" + value.string + "': the instance is given " + llvm::Twine(scope.inputs.size()) + " input(s)");
    for (const Json &other : layers.items)
      if (const Json *name = other.find("name"))
        if (name->isString() && name->string == value.string)
          return fail(written.offset, full, "input '" + value.string + "' is this layer or a later one: only inputs and earlier layers can be named (a cycle cannot be computed)");
    return fail(written.offset, full, "input '" + value.string + "' is no layer" + suggestion(value.string, layerNames(scope, model)));
  }

  bool resolveShare(const std::shared_ptr<Scope> &scope, const Json &written, const std::string &full, std::string &share) {
    auto value = substitute(diagnostics, scope, written, full);
    if (!value)
      return false;
    if (!value->value.isString())
      return fail(written.offset, full, "\"share\" is the name of a layer or an instance");
    // An instance's own name, not the layer that is its value: what is inside is shared name by name.
    for (const std::string &name : {value->scope->prefix + value->value.string, value->value.string})
      if (model.aliases.count(name) || model.layerIndex.count(name)) {
        share = name;
        return true;
      }
    return fail(written.offset, full, "\"share\": '" + value->value.string + "' is no earlier layer or instance" + suggestion(value->value.string, layerNames(*value->scope, model)));
  }

  /// One iteration: a plain layer or a block instance. `value` is the full name of its value.
  bool one(const std::shared_ptr<Scope> &scope, const Json &item, const std::string &full, const std::vector<std::string> &inputs,
           const std::string &share, std::string &value) {
    const Json *op = item.find("op"), *block = item.find("block");
    if ((op != nullptr) == (block != nullptr))
      return fail(item.offset, full, "a layer has either \"op\" or \"block\"");
    const Json &kind = op ? *op : *block;
    auto name = substitute(diagnostics, scope, kind, full);
    if (!name)
      return false;
    if (!name->value.isString())
      return fail(kind.offset, full, std::string(op ? "\"op\"" : "\"block\"") + " must be a string");
    if (block)
      return instance(scope, item, name->value, full, inputs, share, value);
    if (model.layers.size() >= kMaxLayers)
      return fail(item.offset, full, "more than 100,000 layers");
    Layer layer;
    layer.name = full;
    layer.op = name->value.string;
    layer.offset = item.offset;
    layer.inputs = inputs;
    layer.share = share;
    layer.index = model.layers.size();
    for (const Json::Member &member : item.members) {
      if (isGeneric(member.key))
        continue;
      auto field = substitute(diagnostics, scope, member.value, full);
      if (!field)
        return false;
      layer.fields.push_back({member.key, member.offset, std::move(field->value), field->scope});
    }
    if (!model.layerIndex.try_emplace(full, layer.index).second)
      return fail(item.offset, full, "duplicate name");
    model.layers.push_back(std::move(layer));
    value = full;
    return true;
  }

  static bool isGeneric(llvm::StringRef key) {
    static const char *const keys[] = {"name", "op", "block", "input", "inputs", "repeat", "first", "share", "description"};
    return llvm::is_contained(keys, key);
  }

  bool instance(const std::shared_ptr<Scope> &scope, const Json &item, const Json &name, const std::string &full,
                const std::vector<std::string> &inputs, const std::string &share, std::string &value) {
    const Json *block = blocks ? blocks->find(name.string) : nullptr;
    if (!block) {
      std::vector<std::string> known;
      for (const Json::Member &member : blocks ? blocks->members : std::vector<Json::Member>())
        known.push_back(member.key);
      return fail(name.offset, full, "unknown block '" + name.string + "'" + suggestion(name.string, known));
    }
    if (llvm::is_contained(active, name.string)) {
      std::string chain;
      for (const std::string &outer : active)
        chain += outer + " -> ";
      return fail(name.offset, full, "block '" + name.string + "' uses itself: " + chain + name.string);
    }
    const Json *layers = block->find("layers"), *params = block->find("params");
    static const std::vector<std::string> kKeys = {"params", "layers", "description"};
    if (!block->isObject())
      return fail(block->offset, full, "a block is an object with params and layers");
    for (const Json::Member &member : block->members)
      if (!llvm::is_contained(kKeys, member.key))
        return fail(member.offset, full, "unknown field '" + member.key + "' of block '" + name.string + "'" + suggestion(member.key, kKeys));
    if (!layers || !layers->isArray() || layers->items.empty())
      return fail(layers ? layers->offset : block->offset, full, "block '" + name.string + "' needs \"layers\": a list of at least one layer");
    auto inner = std::make_shared<Scope>();
    inner->prefix = full + ".";
    inner->inputs = inputs;
    for (const auto &entry : top->parameters)
      inner->parameters[entry.first()] = {entry.second.value, top};
    if (!bindParameters(scope, *inner, item, params, name.string, full))
      return false;
    active.push_back(name.string);
    bool ok = list(inner, *layers, false, share.empty() ? "" : share + ".", value);
    active.pop_back();
    return ok;
  }

  bool bindParameters(const std::shared_ptr<Scope> &scope, Scope &inner, const Json &item, const Json *params,
                      const std::string &block, const std::string &full) {
    if (params && !params->isObject())
      return fail(params->offset, full, "\"params\" of block '" + block + "' must be an object");
    std::vector<std::string> known;
    for (const Json::Member &member : params ? params->members : std::vector<Json::Member>()) {
      known.push_back(member.key);
      const Json *given = item.find(member.key);
      if (!given && member.value.isNull())
        return fail(item.offset, full, "block '" + block + "' needs parameter '" + member.key + "'");
      // Defaults may use the model's parameters; what is given means what it means where the instance stands.
      auto value = substitute(diagnostics, given ? scope : std::shared_ptr<const Scope>(top), given ? *given : member.value, full);
      if (!value)
        return false;
      inner.parameters[member.key] = {value->value, value->scope};
    }
    for (const Json::Member &member : item.members)
      if (!isGeneric(member.key) && !llvm::is_contained(known, member.key))
        return fail(member.offset, full, "block '" + block + "' has no parameter '" + member.key + "'" + suggestion(member.key, known));
    return true;
  }

public:
  std::shared_ptr<const Scope> top;

private:
  Diagnostics &diagnostics;
  Model &model;
  const Json *blocks;
  std::vector<std::string> active; ///< blocks being expanded, outermost first
};

} // namespace

bool expandLayers(Diagnostics &diagnostics, Model &model, const std::shared_ptr<Scope> &scope, const Json &layers, const Json *blocks) {
  Expander expander(diagnostics, model, blocks);
  expander.top = scope;
  std::string last;
  return expander.list(scope, layers, true, "", last);
}

std::optional<std::string> resolveLayer(Diagnostics &diagnostics, const Model &model, const Layer &before, const Field &field) {
  if (!field.value.isString()) {
    diagnostics.error(field.value.offset, before.name, "\"" + field.key + "\" is the name of a layer, this is " + field.value.kindName());
    return std::nullopt;
  }
  auto name = lookUp(*field.scope, field.value.string, model);
  const Layer *layer = name ? model.find(*name) : nullptr;
  if (!name || (layer && layer->index >= before.index)) {
    diagnostics.error(field.value.offset, before.name, "\"" + field.key + "\": '" + field.value.string + "' is no earlier layer" +
                                                           suggestion(field.value.string, layerNames(*field.scope, model)));
    return std::nullopt;
  }
  return name;
}

} // namespace segc
