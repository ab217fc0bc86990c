/// \file TrainBatch: what a loader hands out, as the inputs and targets that a training step takes.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/TrainLibrary.h"
#include "compiler/tools/TrainSettings.h"
#include "runtime/train/Loader.h"

namespace segc {

class TrainBatch {
public:
  /// Finds out how each target of the phase is filled, and sets the library's shape for training:
  ///   labels        the class of each pixel; ignored pixels get the losses' ignore_index
  ///   pixel weights the factors of dataset.json, or 1
  ///   other numbers one plane a class, 1 where the pixel has it; of one plane, where it has class 1
  /// Targets that are smaller than the picture are its middle, those of at most half its size are the pixels
  /// floor(i * in / out). Fails, with what would help, where the data does not fit the network. `notes` gets
  /// what people should know.
  static std::unique_ptr<TrainBatch> create(TrainLibrary &library, const Model &model, int phase,
                                            const TrainSettings &settings, const train::Dataset &dataset,
                                            std::vector<std::string> &notes, std::string &error);

  /// Channels of the input.
  int channels() const { return inputChannels; }
  void fill(const train::Batch &batch);
  /// The inputs, then the targets.
  const std::vector<segc_model_tensor> &tensors() const { return bound; }

private:
  enum class Kind { Labels, Weights, Planes };
  struct Target {
    Kind kind = Kind::Planes;
    int32_t ignore = 255;
    segc_model_tensor tensor{};
    std::vector<uint8_t> memory;
  };
  std::optional<std::string> addTarget(TrainLibrary &library, int index, const Model &model, int phase,
                                       const TrainSettings &settings, const train::Dataset &dataset,
                                       std::vector<std::string> &notes);
  std::optional<std::string> setShapes(TrainLibrary &library, const Model &model,
                                       const TrainSettings &settings);
  void fillTarget(Target &target, const train::Batch &batch);

  int inputChannels = 3;
  std::vector<Target> targets;
  std::vector<segc_model_tensor> bound;
};

} // namespace segc
