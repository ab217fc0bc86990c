/// \file TrainPlan: how many steps a run has.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/TrainSettings.h"

namespace segc {

/// Steps of one pass through `samples` pictures, the last one begun counted.
int64_t stepsInEpoch(const TrainSettings &settings, int64_t samples);

/// The least of what -steps, -epochs and the last phase's end say; without them the length of the plan of the
/// learning rate, and where that has none 2000. -minutes alone sets no number.
int64_t plannedSteps(const TrainSettings &settings, const Training &training, int64_t epochSteps);

} // namespace segc
