/// \file What the tests of training kernels share: random numbers, errors relative to the largest value.
// SPDX-License-Identifier: MIT
#pragma once
#include "test/unit/schedule_memory_support.h"

namespace segc::schedules {

inline std::string field(const char *name, int value) {
  return " " + std::string(name) + std::to_string(value);
}
inline std::string field(const char *name, int height, int width) {
  return field(name, height) + "x" + std::to_string(width);
}

inline float uniform(std::mt19937 &random, float low, float high) {
  return std::uniform_real_distribution<float>(low, high)(random);
}

/// The largest difference over the largest wanted value of a tensor. NaNs must agree.
class Worst {
public:
  void add(double got, double want) {
    if (std::isnan(want) || std::isinf(want)) {
      off = std::isnan(want) ? (std::isnan(got) ? off : INFINITY) : got == want ? off : INFINITY;
      return;
    }
    const double difference = std::fabs(got - want);
    off = difference <= off ? off : std::isnan(difference) ? INFINITY : difference;
    largest = std::max(largest, std::fabs(want));
  }
  double relative() const { return off == 0 ? 0 : off / std::max(largest, 1e-30); }

private:
  double off = 0, largest = 0;
};

} // namespace segc::schedules
