/// \file Parameters: their values, the expressions "$p", "$p*k" and so on, and `-set name=value`.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Json.h"
#include "llvm/ADT/StringMap.h"

namespace segc {

/// Parameter values of one block instance, in front of those of the model.
struct Bindings {
  llvm::StringMap<Value> own;
  const Bindings *outer = nullptr;

  const Value *find(llvm::StringRef name) const;
  /// All visible names, to suggest one.
  llvm::SmallVector<llvm::StringRef> names() const;
};

/// Replaces parameter expressions in values. A value that came in by a parameter keeps the scope it was
/// written in; its location becomes that of the expression.
class Substitution {
public:
  explicit Substitution(Diagnostics &diagnostics) : diagnostics(diagnostics) {}

  /// The value with every expression in it replaced; strings that are none get `scope`. `$in` and `$in.k`
  /// are left alone: they name values of the network. Errors name `layer`.
  llvm::FailureOr<Value> apply(const Value &value, const Bindings &bindings, unsigned scope,
                               llvm::StringRef layer = "");

private:
  const Value *referenced(const Value &value, const Bindings &bindings, llvm::StringRef layer);
  llvm::FailureOr<Value> expression(const Value &value, const Value &parameter, llvm::StringRef layer);

  Diagnostics &diagnostics;
  /// Repeats and nested blocks may copy values often: what they make together is limited.
  uint64_t made = 0;
};

/// Is it `$in` or `$in.k`?
bool isInput(llvm::StringRef text);

/// One `-set name=value`.
struct Setting {
  std::string name;
  Value value;
  llvm::SMLoc loc; ///< of the name, in a text called "-set"
};
/// The value is a JSON scalar or, when it is none, a string: `-set classes=7`, `-set norm=batch`.
llvm::FailureOr<Setting> parseSetting(llvm::StringRef text, Diagnostics &diagnostics);

/// The values of the model's own parameters: defaults (a JSON object), with the settings in their place.
llvm::LogicalResult bindModelParams(const Value &defaults, llvm::ArrayRef<Setting> settings,
                                    Substitution &substitution, Diagnostics &diagnostics, Bindings &bindings);
/// Checks a `params` object: names without dots, none of them `in` or in `reserved`.
llvm::LogicalResult checkParamNames(const Value &params, llvm::ArrayRef<llvm::StringRef> reserved,
                                    Diagnostics &diagnostics);

} // namespace segc
