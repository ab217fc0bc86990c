/// \file What makes a value the maximum of a window.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>

namespace segc::schedules {

/// Whether `value` takes the place of the largest value so far: if it is larger, or NaN; where positions
/// count
/// (`first`), the first of several NaNs stays. Maxima are kept as bits, for LLVM may assume that a selected
/// float is no NaN.
inline Halide::Expr isNewMaximum(const Halide::Expr &value, const Halide::Expr &soFar, bool first) {
  const Halide::Expr nan = Halide::is_nan(value);
  return Halide::strict_float(value > soFar) || (first ? nan && !Halide::is_nan(soFar) : nan);
}

} // namespace segc::schedules
