/// \file Targets: neighbourhoods, regions and the weights between objects.
// SPDX-License-Identifier: MIT
#include "runtime/train/Targets.h"
#include "runtime/train/Distance.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

namespace segc::train {

namespace {

/// Whether some pixel at one of the offsets satisfies the predicate.
template <typename Predicate>
bool anyAt(const Labels &labels, int64_t x, int64_t y, const std::vector<std::pair<int, int>> &offsets,
           Predicate predicate) {
  for (const auto &[dx, dy] : offsets)
    if (x + dx >= 0 && x + dx < labels.width && y + dy >= 0 && y + dy < labels.height &&
        predicate(labels.at(x + dx, y + dy)))
      return true;
  return false;
}

/// Offsets of a disc without its centre, near ones first.
std::vector<std::pair<int, int>> disc(int radius) {
  std::vector<std::pair<int, int>> offsets;
  for (int dy = -radius; dy <= radius; ++dy)
    for (int dx = -radius; dx <= radius; ++dx)
      if ((dx || dy) && dx * dx + dy * dy <= radius * radius)
        offsets.emplace_back(dx, dy);
  std::stable_sort(offsets.begin(), offsets.end(), [](const auto &a, const auto &b) {
    return a.first * a.first + a.second * a.second < b.first * b.first + b.second * b.second;
  });
  return offsets;
}

struct Box {
  int64_t left = std::numeric_limits<int64_t>::max(), top = left, right = -1, bottom = -1;
  void add(int64_t x, int64_t y) {
    left = std::min(left, x);
    right = std::max(right, x);
    top = std::min(top, y);
    bottom = std::max(bottom, y);
  }
};

} // namespace

Labels objectClasses(const Labels &instances, bool separate) {
  const std::vector<std::pair<int, int>> neighbours = disc(1);
  Labels result(instances.width, instances.height);
  for (int64_t y = 0; y < instances.height; ++y)
    for (int64_t x = 0; x < instances.width; ++x) {
      const int32_t own = instances.at(x, y);
      result.at(x, y) = own == ignored ? ignored : own != 0;
      if (separate && own > 0 &&
          anyAt(instances, x, y, neighbours, [&](int32_t other) { return other > 0 && other != own; }))
        result.at(x, y) = 0;
    }
  return result;
}

Labels boundaryClasses(const Labels &instances, int radius, bool inside) {
  const std::vector<std::pair<int, int>> around = disc(radius);
  Labels result(instances.width, instances.height);
  for (int64_t y = 0; y < instances.height; ++y)
    for (int64_t x = 0; x < instances.width; ++x) {
      const int32_t own = instances.at(x, y);
      if (own == ignored)
        result.at(x, y) = ignored;
      else if (anyAt(instances, x, y, around,
                     [&](int32_t other) { return other != own && other != ignored; }))
        result.at(x, y) = inside ? 2 : 1;
      else
        result.at(x, y) = inside && own > 0;
    }
  return result;
}

Labels connectedRegions(const Labels &labels, const std::vector<int32_t> &classes, bool corners,
                        int32_t &count) {
  std::vector<std::pair<int, int>> neighbours = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
  if (corners)
    neighbours.insert(neighbours.end(), {{1, 1}, {-1, 1}, {1, -1}, {-1, -1}});
  Labels result(labels.width, labels.height);
  std::vector<std::pair<int64_t, int64_t>> open;
  count = 0;
  for (int64_t y = 0; y < labels.height; ++y)
    for (int64_t x = 0; x < labels.width; ++x) {
      const int32_t own = labels.at(x, y);
      if (result.at(x, y) || std::find(classes.begin(), classes.end(), own) == classes.end())
        continue;
      result.at(x, y) = ++count;
      open.emplace_back(x, y);
      while (!open.empty()) {
        const auto [atX, atY] = open.back();
        open.pop_back();
        for (const auto &[dx, dy] : neighbours) {
          const int64_t nextX = atX + dx, nextY = atY + dy;
          if (nextX < 0 || nextX >= labels.width || nextY < 0 || nextY >= labels.height ||
              result.at(nextX, nextY) || labels.at(nextX, nextY) != own)
            continue;
          result.at(nextX, nextY) = count;
          open.emplace_back(nextX, nextY);
        }
      }
    }
  return result;
}

Planes borderWeights(const Labels &instances, double w0, double sigma) {
  const int64_t width = instances.width, height = instances.height;
  std::unordered_map<int32_t, Box> boxes;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      if (instances.at(x, y) > 0)
        boxes[instances.at(x, y)].add(x, y);
  // Where d1 + d2 is larger than this the weight is below 1e-6, so objects need not be seen from farther
  // away.
  const auto reach = int64_t(std::ceil(sigma * std::sqrt(2 * std::log(std::max(1.0, w0 * 1e6)))));
  std::vector<double> first(size_t(width * height), unreachable), second(first), distances;
  std::vector<uint8_t> seeds;
  for (const auto &[number, box] : boxes) {
    const int64_t left = std::max<int64_t>(0, box.left - reach), top = std::max<int64_t>(0, box.top - reach);
    const int64_t across = std::min(width, box.right + reach + 1) - left,
                  down = std::min(height, box.bottom + reach + 1) - top;
    seeds.assign(size_t(across * down), 0);
    for (int64_t y = 0; y < down; ++y)
      for (int64_t x = 0; x < across; ++x)
        seeds[size_t(y * across + x)] = instances.at(left + x, top + y) == number;
    squaredDistances(seeds, across, down, distances);
    for (int64_t y = 0; y < down; ++y)
      for (int64_t x = 0; x < across; ++x) {
        const size_t to = size_t((top + y) * width + left + x);
        const double distance = distances[size_t(y * across + x)];
        second[to] = std::min(second[to], std::max(first[to], distance));
        first[to] = std::min(first[to], distance);
      }
  }
  Planes result(1, height, width);
  for (size_t i = 0; i < first.size(); ++i)
    if (instances.values[i] == 0 && second[i] < unreachable) {
      const double sum = std::sqrt(first[i]) + std::sqrt(second[i]);
      result.values[i] = float(w0 * std::exp(-sum * sum / (2 * sigma * sigma)));
    }
  return result;
}

Planes pixelWeights(const Labels &labels, const Labels &instances, const Description &about) {
  Planes result(1, labels.height, labels.width);
  if (about.border && !instances.values.empty())
    result = borderWeights(instances, about.border->w0, about.border->sigma);
  else if (about.border) {
    std::vector<int32_t> classes = about.border->objects;
    for (size_t i = 1; about.border->objects.empty() && i < about.classes.size(); ++i)
      classes.push_back(int32_t(i));
    int32_t count;
    // Without corners: a line of single pixels across a corner parts two cells.
    result =
        borderWeights(connectedRegions(labels, classes, false, count), about.border->w0, about.border->sigma);
  }
  for (size_t i = 0; i < labels.values.size(); ++i) {
    const int32_t label = labels.values[i];
    if (label == ignored)
      result.values[i] = 0;
    else
      result.values[i] += about.classWeights.empty() ? 1 : float(about.classWeights[size_t(label)]);
  }
  return result;
}

} // namespace segc::train
