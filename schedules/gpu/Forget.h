/// \file Takes the schedule off a pipeline, so that another target can give it one of its own.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"

namespace segc::schedules {

/// All Funcs of the pipeline as if nothing had been scheduled: loops in the order of their definition, no
/// splits, specializations or placements. Only the bounds of results stay: extents that are constants.
void forgetSchedule(const Halide::Pipeline &pipeline);

/// The Funcs of the pipeline that are not its results, producers before their readers.
std::vector<Halide::Func> stagesOf(const Halide::Pipeline &pipeline);

} // namespace segc::schedules
