/// \file Runs convolution kernels in this process and checks them against plain loops, with guarded memory
/// around views.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/BenchKernelLoops.h"
#include "schedules/Storage.h"
#include <random>
#include <string>
#include <vector>

namespace segc::schedules {

/// The extents of one run: images, height and width of the result.
struct RunSize {
  int n, h, w;
};

/// An activation in memory of its own. Everything outside the view is filled with `outside`; the page behind
/// the last element of the view cannot be touched.
class GuardedTensor {
public:
  GuardedTensor(int c, int w, int h, int n, int pixel, float outside);
  ~GuardedTensor();
  GuardedTensor(const GuardedTensor &) = delete;

  Halide::Buffer<float> view; ///< (c, x, y, n); rows and images lie further apart than they must
  void fill(std::mt19937 &random);
  /// How many elements outside the view do not hold `outside` any more.
  int damaged() const;

private:
  char *pages;
  size_t bytes, count;
  float *first, outside;
};

/// A kernel compiled for this process, with every warning of Halide a failure.
struct JitKernel {
  KernelSpec spec;
  Schedule schedule;
  KernelBuild build;
  Halide::Target target;
  std::string error;

  JitKernel(const KernelSpec &spec, const Schedule &schedule, Isa isa);
  void run(const std::vector<Halide::Buffer<float>> &inputs, Halide::Buffer<float> result);
};

/// The pixels as a kernel sees them that stores their phases (rows, columns) as axes.
Halide::Buffer<float> phasesOf(const Halide::Buffer<float> &pixels, const std::array<int, 2> &phases);

/// Whether this machine can run kernels of an instruction set.
bool canRun(Isa isa);

KernelSpec parseSpec(const std::string &text);
KernelSpec convSpec(int c, int k, int r, int s, int d, int g, const std::string &epilogues = "");
/// Schedule with every parameter drawn from its legal values.
Schedule randomPoint(const Family &family, const KernelSpec &spec, Isa isa, std::mt19937 &random);

/// Compiles the convolution, packs random weights with the kernel its family names, and compares one run for
/// each size with a double-precision loop: the largest difference over the largest value. Adds gtest failures
/// for compile errors, writes outside the result and NaNs read from outside the views.
double convError(const KernelSpec &spec, const Schedule &schedule, Isa isa, const std::vector<RunSize> &sizes,
                 unsigned seed);

/// An epilogue function without operands.
inline double activateReference(const std::string &op, double v, double alpha) {
  return epilogueStep(Epilogue{op, 0, alpha}, v);
}

/// Errors of convolutions without transforms, over the largest value.
constexpr double kDirectTolerance = 1e-5;
/// The largest error over the largest value by the sides of a tile, about ten times what 80 channels have:
/// rounding grows with the transforms' constants.
inline double winogradTolerance(const Schedule &point) {
  const int side = std::max(point.params.at("tx"), point.params.at("ty"));
  return side == 2 ? 5e-6 : side == 4 ? 3e-5 : 1e-4;
}

} // namespace segc::schedules
