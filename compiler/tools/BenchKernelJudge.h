/// \file Compares a kernel's results with the plain loop, at all elements or at some of them.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/BenchKernelLoops.h"
#include "compiler/tools/BenchKernelTensors.h"
#include <array>

namespace segc {

class KernelJudge {
public:
  /// Evaluates the loop at all elements where that takes a fraction of a second, else at the corners and at
  /// random elements.
  KernelJudge(const schedules::KernelSpec &spec, const KernelTensors &tensors);

  /// Results get values that no kernel writes.
  void forget() const;
  /// The largest error of what the results now hold, relative to the largest value of each; infinite if an
  /// element was not written.
  double error() const;

  int64_t compared() const { return int64_t(samples.size()); }
  int64_t elements = 0; ///< of all results

private:
  struct Sample {
    size_t result;
    std::array<int, 4> at;
    double want;
  };
  void add(size_t result, int64_t number);

  const KernelTensors &tensors;
  KernelLoop loop;
  std::vector<Sample> samples;
  std::vector<double> largest; ///< of each result
};

} // namespace segc
