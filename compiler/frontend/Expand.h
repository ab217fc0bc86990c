/// \file Expansion of the layer list: block instances, repetitions, names, shared tensors.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Model.h"
#include "compiler/frontend/Symbols.h"
#include <map>

namespace segc {

constexpr int64_t kMostLayers = 100000; ///< after expansion
constexpr size_t kMostNames = 400000;   ///< layers, instances and repetitions
constexpr size_t kDeepestNesting = 64;  ///< of block instances

class Expander {
public:
  Expander(Symbols &symbols, Substitution &substitution, llvm::ArrayRef<llvm::StringRef> ops,
           Diagnostics &diagnostics)
      : symbols(symbols), substitution(substitution), ops(ops), diagnostics(diagnostics) {}

  /// Checks a `blocks` object, which outlives the expander, and adds its blocks.
  llvm::LogicalResult addBlocks(const Value &given);
  /// Expands the model's `layers` into `out`; `firstInput` is what the first one takes by default.
  llvm::LogicalResult run(const Value &layers, const Bindings &params, std::string firstInput,
                          std::vector<Layer> &out);

private:
  using Names = llvm::StringMap<llvm::SMLoc>;
  using Members = llvm::SmallVector<const Member *>;
  /// "Use the tensors of `target` for those of `own`", for all layers below.
  struct Share {
    std::string own, target;
    llvm::SMLoc loc;
  };
  /// One layer or instance to be made.
  struct Job {
    Members members; ///< with `first` merged in, without `name`, `repeat` and `first`
    llvm::SMLoc loc;
    std::string name;
    std::vector<std::string> inputs;
    std::vector<llvm::SMLoc> inputLocs;
    const Share *share = nullptr;
    const Member *find(llvm::StringRef key) const;
  };

  Scope &scope() { return symbols.scopes.back(); }
  llvm::FailureOr<Value> substitute(const Value &value, llvm::StringRef layer);
  llvm::FailureOr<std::string> text(const Member &member, llvm::StringRef layer);
  const Names &declaredNames(const Value &layers);
  llvm::LogicalResult expandList(const Value &layers, std::string &previous, const Share *share);
  llvm::FailureOr<std::string> fullName(const Value &entry, size_t index);
  llvm::LogicalResult expandEntry(const Value &entry, size_t index, std::string &previous,
                                  const Share *share);
  llvm::FailureOr<int64_t> repetitions(const Value &entry, llvm::StringRef name);
  llvm::LogicalResult expandJob(Job job, std::string &value, int64_t iteration);
  llvm::LogicalResult findInputs(Job &job, const std::string &previous);
  llvm::LogicalResult expandInstance(const Job &job, const Member &block, std::string &value);
  llvm::LogicalResult bindParams(const Job &job, llvm::StringRef block, const Value *params,
                                 Bindings &bindings);
  llvm::LogicalResult expandLayer(const Job &job, const Member &op, std::string &value);
  llvm::LogicalResult expandBody(const Value &layers, const Share *share, Layer &layer);
  llvm::LogicalResult shareTensors(const Share &share, Layer &layer);

  Symbols &symbols;
  Substitution &substitution;
  llvm::ArrayRef<llvm::StringRef> ops;
  Diagnostics &diagnostics;
  llvm::StringMap<const Member *> blocks;
  std::map<const Value *, Names> declared;
  std::vector<Layer> *out = nullptr;
  llvm::StringMap<unsigned> unnamed; ///< at the top level, by op or block
  std::vector<std::string> open;     ///< the blocks being expanded
  llvm::SMLoc instance;              ///< the top-level entry being expanded
  int64_t layerCount = 0;
  unsigned windows = 0;
};

} // namespace segc
