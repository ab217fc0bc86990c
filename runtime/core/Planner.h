/// \file The arena planner: where each buffer lies, given when it lives. Pure, used by segc and by reshape().
// SPDX-License-Identifier: MIT
#pragma once
#include <stdint.h>

namespace segc::rt {

/// A buffer alive from step `first` to step `last`, both included.
struct Interval {
  uint32_t first, last;
  uint64_t bytes;
  uint32_t border = 0; ///< 0: none, else a number that all buffers of the same extents and border have
};

/// Bytes of an arena in which borders may stand even if that takes more: the L2 caches of two cores hold it.
constexpr uint64_t kStandingArena = uint64_t(4) << 20;

/// Writes the byte offset of each interval, a multiple of 64, and returns the bytes of the arena. Intervals
/// that share a step never share a byte. Where that takes no more than kStandingArena, or nothing at all,
/// buffers with a border share bytes with their like only, at the same place, so that the zeros of a border
/// stay where one run wrote them. `scratch` has room for 2 * count numbers. Depends on its arguments only.
uint64_t planArena(const Interval *intervals, uint32_t count, uint64_t *offsets, uint32_t *scratch);

/// True if all offsets are aligned, lie within `arenaBytes`, and no two live intervals overlap. Otherwise
/// *first and *second name the offenders (equal when one alone is wrong).
bool verifyArena(const Interval *intervals, uint32_t count, const uint64_t *offsets, uint64_t arenaBytes,
                 uint32_t *first, uint32_t *second);

/// True if nothing but what has the same border, at the same place, shares bytes with interval `index`.
bool borderStands(const Interval *intervals, uint32_t count, const uint64_t *offsets, uint32_t index);

/// The largest sum of (aligned) bytes alive in one step: no plan can be smaller.
uint64_t livenessBound(const Interval *intervals, uint32_t count);

} // namespace segc::rt
