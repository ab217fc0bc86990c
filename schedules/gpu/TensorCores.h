/// \file The tile that a schedule of the tensor cores' family names.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Family.h"
#include "schedules/tensorcore/Problem.h"

namespace segc::schedules {

tensorcore::Tile tileOf(const Schedule &schedule);

} // namespace segc::schedules
