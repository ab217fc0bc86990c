/// \file Class scores as tests compute them, and whether a kernel made the right argmax or softmax of them.
// SPDX-License-Identifier: MIT
#pragma once
#include "test/unit/schedule_memory_support.h"

namespace segc::schedules {

/// The largest error of one run over what f32 allows: a difference d to the maximum is rounded by up to
/// |d| * 2^-24, which is the relative error of its exponential and the absolute one of its logarithm, the
/// result likewise; 1e-6 for everything else. NaNs and infinities must agree; values below 1e-30 may vanish.
inline double softmaxError(const Halide::Buffer<float> &x, const Halide::Buffer<float> &y, bool logarithm) {
  double worst = 0;
  const int c = x.dim(0).extent();
  Halide::Buffer<float> pixels = y.sliced(0);
  pixels.for_each_element([&](int px, int py, int n) {
    double top = -INFINITY, sum = 0;
    for (int i = 0; i < c; i++)
      top = std::max<double>(top, x(i, px, py, n));
    for (int i = 0; i < c; i++)
      sum += std::exp(x(i, px, py, n) - top);
    for (int i = 0; i < c; i++) {
      const double d = x(i, px, py, n) - top, want = logarithm ? d - std::log(sum) : std::exp(d) / sum;
      const double got = y(i, px, py, n);
      if (std::isnan(want) || std::isinf(want)) {
        worst = same(got, want) ? worst : INFINITY;
        continue;
      }
      const double allowed =
          (1e-6 + (std::fabs(d) + std::fabs(want)) * 0x1p-23) * (logarithm ? 1 : std::max(want, 1e-30));
      const double off = std::fabs(got - want) / allowed;
      worst = off <= worst ? worst : std::isnan(off) ? INFINITY : off;
    }
  });
  return worst;
}

/// Pixels whose class is not the first largest of `x`, a NaN above all; with `tolerance` any one that much
/// below the largest will do.
inline int wrongClasses(const Halide::Buffer<float> &x, const Halide::Buffer<int32_t> &y,
                        float tolerance = 0) {
  int wrong = 0;
  y.for_each_element([&](int, int px, int py, int n) {
    int best = 0;
    for (int i = 1; i < x.dim(0).extent(); i++) {
      const float v = x(i, px, py, n), soFar = x(best, px, py, n);
      if (!std::isnan(soFar) && (std::isnan(v) || v > soFar))
        best = i;
    }
    const int got = y(0, px, py, n);
    const bool near = tolerance > 0 && got >= 0 && got < x.dim(0).extent() &&
                      x(got, px, py, n) >= x(best, px, py, n) - tolerance;
    wrong += got != best && !near;
  });
  return wrong;
}

} // namespace segc::schedules
