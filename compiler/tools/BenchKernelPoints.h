/// \file Which points of which schedule families are tried for a problem.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Family.h"
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace segc {

/// Points[0] is the rule's choice.
struct KernelPoints {
  std::vector<schedules::Schedule> points;
  double legal = 0; ///< how many there are
};

/// The rule's choice and the legal points of all families that apply, at most `limit` of them: evenly spread
/// over each family, whose share is that of its points (but at least an equal part of half the limit).
/// Families named in `without` are passed over. A sentence if no family applies.
std::variant<KernelPoints, std::string> legalPoints(const schedules::KernelSpec &spec, schedules::Isa isa,
                                                    const std::vector<std::string> &without, size_t limit);

/// The legal points that differ from the legal point `centre` in one parameter.
std::vector<schedules::Schedule> pointsNear(const schedules::KernelSpec &spec, schedules::Isa isa,
                                            const schedules::Schedule &centre);

} // namespace segc
