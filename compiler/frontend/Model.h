/// \file A model as a flat list of layers: parameters substituted, blocks and repeats expanded, names
/// resolved.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Include.h"
#include "compiler/frontend/Params.h"
#include "compiler/frontend/Training.h"
#include <optional>

namespace segc {

/// The words that every layer may use; all others belong to its op or are its block's parameters.
constexpr llvm::StringLiteral kLayerWords[] = {"name",   "op",    "block", "input",      "inputs",
                                               "repeat", "first", "share", "description"};

struct Layer {
  std::string name; ///< full, "enc1.conv.0"
  std::string op;
  llvm::SMLoc loc;      ///< the layer's object
  llvm::SMLoc opLoc;    ///< the value of its "op"
  llvm::SMLoc instance; ///< the entry of the model's `layers` that it comes from (itself outside of blocks)
  /// What the description says beyond op, name, inputs and so on; `pool`, `like` and `mirror` hold the full
  /// name of the layer or input that they name.
  std::vector<Member> fields;
  std::vector<std::string> inputs;     ///< full names of layers or inputs; "$in" is the window of `body`
  std::vector<llvm::SMLoc> inputLocs;  ///< where each is written; the layer for a default
  std::vector<std::string> references; ///< what `pool`, `like` and `mirror` name
  std::string share;                   ///< full name of the layer whose tensors it uses, else empty
  std::vector<Layer> body;             ///< of a sliding_window: its `layers`
};

struct ModelOutput {
  std::string name;     ///< as written: a layer or an instance
  std::string producer; ///< the layer's full name
  llvm::SMLoc loc;
};

struct Model {
  std::string name;
  llvm::SMLoc nameLoc;
  std::vector<ModelInput> inputs;
  std::vector<Layer> layers; ///< in order: every layer stands behind its inputs
  std::vector<ModelOutput> outputs;
  std::vector<std::pair<std::string, ModelOutput>> heads; ///< under the names of -prune
  std::optional<Training> training;
  /// From every name that may be used outside (inputs, layers, instances, repeats) to the input's or layer's.
  llvm::StringMap<std::string> producers;

  /// The layer that `name` (full, or of an instance or a repeat) stands for; null for inputs and unknown
  /// names.
  const Layer *find(llvm::StringRef name) const;
  /// Makes a head the only output; what only the others need is then dead.
  llvm::LogicalResult prune(llvm::StringRef head, Diagnostics &diagnostics);
  /// For each layer: does any of the named values need it?
  std::vector<bool> liveLayers(llvm::ArrayRef<std::string> names) const;
  /// The same for the model's outputs.
  std::vector<bool> liveLayers() const;

private:
  friend llvm::FailureOr<Model> expandModel(const Value &, llvm::ArrayRef<Setting>,
                                            llvm::ArrayRef<llvm::StringRef>, Diagnostics &,
                                            const IncludeFolders &);
  llvm::StringMap<unsigned> index; ///< of each layer by its full name
};

/// Expands a parsed description. Reports the first error. `ops` are the known op names; an empty list leaves
/// them unchecked. `folders` are where included files may lie.
llvm::FailureOr<Model> expandModel(const Value &description, llvm::ArrayRef<Setting> settings,
                                   llvm::ArrayRef<llvm::StringRef> ops, Diagnostics &diagnostics,
                                   const IncludeFolders &folders = {});
/// The same from a text that was added to `diagnostics`, with settings as given on the command line.
llvm::FailureOr<Model> parseModel(llvm::StringRef text, llvm::ArrayRef<std::string> settings,
                                  llvm::ArrayRef<llvm::StringRef> ops, Diagnostics &diagnostics,
                                  const IncludeFolders &folders = {});
/// One line a layer: name = op(inputs) {fields}, with `share` and the body's layers behind it.
void printModel(llvm::raw_ostream &os, const Model &model);

} // namespace segc
