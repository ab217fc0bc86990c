/// \file The expressions of resizing.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"
#include <functional>

namespace segc::schedules {

/// Neighbours along one axis, from the first to the last, and their weights.
struct Neighbours {
  std::vector<Halide::Expr> pixel, weight;
};

/// The neighbours of pixel `i` of `out` among the `in` pixels of an `upsample`'s operand, but for mode=zeros.
Neighbours neighbours(const KernelSpec &spec, const Halide::Expr &i, const Halide::Expr &in,
                      const Halide::Expr &out);

/// The sum of weight * value(pixel), in the order of the neighbours.
Halide::Expr weighted(const Neighbours &along,
                      const std::function<Halide::Expr(const Halide::Expr &)> &value);

/// Element (c, x, y, n) of what an `upsample` of `width` x `height` pixels makes of `in`. Pixels beyond the
/// last one are computed from pixels of `in` that exist.
Halide::Expr resized(const KernelSpec &spec, const Halide::ImageParam &in, const Halide::Expr &c,
                     const Halide::Expr &x, const Halide::Expr &y, const Halide::Expr &n,
                     const Halide::Expr &width, const Halide::Expr &height);

} // namespace segc::schedules
