/// \file ColourBins: from colours to bins and back.
// SPDX-License-Identifier: MIT
#include "runtime/train/ColourBins.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace segc::train {

namespace {

/// What (Cb, Cr) adds to the light for red, green and blue: the inverse of the matrix of ITU-R BT.601, whose
/// light is 0.299 R + 0.587 G + 0.114 B.
void offsets(float cb, float cr, float result[3]) {
  result[0] = 1.402f * cr;
  result[1] = -0.344136f * cb - 0.714136f * cr;
  result[2] = 1.772f * cb;
}

/// Some light exists at which the colour is one: red, green and blue differ by 1 at most.
bool exists(float cb, float cr) {
  float offset[3];
  offsets(cb, cr, offset);
  return std::max({offset[0], offset[1], offset[2]}) - std::min({offset[0], offset[1], offset[2]}) <= 1;
}

} // namespace

int ColourBins::cellOf(float c) const {
  return int(std::clamp(std::floor(c / step + 0.5f), -float(side / 2), float(side / 2))) + side / 2;
}

ColourBins::ColourBins(int side, double spacing)
    : side(side), step(float(spacing / 255)), binOfCell(size_t(side * side), -1) {
  auto centreOf = [&](int cell) {
    return Chroma{float(cell / side - side / 2) * step, float(cell % side - side / 2) * step};
  };
  std::vector<int> cells;
  for (int cell = 0; cell < side * side; ++cell)
    cells.push_back(cell);
  // From gray outwards, so that class 0 is gray.
  auto distance = [&](int cell) {
    const int x = cell / side - side / 2, y = cell % side - side / 2;
    return x * x + y * y;
  };
  std::stable_sort(cells.begin(), cells.end(), [&](int a, int b) { return distance(a) < distance(b); });
  std::vector<int> kept;
  for (int cell : cells) {
    const Chroma centre = centreOf(cell);
    if (!exists(centre.cb, centre.cr))
      continue;
    binOfCell[size_t(cell)] = int32_t(centres.size());
    centres.push_back(centre);
    kept.push_back(cell);
  }
  for (int cell = 0; cell < side * side; ++cell) {
    int nearest = std::numeric_limits<int>::max();
    const int32_t own = binOfCell[size_t(cell)];
    for (size_t bin = 0; own < 0 && bin < kept.size(); ++bin) {
      const int dx = cell / side - kept[bin] / side, dy = cell % side - kept[bin] % side;
      if (dx * dx + dy * dy >= nearest)
        continue;
      nearest = dx * dx + dy * dy;
      binOfCell[size_t(cell)] = int32_t(bin);
    }
  }
}

std::vector<ClassInfo> ColourBins::classes() const {
  std::vector<ClassInfo> result;
  for (const Chroma &centre : centres) {
    float offset[3];
    offsets(centre.cb, centre.cr, offset);
    ClassInfo info;
    // A light at which nothing is cut off.
    const float low = std::min({offset[0], offset[1], offset[2]}),
                high = std::max({offset[0], offset[1], offset[2]});
    for (int c = 0; c < 3; ++c)
      info.colour[size_t(c)] = uint8_t(std::clamp(offset[c] + (1 - low - high) / 2, 0.0f, 1.0f) * 255 + 0.5f);
    info.name = "cb" + std::to_string(int(std::lround(255 * centre.cb))) + " cr" +
                std::to_string(int(std::lround(255 * centre.cr)));
    info.values = {int32_t(result.size())};
    result.push_back(std::move(info));
  }
  return result;
}

Labels ColourBins::label(const Raster &raster) const {
  Labels labels(raster.width, raster.height);
  const float white = raster.bits == 8 ? 255 : 65535;
  for (int64_t i = 0; raster.channels == 3 && i < raster.width * raster.height; ++i) {
    const float r = raster.sample(3 * i) / white, g = raster.sample(3 * i + 1) / white,
                b = raster.sample(3 * i + 2) / white;
    const float light = 0.299f * r + 0.587f * g + 0.114f * b;
    const int cb = cellOf((b - light) / 1.772f), cr = cellOf((r - light) / 1.402f);
    labels.values[size_t(i)] = binOfCell[size_t(cb * side + cr)];
  }
  return labels;
}

Picture ColourBins::colour(const Planes &gray, const Labels &bins) const {
  Picture picture(gray.width, gray.height, 3);
  for (int64_t y = 0; y < gray.height; ++y)
    for (int64_t x = 0; x < gray.width; ++x) {
      const int32_t bin = bins.at(x, y);
      const Chroma chroma = bin >= 0 && bin < count() ? centres[size_t(bin)] : Chroma{0, 0};
      float offset[3];
      offsets(chroma.cb, chroma.cr, offset);
      for (int c = 0; c < 3; ++c)
        picture.at(x, y)[c] = uint8_t(std::clamp(gray.row(0, y)[x] + offset[c], 0.0f, 1.0f) * 255 + 0.5f);
    }
  return picture;
}

} // namespace segc::train
