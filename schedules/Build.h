/// \file The Halide side of a kernel: what a family's build function returns, and helpers all families share.
///
/// Rules of a build: every Func, Var, RVar and RDom gets an explicit name that occurs once in the pipeline
/// (the object's bytes depend on them); one flat parallel loop; no temporary of unknown size; nothing is
/// written outside the results' extents and nothing read outside the views (docs/kernels.md).
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Family.h"
#include <Halide.h>
#include <string>
#include <vector>

namespace segc::schedules {

/// A scheduled pipeline. The kernel's arguments are `inputs` in order (activations, weights, operands of the
/// epilogues), then the pipeline's results in order.
struct KernelBuild {
  std::vector<Halide::ImageParam> inputs;
  Halide::Pipeline pipeline;
};

/// The target kernels are compiled for: no asserts, no bounds queries, no runtime; `user_context` first
/// argument.
Halide::Target targetOf(Isa isa);
/// The same instruction set for the JIT of this process (tests, timing).
Halide::Target jitTargetOf(Isa isa);

/// While one lives, Halide throws its errors as Halide::CompileError and its warnings are kept here instead
/// of being printed. Bounds warnings mean wrong numbers without assertions: callers treat any warning as a
/// failure.
class StrictHalide : public Halide::CompileTimeErrorReporter {
public:
  StrictHalide();
  ~StrictHalide() override;
  void warning(const char *message) override;
  [[noreturn]] void error(const char *message) override;
  std::string warnings;
};

constexpr int ceilDiv(int a, int b) { return (a + b - 1) / b; }
/// The largest divisor of `value` that is at most `most`; both above 0.
constexpr int divisorUpTo(int value, int most) {
  int divisor = value < most ? value : most;
  while (value % divisor)
    divisor--;
  return divisor;
}
/// Per-channel vectors (bias, affine, prelu) are padded with zeros to a multiple of this many elements.
constexpr int kVectorPadding = 64;
constexpr int paddedChannels(int channels) { return ceilDiv(channels, kVectorPadding) * kVectorPadding; }

/// An activation (c, x, y, n), all minima 0, `channels` dense channels, `pixel` elements from one x to the
/// next; strides of y and n come with the buffer.
Halide::ImageParam activation(const std::string &name, int channels, int pixel,
                              Halide::Type type = Halide::Float(32));
/// The same promises for a parameter made elsewhere, as a pipeline's output buffer.
void describeActivation(Halide::OutputImageParam buffer, int channels, int pixel);
/// A tensor (c, x, y, n) of the caller's: all minima 0, `channels` channels, any strides.
void describeForeign(Halide::OutputImageParam buffer, int channels);
/// A dense parameter whose extents are all constants, innermost first (packed weights, vectors).
Halide::ImageParam denseParam(const std::string &name, const std::vector<int> &extents,
                              Halide::Type type = Halide::Float(32));

} // namespace segc::schedules
