/// \file Which pixels resizing reads: what the kernel and its transpose must agree on.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>

namespace segc::schedules {

/// floor(i * in / out), the product in 64 bits.
Halide::Expr nearestPixel(const Halide::Expr &i, const Halide::Expr &in, const Halide::Expr &out);

/// Two neighbours along one axis and the share of the second one.
struct Between {
  Halide::Expr low, high, share;
};

/// PyTorch's upsample_bilinear2d: half-pixel coordinates (i + 0.5) * in / out - 0.5, not below 0, or with
/// aligned corners i * (in - 1) / (out - 1), 0 for a single pixel; all in f32. Beyond the last pixel the
/// neighbour is the pixel itself.
Between between(const Halide::Expr &i, const Halide::Expr &in, const Halide::Expr &out, bool align);

} // namespace segc::schedules
