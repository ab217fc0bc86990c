/// \file The tile that a schedule of the tensor cores' family names.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Family.h"
#include "schedules/tensorcore/Problem.h"
#include <optional>

namespace segc::schedules {

tensorcore::Tile tileOf(const Schedule &schedule);
/// That of its warpgroups, for sm_90a, if it has one.
std::optional<tensorcore::Tile> groupTileOf(const Schedule &schedule);

} // namespace segc::schedules
