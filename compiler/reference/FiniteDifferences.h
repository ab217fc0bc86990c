/// \file Derivatives by finite differences: the judge of gradients.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/reference/Tensor.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace segc::reference {

struct DifferenceOptions {
  /// Steps tried, each a tenth of the one before, until the function looks smooth; times max(1, |x|).
  double largestStep = 1e-4, smallestStep = 1e-6;
  /// Tensors of at most so many elements are checked element by element, larger ones along random directions,
  /// or, where all of these meet kinks, at single elements.
  int64_t elements = 64;
  int directions = 3;
  uint64_t seed = 1;
};

/// The slope of a function of one number at 0.
struct Slope {
  double value = 0;
  /// What rounding may have added to it.
  double noise = 0;
  /// False where the function has a kink within the smallest step: the value is then somewhere between the
  /// slopes on its sides.
  bool smooth = false;
};

/// Central differences with steps h and h/2, extrapolated (Richardson): the error is of order h^4. A kink in
/// [-h, h] shows by disagreement of the two, one at 0 by a bend (difference of the one-sided slopes) that
/// does not shrink with h. Deviations below 1e-7 of `scale` or of the slope count as smooth.
Slope slopeAtZero(llvm::function_ref<double(double)> f, double scale, const DifferenceOptions &options = {});

/// How well a gradient agrees with differences.
struct GradientError {
  /// Largest |analytic - numeric| relative to the largest |numeric|, or to what rounding lets differences of
  /// this function resolve to 1e-6, if that is more. Infinity where something is no number.
  double error = 0;
  double largest = 0; ///< |numeric|
  /// Elements or directions compared, and those left out because of a kink.
  int64_t checked = 0, kinked = 0;
};

/// Compares `gradient` with differences of `f` around `x`.
GradientError compareGradient(llvm::function_ref<double(const Tensor &)> f, const Tensor &x,
                              const Tensor &gradient, const DifferenceOptions &options = {});

} // namespace segc::reference
