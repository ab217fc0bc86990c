/// \file Extrapolated central differences and how they see kinks.
// SPDX-License-Identifier: MIT
#include "compiler/reference/FiniteDifferences.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace segc::reference {

Slope slopeAtZero(llvm::function_ref<double(double)> f, double scale, const DifferenceOptions &options) {
  constexpr double kSmooth = 1e-7, kUnits = 16; // a loss adds up many terms: some units in the last place
  double middle = f(0);
  Slope slope;
  for (double h = options.largestStep; h > options.smallestStep / 2; h /= 10) {
    // The central difference and the bend for a step; the largest value met, for the rounding.
    double largest = std::fabs(middle);
    auto differences = [&](double step) {
      double right = f(step), left = f(-step);
      largest = std::max({largest, std::fabs(right), std::fabs(left)});
      return std::pair((right - left) / (2 * step), std::fabs(right - 2 * middle + left) / step);
    };
    auto [wide, wideBend] = differences(h);
    auto [narrow, narrowBend] = differences(h / 2);
    slope.value = (4 * narrow - wide) / 3;
    slope.noise = kUnits * std::numeric_limits<double>::epsilon() * largest / h;
    double tolerance = kSmooth * std::max(scale, std::fabs(slope.value)) + slope.noise;
    // A smooth function's bend is proportional to the step, that of a kink at 0 the same for all.
    slope.smooth =
        std::fabs(wide - narrow) <= tolerance && narrowBend <= std::max(0.75 * wideBend, 2 * tolerance);
    if (slope.smooth)
      break;
  }
  return slope;
}

/// +1 or -1 from SplitMix64 of (seed, direction, element).
static double randomSign(uint64_t seed, uint64_t direction, uint64_t element) {
  uint64_t z = seed * 0xd1342543de82ef95u + (direction << 40) + element + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (z ^ (z >> 31)) & 1 ? 1 : -1;
}

GradientError compareGradient(llvm::function_ref<double(const Tensor &)> f, const Tensor &x,
                              const Tensor &gradient, const DifferenceOptions &options) {
  constexpr double kResolved =
      5e6; // a slope of so many times its noise is known to 1e-6, kinks unseen included
  GradientError result;
  if (gradient.shape != x.shape || gradient.data.size() != x.data.size()) {
    result.error = std::numeric_limits<double>::infinity();
    return result;
  }
  double scale = 0, floor = 0, worst = 0;
  for (double value : gradient.data)
    scale = std::fmax(scale, std::fabs(value));
  // Along direction(i) x max(1, |x[i]|); `unit` brings slopes back to those of elements.
  auto compare = [&](llvm::function_ref<double(size_t)> direction, double unit) {
    double analytic = 0;
    for (size_t i = 0; i < x.data.size(); ++i)
      analytic += gradient.data[i] * direction(i) * std::fmax(1, std::fabs(x.data[i])) / unit;
    Tensor moved = x;
    Slope slope = slopeAtZero(
        [&](double t) {
          for (size_t i = 0; i < x.data.size(); ++i)
            moved.data[i] = x.data[i] + t * direction(i) * std::fmax(1, std::fabs(x.data[i]));
          return f(moved);
        },
        scale * unit, options);
    double distance = std::fabs(slope.value / unit - analytic);
    if (std::isnan(distance)) { // before smoothness: nothing that is no number is smooth
      worst = std::numeric_limits<double>::infinity();
      ++result.checked;
    } else if (slope.smooth) {
      worst = std::max(worst, distance);
      result.largest = std::max(result.largest, std::fabs(slope.value / unit));
      floor = std::max(floor, kResolved * slope.noise / unit);
      ++result.checked;
    } else {
      ++result.kinked;
    }
  };
  if (static_cast<int64_t>(x.data.size()) <= options.elements) {
    for (size_t chosen = 0; chosen < x.data.size(); ++chosen)
      compare([&](size_t i) { return i == chosen ? 1 : 0; }, std::fmax(1, std::fabs(x.data[chosen])));
  } else {
    for (int direction = 0; direction < options.directions; ++direction)
      compare([&](size_t i) { return randomSign(options.seed, direction, i); }, 1);
    // A direction that moves everything meets a kink more easily than one element does.
    constexpr size_t kElements = 8;
    for (size_t probe = 0; probe < kElements && result.checked == 0; ++probe) {
      size_t chosen = (2 * probe + 1) * x.data.size() / (2 * kElements);
      compare([&](size_t i) { return i == chosen ? 1 : 0; }, std::fmax(1, std::fabs(x.data[chosen])));
    }
  }
  result.error = worst == 0 ? 0 : worst / std::max(result.largest, floor);
  return result;
}

} // namespace segc::reference
