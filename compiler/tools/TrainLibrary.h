/// \file TrainLibrary: a model compiled for one phase of training, opened, with its state as named tensors.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/Library.h"
#include "compiler/tools/ToolSupport.h"
#include "runtime/files/Safetensors.h"
#include <variant>

namespace segc {

/// The initial weights of all layers of the description, those that no output needs included. Prints an error
/// and returns nothing if there are none.
std::optional<files::TensorFile> allInitialWeights(LoadedModel &model, uint64_t seed);

/// Puts tensors of `from` in place of those of `weights` that have their name and shape. Gives notes that
/// list what is left over on both sides. Fails if nothing fits.
std::optional<std::string> transferWeights(const files::TensorFile &from, const std::string &name,
                                           files::TensorFile &weights, std::vector<std::string> &notes);

class TrainLibrary {
public:
  /// Compiles `model` (kernels come from the cache) to run and to train as phase `phase` of its description
  /// says (-1: it has none), opens the library and gives it `weights`. Prints an error and returns null if
  /// that fails.
  static std::unique_ptr<TrainLibrary> create(LoadedModel &model, int phase, const files::TensorFile &weights,
                                              int threads);

  Instance &instance() { return *handle; }
  const Library &functions() const { return *library; }
  segc_model_model *model() { return handle->model; }

  /// Copies the current values over the tensors of the same names.
  std::optional<std::string> readWeights(files::TensorFile &into) const;
  /// What the optimiser keeps: state0/<weight>, state1/<weight>, average/<weight>, where there is such a
  /// thing.
  std::variant<std::vector<files::Tensor>, std::string> state() const;
  /// Takes the tensors of that kind from `from`. Fails, with what is missing, where one is not there or has
  /// another shape.
  std::optional<std::string> setState(const std::vector<files::Tensor> &from);
  /// Channels of what each loss of the phase reads, in their order.
  const std::vector<int64_t> &lossChannels() const { return channels; }
  /// Does the model keep an average of its weights?
  bool averages() const { return hasAverage; }
  /// Exchanges the weights that learn with their average; a second call undoes it.
  std::optional<std::string> swapAverage();
  /// Is every gradient of the last grad() finite?
  std::variant<bool, std::string> gradientsAreFinite() const;

private:
  struct Weight {
    std::string name;
    std::vector<int64_t> shape;
    size_t elements;
    std::optional<size_t> flat; ///< where its values lie in flat buffers, if it learns
  };
  bool bind();

  std::unique_ptr<Library> library;
  std::unique_ptr<Instance> handle;
  std::vector<Weight> weights;
  std::vector<int64_t> channels;
  std::vector<std::pair<std::string, segc_model_flat_buffer>> states; ///< prefix and buffer
  bool hasAverage = false;
};

} // namespace segc
