/// \file Overlay: the colour map and the blend.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Overlay.h"
#include <algorithm>

namespace segc::pictures {

Palette vocPalette() {
  Palette palette(256, Colour{0, 0, 0});
  for (int label = 0; label < 256; ++label)
    for (int bit = 0; bit < 8; ++bit)
      palette[label][bit % 3] |= uint8_t((label >> bit & 1) << (7 - bit / 3));
  return palette;
}

namespace {

/// Whether the pixel has a neighbour to the left, right, above or below in another class.
bool onRim(const Picture &labels, int64_t x, int64_t y) {
  const uint8_t here = *labels.at(x, y);
  return (x > 0 && *labels.at(x - 1, y) != here) || (x + 1 < labels.width && *labels.at(x + 1, y) != here) ||
         (y > 0 && *labels.at(x, y - 1) != here) || (y + 1 < labels.height && *labels.at(x, y + 1) != here);
}

} // namespace

std::variant<Picture, Failure> overlay(const Picture &picture, const Picture &labels,
                                       const OverlayOptions &options) {
  if (labels.channels != 1)
    return "labels have one channel, not " + std::to_string(labels.channels);
  if (picture.width != labels.width || picture.height != labels.height)
    return "the picture has " + std::to_string(picture.width) + " x " + std::to_string(picture.height) +
           " pixels, the labels have " + std::to_string(labels.width) + " x " +
           std::to_string(labels.height) + "; resize one of them";
  const Palette palette = !options.palette.empty()  ? options.palette
                          : !labels.palette.empty() ? labels.palette
                                                    : vocPalette();
  Picture result(picture.width, picture.height, 3);
  for (int64_t y = 0; y < picture.height; ++y)
    for (int64_t x = 0; x < picture.width; ++x) {
      const uint8_t label = *labels.at(x, y), *below = picture.at(x, y);
      const Colour &colour = palette[label % palette.size()];
      const bool rim = options.contour && onRim(labels, x, y);
      const float alpha = label == options.background ? 0 : rim ? 1 : std::clamp(options.alpha, 0.0f, 1.0f);
      for (int c = 0; c < 3; ++c) {
        const float base = below[picture.channels == 1 ? 0 : c];
        result.at(x, y)[c] = uint8_t(base + alpha * (colour[c] - base) + 0.5f);
      }
    }
  return result;
}

} // namespace segc::pictures
