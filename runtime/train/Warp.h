/// \file Warp: one map from the pixels of a crop to places in a picture, and what pictures look like through
/// it.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Types.h"

namespace segc::train {

/// What lies beyond the edges of a picture.
enum class Border {
  Reflect, ///< the picture mirrored at its outermost pixels, labels too
  Ignore   ///< the outermost pixels repeated, their labels `ignored`, their weights 0
};

/// Output pixel p comes from centre + matrix * (p - middle of the output) + displacement(p); pixels have
/// their centres at whole numbers.
struct Warp {
  int64_t height = 0, width = 0; ///< of the output
  double centreX = 0, centreY = 0;
  double matrix[4] = {1, 0, 0, 1}; ///< row by row
  /// Displacements in pixels at grid x grid points spread over the output, interpolated by cubic splines
  /// through them (Catmull, Rom 1974). Empty: none.
  int grid = 0;
  std::vector<double> displacementX, displacementY;
  Border border = Border::Reflect;
};

/// Each plane by bilinear interpolation.
Planes warpBilinear(const Planes &planes, const Warp &warp);
/// The same for factors of pixels: 0 beyond the edges where the border is ignored.
Planes warpWeights(const Planes &planes, const Warp &warp);
/// Nearest pixel: no label appears that was not there.
Labels warpNearest(const Labels &labels, const Warp &warp);

} // namespace segc::train
