/// \file The learning rate as a function of the number of updates.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"

namespace segc::rt {

/// The rate of update `t` (0 the first) as ScheduleKind says; `milestones` has `count` rising numbers.
double scheduledRate(const TrainingDesc &desc, const int64_t *milestones, uint32_t count, int64_t t);

} // namespace segc::rt
