/// \file Distance: exact Euclidean distances of pixels to a set.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <vector>

namespace segc::train {

/// What pixels are given that no seed reaches: there is none.
constexpr double unreachable = 1e300;

/// The squared distance, from centre to centre, of each pixel to the nearest one whose seed is not 0.
/// Felzenszwalb, Huttenlocher 2012: distances along columns first, then for each row the lower envelope of
/// the parabolas d(x) = (x - q)^2 + column(q). Linear in the number of pixels.
void squaredDistances(const std::vector<uint8_t> &seeds, int64_t width, int64_t height,
                      std::vector<double> &result);

} // namespace segc::train
