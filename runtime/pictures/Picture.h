/// \file Picture: pictures of bytes, planes of floats, and the way from one to the other.
// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace segc::pictures {

using Colour = std::array<uint8_t, 3>; ///< red, green, blue
using Palette = std::vector<Colour>;

/// What a function that can fail returns beside its value: a sentence with what is wrong and what would help.
using Failure = std::string;

/// Rows of pixels, top to bottom; a pixel's channels lie together. One channel is gray or labels, three are
/// RGB.
struct Picture {
  int64_t width = 0, height = 0; ///< pixels
  int channels = 1;              ///< 1 or 3
  std::vector<uint8_t> bytes;    ///< height * width * channels
  Palette palette;               ///< of a label picture, where its file had one

  Picture() = default;
  /// All zero. The extents must be positive.
  Picture(int64_t width, int64_t height, int channels);

  uint8_t *at(int64_t x, int64_t y) { return bytes.data() + (y * width + x) * channels; }
  const uint8_t *at(int64_t x, int64_t y) const { return bytes.data() + (y * width + x) * channels; }
};

/// A picture file's samples as the file has them, 8 or 16 bits deep: what measurements and instance numbers
/// need, which 255 steps do not hold.
struct Raster {
  int64_t width = 0, height = 0; ///< pixels
  int channels = 1;              ///< 1 or 3
  int bits = 8;                  ///< of a sample: 8 or 16
  std::vector<uint8_t> bytes;    ///< height * width * channels samples; of 16 bits in this machine's order
  Palette palette;               ///< of labels, where the file had one

  Raster() = default;
  /// All zero. The extents must be positive.
  Raster(int64_t width, int64_t height, int channels, int bits);

  int64_t samples() const { return width * height * channels; }
  /// Sample `i`, counted through pixels and their channels.
  uint16_t sample(int64_t i) const {
    uint16_t value = 0;
    if (bits == 8)
      return bytes[size_t(i)];
    memcpy(&value, bytes.data() + 2 * i, 2);
    return value;
  }
  void setSample(int64_t i, uint16_t value) {
    if (bits == 8)
      bytes[size_t(i)] = uint8_t(value);
    else
      memcpy(bytes.data() + 2 * i, &value, 2);
  }
};

/// A network's input or output of one picture, in the order of a dense NCHW tensor with N = 1.
struct Planes {
  int64_t channels = 0, height = 0, width = 0;
  std::vector<float> values; ///< channels * height * width

  Planes() = default;
  Planes(int64_t channels, int64_t height, int64_t width);

  float *row(int64_t c, int64_t y) { return values.data() + (c * height + y) * width; }
  const float *row(int64_t c, int64_t y) const { return values.data() + (c * height + y) * width; }
};

/// Values in 0 … 1 (byte / 255) with as many channels as the network wants: gray is repeated into three
/// planes, colour becomes gray by ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B). Fails for other numbers of
/// channels.
std::variant<Planes, Failure> toPlanes(const Picture &picture, int64_t channels);

/// The same from a raster; `white` is the sample that becomes 1, by default the largest of its depth.
std::variant<Planes, Failure> toPlanes(const Raster &raster, int64_t channels, int white = 0);

/// Bytes from values in 0 … 1: clamped, rounded to nearest, NaN as 0. Fails unless there are 1 or 3 planes.
std::variant<Picture, Failure> toPicture(const Planes &planes);

} // namespace segc::pictures
