/// \file Which elements are compared, and how far they are off.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchKernelJudge.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace segc {
namespace {

std::vector<const halide_buffer_t *> buffersOf(const std::vector<BenchTensor *> &tensors) {
  std::vector<const halide_buffer_t *> buffers;
  for (const BenchTensor *tensor : tensors)
    buffers.push_back(&tensor->buffer);
  return buffers;
}

} // namespace

KernelJudge::KernelJudge(const schedules::KernelSpec &spec, const KernelTensors &tensors)
    : tensors(tensors), loop(spec, buffersOf(tensors.operands), buffersOf(tensors.results)),
      largest(tensors.results.size(), std::numeric_limits<double>::min()) {
  constexpr double kSteps = 3e7; // a tenth of a second
  constexpr int64_t kMost = 1 << 18, kLeast = 64;
  const auto affordable = static_cast<int64_t>(kSteps / loop.work());
  std::mt19937_64 random(1);
  for (size_t result = 0; result < tensors.results.size(); ++result) {
    const int64_t count = tensors.results[result]->elements();
    elements += count;
    const int64_t take = std::clamp(affordable, kLeast, kMost);
    if (count <= take) {
      for (int64_t i = 0; i < count; ++i)
        add(result, i);
      continue;
    }
    const std::vector<int> extents = tensors.results[result]->extents();
    for (int corner = 0; corner < 16; ++corner) {
      int64_t number = 0;
      for (int d = 3; d >= 0; --d)
        number = number * extents[d] + (corner >> d & 1 ? extents[d] - 1 : 0);
      add(result, number);
    }
    for (int64_t i = 0; i < take; ++i)
      add(result, static_cast<int64_t>(random() % static_cast<uint64_t>(count)));
  }
}

/// The element of that number, counted from the innermost coordinate.
void KernelJudge::add(size_t result, int64_t number) {
  Sample sample{result, {}, 0};
  for (int d = 0; d < 4; ++d) {
    const halide_dimension_t &dim = tensors.results[result]->buffer.dim[d];
    sample.at[d] = static_cast<int>(number % dim.extent);
    number /= dim.extent;
  }
  sample.want = loop.at(result, sample.at.data());
  largest[result] = std::max(largest[result], std::fabs(sample.want));
  samples.push_back(sample);
}

void KernelJudge::forget() const {
  for (BenchTensor *result : tensors.results)
    result->fill(0xff); // NaN; no class and no position
}

double KernelJudge::error() const {
  double worst = 0;
  for (const Sample &sample : samples) {
    const double got = bufferElement(tensors.results[sample.result]->buffer, sample.at.data());
    const double off = loop.error(sample.result, sample.at.data(), sample.want, got);
    worst = std::max(worst, off / largest[sample.result]);
  }
  return worst;
}

} // namespace segc
