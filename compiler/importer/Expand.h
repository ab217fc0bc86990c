/// \file Expansion of the layer list: instances of blocks, repetitions, names.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/importer/Model.h"
#include "compiler/importer/Scope.h"

namespace segc {

/// Appends the expanded layers to the model. Reports errors and returns false after one.
bool expandLayers(Diagnostics &diagnostics, Model &model, const std::shared_ptr<Scope> &scope, const Json &layers, const Json *blocks);

/// Full name of the value that `text` means in `scope`: $in, own layers, then full names.
std::optional<std::string> lookUp(const Scope &scope, llvm::StringRef text, const Model &model);
/// What could have been meant: names visible in the scope, sorted.
std::vector<std::string> layerNames(const Scope &scope, const Model &model);

} // namespace segc
