/// \file The names of an expanded model, and how a name is found from where it is used.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Params.h"

namespace segc {

/// Something that has a full name: an input, a layer, or an instance or repetition that stands for its last
/// layer.
struct Symbol {
  enum Kind { Input, Pending /* being expanded */, Layer, Group, Target /* of training: no layer sees it */ };
  Kind kind = Pending;
  std::string producer;  ///< full name of the layer or input it stands for
  std::string op;        ///< of a layer
  std::string share;     ///< of a layer: whose tensors it uses, else empty
  bool repeated = false; ///< a group: its members are .0, .1, ...
  unsigned window = 0;   ///< 0, or the sliding window whose body it belongs to
  llvm::SMLoc loc;
};

/// Where names are looked up: the model's top level, a block instance, or the body of a sliding window.
/// Scopes nest; number 0 is the top level.
struct Scope {
  std::string prefix;             ///< full name of the instance; empty at the top level
  std::vector<std::string> given; ///< what $in, $in.1, ... stand for
  const Bindings *params = nullptr;
  const llvm::StringMap<llvm::SMLoc> *declared = nullptr; ///< the names that its list of layers will define
  unsigned window = 0;
};

class Symbols {
public:
  explicit Symbols(Diagnostics &diagnostics) : diagnostics(diagnostics) {}

  std::vector<Scope> scopes;

  /// Makes a name known as pending; duplicates, long names and too many of them are errors.
  llvm::LogicalResult declare(llvm::StringRef name, llvm::SMLoc loc, unsigned window = 0);
  const Symbol *find(llvm::StringRef name) const;
  Symbol &operator[](llvm::StringRef name) { return table[name]; }
  const llvm::StringMap<Symbol> &all() const { return table; }

  /// The full name of the input or layer whose value `reference` names, for use by `layer` in scope `user`.
  llvm::FailureOr<std::string> value(const Value &reference, const Scope &user, llvm::StringRef layer) const;
  /// The full name of a layer, instance or repetition, complete or not in the same window.
  llvm::FailureOr<std::string> name(const Value &reference, llvm::StringRef layer) const;

private:
  llvm::LogicalResult unknown(const Value &reference, const Scope &scope, llvm::StringRef layer) const;
  bool isDeclaredLater(const Scope &scope, llvm::StringRef text) const;

  Diagnostics &diagnostics;
  llvm::StringMap<Symbol> table;
};

} // namespace segc
