/// \file What becomes of the class scores of a pixel: softmax, its logarithm, or the channel of the maximum.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/cpu/ConvTile.h"
#include "schedules/cpu/Logits.h"

namespace segc::schedules {

/// A reduction over the channels of each pixel, wherever its scores come from.
///
/// With d(c) = x(c) - max x: softmax is exp(d) / sum exp(d), log_softmax d - log(sum exp(d)). The whole pixel
/// is NaN where one value is, or where the maximum is infinite (inf - inf). argmax is the first of equal
/// maxima, the first NaN if there is one.
class PixelScores {
public:
  /// `op`: argmax, softmax, log_softmax.
  PixelScores(const std::string &op, int channels, Isa isa, const Source &scores);

  /// What is stored at (c, x, y, n); of an argmax c is 0.
  Halide::Expr result() const { return value; }
  /// For one pixel at `level`, or where vectors lie across pixels for one vector of them.
  void schedule(const Halide::LoopLevel &level);

  const bool isArgmax;
  const int results; ///< channels of the result
  const bool across; ///< vectors lie across pixels, not in one
  const int lanes;   ///< of a vector

private:
  void argmaxAcross(const Source &scores);
  void argmaxWithin(const Source &scores);
  void softmax(bool logarithm, const Source &scores);

  const int channels;
  const Halide::Var c{"c"}, x{"x"}, y{"y"}, n{"n"}, lane{"lane"};
  const ChannelVectors vectors;
  Halide::Func best{"best"}, first{"first"}, top{"top"}, difference{"difference"}, total{"total"},
      topLane{"topLane"}, totalLane{"totalLane"}, scale{"scale"};
  Halide::Expr value;
};

} // namespace segc::schedules
