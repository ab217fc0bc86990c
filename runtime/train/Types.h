/// \file Types: what the parts of training share: results that can fail, label maps.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/pictures/Picture.h"

namespace segc::train {

using pictures::Colour;
using pictures::Failure;
using pictures::Picture;
using pictures::Planes;
using pictures::Raster;

/// A value, or a sentence that says where, what is wrong and what would help.
template <typename T> using Result = std::variant<T, Failure>;

/// Null where the result holds a value.
template <typename T> const Failure *failureOf(const Result<T> &result) {
  return std::get_if<Failure>(&result);
}

/// The label of pixels that neither losses nor metrics count.
constexpr int32_t ignored = -1;

/// Whole numbers of pixels: classes, or the numbers of instances with 0 for the background.
struct Labels {
  int64_t width = 0, height = 0;
  std::vector<int32_t> values; ///< height * width

  Labels() = default;
  Labels(int64_t width, int64_t height, int32_t value = 0)
      : width(width), height(height), values(size_t(width * height), value) {}

  int32_t &at(int64_t x, int64_t y) { return values[size_t(y * width + x)]; }
  int32_t at(int64_t x, int64_t y) const { return values[size_t(y * width + x)]; }
};

} // namespace segc::train
