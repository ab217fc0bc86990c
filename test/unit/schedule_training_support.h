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

/// The largest difference over the largest wanted value of a tensor, or over `scale` if all are smaller. NaNs
/// must agree.
class Worst {
public:
  explicit Worst(double scale = 1e-30) : largest(scale) {}
  void add(double got, double want) {
    if (std::isnan(want) || std::isinf(want)) {
      off = std::isnan(want) ? (std::isnan(got) ? off : INFINITY) : got == want ? off : INFINITY;
      return;
    }
    const double difference = std::fabs(got - want);
    off = difference <= off ? off : std::isnan(difference) ? INFINITY : difference;
    largest = std::max(largest, std::fabs(want));
  }
  double relative() const { return off / largest; }

private:
  double off = 0, largest;
};

/// Partial sums (c, k, b, n), bands and images further apart than they must be.
struct Sums : Guarded<double> {
  Sums(int channels, int columns, int height, int images)
      : Guarded<double>({channels, columns, std::min(height, 32), images}, strides(channels, columns, height),
                        77.) {}
  static std::array<int, 4> strides(int channels, int columns, int height) {
    const int band = channels * columns + 5;
    return {1, channels, band, band * std::min(height, 32) + 3};
  }
};

/// The band of row y in an image of `height` rows: floor(b * height / bands) <= y.
inline int bandOf(int y, int height) {
  const int bands = std::min(height, 32);
  int b = 0;
  while (b + 1 < bands && (b + 1) * height / bands <= y)
    b++;
  return b;
}

/// A vector of `length` values in front of a page that cannot be touched; `readable` more may be read.
class Vector {
public:
  explicit Vector(int length, int readable = 0)
      : memory({length + readable, 1, 1, 1}, {1, length + readable, length + readable, length + readable},
               -55.f),
        view(memory.view.data(), length) {
    memory.view.fill(-55.f);
  }
  /// A vector as kernels get them: the memory behind it is there up to a multiple of 64 elements.
  static int padding(int length) { return paddedChannels(length) - length; }
  template <typename F> void fill(const F &value) {
    for (int i = 0; i < view.dim(0).extent(); i++)
      view(i) = value();
  }
  int damaged() {
    int found = memory.damaged();
    for (int i = view.dim(0).extent(); i < memory.view.dim(0).extent(); i++)
      found += memory.view(i, 0, 0, 0) != -55.f;
    return found;
  }

private:
  Guarded<float> memory;

public:
  Halide::Buffer<float> view;
};

/// Whether the results have the same bits for 1, 2, 3 and 8 threads. Results must not be operands.
inline bool sameForAnyThreads(MemoryKernel &kernel, const std::vector<Halide::Buffer<>> &inputs,
                              const std::vector<Halide::Buffer<>> &results) {
  std::vector<Halide::Buffer<>> first;
  bool same = true;
  for (int threads : {1, 2, 3, 8}) {
    Halide::Internal::JITSharedRuntime::set_num_threads(threads);
    kernel.run(inputs, results);
    for (size_t i = 0; i < results.size(); i++) {
      const Halide::Buffer<> copy = results[i].copy();
      if (threads == 1)
        first.push_back(copy);
      else
        same = same && std::memcmp(copy.data(), first[i].data(), copy.size_in_bytes()) == 0;
    }
  }
  Halide::Internal::JITSharedRuntime::set_num_threads(0);
  return same;
}

} // namespace segc::schedules
