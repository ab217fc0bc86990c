/// \file The formulas of the schedules. Sources: PyTorch's StepLR, MultiStepLR, PolynomialLR,
/// CosineAnnealingLR in closed form; the linear warm-up of Goyal et al. 2017, section 2.2.
// SPDX-License-Identifier: MIT
#include "runtime/core/Schedule.h"
#include <math.h>

namespace segc::rt {
namespace {

double planned(const TrainingDesc &desc, const int64_t *milestones, uint32_t count, int64_t t) {
  const double done = desc.steps > 0 ? double(t) / double(desc.steps) : 0;
  switch (desc.schedule) {
  case ScheduleKind::Step: {
    int64_t decays = desc.stepSize > 0 ? t / desc.stepSize : 0;
    if (count)
      for (decays = 0; decays < count && milestones[decays] <= t;)
        ++decays;
    return desc.learningRate * pow(desc.gamma, double(decays));
  }
  case ScheduleKind::Poly:
    return desc.learningRate * pow(1 - done, desc.power);
  case ScheduleKind::Cosine:
    return desc.learningRate * (1 + cos(M_PI * done)) / 2;
  default:
    return desc.learningRate;
  }
}

} // namespace

double scheduledRate(const TrainingDesc &desc, const int64_t *milestones, uint32_t count, int64_t t) {
  const int64_t cut = desc.steps > 0 && t > desc.steps ? desc.steps : t;
  const double rate = planned(desc, milestones, count, cut);
  return t < desc.warmup ? rate * double(t + 1) / double(desc.warmup) : rate;
}

} // namespace segc::rt
