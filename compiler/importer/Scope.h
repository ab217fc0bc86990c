/// \file Names as one block instance sees them: its parameters, its layers, its inputs.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/importer/Json.h"
#include "llvm/ADT/StringMap.h"
#include <memory>

namespace segc {

struct Scope;

/// A parameter's value and the scope in which a layer name in it is meant.
struct Parameter {
  Json value;
  std::shared_ptr<const Scope> origin;
};

struct Scope {
  std::string prefix;                      ///< "enc1." inside the instance enc1, "" at top level
  llvm::StringMap<Parameter> parameters;   ///< the model's, shadowed by the block's own
  llvm::StringMap<std::string> own;        ///< local name → full name of the value, of layers declared so far
  std::vector<std::string> inputs;         ///< $in.0, $in.1, …: full names
};

/// A value with parameters substituted, and the scope its layer names belong to.
struct Substituted {
  Json value;
  std::shared_ptr<const Scope> scope;
};

/// Replaces "$p", "$p*k", "$p/k", "$p+k", "$p-k" (also deep inside). "$in", "$in.k" stay: they name inputs.
/// Reports unknown parameters, missing values and inexact divisions.
std::optional<Substituted> substitute(Diagnostics &diagnostics, const std::shared_ptr<const Scope> &scope, const Json &value,
                                      llvm::StringRef layer);

/// True for [A-Za-z_][A-Za-z0-9_]* with dots allowed inside, 128 bytes at most.
bool isName(llvm::StringRef text);

} // namespace segc
