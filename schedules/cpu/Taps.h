/// \file Which pixels of an axis count for a pixel of a result, and with which weight.
///
/// Means and the transposes of means and of resizing are separable sums: along each axis, pixel i of the
/// result reads the pixels first … first + count - 1 of the operand. Positions are exact, in integers.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"
#include <functional>

namespace segc::schedules {

/// One axis of a view.
struct Side {
  Halide::Expr min, extent;
  Halide::Expr end() const { return min + extent; }
};
template <typename BufferT> Side sideOf(const BufferT &buffer, int dimension) {
  return {buffer.dim(dimension).min(), buffer.dim(dimension).extent()};
}

struct Taps {
  Halide::Expr first, count;
  Halide::Expr most;    ///< no pixel of the result has more
  Halide::Expr divisor; ///< of the sum; undefined: 1
  /// The weight of operand pixel `p` (f32); none: 1.
  std::function<Halide::Expr(const Halide::Expr &p)> weight;
};

/// For pixel `i` of the result of `spec` (avgpool, adaptive_avgpool, their transposes, upsample_transpose)
/// along axis 0 (height) or 1 (width).
Taps tapsOf(const KernelSpec &spec, int axis, const Halide::Expr &i, const Side &operand, const Side &result);

/// The weights of bicubic interpolation for the pixels -1, 0, 1, 2 around a position 0 <= t < 1.
std::vector<Halide::Expr> cubicWeights(const Halide::Expr &t);

} // namespace segc::schedules
