/// \file Walks the layer lists, instance by instance, and appends flat layers.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Expand.h"
#include "llvm/ADT/STLExtras.h"

namespace segc {

/// Fields that name a layer.
static constexpr llvm::StringLiteral kReferences[] = {"pool", "like", "mirror"};

const Member *Expander::Job::find(llvm::StringRef key) const {
  auto it = llvm::find_if(members, [&](const Member *member) { return member->key == key; });
  return it == members.end() ? nullptr : *it;
}

llvm::FailureOr<Value> Expander::substitute(const Value &value, llvm::StringRef layer) {
  return substitution.apply(value, *scope().params, symbols.scopes.size() - 1, layer);
}

/// A member's value, which must be a string.
llvm::FailureOr<std::string> Expander::text(const Member &member, llvm::StringRef layer) {
  auto value = substitute(member.value, layer);
  if (failed(value))
    return llvm::failure();
  if (!value->isString())
    return diagnostics.error(member.value.loc,
                             "\"" + member.key + "\" must be a string, not " + value->describe(), layer);
  return value->text;
}

llvm::LogicalResult Expander::addBlocks(const Value &given) {
  if (given.kind != Value::Object)
    return diagnostics.error(given.loc, "\"blocks\" must be an object of names and blocks");
  for (const Member &block : given.members) {
    if (!isName(block.key))
      return diagnostics.error(block.keyLoc, quote(block.key) + " cannot name a block; names are "
                                                                "[A-Za-z_][A-Za-z0-9_.]*, at most 128 bytes");
    if (block.value.kind != Value::Object)
      return diagnostics.error(block.value.loc, "block " + quote(block.key) +
                                                    " must be an object with "
                                                    "\"params\" and \"layers\"");
    if (failed(checkWords(block.value, "block " + quote(block.key), {"params", "layers", "description"},
                          diagnostics)) ||
        failed(checkDescription(block.value, diagnostics)))
      return llvm::failure();
    const Value *layers = block.value.find("layers");
    if (!layers || layers->kind != Value::Array || layers->items.empty())
      return diagnostics.error(layers ? layers->loc : block.value.loc,
                               "block " + quote(block.key) + " needs \"layers\", an array of at least one");
    llvm::SmallVector<llvm::StringRef> reserved(std::begin(kLayerWords), std::end(kLayerWords));
    if (const Value *params = block.value.find("params"))
      if (failed(checkParamNames(*params, reserved, diagnostics)))
        return llvm::failure();
    auto [other, isNew] = blocks.try_emplace(block.key, &block);
    if (!isNew) {
      auto failure = diagnostics.error(block.keyLoc, "there are two blocks " + quote(block.key) +
                                                         "; rename one of the two");
      diagnostics.note(other->second->keyLoc, "the other one is here");
      return failure;
    }
  }
  return llvm::success();
}

llvm::LogicalResult Expander::run(const Value &layers, const Bindings &params, std::string firstInput,
                                  std::vector<Layer> &result) {
  out = &result;
  symbols.scopes.push_back({"", {}, &params, &declaredNames(layers), 0});
  return expandList(layers, firstInput, nullptr);
}

/// The names that a list of layers spells out, known before the list is expanded.
const Expander::Names &Expander::declaredNames(const Value &layers) {
  auto [it, isNew] = declared.try_emplace(&layers);
  if (isNew)
    for (const Value &entry : layers.items)
      if (const Value *name = entry.find("name"); name && name->isString())
        it->second.try_emplace(name->text, name->loc);
  return it->second;
}

llvm::LogicalResult Expander::expandList(const Value &layers, std::string &previous, const Share *share) {
  for (auto [index, entry] : llvm::enumerate(layers.items)) {
    if (symbols.scopes.size() == 1)
      instance = entry.loc;
    if (failed(expandEntry(entry, index, previous, share)))
      return llvm::failure();
  }
  return llvm::success();
}

/// At the top level an unnamed layer is <op><n>, in a block <instance>.<index>.
llvm::FailureOr<std::string> Expander::fullName(const Value &entry, size_t index) {
  std::string prefix = scope().prefix.empty() ? "" : scope().prefix + ".";
  const Member *named = nullptr, *kind = nullptr;
  for (const Member &member : entry.members) {
    if (member.key == "name")
      named = &member;
    if (member.key == "op" || member.key == "block")
      kind = &member;
  }
  if (!named && !prefix.empty())
    return prefix + std::to_string(index);
  if (!named && !kind)
    return diagnostics.error(entry.loc, "a layer needs \"op\" or \"block\"");
  auto local = text(named ? *named : *kind, "");
  if (failed(local))
    return llvm::failure();
  if (!isName(*local))
    return diagnostics.error((named ? named : kind)->value.loc,
                             quote(*local) +
                                 " cannot name a layer; names are [A-Za-z_][A-Za-z0-9_.]*, at most "
                                 "128 bytes");
  return named ? prefix + *local : *local + std::to_string(unnamed[*local]++);
}

/// The value of `repeat`, 0 when there is none.
llvm::FailureOr<int64_t> Expander::repetitions(const Value &entry, llvm::StringRef name) {
  const Value *repeat = entry.find("repeat");
  if (!repeat)
    return 0;
  auto count = substitute(*repeat, name);
  if (failed(count))
    return llvm::failure();
  if (count->kind != Value::Int || count->integer < 1)
    return diagnostics.error(repeat->loc, "\"repeat\" must be an integer from 1 on, not " + count->describe(),
                             name);
  if (count->integer > kMostLayers - layerCount)
    return diagnostics.error(repeat->loc,
                             "repeating " + llvm::Twine(count->integer) + " times gives more than " +
                                 llvm::Twine(kMostLayers) + " layers",
                             name);
  return count->integer;
}

llvm::LogicalResult Expander::expandEntry(const Value &entry, size_t index, std::string &previous,
                                          const Share *share) {
  if (entry.kind != Value::Object)
    return diagnostics.error(entry.loc, "a layer must be an object, not " + entry.describe());
  auto name = fullName(entry, index);
  if (failed(name) || failed(checkDescription(entry, diagnostics)) ||
      failed(symbols.declare(*name, entry.loc, scope().window)))
    return llvm::failure();
  auto count = repetitions(entry, *name);
  if (failed(count))
    return llvm::failure();
  const Value *first = entry.find("first");
  if (first && (!*count || first->kind != Value::Object))
    return diagnostics.error(first->loc,
                             *count ? "\"first\" must be an object with the fields that differ in iteration 0"
                                    : "\"first\" has a meaning only beside \"repeat\"",
                             *name);

  Job job;
  job.loc = entry.loc;
  job.share = share;
  for (const Member &member : entry.members)
    if (!llvm::is_contained({"name", "repeat", "first"}, member.key))
      job.members.push_back(&member);
  if (!*count) {
    job.name = *name;
    return expandJob(std::move(job), previous, -1);
  }

  for (int64_t i = 0; i < *count; ++i) {
    Job turn = job;
    turn.name = *name + "." + std::to_string(i);
    if (i == 0 && first) {
      for (const Member &member : first->members) {
        if (llvm::is_contained({"name", "repeat", "first"}, member.key))
          return diagnostics.error(member.keyLoc, "\"first\" cannot replace \"" + member.key + "\"", *name);
        llvm::erase_if(turn.members, [&](const Member *other) { return other->key == member.key; });
        turn.members.push_back(&member);
      }
    } else if (i > 0) {
      llvm::erase_if(turn.members,
                     [](const Member *member) { return member->key == "input" || member->key == "inputs"; });
    }
    if (failed(symbols.declare(turn.name, entry.loc, scope().window)) ||
        failed(expandJob(std::move(turn), previous, i)))
      return llvm::failure();
  }
  Symbol &symbol = symbols[*name];
  symbol.kind = Symbol::Group;
  symbol.producer = previous;
  symbol.repeated = true;
  return llvm::success();
}

llvm::LogicalResult Expander::findInputs(Job &job, const std::string &previous) {
  const Member *input = job.find("input"), *inputs = job.find("inputs");
  if (input && inputs)
    return diagnostics.error(inputs->keyLoc, "both \"input\" and \"inputs\"; keep one of the two", job.name);
  if (!input && !inputs) {
    job.inputs = {previous};
    job.inputLocs = {job.loc};
    return llvm::success();
  }
  auto given = substitute((input ? input : inputs)->value, job.name);
  if (failed(given))
    return llvm::failure();
  if (inputs && (given->kind != Value::Array || given->items.empty()))
    return diagnostics.error(inputs->value.loc, "\"inputs\" must be an array of at least one name", job.name);
  for (const Value &reference : input ? llvm::ArrayRef<Value>(*given) : llvm::ArrayRef<Value>(given->items)) {
    auto producer = symbols.value(reference, scope(), job.name);
    if (failed(producer))
      return llvm::failure();
    job.inputs.push_back(std::move(*producer));
    job.inputLocs.push_back(reference.loc);
  }
  return llvm::success();
}

/// Makes one layer or instance; `value` is the one before it and becomes its own. `iteration` is -1 without
/// `repeat`.
llvm::LogicalResult Expander::expandJob(Job job, std::string &value, int64_t iteration) {
  const Member *op = job.find("op"), *block = job.find("block");
  if (!op == !block)
    return diagnostics.error(
        job.loc, op ? "both \"op\" and \"block\"; keep one of the two" : "a layer needs \"op\" or \"block\"",
        job.name);
  if (failed(findInputs(job, value)))
    return llvm::failure();
  Share own;
  if (const Member *share = job.find("share")) {
    auto reference = substitute(share->value, job.name);
    if (failed(reference))
      return llvm::failure();
    auto target = symbols.name(*reference, job.name);
    if (failed(target))
      return llvm::failure();
    const Symbol *symbol = symbols.find(*target);
    if (symbol->kind == Symbol::Input)
      return diagnostics.error(reference->loc, quote(*target) + " is an input and has no tensors to share",
                               job.name);
    // A repetition shares with a repetition turn by turn, with anything else every turn.
    if (iteration >= 0 && symbol->repeated)
      *target += "." + std::to_string(iteration);
    own = {job.name, *target, reference->loc};
    job.share = &own;
  }
  return block ? expandInstance(job, *block, value) : expandLayer(job, *op, value);
}

llvm::LogicalResult Expander::expandInstance(const Job &job, const Member &block, std::string &value) {
  auto name = text(block, job.name);
  if (failed(name))
    return llvm::failure();
  auto found = blocks.find(*name);
  if (found == blocks.end()) {
    llvm::SmallVector<llvm::StringRef> known(blocks.keys());
    llvm::sort(known);
    return diagnostics.error(block.value.loc, "there is no block " + quote(*name) + suggestion(*name, known),
                             job.name);
  }
  if (auto it = llvm::find(open, *name); it != open.end()) {
    std::string cycle;
    for (; it != open.end(); ++it)
      cycle += *it + " -> ";
    return diagnostics.error(block.value.loc, "block " + quote(*name) + " uses itself: " + cycle + *name,
                             job.name);
  }
  if (open.size() == kDeepestNesting)
    return diagnostics.error(block.value.loc,
                             "block instances nested more than " + llvm::Twine(kDeepestNesting) + " deep",
                             job.name);
  const Value &layers = *found->second->value.find("layers");
  Bindings bindings;
  bindings.outer = symbols.scopes[0].params;
  if (failed(bindParams(job, *name, found->second->value.find("params"), bindings)))
    return llvm::failure();

  open.push_back(*name);
  symbols.scopes.push_back({job.name, job.inputs, &bindings, &declaredNames(layers), scope().window});
  value = job.inputs[0];
  auto result = expandList(layers, value, job.share);
  symbols.scopes.pop_back();
  open.pop_back();
  Symbol &symbol = symbols[job.name];
  symbol.kind = Symbol::Group;
  symbol.producer = value;
  return result;
}

llvm::LogicalResult Expander::bindParams(const Job &job, llvm::StringRef block, const Value *params,
                                         Bindings &bindings) {
  llvm::ArrayRef<Member> known;
  if (params)
    known = params->members;
  for (const Member *member : job.members) {
    if (llvm::is_contained(kLayerWords, member->key) ||
        llvm::any_of(known, [&](const Member &param) { return param.key == member->key; }))
      continue;
    llvm::SmallVector<llvm::StringRef> candidates(std::begin(kLayerWords), std::end(kLayerWords));
    for (const Member &param : known)
      candidates.push_back(param.key);
    return diagnostics.error(member->keyLoc,
                             "unknown field " + quote(member->key) + " of block " + quote(block) +
                                 suggestion(member->key, candidates),
                             job.name);
  }
  for (const Member &param : known) {
    const Member *given = job.find(param.key);
    // A given value is meant where the instance stands, a default inside of the block; it may use the
    // parameters before it. The block's own scope will be the next one.
    auto value = given ? substitute(given->value, job.name)
                       : substitution.apply(param.value, bindings, symbols.scopes.size(), job.name);
    if (failed(value))
      return llvm::failure();
    if (value->kind == Value::Null)
      return diagnostics.error(given ? given->value.loc : job.loc,
                               "block " + quote(block) + " needs its parameter " + quote(param.key),
                               job.name);
    bindings.own[param.key] = std::move(*value);
  }
  return llvm::success();
}

llvm::LogicalResult Expander::expandLayer(const Job &job, const Member &op, std::string &value) {
  auto kind = text(op, job.name);
  if (failed(kind))
    return llvm::failure();
  if (!ops.empty() && !llvm::is_contained(ops, *kind))
    return diagnostics.error(op.value.loc, "unknown op " + quote(*kind) + suggestion(*kind, ops), job.name);
  if (++layerCount > kMostLayers)
    return diagnostics.error(job.loc, "more than " + llvm::Twine(kMostLayers) + " layers", job.name);
  Layer layer;
  layer.name = job.name;
  layer.op = *kind;
  layer.loc = job.loc;
  layer.opLoc = op.value.loc;
  layer.instance = instance;
  layer.inputs = job.inputs;
  layer.inputLocs = job.inputLocs;
  for (const Member *member : job.members) {
    if (llvm::is_contained(kLayerWords, member->key))
      continue;
    if (layer.op == "sliding_window" && member->key == "layers") {
      if (failed(expandBody(member->value, job.share, layer)))
        return llvm::failure();
      continue;
    }
    auto field = substitute(member->value, job.name);
    if (failed(field))
      return llvm::failure();
    if (llvm::is_contained(kReferences, member->key)) {
      auto producer = symbols.value(*field, scope(), job.name);
      if (failed(producer))
        return llvm::failure();
      field->text = *producer;
      layer.references.push_back(std::move(*producer));
    }
    layer.fields.push_back({member->key, member->keyLoc, std::move(*field)});
  }
  if (job.share && failed(shareTensors(*job.share, layer)))
    return llvm::failure();
  Symbol &symbol = symbols[job.name];
  symbol.kind = Symbol::Layer;
  symbol.producer = job.name;
  symbol.op = layer.op;
  symbol.share = layer.share;
  value = job.name;
  out->push_back(std::move(layer));
  return llvm::success();
}

/// The layers of a sliding window: a scope of its own that sees one window as $in.
llvm::LogicalResult Expander::expandBody(const Value &layers, const Share *share, Layer &layer) {
  if (layers.kind != Value::Array || layers.items.empty())
    return diagnostics.error(layers.loc, "\"layers\" must be an array of at least one layer", layer.name);
  std::vector<Layer> *outside = out;
  out = &layer.body;
  symbols.scopes.push_back({layer.name, {"$in"}, scope().params, &declaredNames(layers), ++windows});
  std::string value = "$in";
  auto result = expandList(layers, value, share);
  symbols.scopes.pop_back();
  out = outside;
  return result;
}

llvm::LogicalResult Expander::shareTensors(const Share &share, Layer &layer) {
  std::string target = share.target + layer.name.substr(share.own.size());
  const Symbol *symbol = symbols.find(target);
  auto error = [&](const llvm::Twine &why) {
    return diagnostics.error(share.loc, "cannot share with " + quote(share.target) + ": " + why, layer.name);
  };
  if (!symbol)
    return error("there is no layer " + quote(target));
  if (symbol->kind != Symbol::Layer)
    return error(quote(target) + " is no single layer; name one of those inside of it");
  if (symbol->op != layer.op)
    return error(quote(target) + " is a " + symbol->op + ", this is a " + layer.op);
  layer.share = symbol->share.empty() ? target : symbol->share;
  return llvm::success();
}

} // namespace segc
