/// \file Trainer: the loop of training, from the beginning or from a checkpoint to the end of a run.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/TrainBatch.h"
#include "compiler/tools/TrainReport.h"
#include "runtime/train/Checkpoint.h"

namespace segc {

/// A run of one model on one data set. Everything that decides a step is in the checkpoint, so that a run
/// that was interrupted goes on bit for bit.
class Trainer {
public:
  using Failed = std::optional<std::string>; ///< a sentence, or nothing

  Trainer(LoadedModel &model, const train::Dataset &dataset, const TrainSettings &settings)
      : loaded(model), dataset(dataset), settings(settings) {}

  /// The weights to start with.
  void begin(files::TensorFile initial) { weights = std::move(initial); }
  /// Goes on from a checkpoint; fails if its weights are not those of the model, whose initial weights
  /// `initial` are.
  Failed resume(train::Checkpoint checkpoint, files::TensorFile initial);
  /// Compiles, opens the data, checks that all fits together. Nothing is written.
  Failed prepare();
  /// Trains to the end; 0, or after an interruption 130. What went wrong is printed, the code then is 1.
  int run(const train::RunFolder &folder);

  /// "avx512", ...: the instruction set of the kernels.
  std::string variant();
  int64_t totalSteps() const { return total; }

private:
  Failed openPhase(bool fresh);
  Failed nextPhase();
  Failed step();
  Failed computeGradients(std::vector<double> &losses);
  std::string explainNotFinite(double loss);
  Failed afterStep(const std::vector<double> &losses, double rate);
  Failed judge();
  Failed save(const std::string &name, bool withState);
  Failed train();
  bool phaseEnds() const;
  bool runEnds() const;
  std::string summary() const;
  int phaseIndex() const { return loaded.model->training->phases.empty() ? -1 : int(state.phase); }
  /// How many steps the run is to take, as far as is known now.
  int64_t expectedSteps() const;

  LoadedModel &loaded;
  const train::Dataset &dataset;
  const TrainSettings &settings;
  const train::RunFolder *folder = nullptr;

  files::TensorFile weights; ///< of all layers; the library's are copied over them to be saved
  train::RunState state;
  std::vector<files::Tensor> resumedState; ///< of the optimiser, until a library has taken it
  bool resumed = false;
  std::unique_ptr<TrainLibrary> library;
  std::unique_ptr<TrainBatch> batch;
  std::unique_ptr<train::Loader> loader;
  std::unique_ptr<TrainReport> report;
  std::vector<train::Batch> batches; ///< of the current step
  std::vector<std::string> lossNames;
  int64_t total = 0, valEvery = 0, firstStep = 0, savedAt = -1;
  bool isSaved = false; ///< is the last checkpoint what the run has now?
  double began = 0;
};

} // namespace segc
