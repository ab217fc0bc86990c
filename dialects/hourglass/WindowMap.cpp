/// \file Extents, paddings and receptive fields of windows.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/WindowMap.h"
#include <algorithm>
#include <cmath>

namespace segc::hg {

Size WindowMap::result(SizeTable &t, Size in) const {
  if (same) // ceil(in / stride)
    return t.div(t.plus(in, stride - 1), stride);
  Size padded = t.plus(in, before + after);
  if (!ceil) // floor((padded - reach) / stride) + 1
    return t.div(t.plus(padded, stride - reach()), stride);
  // ceil((padded - reach) / stride) + 1, but the last window must start before in + before.
  Size windows = t.div(t.plus(padded, 2 * stride - 1 - reach()), stride);
  Size starts = t.div(t.plus(in, before + stride - 1), stride);
  return t.min(windows, starts);
}

Size WindowMap::padBefore(SizeTable &t, Size in) const {
  if (!same)
    return t.constant(before);
  // total = max((out - 1) * stride + reach - in, 0), half of it (rounded down) before.
  Size total = t.sub(t.plus(t.mul(t.plus(result(t, in), -1), stride), reach()), in);
  if (stride == 1)
    return t.constant((reach() - 1) / 2);
  return t.div(t.max(total, t.constant(0)), 2);
}

Size WindowMap::transposed(SizeTable &t, Size in, int64_t outputPadding) const {
  return t.plus(t.mul(t.plus(in, -1), stride), reach() - before - after + outputPadding);
}

// With `same`, (out - 1) * stride < in, so the total is below reach.
int64_t WindowMap::maxBefore() const { return same ? (reach() - 1) / 2 : before; }
int64_t WindowMap::maxAfter() const { return same ? reach() / 2 : after; }

int64_t WindowMap::usualBefore() const { return same ? std::max<int64_t>(reach() - stride, 0) / 2 : before; }

ReceptiveField ReceptiveField::through(int64_t kernel, int64_t dilation, int64_t stride,
                                       int64_t before) const {
  // Result pixel o looks at the operand's o * stride - before + (reach - 1) / 2.
  ReceptiveField next = *this;
  next.centre =
      centre + (0.5 * static_cast<double>(dilation * (kernel - 1)) - static_cast<double>(before)) * jump;
  next.field = field + static_cast<double>(dilation * (kernel - 1)) * jump;
  next.jump = jump * static_cast<double>(stride);
  return next;
}

ReceptiveField ReceptiveField::through(const WindowMap &map) const {
  return through(map.kernel, map.dilation, map.stride, map.usualBefore());
}

ReceptiveField ReceptiveField::transposedThrough(const WindowMap &map) const {
  // A result pixel meets at most ceil(reach / stride) neighbouring operand pixels; on average those around
  // (o + before - (reach - 1) / 2) / stride.
  ReceptiveField next = *this;
  const int64_t reach = map.reach();
  const auto stride = static_cast<double>(map.stride);
  next.centre = centre + (static_cast<double>(map.usualBefore()) - 0.5 * static_cast<double>(reach - 1)) /
                             stride * jump;
  next.field = field + static_cast<double>((reach + map.stride - 1) / map.stride - 1) * jump;
  next.jump = jump / stride;
  return next;
}

} // namespace segc::hg
