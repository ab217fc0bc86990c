/// \file TrainPlan: the rules.
// SPDX-License-Identifier: MIT
#include "compiler/tools/TrainPlan.h"
#include <algorithm>

namespace segc {

int64_t stepsInEpoch(const TrainSettings &settings, int64_t samples) {
  const int64_t each = settings.batch * settings.accumulate;
  return (samples + each - 1) / each;
}

int64_t plannedSteps(const TrainSettings &settings, const Training &training, int64_t epochSteps) {
  constexpr int64_t open = int64_t(1) << 50, usual = 2000;
  int64_t before = 0, steps = open;
  for (const Phase &phase : training.phases)
    before += phase.steps;
  if (!training.phases.empty() && training.phases.back().steps > 0)
    steps = before;
  if (settings.steps)
    steps = std::min(steps, settings.steps);
  if (settings.epochs)
    steps = std::min(steps, settings.epochs * epochSteps);
  if (steps < open || settings.minutes > 0)
    return steps;
  // The last phase is open: it lasts as long as the plan, which begins anew with it.
  return before + (training.optimizer.rate.steps ? training.optimizer.rate.steps : usual);
}

} // namespace segc
