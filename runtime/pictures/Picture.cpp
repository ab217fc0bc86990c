/// \file Picture: construction and conversion between bytes and planes.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Picture.h"

namespace segc::pictures {

Picture::Picture(int64_t width, int64_t height, int channels)
    : width(width), height(height), channels(channels), bytes(size_t(width * height * channels)) {}

Planes::Planes(int64_t channels, int64_t height, int64_t width)
    : channels(channels), height(height), width(width), values(size_t(channels * height * width)) {}

Raster::Raster(int64_t width, int64_t height, int channels, int bits)
    : width(width), height(height), channels(channels), bits(bits),
      bytes(size_t(width * height * channels * (bits / 8))) {}

namespace {

/// Planes of `from`, whose samples `sample(i)` gives.
template <typename Source, typename Sample>
std::variant<Planes, Failure> planesOf(const Source &from, int64_t channels, float white, Sample sample) {
  if (channels != 1 && channels != 3)
    return "a picture has 1 or 3 channels, the network's input has " + std::to_string(channels) +
           "; give such an input as a tensor file";
  Planes planes(channels, from.height, from.width);
  for (int64_t y = 0; y < from.height; ++y)
    for (int64_t x = 0; x < from.width; ++x) {
      const int64_t pixel = (y * from.width + x) * from.channels;
      if (from.channels == 3 && channels == 1)
        planes.row(0, y)[x] =
            (0.299f * sample(pixel) + 0.587f * sample(pixel + 1) + 0.114f * sample(pixel + 2)) / white;
      else
        for (int64_t c = 0; c < channels; ++c)
          planes.row(c, y)[x] = sample(pixel + (from.channels == 1 ? 0 : c)) / white;
    }
  return planes;
}

} // namespace

std::variant<Planes, Failure> toPlanes(const Picture &picture, int64_t channels) {
  return planesOf(picture, channels, 255, [&](int64_t i) { return float(picture.bytes[size_t(i)]); });
}

std::variant<Planes, Failure> toPlanes(const Raster &raster, int64_t channels, int white) {
  const float one = float(white > 0 ? white : raster.bits == 8 ? 255 : 65535);
  return planesOf(raster, channels, one, [&](int64_t i) { return float(raster.sample(i)); });
}

std::variant<Picture, Failure> toPicture(const Planes &planes) {
  if (planes.channels != 1 && planes.channels != 3)
    return "a picture has 1 or 3 channels, not " + std::to_string(planes.channels) +
           "; write such a tensor to a tensor file";
  Picture picture(planes.width, planes.height, int(planes.channels));
  for (int64_t y = 0; y < planes.height; ++y)
    for (int64_t x = 0; x < planes.width; ++x)
      for (int64_t c = 0; c < planes.channels; ++c) {
        const float value = planes.row(c, y)[x];
        // The first comparison is false for NaN.
        picture.at(x, y)[c] = !(value > 0) ? 0 : value >= 1 ? 255 : uint8_t(value * 255.0f + 0.5f);
      }
  return picture;
}

} // namespace segc::pictures
