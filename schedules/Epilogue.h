/// \file The epilogues of a kernel as Halide expressions: they take a result in registers to what is stored.
///
/// NaN propagates through all of them: comparisons are written so that an unordered one yields the value
/// itself.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"

namespace segc::schedules {

/// The operands of a spec's epilogues and the expression over them.
class Epilogues {
public:
  /// `channels`: of the result. Vectors are parameters of paddedChannels(channels) elements, tensors are
  /// activations of `channels` channels. `width` and `height` of the result are what `drop` counts its
  /// elements with.
  Epilogues(const KernelSpec &spec, int channels, Halide::Expr width = {}, Halide::Expr height = {});

  /// The value a sum starts with: the bias if that is the first epilogue (apply() then leaves it out), else
  /// 0.
  Halide::Expr initial(Halide::Expr c) const;

  /// What is stored at (c, x, y, n) for `value`. With `fromInitial` the value already contains initial().
  /// With `clamped` c may run past the last channel, as whole vectors do before a masked store: operand
  /// tensors are then read at the last channel instead (vectors are padded). Vectors hold for
  /// paddedChannels(channels).
  Halide::Expr apply(Halide::Expr value, Halide::Expr c, Halide::Expr x, Halide::Expr y, Halide::Expr n,
                     bool fromInitial = false, bool clamped = false) const;

  /// All operands in order, to be appended to KernelBuild::inputs.
  const std::vector<Halide::ImageParam> &operands() const { return params; }

private:
  Halide::Expr drop(const Epilogue &step, const Halide::ImageParam &seed, Halide::Expr value, Halide::Expr c,
                    Halide::Expr x, Halide::Expr y, Halide::Expr n) const;
  std::vector<Epilogue> steps;
  std::vector<Halide::ImageParam> params;
  int channels;
  Halide::Expr width, height;
};

/// Names of the operands that are f32 whatever the spec's dtype is.
std::vector<std::string> wideOperands(const KernelSpec &spec);

/// One activation function without operands, or with `alpha` (leaky_relu, elu).
Halide::Expr activate(const std::string &op, Halide::Expr value, double alpha = 0);
/// v * f'(saved) for the derivative epilogue `op`; `alpha` is leaky_relu's, elu's or a channel's slope.
Halide::Expr derive(const std::string &op, Halide::Expr v, Halide::Expr saved, Halide::Expr alpha);

} // namespace segc::schedules
