/// \file Checkpoint: all that a run needs to go on, in one tensor file.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/files/Safetensors.h"
#include "runtime/train/Loader.h"
#include "runtime/train/Settings.h"

namespace segc::train {

/// Where a run stands, but for its tensors.
struct RunState {
  int64_t steps = 0;                   ///< updates, of all phases together
  int64_t phase = 0, phaseSteps = 0;   ///< the current phase, and the updates in it
  Position position;                   ///< of the training data's loader
  std::optional<double> best;          ///< the best validation score
  int64_t judgedStep = 0;              ///< the last validation
  int64_t bestStep = 0, sinceBest = 0; ///< when that was; validations since then
  std::vector<double> lossSums;        ///< of the steps since the last line of the log
  int64_t lossCount = 0;               ///< how many these are
  /// Where losses are scaled: the scale, updates in a row with it, and those of the phase, of which some of
  /// its steps were none.
  struct Scaling {
    double scale = 1;
    int64_t goodSteps = 0, updates = 0;
  };
  std::optional<Scaling> scaling;
};

/// A tensor file whose tensors are the weights under the model's own names, so that every tool reads it as
/// weights, then what the optimiser keeps as `state0/<weight>`, `state1/<weight>` and `average/<weight>`. No
/// model has a name with a slash. The state is JSON under "segc.checkpoint" of the metadata.
struct Checkpoint {
  std::string model; ///< its name
  uint64_t seed = 0;
  RunState state;
  std::vector<files::Tensor> tensors;
};

/// Is the tensor state of training rather than a weight?
bool isTrainingState(const std::string &tensor);

/// Writes it as a whole or not at all, the same bytes for the same contents. Refuses numbers that are not
/// finite: a broken checkpoint must not replace a good one.
std::optional<Failure> writeCheckpoint(const std::string &path, const Checkpoint &checkpoint);
Result<Checkpoint> readCheckpoint(const std::string &path);

} // namespace segc::train
