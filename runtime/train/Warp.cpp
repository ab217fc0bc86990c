/// \file Warp: coordinates row by row, then nearest or bilinear reading.
// SPDX-License-Identifier: MIT
#include "runtime/train/Warp.h"
#include "runtime/pictures/Geometry.h"
#include <algorithm>
#include <cmath>

namespace segc::train {

namespace {

struct Point {
  double x, y;
};

/// The four weights of a Catmull-Rom spline at t between the second and third of its points.
struct Cubic {
  double weight[4];
  explicit Cubic(double t)
      : weight{((2 - t) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2, ((4 - 3 * t) * t + 1) * t / 2,
               (t - 1) * t * t / 2} {}
};

/// Source coordinates of one output row after another.
class Coordinates {
public:
  explicit Coordinates(const Warp &warp) : warp(warp), points(size_t(warp.width)) {}

  const std::vector<Point> &row(int64_t y) {
    const double *m = warp.matrix;
    const double fromMiddleY = double(y) - double(warp.height - 1) / 2;
    for (int64_t x = 0; x < warp.width; ++x) {
      const double fromMiddleX = double(x) - double(warp.width - 1) / 2;
      points[size_t(x)] = {warp.centreX + m[0] * fromMiddleX + m[1] * fromMiddleY,
                           warp.centreY + m[2] * fromMiddleX + m[3] * fromMiddleY};
    }
    if (warp.grid > 0)
      displace(y);
    return points;
  }

private:
  /// Where pixel i of n stands between the points of the grid, and in which cell.
  std::pair<int, double> cell(int64_t i, int64_t n) const {
    const double at = n > 1 ? double(i) * (warp.grid - 1) / double(n - 1) : 0;
    const int first = std::clamp(int(at), 0, std::max(0, warp.grid - 2));
    return {first, at - first};
  }
  int clamped(int i) const { return std::clamp(i, 0, warp.grid - 1); }

  void displace(int64_t y) {
    const auto [top, below] = cell(y, warp.height);
    const Cubic vertical(below);
    std::vector<Point> line(size_t(warp.grid), Point{0, 0}); // the spline's points at this height
    for (int column = 0; column < warp.grid; ++column)
      for (int k = 0; k < 4; ++k) {
        const size_t at = size_t(clamped(top - 1 + k) * warp.grid + column);
        line[size_t(column)].x += vertical.weight[k] * warp.displacementX[at];
        line[size_t(column)].y += vertical.weight[k] * warp.displacementY[at];
      }
    for (int64_t x = 0; x < warp.width; ++x) {
      const auto [left, beside] = cell(x, warp.width);
      const Cubic horizontal(beside);
      for (int k = 0; k < 4; ++k) {
        const Point &point = line[size_t(clamped(left - 1 + k))];
        points[size_t(x)].x += horizontal.weight[k] * point.x;
        points[size_t(x)].y += horizontal.weight[k] * point.y;
      }
    }
  }

  const Warp &warp;
  std::vector<Point> points;
};

/// Position i of an axis of n pixels, brought into it.
int64_t inside(int64_t i, int64_t n, Border border) {
  if (i >= 0 && i < n)
    return i;
  return border == Border::Reflect ? pictures::mirrored(i, n) : std::clamp<int64_t>(i, 0, n - 1);
}

bool beyond(const Point &point, int64_t width, int64_t height) {
  return point.x < -0.5 || point.y < -0.5 || point.x >= double(width) - 0.5 ||
         point.y >= double(height) - 0.5;
}

} // namespace

Planes warpBilinear(const Planes &planes, const Warp &warp) {
  Planes result(planes.channels, warp.height, warp.width);
  Coordinates coordinates(warp);
  for (int64_t y = 0; y < warp.height; ++y) {
    const std::vector<Point> &points = coordinates.row(y);
    for (int64_t x = 0; x < warp.width; ++x) {
      const double floorX = std::floor(points[size_t(x)].x), floorY = std::floor(points[size_t(x)].y);
      const auto shareX = float(points[size_t(x)].x - floorX), shareY = float(points[size_t(x)].y - floorY);
      const int64_t left = inside(int64_t(floorX), planes.width, warp.border),
                    right = inside(int64_t(floorX) + 1, planes.width, warp.border),
                    top = inside(int64_t(floorY), planes.height, warp.border),
                    bottom = inside(int64_t(floorY) + 1, planes.height, warp.border);
      for (int64_t c = 0; c < planes.channels; ++c) {
        const float *above = planes.row(c, top), *below = planes.row(c, bottom);
        const float upper = above[left] + shareX * (above[right] - above[left]);
        const float lower = below[left] + shareX * (below[right] - below[left]);
        result.row(c, y)[x] = upper + shareY * (lower - upper);
      }
    }
  }
  return result;
}

Planes warpWeights(const Planes &planes, const Warp &warp) {
  Planes result = warpBilinear(planes, warp);
  if (warp.border == Border::Reflect)
    return result;
  Coordinates coordinates(warp);
  for (int64_t y = 0; y < warp.height; ++y) {
    const std::vector<Point> &points = coordinates.row(y);
    for (int64_t x = 0; x < warp.width; ++x)
      if (beyond(points[size_t(x)], planes.width, planes.height))
        result.row(0, y)[x] = 0;
  }
  return result;
}

Labels warpNearest(const Labels &labels, const Warp &warp) {
  Labels result(warp.width, warp.height);
  Coordinates coordinates(warp);
  for (int64_t y = 0; y < warp.height; ++y) {
    const std::vector<Point> &points = coordinates.row(y);
    for (int64_t x = 0; x < warp.width; ++x) {
      const Point &point = points[size_t(x)];
      if (warp.border == Border::Ignore && beyond(point, labels.width, labels.height))
        result.at(x, y) = ignored;
      else
        result.at(x, y) = labels.at(inside(int64_t(std::floor(point.x + 0.5)), labels.width, warp.border),
                                    inside(int64_t(std::floor(point.y + 0.5)), labels.height, warp.border));
    }
  }
  return result;
}

} // namespace segc::train
