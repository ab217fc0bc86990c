/// \file The expression of resizing.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"

namespace segc::schedules {

/// Element (c, x, y, n) of what an `upsample` of `width` x `height` pixels makes of `in`. Pixels beyond the
/// last one are computed from pixels of `in` that exist.
Halide::Expr resized(const KernelSpec &spec, const Halide::ImageParam &in, const Halide::Expr &c,
                     const Halide::Expr &x, const Halide::Expr &y, const Halide::Expr &n,
                     const Halide::Expr &width, const Halide::Expr &height);

} // namespace segc::schedules
