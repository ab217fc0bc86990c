/// \file Distance: the transform, one axis after the other.
// SPDX-License-Identifier: MIT
#include "runtime/train/Distance.h"
#include <cstddef>

namespace segc::train {

namespace {

/// Squared distances to the nearest seed above or below.
void alongColumns(const std::vector<uint8_t> &seeds, int64_t width, int64_t height,
                  std::vector<double> &result) {
  for (int64_t x = 0; x < width; ++x) {
    int64_t last = -1; // the nearest seed above
    for (int64_t y = 0; y < height; ++y) {
      const size_t i = size_t(y * width + x);
      if (seeds[i])
        last = y;
      result[i] = last < 0 ? unreachable : double((y - last) * (y - last));
    }
    last = -1;
    for (int64_t y = height - 1; y >= 0; --y) {
      const size_t i = size_t(y * width + x);
      if (seeds[i])
        last = y;
      if (last >= 0 && double((last - y) * (last - y)) < result[i])
        result[i] = double((last - y) * (last - y));
    }
  }
}

/// The lower envelope of the parabolas over one row.
class Envelope {
public:
  explicit Envelope(int64_t width) : heights(size_t(width)), roots(size_t(width)), from(size_t(width)) {}

  void apply(double *row) {
    const auto width = int64_t(heights.size());
    int64_t count = 0;
    for (int64_t q = 0; q < width; ++q) {
      heights[size_t(q)] = row[q];
      if (row[q] >= unreachable)
        continue;
      // From where on the new parabola lies below the last one; those that it hides altogether go.
      double start = -unreachable;
      while (count > 0) {
        const int64_t p = roots[size_t(count - 1)];
        start = (row[q] - heights[size_t(p)] + double(q * q - p * p)) / double(2 * (q - p));
        if (start > from[size_t(count - 1)])
          break;
        --count;
      }
      roots[size_t(count)] = q;
      from[size_t(count)] = count > 0 ? start : -unreachable;
      ++count;
    }
    if (count == 0)
      return;
    for (int64_t x = 0, at = 0; x < width; ++x) {
      while (at + 1 < count && from[size_t(at + 1)] < double(x))
        ++at;
      const int64_t q = roots[size_t(at)];
      row[x] = double((x - q) * (x - q)) + heights[size_t(q)];
    }
  }

private:
  std::vector<double> heights;
  std::vector<int64_t> roots; ///< the parabolas of the envelope, from left to right
  std::vector<double> from;   ///< where each begins
};

} // namespace

void squaredDistances(const std::vector<uint8_t> &seeds, int64_t width, int64_t height,
                      std::vector<double> &result) {
  result.resize(seeds.size());
  alongColumns(seeds, width, height, result);
  Envelope envelope(width);
  for (int64_t y = 0; y < height; ++y)
    envelope.apply(result.data() + y * width);
}

} // namespace segc::train
