/// \file Convolutions with small exact numbers, for tests of kernels that go on with their results.
// SPDX-License-Identifier: MIT
#pragma once
#include "test/unit/schedule_memory_support.h"

namespace segc::schedules {

/// Weights (rw, rh, c / g, k) of small multiples of 1/2: sums of products are exact in f32.
inline Halide::Buffer<float> exactWeights(const std::vector<int> &extents, std::mt19937 &random) {
  Halide::Buffer<float> w(extents);
  w.for_each_value([&](float &v) { v = Values{random}(); });
  return w;
}

/// What the kernel of `packing` makes of weights.
inline Halide::Buffer<float> packed(const Packing &packing, const Halide::Buffer<float> &w, Isa isa) {
  MemoryKernel pack(packing.problem, isa);
  Halide::Buffer<float> result(packing.extents);
  result.fill(NAN);
  if (pack)
    pack.run({w}, {result});
  return result;
}

/// Pixels of an operand that `result` pixels of a convolution need along an axis.
inline int windowOf(const KernelSpec &spec, int result, int axis) {
  return (result - 1) * spec.get("s", axis) + (spec.get("r", axis) - 1) * spec.get("d", axis) + 1;
}

/// The sum of a convolution at one place; `x` is a function of (c, x, y, n).
template <typename X>
double convolved(const KernelSpec &spec, const Halide::Buffer<float> &w, const X &x, int k, int px, int py,
                 int n) {
  const int inputs = w.dim(2).extent(), group = k / (spec.get("k") / spec.get("g"));
  double sum = 0;
  for (int ry = 0; ry < spec.get("r"); ry++)
    for (int rx = 0; rx < spec.get("r", 1); rx++)
      for (int i = 0; i < inputs; i++)
        sum += double(w(rx, ry, i, k)) * x(group * inputs + i, px * spec.get("s", 1) + rx * spec.get("d", 1),
                                           py * spec.get("s") + ry * spec.get("d"), n);
  return sum;
}

} // namespace segc::schedules
