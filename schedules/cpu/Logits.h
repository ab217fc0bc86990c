/// \file Reductions over the channels of a pixel, and the softmax of labelled pixels.
///
/// With many channels the reduction runs over vectors of one pixel: the last vector ends with the last
/// channel, so it may overlap the one before; maxima do not mind, sums leave the overlap out. With few,
/// vectors lie across pixels.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/cpu/Rows.h"

namespace segc::schedules {

/// A pixel's channels in vectors: lane l of vector k is channel start(k) + l.
struct ChannelVectors {
  int channels, vector;
  Halide::RDom k, l;

  ChannelVectors(int channels, int vector);
  int count() const { return ceilDiv(channels, vector); }
  Halide::Expr start(const Halide::Expr &k) const { return min(k * vector, channels - vector); }
  /// Channel of `lane` in vector `k` and whether it belongs to it alone.
  Halide::Expr channel(const Halide::Expr &k, const Halide::Expr &lane) const { return start(k) + lane; }
  Halide::Expr counts(const Halide::Expr &k, const Halide::Expr &lane) const {
    return start(k) + lane >= k * vector;
  }
};

/// Schedules what each lane gathers over the vectors of one pixel, in registers, and the combination of the
/// lanes.
void scheduleGather(Halide::Func perLane, Halide::Func total, const ChannelVectors &vectors,
                    const Halide::Var &lane, const Halide::LoopLevel &level);

/// Where a pixel is and which variables that depends on, the innermost first.
struct Pixel {
  std::vector<Halide::Var> at;
  Halide::Expr x, y, n;
};

/// The softmax of a pixel with class `label`: with d = x - max x its parts are exp(d) of a channel and their
/// sum, in which the label's own term stands apart: 1 - p of the label and log p are exact however sure the
/// pixel is.
class PixelSoftmax {
public:
  PixelSoftmax(const Halide::ImageParam &in, const Rows &rows, const Pixel &pixel, const Halide::Expr &label);

  Halide::Expr isLabel(const Halide::Expr &c) const { return c == label(at()); }
  /// exp(d) of channel c.
  Halide::Expr exponential(const Halide::Expr &c) const;
  /// The sum of exp(d) over the channels but the label, and over all.
  Halide::Expr rest() const { return others(at()); }
  Halide::Expr sum() const { return others(at()) + own(at())[1]; }
  /// d and exp(d) of the label.
  Halide::Expr labelLogit() const { return own(at())[0]; }
  Halide::Expr labelExponential() const { return own(at())[1]; }
  Halide::Expr labelIndex() const { return label(at()); }
  /// False where one logit is NaN or the largest is infinite: then nothing above means anything.
  Halide::Expr finite() const;

  /// At `level`: for one pixel, or with few channels a vector of pixels.
  void schedule(const Halide::LoopLevel &level);
  /// For `tile` pixels at once beside `level`, whose values the consumer then reads as one vector: with many
  /// channels the pixels pass by one by one.
  void scheduleTile(const Halide::LoopLevel &level, int tile);

private:
  std::vector<Halide::Expr> at() const { return {pixel.at.begin(), pixel.at.end()}; }
  std::vector<Halide::Expr> with(const Halide::Expr &first) const;
  std::vector<Halide::Var> withVar(const Halide::Var &first) const;
  /// One value of every variable of the pixel from number `first` on, and all channels.
  void boundOne(Halide::Func f, size_t first) const;
  Halide::Expr difference(const Halide::Expr &c) const;

  const Halide::ImageParam in;
  const bool many;
  const Pixel pixel;
  const ChannelVectors vectors;
  const Halide::Var cl{"cl"}, ch{"ch"}; ///< a lane of a vector of channels, a channel
  Halide::Func label{"label"}, top{"top"}, others{"others"}, own{"own"}, exponentials{"exponentials"},
      topLane{"topLane"}, othersLane{"othersLane"};
};

} // namespace segc::schedules
