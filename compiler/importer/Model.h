/// \file A model description with everything expanded: parameters, blocks, repetitions, names.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/importer/Json.h"
#include "llvm/ADT/StringMap.h"
#include <memory>

namespace segc {

struct Scope; // Scope.h: names as they are seen from one block instance

/// A field that the op itself reads, parameters substituted.
struct Field {
  std::string key;
  size_t keyOffset;
  Json value;
  std::shared_ptr<const Scope> scope; ///< where a layer name in the value is looked up
};

/// One layer of the flat list.
struct Layer {
  std::string name, op;
  size_t offset = 0; ///< of the layer's object
  std::vector<Field> fields;
  std::vector<std::string> inputs; ///< full names of earlier layers or of model inputs
  std::string share;               ///< full name of the layer whose tensors it uses; empty: its own
  size_t index = 0;

  const Field *find(llvm::StringRef key) const;
};

struct ModelInput {
  std::string name, dtype;
  std::vector<int64_t> shape; ///< N, C, H, W; -1 for "?"
  size_t offset = 0;
};

struct ModelOutput {
  std::string layer; ///< full name
  std::string name;  ///< as the file calls it
  size_t offset = 0;
};

struct Model {
  std::string name;
  std::vector<ModelInput> inputs;
  std::vector<Layer> layers;
  std::vector<ModelOutput> outputs;
  Json training; ///< as written, parameters substituted; null if absent

  const Layer *find(llvm::StringRef fullName) const;
  /// For each layer whether an output (or one of `also`) needs it.
  std::vector<bool> live(llvm::ArrayRef<std::string> also = {}) const;

  llvm::StringMap<size_t> layerIndex;      ///< full name → index
  llvm::StringMap<std::string> aliases;    ///< full name of an instance or a repetition → full name of its value
};

/// One `name=value` of -set: the value as JSON scalar where it is one, else as text.
struct Setting {
  std::string name, value;
};
std::optional<Setting> parseSetting(llvm::StringRef text);

constexpr size_t kMaxLayers = 100000;
constexpr int64_t kMaxExtent = int64_t(1) << 24;

/// Checks and expands the file that `diagnostics` has open. Every error is reported there.
std::optional<Model> readModel(Diagnostics &diagnostics, llvm::ArrayRef<Setting> settings);
/// The layer that `field` names, seen from where the field stands and declared before `before`. Reports errors.
std::optional<std::string> resolveLayer(Diagnostics &diagnostics, const Model &model, const Layer &before, const Field &field);
/// One line a layer: name, op, inputs, fields.
void printModel(const Model &model, llvm::raw_ostream &out);

} // namespace segc
