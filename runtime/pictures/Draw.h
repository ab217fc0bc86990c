/// \file Draw: pictures with known truth, drawn by the project itself: stained nuclei on tissue.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/pictures/Picture.h"

namespace segc::pictures {

/// A drawn picture and what a perfect network would say of it.
struct Scene {
  Picture picture; ///< RGB
  Picture truth;   ///< 0 tissue, 1 nucleus; with the first two colours of vocPalette()
};

/// Nuclei of 6 to 17 pixels radius, in about a fifth of the area, on a mottled ground. Equal arguments give
/// equal bytes on every machine. Fails if an extent is below 1 or the picture above 2^28 pixels.
std::variant<Scene, Failure> drawCells(int64_t width, int64_t height, uint64_t seed);

} // namespace segc::pictures
