/// \file The register tile of depthwise convolutions: vectors of channels x pixels.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"
#include <functional>

namespace segc::schedules {

/// The machine's vector, or the largest power of two that the channels fill.
int depthwiseLanes(const KernelSpec &spec, Isa isa);
Packing depthwisePacking(const KernelSpec &spec);

class DepthwiseTile {
public:
  /// `spec` is a depthwise convolution's, `in` its operand; sums start with initial(c).
  DepthwiseTile(const KernelSpec &spec, const Halide::ImageParam &in, const std::string &weights,
                const std::function<Halide::Expr(const Halide::Expr &c)> &initial);

  /// The tile lies in registers beside `level`: `panel` channels in vectors of `lanes`, and the pixels that
  /// are read there.
  void schedule(const Halide::LoopLevel &level, int panel, int lanes);

  const Halide::ImageParam w;
  Halide::Func sum{"depthwise"}; ///< (c, x, y, n)

private:
  const Halide::Var c{"c"}, x{"x"}, y{"y"}, n{"n"};
  const int filterWidth;
  const Halide::RDom r;
};

} // namespace segc::schedules
