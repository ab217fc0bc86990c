/// \file Declares and looks up names.
///
/// A name is first one of the scope's own layers (prefix.name), then a full dotted name. An own layer that
/// comes later hides a full name too: taking the other one would change what a file means when its lines are
/// moved.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Symbols.h"
#include "compiler/frontend/Expand.h"

namespace segc {

static std::string join(llvm::StringRef prefix, llvm::StringRef name) {
  return prefix.empty() ? name.str() : (prefix + "." + name).str();
}

llvm::LogicalResult Symbols::declare(llvm::StringRef name, llvm::SMLoc loc, unsigned window) {
  if (name.size() > kLongestName)
    return diagnostics.error(loc, "the name " + quote(name) + " has " + llvm::Twine(name.size()) +
                                      " bytes, instances included; at most " + llvm::Twine(kLongestName) +
                                      " are allowed");
  if (table.size() >= kMostNames)
    return diagnostics.error(loc, "the expanded model has more than " + llvm::Twine(kMostNames) +
                                      " names; repeat or nest less");
  auto [it, isNew] = table.try_emplace(name);
  if (!isNew) {
    auto failure = diagnostics.error(loc, "duplicate name " + quote(name) + "; rename one of the two");
    diagnostics.note(it->second.loc, "the other one is here");
    return failure;
  }
  it->second.loc = loc;
  it->second.window = window;
  return llvm::success();
}

const Symbol *Symbols::find(llvm::StringRef name) const {
  auto it = table.find(name);
  return it == table.end() ? nullptr : &it->second;
}

/// Does the name, or the instance that its front names, stand further down in the scope's list?
bool Symbols::isDeclaredLater(const Scope &scope, llvm::StringRef text) const {
  for (size_t dot = text.find('.');; dot = text.find('.', dot + 1)) {
    llvm::StringRef front = text.take_front(dot);
    if (scope.declared->count(front)) {
      const Symbol *symbol = find(join(scope.prefix, front));
      if (!symbol || symbol->kind == Symbol::Pending)
        return true;
    }
    if (dot == llvm::StringRef::npos)
      return false;
  }
}

llvm::LogicalResult Symbols::unknown(const Value &reference, const Scope &scope,
                                     llvm::StringRef layer) const {
  llvm::StringRef text = reference.text;
  if (isDeclaredLater(scope, text) || isDeclaredLater(scopes[0], text))
    return diagnostics.error(reference.loc,
                             quote(text) + " is not yet defined; only inputs and earlier layers can be named "
                                           "(cycles are not allowed)",
                             layer);
  llvm::SmallVector<llvm::StringRef> candidates;
  for (const auto &entry : table) {
    llvm::StringRef full = entry.first();
    if (entry.second.kind == Symbol::Pending || entry.second.kind == Symbol::Target)
      continue;
    candidates.push_back(full);
    if (!scope.prefix.empty() && full.consume_front(scope.prefix) && full.consume_front("."))
      candidates.push_back(full);
  }
  llvm::sort(candidates); // a StringMap's order depends on its history
  return diagnostics.error(reference.loc,
                           "there is no layer or input " + quote(text) + suggestion(text, candidates), layer);
}

llvm::FailureOr<std::string> Symbols::name(const Value &reference, llvm::StringRef layer) const {
  if (!reference.isString())
    return diagnostics.error(reference.loc,
                             "expected the name of a layer or input, not " + reference.describe(), layer);
  const Scope &scope = scopes[reference.scope];
  llvm::StringRef text = reference.text;
  std::string own = join(scope.prefix, text);
  std::string full = find(own) || isDeclaredLater(scope, text) ? own : text.str();
  const Symbol *symbol = find(full);
  if (!symbol)
    return unknown(reference, scope, layer);
  if (symbol->kind == Symbol::Pending)
    return diagnostics.error(reference.loc,
                             quote(text) +
                                 " is not complete here: a layer cannot need itself (cycles are not "
                                 "allowed)",
                             layer);
  return full;
}

llvm::FailureOr<std::string> Symbols::value(const Value &reference, const Scope &user,
                                            llvm::StringRef layer) const {
  auto windowError = [&] {
    return diagnostics.error(reference.loc,
                             quote(reference.text) +
                                 (user.window
                                      ? " lies outside of the window; layers of a sliding_window see only "
                                        "$in and each other"
                                      : " lies inside of a sliding_window and has no value outside of it"),
                             layer);
  };
  if (reference.isString() && isInput(reference.text)) {
    const Scope &scope = scopes[reference.scope];
    if (scope.given.empty())
      return diagnostics.error(reference.loc,
                               "$in stands for the input of a block instance; here there is none", layer);
    llvm::StringRef digits = llvm::StringRef(reference.text).drop_front(3);
    unsigned index = 0;
    if (digits.consume_front(".") && digits.getAsInteger(10, index))
      return diagnostics.error(reference.loc, quote(reference.text) + ": write $in, $in.0, $in.1, ...",
                               layer);
    if (index >= scope.given.size())
      return diagnostics.error(reference.loc,
                               quote(reference.text) + ": " + quote(scope.prefix) + " is given " +
                                   llvm::Twine(scope.given.size()) +
                                   " input(s); list more in the instance's \"inputs\"",
                               layer);
    if (scope.window != user.window)
      return windowError();
    return scope.given[index];
  }
  auto full = name(reference, layer);
  if (failed(full))
    return llvm::failure();
  const Symbol *symbol = find(*full);
  if (symbol->window != user.window)
    return windowError();
  return symbol->producer;
}

} // namespace segc
