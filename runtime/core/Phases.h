/// \file How kernels see a tensor whose phases (every d-th pixel along an axis) they take as axes of their
/// own.
// SPDX-License-Identifier: MIT
#pragma once
#include <HalideRuntime.h>

namespace segc::rt {

/// Takes x and y of (c, x, y, n) apart, in the same memory: (c, phase, x, phase, y, n). `dims` has room for
/// six.
inline void splitPhases(halide_dimension_t *dims, int phasesX, int phasesY) {
  const halide_dimension_t x = dims[1], y = dims[2], n = dims[3];
  auto split = [](const halide_dimension_t &axis, int phases, halide_dimension_t *to) {
    to[0] = halide_dimension_t(0, phases, axis.stride);
    to[1] = halide_dimension_t(0, (axis.extent + phases - 1) / phases, axis.stride * phases);
  };
  split(x, phasesX, dims + 1);
  split(y, phasesY, dims + 3);
  dims[5] = n;
}

} // namespace segc::rt
