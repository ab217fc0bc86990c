/// \file Geometry: pictures of any size made to fit a network, and its results made to fit the picture.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/pictures/Picture.h"

namespace segc::pictures {

/// Pixels to add at each side; none is negative.
struct Margins {
  int64_t top = 0, left = 0, bottom = 0, right = 0;
};

/// The least margins that make both extents multiples of `multiple` (at least 1): half at each side, an odd
/// pixel at the bottom and right.
Margins marginsToMultiple(int64_t height, int64_t width, int64_t multiple);

enum class Edge {
  Zero,
  Reflect ///< mirrored at the outermost pixels, which are not repeated: c b | a b c | b a; again and again if
          ///< needed
};

/// Where a mirrored axis of n pixels takes position i from: a wave of period 2n - 2.
int64_t mirrored(int64_t i, int64_t n);

Planes pad(const Planes &planes, const Margins &margins, Edge edge);
/// Takes away what pad() added. Fails if nothing would be left.
std::variant<Planes, Failure> crop(const Planes &planes, const Margins &margins);
std::variant<Picture, Failure> crop(const Picture &picture, const Margins &margins);

/// Half-pixel centres, edges clamped, no smoothing when shrinking: source = (i + 1/2) * in / out - 1/2.
/// Extents must be positive.
Planes resizeBilinear(const Planes &planes, int64_t height, int64_t width);
/// Pixel floor(i * in / out): the way to resize labels. Extents must be positive.
Picture resizeNearest(const Picture &picture, int64_t height, int64_t width);

} // namespace segc::pictures
