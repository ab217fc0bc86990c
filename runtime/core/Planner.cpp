/// \file Places buffers one after another, each into the smallest gap left by those it meets, in several
/// orders; the best is taken.
///
/// By size: Y. Pisarchyk, J. Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020), "Greedy
/// by Size for Offset Calculation", as in TensorFlow Lite's and XNNPACK's memory planners. The other orders
/// help where buffers live long beside larger ones. O(n^2) each, n some hundreds.
// SPDX-License-Identifier: MIT
#include "runtime/core/Planner.h"
#include "runtime/core/Table.h"

namespace segc::rt {
namespace {

bool meet(const Interval &a, const Interval &b) { return a.first <= b.last && b.first <= a.last; }

bool shareBytes(const Interval &a, uint64_t atA, const Interval &b, uint64_t atB) {
  return atA < atB + b.bytes && atB < atA + a.bytes;
}

/// What a plan asks of borders: nothing, or that they stand once they are written.
enum class Borders { Rewritten, Standing };

/// Must two intervals that do not lie at the same place lie apart?
bool apart(const Interval &a, const Interval &b, Borders borders) {
  return meet(a, b) || (borders == Borders::Standing && (a.border || b.border));
}

/// What comes first: the largest buffer, the one that lives longest, both together, the first or the last
/// one.
enum class Order { Size, Length, Area, Start, End };
constexpr Order kOrders[] = {Order::Size, Order::Length, Order::Area, Order::Start, Order::End};

uint64_t rank(const Interval &interval, Order order) {
  const uint64_t length = uint64_t(interval.last) - interval.first + 1;
  switch (order) {
  case Order::Size:
    return interval.bytes;
  case Order::Length:
    return length;
  case Order::Area:
    return interval.bytes * length;
  case Order::Start:
    return UINT32_MAX - interval.first;
  case Order::End:
    return interval.last;
  }
  return 0;
}

/// Of equal ones the larger first; then the earlier, so that the order never depends on how it was sorted.
bool before(const Interval *intervals, uint32_t a, uint32_t b, Order order) {
  const uint64_t rankA = rank(intervals[a], order), rankB = rank(intervals[b], order);
  if (rankA != rankB)
    return rankA > rankB;
  if (intervals[a].bytes != intervals[b].bytes)
    return intervals[a].bytes > intervals[b].bytes;
  return a < b;
}

/// The lowest of the smallest gaps of at least `bytes` between the placed intervals that meet `interval`;
/// behind all of them if there is none. `placed` is sorted by offset.
uint64_t bestFit(const Interval *intervals, const uint64_t *offsets, const uint32_t *placed, uint32_t count,
                 const Interval &interval, uint64_t bytes, Borders borders) {
  uint64_t end = 0, best = 0, bestGap = UINT64_MAX;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t other = placed[i];
    if (!apart(intervals[other], interval, borders))
      continue;
    if (offsets[other] > end) {
      const uint64_t gap = offsets[other] - end;
      if (gap >= bytes && gap < bestGap) {
        best = end;
        bestGap = gap;
      }
    }
    const uint64_t otherEnd = offsets[other] + alignUp(intervals[other].bytes);
    end = otherEnd > end ? otherEnd : end;
  }
  return bestGap == UINT64_MAX ? end : best;
}

/// The place of a like interval that is free while interval `next` lives; null if there is none.
const uint64_t *likePlace(const Interval *intervals, const uint64_t *offsets, const uint32_t *placed,
                          uint32_t count, uint32_t next) {
  const Interval &interval = intervals[next];
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t *place = offsets + placed[i];
    bool isFree = intervals[placed[i]].border == interval.border;
    for (uint32_t k = 0; k < count && isFree; ++k)
      isFree = offsets[placed[k]] != *place || !meet(intervals[placed[k]], interval);
    if (isFree)
      return place;
  }
  return nullptr;
}

uint64_t placeAll(const Interval *intervals, uint32_t count, uint64_t *offsets, uint32_t *scratch, Order rule,
                  Borders borders) {
  uint32_t *order = scratch, *placed = scratch + count;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t at = i;
    for (; at > 0 && before(intervals, i, order[at - 1], rule); --at)
      order[at] = order[at - 1];
    order[at] = i;
  }
  uint64_t arena = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t next = order[i];
    const uint64_t bytes = alignUp(intervals[next].bytes);
    const bool stands = borders == Borders::Standing && intervals[next].border && bytes;
    const uint64_t *like = stands ? likePlace(intervals, offsets, placed, i, next) : nullptr;
    offsets[next] = like ? *like : bestFit(intervals, offsets, placed, i, intervals[next], bytes, borders);
    uint32_t at = i;
    for (; at > 0 && offsets[placed[at - 1]] > offsets[next]; --at)
      placed[at] = placed[at - 1];
    placed[at] = next;
    arena = offsets[next] + bytes > arena ? offsets[next] + bytes : arena;
  }
  return arena;
}

/// Places all in the best of the orders. None can do better than `least`.
uint64_t placeBest(const Interval *intervals, uint32_t count, uint64_t *offsets, uint32_t *scratch,
                   Borders borders, uint64_t least) {
  uint64_t best = UINT64_MAX;
  Order bestOrder = Order::Size;
  for (Order order : kOrders) {
    const uint64_t arena = placeAll(intervals, count, offsets, scratch, order, borders);
    if (arena == least)
      return arena;
    if (arena < best) {
      best = arena;
      bestOrder = order;
    }
  }
  return placeAll(intervals, count, offsets, scratch, bestOrder, borders);
}

} // namespace

uint64_t planArena(const Interval *intervals, uint32_t count, uint64_t *offsets, uint32_t *scratch) {
  bool anyBorder = false;
  for (uint32_t i = 0; i < count; ++i)
    anyBorder |= intervals[i].border && intervals[i].bytes;
  const uint64_t least = livenessBound(intervals, count);
  const uint64_t arena = placeBest(intervals, count, offsets, scratch, Borders::Rewritten, least);
  if (!anyBorder)
    return arena;
  const uint64_t standing = placeBest(intervals, count, offsets, scratch, Borders::Standing, least);
  if (standing <= (arena > kStandingArena ? arena : kStandingArena))
    return standing;
  return placeBest(intervals, count, offsets, scratch, Borders::Rewritten, least);
}

bool borderStands(const Interval *intervals, uint32_t count, const uint64_t *offsets, uint32_t index) {
  const Interval &own = intervals[index];
  for (uint32_t i = 0; i < count; ++i)
    if (shareBytes(intervals[i], offsets[i], own, offsets[index]) &&
        (intervals[i].border != own.border || offsets[i] != offsets[index]))
      return false;
  return own.border != 0;
}

bool verifyArena(const Interval *intervals, uint32_t count, const uint64_t *offsets, uint64_t arenaBytes,
                 uint32_t *first, uint32_t *second) {
  for (uint32_t i = 0; i < count; ++i) {
    *first = *second = i;
    if (offsets[i] % kAlignment || offsets[i] > arenaBytes || intervals[i].bytes > arenaBytes - offsets[i] ||
        intervals[i].last < intervals[i].first)
      return false;
    for (uint32_t k = 0; k < i; ++k) {
      *second = k;
      if (meet(intervals[i], intervals[k]) && shareBytes(intervals[i], offsets[i], intervals[k], offsets[k]))
        return false;
    }
  }
  return true;
}

uint64_t livenessBound(const Interval *intervals, uint32_t count) {
  // The sum changes upwards only where an interval starts, so looking there is enough.
  uint64_t bound = 0;
  for (uint32_t i = 0; i < count; ++i) {
    uint64_t sum = 0;
    for (uint32_t k = 0; k < count; ++k)
      if (intervals[k].first <= intervals[i].first && intervals[i].first <= intervals[k].last)
        sum += alignUp(intervals[k].bytes);
    bound = sum > bound ? sum : bound;
  }
  return bound;
}

} // namespace segc::rt
