/// \file What a network says of a picture of any size: one class, or the scores of all, for each pixel.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/RunTensors.h"
#include "runtime/train/Types.h"

namespace segc {

/// A network's first output, fitted to the picture.
struct PixelOutput {
  bool isClassMap = false; ///< one plane of class numbers (argmax), else logits
  pictures::Planes values;
};

/// Runs the network on `image`, which has the network's channels and numbers: padded by reflection to a size
/// that the network takes and whose output covers the picture, cropped back. An output on a coarser grid is
/// enlarged (logits bilinearly). `note` says what was padded. On failure a sentence.
std::optional<std::string> runOnPicture(Instance &instance, const pictures::Planes &image, int repeat,
                                        PixelOutput &output, std::string &note, double milliseconds[2]);

/// Finds input extents from (h, w) on that the network takes; false if none lies within 64 pixels.
bool findLegal(Instance &instance, int64_t h, int64_t w, int64_t &legalH, int64_t &legalW);

/// Calls the network on one picture of a legal size; `output` is its first output as it is.
std::optional<std::string> runPlanes(Instance &instance, const pictures::Planes &planes, int repeat,
                                     PixelOutput &output, double milliseconds[2]);

/// The class of each pixel: the greatest logit, the first of equals; of one channel, whether it is above 0.
train::Labels classesOf(const PixelOutput &output);

/// Probabilities of `classes` classes: softmax of the logits; of one channel x those of (0, x), which is the
/// sigmoid; of class maps 0 and 1. Fails where the output has another number of classes.
std::variant<pictures::Planes, std::string> probabilitiesOf(const PixelOutput &output, int64_t classes);

/// How many classes the first output tells apart: 2 for one channel; 0 for a map of classes, which does not
/// say.
int64_t classesToldApart(Instance &instance);

/// The views of a picture whose probabilities are averaged.
struct Views {
  bool flipHorizontal = false, flipVertical = false; ///< both: all four
  std::vector<double> scales{1};
  int64_t tileHeight = 0, tileWidth = 0; ///< 0: the picture as a whole
  int64_t overlap = 0;                   ///< pixels that neighbouring tiles share
  bool single() const {
    return !flipHorizontal && !flipVertical && scales.size() == 1 && scales[0] == 1 && tileHeight == 0;
  }
};

/// Reads "flips,scales=0.75/1/1.25": `flips` (or `flips=h`), `flips=v`, `flips=hv`. On failure a sentence.
std::optional<std::string> readViews(const std::string &text, Views &views);

/// The classes of a picture: of the picture itself, or by the mean of the probabilities of all views, each
/// brought back to the picture. Tiles overlap with weights that fall linearly towards their edges.
std::optional<std::string> predictClasses(Instance &instance, const pictures::Planes &image,
                                          const Views &views, int64_t classes, train::Labels &labels);

/// Classes of a picture of bytes, as a label picture: the values are 0 ... 1.
std::optional<std::string> segmentPicture(Instance &instance, const pictures::Picture &picture, int repeat,
                                          pictures::Picture &classes, std::string &note,
                                          double milliseconds[2]);

} // namespace segc
