/// \file The mean over views of a picture: mirrored, at several scales, in tiles.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Predict.h"
#include "runtime/pictures/Geometry.h"
#include "llvm/ADT/StringExtras.h"
#include <algorithm>
#include <cmath>

namespace segc {
namespace {

using pictures::Planes;

Planes flipped(Planes planes, bool horizontally, bool vertically) {
  for (int64_t c = 0; c < planes.channels; ++c) {
    for (int64_t y = 0; horizontally && y < planes.height; ++y)
      std::reverse(planes.row(c, y), planes.row(c, y) + planes.width);
    for (int64_t y = 0; vertically && y < planes.height / 2; ++y)
      std::swap_ranges(planes.row(c, y), planes.row(c, y) + planes.width,
                       planes.row(c, planes.height - 1 - y));
  }
  return planes;
}

/// Where tiles of `tile` pixels begin so that neighbours share at least `overlap` and all of them lie inside.
std::vector<int64_t> tileStarts(int64_t extent, int64_t tile, int64_t overlap) {
  std::vector<int64_t> starts{0};
  while (starts.back() + tile < extent)
    starts.push_back(std::min(starts.back() + tile - overlap, extent - tile));
  return starts;
}

/// 1, 2, ... up to overlap + 1 from both edges inwards.
float tileWeight(int64_t i, int64_t tile, int64_t overlap) {
  return static_cast<float>(std::min({i + 1, tile - i, overlap + 1}));
}

class Viewer {
public:
  Viewer(Instance &instance, const Views &views, int64_t classes)
      : instance(instance), views(views), classes(classes) {}

  /// The probabilities of one view.
  std::optional<std::string> look(const Planes &image, Planes &result) {
    if (views.tileHeight == 0)
      return whole(image, result);
    const int64_t h = std::min(views.tileHeight, image.height), w = std::min(views.tileWidth, image.width);
    result = Planes(classes, image.height, image.width);
    Planes weights(1, image.height, image.width), tile;
    for (int64_t y0 : tileStarts(image.height, h, std::min(views.overlap, h - 1)))
      for (int64_t x0 : tileStarts(image.width, w, std::min(views.overlap, w - 1))) {
        auto cut = pictures::crop(image, {y0, x0, image.height - y0 - h, image.width - x0 - w});
        if (auto *why = std::get_if<pictures::Failure>(&cut))
          return *why;
        if (auto why = whole(std::get<Planes>(cut), tile))
          return why;
        add(tile, y0, x0, result, weights);
      }
    for (int64_t c = 0; c < classes; ++c)
      for (size_t i = 0; i < weights.values.size(); ++i)
        result.values[static_cast<size_t>(c) * weights.values.size() + i] /= weights.values[i];
    return std::nullopt;
  }

private:
  std::optional<std::string> whole(const Planes &image, Planes &result) {
    PixelOutput output;
    std::string note;
    double milliseconds[2];
    if (auto why = runOnPicture(instance, image, 1, output, note, milliseconds))
      return why;
    auto probabilities = probabilitiesOf(output, classes);
    if (auto *why = std::get_if<std::string>(&probabilities))
      return *why;
    result = std::move(std::get<Planes>(probabilities));
    return std::nullopt;
  }

  void add(const Planes &tile, int64_t y0, int64_t x0, Planes &sum, Planes &weights) const {
    for (int64_t y = 0; y < tile.height; ++y)
      for (int64_t x = 0; x < tile.width; ++x) {
        const float weight =
            tileWeight(y, tile.height, views.overlap) * tileWeight(x, tile.width, views.overlap);
        weights.row(0, y0 + y)[x0 + x] += weight;
        for (int64_t c = 0; c < classes; ++c)
          sum.row(c, y0 + y)[x0 + x] += weight * tile.row(c, y)[x];
      }
  }

  Instance &instance;
  const Views &views;
  int64_t classes;
};

} // namespace

std::optional<std::string> predictClasses(Instance &instance, const Planes &image, const Views &views,
                                          int64_t classes, train::Labels &labels) {
  if (views.single()) {
    PixelOutput output;
    std::string note;
    double milliseconds[2];
    if (auto why = runOnPicture(instance, image, 1, output, note, milliseconds))
      return why;
    labels = classesOf(output);
    return std::nullopt;
  }
  Viewer viewer(instance, views, classes);
  PixelOutput mean;
  mean.values = Planes(classes, image.height, image.width);
  for (double scale : views.scales) {
    auto scaled = [&](int64_t extent) {
      return std::max<int64_t>(1, std::llround(scale * static_cast<double>(extent)));
    };
    const Planes resized =
        scale == 1 ? image : pictures::resizeBilinear(image, scaled(image.height), scaled(image.width));
    for (int vertically = 0; vertically <= views.flipVertical; ++vertically)
      for (int horizontally = 0; horizontally <= views.flipHorizontal; ++horizontally) {
        Planes seen;
        if (auto why = viewer.look(flipped(resized, horizontally, vertically), seen))
          return why;
        seen = flipped(std::move(seen), horizontally, vertically);
        if (scale != 1)
          seen = pictures::resizeBilinear(seen, image.height, image.width);
        for (size_t i = 0; i < seen.values.size(); ++i)
          mean.values.values[i] += seen.values[i];
      }
  }
  // The sum is as good as the mean for the greatest one.
  labels = classesOf(mean);
  return std::nullopt;
}

std::optional<std::string> readViews(const std::string &text, Views &views) {
  llvm::SmallVector<llvm::StringRef> words;
  llvm::StringRef(text).split(words, ',');
  for (llvm::StringRef word : words) {
    auto [name, value] = word.split('=');
    if (name == "flips") {
      if (!word.contains('='))
        value = "h";
      if (value.empty() || value.find_first_not_of("hv") != llvm::StringRef::npos)
        return "-tta flips='" + value.str() + "' must be h, v or hv";
      views.flipHorizontal = value.contains('h');
      views.flipVertical = value.contains('v');
    } else if (name == "scales") {
      views.scales.clear();
      llvm::SmallVector<llvm::StringRef> numbers;
      value.split(numbers, '/');
      for (llvm::StringRef number : numbers) {
        double scale;
        if (number.getAsDouble(scale) || !(scale >= 0.1 && scale <= 10))
          return "-tta scales: '" + number.str() + "' must be a number from 0.1 to 10; 0.75/1/1.25 is a list";
        views.scales.push_back(scale);
      }
    } else {
      return "-tta '" + word.str() + "' is unknown; flips, flips=hv and scales=0.75/1/1.25 exist";
    }
  }
  return std::nullopt;
}

} // namespace segc
