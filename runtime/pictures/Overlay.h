/// \file Overlay: colours for class numbers, and classes shown over a picture.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/pictures/Picture.h"

namespace segc::pictures {

/// The 256 colours of the PASCAL VOC label files: 0 black, 1 dark red, 2 dark green, …, 255 (void) cream. The
/// bits of the class number are dealt out in turn to red, green and blue, each from its highest bit
/// downwards.
Palette vocPalette();

struct OverlayOptions {
  float alpha = 0.5f;   ///< share of the class's colour, 0 … 1
  int background = 0;   ///< the class that stays as the picture has it; -1: none
  bool contour = false; ///< the rim of each region in its full colour
  Palette palette;      ///< empty: that of the labels, and without one vocPalette()
};

/// The picture in RGB with the classes' colours blended over it. Fails if the extents of the two differ or
/// `labels` has more than one channel. Labels past the palette start it anew.
std::variant<Picture, Failure> overlay(const Picture &picture, const Picture &labels,
                                       const OverlayOptions &options = {});

} // namespace segc::pictures
