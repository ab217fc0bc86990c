/// \file Geometry: padding, cropping and resizing.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Geometry.h"
#include <algorithm>
#include <cmath>

namespace segc::pictures {

Margins marginsToMultiple(int64_t height, int64_t width, int64_t multiple) {
  const int64_t rows = (multiple - height % multiple) % multiple,
                columns = (multiple - width % multiple) % multiple;
  return {rows / 2, columns / 2, rows - rows / 2, columns - columns / 2};
}

int64_t mirrored(int64_t i, int64_t n) {
  if (n == 1)
    return 0;
  const int64_t period = 2 * n - 2, phase = (i % period + period) % period;
  return std::min(phase, period - phase);
}

namespace {

std::optional<Failure> checkCrop(int64_t height, int64_t width, const Margins &m) {
  const bool good = std::min({m.top, m.left, m.bottom, m.right}) >= 0 && m.top < height - m.bottom &&
                    m.left < width - m.right;
  if (good)
    return std::nullopt;
  return "margins of " + std::to_string(m.top) + ", " + std::to_string(m.left) + ", " +
         std::to_string(m.bottom) + ", " + std::to_string(m.right) +
         " (top, left, bottom, right) leave nothing of " + std::to_string(width) + " x " +
         std::to_string(height) + " pixels";
}

/// Between which two of n pixels position i of `outputs` lies, and how near the second.
struct Between {
  int64_t first, second;
  float share;
};
std::vector<Between> positions(int64_t n, int64_t outputs) {
  std::vector<Between> result;
  for (int64_t i = 0; i < outputs; ++i) {
    const double source =
        std::clamp((double(i) + 0.5) * double(n) / double(outputs) - 0.5, 0.0, double(n - 1));
    const auto first = int64_t(source);
    result.push_back({first, std::min(first + 1, n - 1), float(source - double(first))});
  }
  return result;
}

} // namespace

Planes pad(const Planes &planes, const Margins &margins, Edge edge) {
  Planes result(planes.channels, planes.height + margins.top + margins.bottom,
                planes.width + margins.left + margins.right);
  for (int64_t c = 0; c < result.channels; ++c)
    for (int64_t y = 0; y < result.height; ++y) {
      const int64_t fromY = y - margins.top;
      if (edge == Edge::Zero && (fromY < 0 || fromY >= planes.height))
        continue;
      const float *from = planes.row(c, mirrored(fromY, planes.height));
      float *to = result.row(c, y);
      std::copy_n(from, planes.width, to + margins.left);
      if (edge == Edge::Zero)
        continue;
      for (int64_t x = 0; x < margins.left; ++x)
        to[x] = from[mirrored(x - margins.left, planes.width)];
      for (int64_t x = margins.left + planes.width; x < result.width; ++x)
        to[x] = from[mirrored(x - margins.left, planes.width)];
    }
  return result;
}

std::variant<Planes, Failure> crop(const Planes &planes, const Margins &margins) {
  if (std::optional<Failure> failure = checkCrop(planes.height, planes.width, margins))
    return *failure;
  Planes result(planes.channels, planes.height - margins.top - margins.bottom,
                planes.width - margins.left - margins.right);
  for (int64_t c = 0; c < result.channels; ++c)
    for (int64_t y = 0; y < result.height; ++y)
      std::copy_n(planes.row(c, y + margins.top) + margins.left, result.width, result.row(c, y));
  return result;
}

std::variant<Picture, Failure> crop(const Picture &picture, const Margins &margins) {
  if (std::optional<Failure> failure = checkCrop(picture.height, picture.width, margins))
    return *failure;
  Picture result(picture.width - margins.left - margins.right, picture.height - margins.top - margins.bottom,
                 picture.channels);
  result.palette = picture.palette;
  for (int64_t y = 0; y < result.height; ++y)
    std::copy_n(picture.at(margins.left, y + margins.top), result.width * result.channels, result.at(0, y));
  return result;
}

Planes resizeBilinear(const Planes &planes, int64_t height, int64_t width) {
  const std::vector<Between> rows = positions(planes.height, height),
                             columns = positions(planes.width, width);
  Planes result(planes.channels, height, width);
  for (int64_t c = 0; c < planes.channels; ++c)
    for (int64_t y = 0; y < height; ++y) {
      const float *above = planes.row(c, rows[y].first), *below = planes.row(c, rows[y].second);
      for (int64_t x = 0; x < width; ++x) {
        const Between &at = columns[x];
        const float top = above[at.first] + at.share * (above[at.second] - above[at.first]);
        const float bottom = below[at.first] + at.share * (below[at.second] - below[at.first]);
        result.row(c, y)[x] = top + rows[y].share * (bottom - top);
      }
    }
  return result;
}

Picture resizeNearest(const Picture &picture, int64_t height, int64_t width) {
  Picture result(width, height, picture.channels);
  result.palette = picture.palette;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      std::copy_n(picture.at(x * picture.width / width, y * picture.height / height), picture.channels,
                  result.at(x, y));
  return result;
}

} // namespace segc::pictures
