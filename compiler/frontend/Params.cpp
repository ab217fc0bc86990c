/// \file Evaluates parameter expressions and reads settings.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Params.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace segc {

static constexpr uint64_t kMostValues = 4000000;

const Value *Bindings::find(llvm::StringRef name) const {
  if (auto it = own.find(name); it != own.end())
    return &it->second;
  return outer ? outer->find(name) : nullptr;
}

llvm::SmallVector<llvm::StringRef> Bindings::names() const {
  llvm::SmallVector<llvm::StringRef> result;
  for (const Bindings *level = this; level; level = level->outer)
    for (const auto &entry : level->own)
      result.push_back(entry.first());
  llvm::sort(result); // a StringMap's order depends on its history
  return result;
}

bool isInput(llvm::StringRef text) { return text == "$in" || text.starts_with("$in."); }

/// How much memory a value takes, in units of a short scalar.
static uint64_t weight(const Value &value) {
  uint64_t result = 1 + value.text.size() / 64;
  for (const Value &item : value.items)
    result += weight(item);
  for (const Member &member : value.members)
    result += weight(member.value);
  return result;
}

llvm::FailureOr<Value> Substitution::apply(const Value &value, const Bindings &bindings, unsigned scope,
                                           llvm::StringRef layer) {
  bool isExpression = llvm::StringRef(value.text).starts_with("$") && !isInput(value.text);
  const Value *copied = isExpression ? referenced(value, bindings, layer) : &value;
  if (!copied)
    return llvm::failure();
  made += isExpression || value.isString() ? weight(*copied) : 1;
  if (made > kMostValues)
    return diagnostics.error(value.loc, "the expanded model has more than " + llvm::Twine(kMostValues) +
                                            " values; repeat less");
  if (isExpression)
    return expression(value, *copied, layer);
  if (value.isString()) {
    Value result = value;
    result.scope = scope;
    return result;
  }
  Value result;
  result.kind = value.kind;
  result.boolean = value.boolean;
  result.integer = value.integer;
  result.real = value.real;
  result.loc = value.loc;
  for (const Value &item : value.items) {
    auto element = apply(item, bindings, scope, layer);
    if (failed(element))
      return llvm::failure();
    result.items.push_back(std::move(*element));
  }
  for (const Member &member : value.members) {
    auto element = apply(member.value, bindings, scope, layer);
    if (failed(element))
      return llvm::failure();
    result.members.push_back({member.key, member.keyLoc, std::move(*element)});
  }
  return result;
}

/// The name in "$name*k", and what follows it.
static std::pair<llvm::StringRef, llvm::StringRef> splitExpression(llvm::StringRef text) {
  text = text.drop_front();
  llvm::StringRef name = text.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; });
  return {name, text.drop_front(name.size())};
}

/// The parameter that the expression names, or null after an error.
const Value *Substitution::referenced(const Value &value, const Bindings &bindings, llvm::StringRef layer) {
  llvm::StringRef name = splitExpression(value.text).first;
  const Value *found = bindings.find(name);
  if (!found)
    (void)diagnostics.error(value.loc,
                            "unknown parameter " + quote(name) + suggestion(name, bindings.names()), layer);
  return found;
}

/// The expression's value, given that of its parameter.
llvm::FailureOr<Value> Substitution::expression(const Value &value, const Value &parameter,
                                                llvm::StringRef layer) {
  auto error = [&](const llvm::Twine &message) { return diagnostics.error(value.loc, message, layer); };
  auto [name, rest] = splitExpression(value.text);
  Value result = parameter;
  result.loc = value.loc;
  if (rest.empty())
    return result;

  char op = rest.front();
  llvm::StringRef digits = rest.drop_front();
  int64_t k = 0;
  if (!llvm::is_contained({'*', '/', '+', '-'}, op) || digits.starts_with("+") || digits.getAsInteger(10, k))
    return error(quote(value.text) +
                 " is no parameter expression; write $p, $p*k, $p/k, $p+k or $p-k with an integer k");
  if (result.kind != Value::Int)
    return error(quote(value.text) + " computes with an integer, but '" + name + "' is " +
                 parameter.describe());
  int64_t p = result.integer;
  bool overflow = false;
  if (op == '*')
    overflow = __builtin_mul_overflow(p, k, &result.integer);
  else if (op == '+')
    overflow = __builtin_add_overflow(p, k, &result.integer);
  else if (op == '-')
    overflow = __builtin_sub_overflow(p, k, &result.integer);
  else if (k == 0)
    return error(quote(value.text) + " divides by zero");
  else if (!(overflow = p == INT64_MIN && k == -1)) {
    if (p % k)
      return error(quote(value.text) + ": " + llvm::Twine(p) + "/" + llvm::Twine(k) +
                   " is no integer; give '" + name + "' a multiple of " + llvm::Twine(k));
    result.integer = p / k;
  }
  if (overflow)
    return error(quote(value.text) + " is out of the range of 64-bit integers");
  return result;
}

llvm::FailureOr<Setting> parseSetting(llvm::StringRef text, Diagnostics &diagnostics) {
  llvm::StringRef kept = diagnostics.addText(text, "-set");
  Setting setting;
  setting.loc = llvm::SMLoc::getFromPointer(kept.data());
  auto [name, value] = kept.split('=');
  if (name.size() == kept.size() || name.empty())
    return diagnostics.error(setting.loc, "a setting is written name=value");
  setting.name = name.str();
  // What is no JSON is a string, except for integers that are only too large.
  std::string ignored;
  llvm::raw_string_ostream sink(ignored);
  Diagnostics quiet(sink);
  bool integer = !value.empty() && value.find_first_not_of("-0123456789") == llvm::StringRef::npos;
  auto parsed = parseJson(value, integer ? diagnostics : quiet);
  if (failed(parsed)) {
    if (integer)
      return llvm::failure();
    setting.value.kind = Value::String;
    setting.value.text = value.str();
    setting.value.loc = llvm::SMLoc::getFromPointer(value.data());
    return setting;
  }
  if (parsed->kind == Value::Array || parsed->kind == Value::Object || parsed->kind == Value::Null)
    return diagnostics.error(parsed->loc, "a parameter is set to a number, true, false or a string");
  setting.value = std::move(*parsed);
  return setting;
}

llvm::LogicalResult checkParamNames(const Value &params, llvm::ArrayRef<llvm::StringRef> reserved,
                                    Diagnostics &diagnostics) {
  if (params.kind != Value::Object)
    return diagnostics.error(params.loc,
                             "\"params\" must be an object of names and defaults, not " + params.describe());
  for (const Member &param : params.members) {
    if (!isName(param.key) || llvm::StringRef(param.key).contains('.'))
      return diagnostics.error(param.keyLoc, quote(param.key) + " cannot name a parameter; write letters, "
                                                                "digits and underscores, no digit first");
    if (param.key == "in" || llvm::is_contained(reserved, param.key))
      return diagnostics.error(param.keyLoc, "a parameter cannot be called " + quote(param.key) +
                                                 "; that word has a meaning already");
  }
  return llvm::success();
}

llvm::LogicalResult bindModelParams(const Value &defaults, llvm::ArrayRef<Setting> settings,
                                    Substitution &substitution, Diagnostics &diagnostics,
                                    Bindings &bindings) {
  llvm::SmallVector<llvm::StringRef> known;
  for (const Member &param : defaults.members)
    known.push_back(param.key);
  llvm::StringMap<const Setting *> given;
  for (const Setting &setting : settings) {
    if (!llvm::is_contained(known, setting.name))
      return diagnostics.error(setting.loc,
                               "unknown parameter " + quote(setting.name) + suggestion(setting.name, known));
    if (!given.try_emplace(setting.name, &setting).second)
      return diagnostics.error(setting.loc, "parameter " + quote(setting.name) + " is set twice");
  }
  for (const Member &param : defaults.members) {
    const Setting *setting = given.lookup(param.key);
    // A default may use the parameters before it.
    auto value = setting ? llvm::FailureOr<Value>(setting->value)
                         : substitution.apply(param.value, bindings, /*scope=*/0);
    if (failed(value))
      return llvm::failure();
    if (value->kind == Value::Null)
      return diagnostics.error(param.keyLoc, "parameter " + quote(param.key) +
                                                 " has no default; give it with -set " + param.key +
                                                 "=<value>");
    bindings.own[param.key] = std::move(*value);
  }
  return llvm::success();
}

} // namespace segc
