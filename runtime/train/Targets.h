/// \file Targets: what networks learn, derived from maps of instances or classes.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Description.h"

namespace segc::train {

/// Instances to classes: 0 background, 1 object. With `separate` the pixels of an object that have one of
/// another object beside, above or below them become background, so that touching objects come apart.
Labels objectClasses(const Labels &instances, bool separate);

/// Pixels within `radius` of a pixel with another number (background counts) are boundary: class 2 with 1 for
/// the rest of objects, or class 1 if `inside` is false. Radius 1 is the four neighbours.
Labels boundaryClasses(const Labels &instances, int radius, bool inside);

/// Numbers the connected regions of equal class from 1 on, in reading order; classes not in `classes` become
/// 0. `corners`: pixels that only touch at corners are connected too. `count` gets the number of regions.
Labels connectedRegions(const Labels &labels, const std::vector<int32_t> &classes, bool corners,
                        int32_t &count);

/// w0 * exp(-(d1 + d2)^2 / (2 sigma^2)) on the background, 0 on objects: d1 and d2 are the distances to the
/// nearest and the second nearest object, from pixel to pixel. One plane, exact to 1e-6.
Planes borderWeights(const Labels &instances, double w0, double sigma);

/// The factors of the pixels' losses that the description asks for: the weight of the pixel's class, plus the
/// border weights between `instances`, or, where these are empty, between regions of the object classes.
Planes pixelWeights(const Labels &labels, const Labels &instances, const Description &about);

} // namespace segc::train
