/// \file What kernels compute (docs/kernels.md) as plain loops in double, one element at a time: the judge of
/// single kernels, which shares no code with the schedules.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/KernelSpec.h"
#include <HalideRuntime.h>
#include <string>
#include <utility>
#include <vector>

namespace segc {

/// One step of an epilogue: `v` is the value so far, `saved` the element of its tensor, `vectors` the
/// channel's elements of its vectors in order. An activation without operands needs neither.
double epilogueStep(const schedules::Epilogue &step, double v, double saved = 0,
                    const double *vectors = nullptr);

/// What pixel `o` of an axis of `out` pixels reads of one of `in` pixels when it is resized: pixels and
/// weights.
std::vector<std::pair<int, double>> resizeReads(int o, int in, int out, const std::string &mode, bool align);

/// The element of a buffer at coordinates of its own (one for each dimension), as a double.
double bufferElement(const halide_buffer_t &buffer, const int *at);

/// A problem with the tensors of one run. Filters are as in the file, (kw, kh, c/g, k), where a kernel takes
/// packed ones and where it writes a packed gradient; everything else is as the kernel gets it. Of results
/// only the extents are used.
class KernelLoop {
public:
  /// Empty, or why there is no loop for the problem.
  static std::string whyNot(const schedules::KernelSpec &spec);

  KernelLoop(const schedules::KernelSpec &spec, std::vector<const halide_buffer_t *> operands,
             std::vector<const halide_buffer_t *> results);

  /// The element of result `index` at `at`, (c, x, y, n) or (kw, kh, c/g, k).
  double at(size_t index, const int *at) const;
  /// Of result 0: what the epilogues begin with, and what they make of it.
  double before(const int *at) const;
  double finish(double v, const int *at) const;
  /// How far `got` is from what it should be; for an argmax by how much its score is below the best one.
  double error(size_t index, const int *at, double want, double got) const;
  /// Multiply-adds or comparisons that an element takes, about.
  double work() const;

private:
  struct Op;
  static const Op *find(const std::string &name);
  double score(int channel, const int *at) const;
  int scores() const;

  schedules::KernelSpec spec;
  std::vector<const halide_buffer_t *> operands, results;
  size_t firstOfEpilogues = 0; ///< operands of the epilogues begin here
  const Op *op = nullptr;
};

} // namespace segc
