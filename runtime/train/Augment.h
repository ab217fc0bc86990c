/// \file Augment: random changes of examples that a network shall not care about.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Dataset.h"
#include "runtime/train/Random.h"
#include "runtime/train/Settings.h"
#include "runtime/train/Warp.h"

namespace segc::train {

/// What may be changed and how much; the defaults change nothing but where crops lie.
struct Augmentation {
  double flipHorizontal = 0, flipVertical = 0; ///< how often, 0 ... 1
  bool quarterTurns = false;                   ///< by 0, 90, 180 or 270 degrees
  Range rotate{0, 0};                          ///< degrees, clockwise
  Range scale{1, 1};                           ///< enlargement; its logarithm is drawn evenly
  Range elastic{0, 0};                         ///< deviation of the displacements in pixels
  int elasticGrid = 3;                         ///< points a side that are displaced
  Range brightness{0, 0};                      ///< added; the picture's values are 0 ... 1
  Range contrast{1, 1};                        ///< factor of the distance from the picture's mean
  Range gamma{1, 1};                           ///< exponent; its logarithm is drawn evenly
  Range noise{0, 0};                           ///< deviation of what is added to each value
  Range blur{0, 0};                            ///< deviation of a Gaussian in pixels
  double balancedCrops = 0; ///< how often a crop is laid around a pixel of a class drawn first
  bool randomCrops = true;  ///< else from the middle
  Border border = Border::Reflect;
};

/// The description in a JSON file or text; docs/data.md names the fields.
Result<Augmentation> readAugmentation(const std::string &path);
Result<Augmentation> parseAugmentation(const Json &json, const std::string &where);

/// A crop that is ready for normalisation.
struct Sample {
  Planes image; ///< 0 ... 1
  Labels labels;
  Planes weights; ///< one plane, or empty
};

/// A crop of height x width pixels (0: as many as the picture has) of the example, changed at random. The
/// image has 1 or 3 channels as asked, `white` as in InputFormat.
Sample augment(const Example &example, int channels, int white, int64_t height, int64_t width,
               const Augmentation &augmentation, Random &random);

} // namespace segc::train
