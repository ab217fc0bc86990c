/// \file Canvas: rectangles, text and other pictures put onto a picture, and sheets of many pictures.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/pictures/Picture.h"

namespace segc::pictures {

/// Everything here draws on RGB pictures and leaves out what lies beyond their edges.
void fillRectangle(Picture &onto, int64_t x, int64_t y, int64_t width, int64_t height, Colour colour);
/// `picture` (gray or RGB) with its upper left corner at (x, y).
void paste(Picture &onto, const Picture &picture, int64_t x, int64_t y);

/// The height of a line of text and the width of a character with the space behind it, at scale 1.
constexpr int64_t textHeight = 7, characterWidth = 6;
/// Text in a face of 5 x 7 pixels, each `scale` pixels wide and high; what is not printable ASCII becomes
/// '?'.
void drawText(Picture &onto, int64_t x, int64_t y, const std::string &text, Colour colour, int scale = 1);

/// A picture with words below it. Words that are too long for the picture lose their beginning.
struct SheetCell {
  Picture picture;
  std::string caption;
};

/// The cells in rows of `columns`, each as large as the largest, on a dark ground. Fails if there are none or
/// the sheet would have more than 2^28 pixels.
std::variant<Picture, Failure> contactSheet(const std::vector<SheetCell> &cells, int columns);

} // namespace segc::pictures
