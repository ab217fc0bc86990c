/// \file The gradients of the losses: every element of dx from its pixel and a few coefficients.
// SPDX-License-Identifier: MIT
#include "schedules/Arithmetic.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Loss.h"

using namespace Halide;

namespace segc::schedules {
namespace {

class LossGrad {
public:
  LossGrad(const KernelSpec &spec, Isa isa)
      : loss(spec), rows(spec.get("c"), isa, false), pixel{{rows.x, rows.y, rows.n}, rows.x, rows.y, rows.n},
        count(loss.overlap         ? 2 * loss.channels
              : loss.kind == "bce" ? 2
                                   : 1),
        coefficients(activation("coefficients", count, count)), perImage(spec.get("per_image") != 0),
        outPixel(spec.get("out")) {}

  KernelBuild build() {
    if (loss.softmax && loss.overlap)
      classes();
    else if (loss.softmax)
      labels();
    else
      elements();
    std::vector<ImageParam> inputs = loss.inputs;
    inputs.push_back(coefficients);
    return kernelBuild(Pipeline(out), inputs);
  }

private:
  const Loss loss;
  const Rows rows;
  const Pixel pixel;
  const int count;
  const ImageParam coefficients;
  const bool perImage;
  const int outPixel;
  Func out{"y"};

  Expr coefficient(const Expr &i) const { return coefficients(i, 0, 0, perImage ? Expr(rows.n) : Expr(0)); }

  void scheduleOut() {
    describeActivation(out.output_buffer(), loss.channels, outPixel);
    rows.schedule(out);
  }
  /// Beside one pixel or vector of pixels of the result.
  void besidePixel(Func f) {
    f.compute_at(out, rows.x).store_in(MemoryType::Register);
    if (!rows.overChannels)
      f.vectorize(rows.x);
  }

  void elements() {
    std::vector<Expr> k;
    for (int i = 0; i < count; i++)
      k.push_back(coefficient(i));
    out(rows.c, rows.x, rows.y, rows.n) = loss.elementGradient(rows.c, pixel, k);
    scheduleOut();
  }

  /// What all channels of a pixel are multiplied with: `factor` over the sum of the exponentials; NaN where
  /// these mean nothing, 0 where the pixel does not count.
  Expr scale(const PixelSoftmax &soft, const Expr &factor) const {
    return selectBits(loss.counts(0, pixel), selectBits(soft.finite(), factor / soft.sum(), quietNan()), 0.f);
  }

  /// slope * (p - y) with p = exp(d) / sum, and for the label p - 1 = -rest / sum.
  void labels() {
    PixelSoftmax soft(loss.inputs[0], rows, pixel, loss.target(0, pixel));
    const Loss::LabelTerm term = loss.labelTerm(soft, pixel);
    Func factor("factor");
    factor(rows.x, rows.y, rows.n) =
        scale(soft, coefficient(0) * loss.pixelWeight(pixel) * loss.classWeight(soft) *
                        loss.labelSlope(term, soft, pixel));
    const Expr f = factor(rows.x, rows.y, rows.n);
    const Expr part = select(soft.isLabel(rows.c), -soft.rest(), soft.exponential(rows.c));
    out(rows.c, rows.x, rows.y, rows.n) = selectBits(strict_float(f == 0.f), 0.f, f * part);
    scheduleOut();
    besidePixel(factor);
    if (loss.kind == "focal")
      for (Func f : {term.argument, term.logSum, term.parts})
        besidePixel(f);
    soft.schedule(LoopLevel(out, rows.x));
  }

  /// w * p * (g - sum of p * g) with g = A * y + B: the gradient of sum(w * p * g) through the softmax.
  void classes() {
    PixelSoftmax soft(loss.inputs[0], rows, pixel, loss.target(0, pixel));
    const Var lane("lane");
    const std::vector<Expr> at = {rows.x, rows.y, rows.n};
    const Expr label = soft.labelIndex();
    auto byPredicted = [&](const Expr &c) { return coefficient(loss.channels + c); };
    const ChannelVectors vectors(loss.channels, rows.overChannels ? rows.vector : 1);
    Func dot("dot"), dotLane("dotLane"), mean("mean"), factor("factor");
    if (rows.overChannels) {
      const Expr c = vectors.channel(vectors.k, lane);
      dotLane(lane, rows.x, rows.y, rows.n) = 0.f;
      dotLane(lane, rows.x, rows.y, rows.n) +=
          select(vectors.counts(vectors.k, lane), soft.exponential(c) * byPredicted(c), 0.f);
      dot(rows.x, rows.y, rows.n) = 0.f;
      dot(rows.x, rows.y, rows.n) += dotLane(vectors.l, rows.x, rows.y, rows.n);
    } else {
      Expr sum = 0.f;
      for (int c = 0; c < loss.channels; c++)
        sum += soft.exponential(c) * byPredicted(c);
      dot(rows.x, rows.y, rows.n) = sum;
    }
    mean(rows.x, rows.y, rows.n) = (dot(at) + soft.labelExponential() * coefficient(label)) / soft.sum();
    factor(rows.x, rows.y, rows.n) = scale(soft, loss.pixelWeight(pixel));
    const Expr f = factor(at),
               g = select(soft.isLabel(rows.c), coefficient(rows.c), 0.f) + byPredicted(rows.c);
    out(rows.c, rows.x, rows.y, rows.n) =
        selectBits(strict_float(f == 0.f), 0.f, f * soft.exponential(rows.c) * (g - mean(at)));
    scheduleOut();
    for (Func f : {dot, mean, factor})
      besidePixel(f);
    if (rows.overChannels)
      scheduleGather(dotLane, dot, vectors, lane, LoopLevel(out, rows.x));
    soft.schedule(LoopLevel(out, rows.x));
  }
};

KernelBuild buildLossGrad(const KernelSpec &spec, Isa isa) { return LossGrad(spec, isa).build(); }

} // namespace

Family lossGradFamily() {
  return checkedFamily(
      plainFamily("loss_grad", "Gradients of the losses, by rows.", {"loss_grad"}, buildLossGrad),
      whyNotLoss);
}

} // namespace segc::schedules
