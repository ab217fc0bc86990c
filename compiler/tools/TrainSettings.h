/// \file TrainSettings: what a training run was asked for, from flags and from the record of an earlier call.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Model.h"
#include "compiler/tools/ToolOptions.h"
#include "runtime/train/RunFolder.h"

namespace segc {

struct TrainSettings {
  std::string data, out, weights, augment;
  std::string split = "train", valSplit = "val"; ///< valSplit empty: no validation
  int64_t batch = 1, accumulate = 1;
  int64_t height = 0, width = 0; ///< of the crops
  int64_t steps = 0, epochs = 0; ///< 0: not said
  double minutes = 0;            ///< 0: not said
  int64_t patience = 0;          ///< 0: never stops early
  int64_t valEvery = 0;          ///< 0: each epoch
  int64_t saveEvery = 0, logEvery = 10;
  uint64_t seed = 0;
  int threads = 1;
  std::optional<double> rate;
  bool shuffleLabels = false;
};

/// Reads the flags; what they leave open comes from the model. Prints an error and returns nothing if one is
/// wrong.
std::optional<TrainSettings> readTrainSettings(const ToolOptions &options, const Model &model);

/// The flags of `options` as run.json keeps them: {"batch": ["4"], ...}.
train::Json recordedFlags(const ToolOptions &options);

/// The flags of a run that goes on: those recorded when it began, with those given now in place of them where
/// a run may change that (how long it takes, how fast it computes). Another flag that differs from what was
/// recorded is an error that says what changed. `model` is the copy of the description in the run's folder.
std::optional<ToolOptions> resumedOptions(const ToolOptions &now, const train::Json &recorded,
                                          const std::string &model);

} // namespace segc
