/// \file A loss from its sums, what its gradient needs, and the weighted total of all losses.
///
/// Tiny kernels in f64. Coefficients are those of the gradient with respect to the sums, times the loss's
/// weight (docs/kernels.md); an overlap of nothing with nothing (only for eps = 0) counts as 1 and moves
/// nothing.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Bands.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

void describe(Func loss, Func coefficients, int count) {
  loss.output_buffer().dim(0).set_bounds(0, 1).set_stride(1);
  describeActivation(coefficients.output_buffer(), count, count);
}

/// What the coefficients are multiplied by, and where from: the constant of the problem, and where losses are
/// scaled field 10 of the hyper vector (docs/kernels.md).
struct Factor {
  Expr value;
  std::vector<ImageParam> inputs;

  Factor(const KernelSpec &spec, const ImageParam &sums) : value(spec.number("scale", 1)), inputs{sums} {
    if (spec.word("scaled").empty())
      return;
    inputs.push_back(denseParam("hyper", {16}));
    value = value * cast<double>(inputs.back()(10));
  }
};

/// The sums of all bands and images, and what follows from them: 1 / sum of weights, and the factor of the
/// positive term.
struct Terms {
  const bool bce;
  Func total, share;

  Terms(const KernelSpec &spec, const ImageParam &sums, const std::string &name, Isa isa)
      : bce(spec.word("kind") == "bce"), total(name + "Total"), share(name + "Share") {
    const bool mean = spec.word("reduction") == "mean";
    const RDom r(0, sums.dim(2).extent(), 0, sums.dim(3).extent(), name + "R");
    const int columns = bce ? 5 : 2;
    std::vector<Expr> terms;
    // A GPU has a thread for every band that there could be; what those without one read is not used.
    const Expr band = isGpu(isa) ? min(r.x, sums.dim(2).extent() - 1) : Expr(r.x);
    for (int k = 0; k < columns; k++)
      terms.push_back(sums(0, k, band, r.y));
    total() = zeros(columns);
    total() = plus(total(), terms);
    const FuncRef t = total();
    const Expr weights = t[bce ? 2 : 1];
    const Expr factor = !bce                         ? Expr(1.0)
                        : spec.word("pos") == "auto" ? max(Expr(1.0), t[4]) / max(Expr(1.0), t[3])
                                                     : Expr(spec.number("pos", 1));
    share() = Tuple(mean ? select(weights == Expr(0.0), Expr(0.0), Expr(1.0) / weights) : Expr(1.0), factor);
    for (Func f : {total, share})
      f.compute_root().store_in(MemoryType::Stack);
  }
};

/// Losses with terms: sums of weight * term (two of them for bce) and of the weights. On a GPU each result is
/// a launch of its own, with totals of its own.
KernelBuild buildFinishTerms(const KernelSpec &spec, Isa isa) {
  const ImageParam sums = sumsParam(1);
  const Terms forLoss(spec, sums, "loss", isa),
      forGradient = isGpu(isa) ? Terms(spec, sums, "gradient", isa) : forLoss;
  const Var one("one"), i("i"), x("x"), y("y"), n("n");
  const bool bce = forLoss.bce;
  Func loss("lossValue"), coefficients("coefficients");
  const FuncRef t = forLoss.total();
  const Expr scale = forLoss.share()[0], pos = forLoss.share()[1];
  loss(one) = cast<float>(scale * (bce ? pos * t[0] + t[1] : t[0]));
  const Factor factor(spec, sums);
  const Expr k = forGradient.share()[0] * factor.value;
  coefficients(i, x, y, n) = cast<float>(bce ? select(i == 0, k * forGradient.share()[1], k) : k);
  const int count = bce ? 2 : 1;
  describe(loss, coefficients, count);
  loss.bound(one, 0, 1);
  coefficients.bound(i, 0, count).unroll(i);
  return kernelBuild(Pipeline({loss, coefficients}), factor.inputs);
}

/// Ratio of every class, and its derivatives by I and by P, in one image (`perImage`) or in all:
/// dice = 2I / (P + Y), soft_iou = I / (P + Y - I) with I = sum p*y, P = sum p, Y = sum y and eps added above
/// and below.
class Overlap {
public:
  const Var c{"c"}, n{"n"};

  Overlap(const KernelSpec &spec, const ImageParam &sums, const std::string &name)
      : total(name + "Total"), ratio(name + "Ratio"), classes(spec.get("c")) {
    const bool dice = spec.word("kind") == "dice";
    const RDom r(0, sums.dim(2).extent(), 0, spec.get("per_image") ? Expr(1) : sums.dim(3).extent(),
                 name + "R");
    std::vector<Expr> terms;
    for (int k = 0; k < 3; k++)
      terms.push_back(sums(c, k, r.x, n + r.y));
    total(c, n) = zeros(3);
    total(c, n) = plus(total(c, n), terms);
    const FuncRef t = total(c, n);
    const Expr eps(spec.number("eps", 1)), zero(0.0), both = t[0];
    const Expr above = (dice ? Expr(2.0) * both : both) + eps,
               below = t[1] + t[2] + eps - (dice ? zero : both);
    const Expr empty = below == zero, byPredicted = -above / (below * below);
    const Expr byBoth = dice ? Expr(2.0) / below : Expr(1.0) / below - byPredicted;
    ratio(c, n) = Tuple(select(empty, Expr(1.0), above / below), select(empty, zero, byBoth),
                        select(empty, zero, byPredicted));
  }

  Expr value(const Expr &channel, const Expr &image, int part) const { return ratio(channel, image)[part]; }

  void schedule(const LoopLevel &level, Isa isa) {
    for (Func f : {total, ratio})
      f.compute_at(level).bound(c, 0, classes).bound_extent(n, 1);
    const int vector = lanes(isa) / 2;
    if (vector > 1 && classes >= vector)
      for (Stage stage : {Stage(total), Stage(total.update())})
        stage.vectorize(c, vector, TailStrategy::GuardWithIf);
  }

private:
  Func total, ratio;
  const int classes;
};

/// 1 - the mean over classes, and over images if each counts for itself (their sum for `reduction=sum`).
KernelBuild buildFinishOverlap(const KernelSpec &spec, Isa isa) {
  const bool perImage = spec.get("per_image") != 0;
  const int classes = spec.get("c");
  const ImageParam sums = sumsParam(classes);
  const Var one("one"), i("i"), x("x"), y("y"), n("n");
  const Expr parts = perImage ? sums.dim(3).extent() : Expr(1);
  const RDom all(0, classes, 0, parts, "all");
  Overlap forLoss(spec, sums, "loss"), forGradient(spec, sums, "gradient");
  Func mean("mean"), loss("lossValue"), coefficients("coefficients");
  mean() = Expr(0.0);
  mean() += forLoss.value(all.x, all.y, 0);
  const Expr counted = spec.word("reduction") == "mean" ? cast<double>(parts) : Expr(1.0);
  const Expr share = Expr(1.0) / (counted * Expr(double(classes)));
  loss(one) = cast<float>(cast<double>(parts) / counted - share * mean());
  const Factor factor(spec, sums);
  const Expr k = -share * factor.value;
  // A thread of a GPU computes what lies between two channels: there it is one.
  const Expr byBoth = isGpu(isa) ? i % classes : min(i, classes - 1),
             byPredicted = isGpu(isa) ? i % classes : max(i - classes, 0);
  coefficients(i, x, y, n) = cast<float>(
      k * select(i < classes, forGradient.value(byBoth, n, 1), forGradient.value(byPredicted, n, 2)));
  describe(loss, coefficients, 2 * classes);
  loss.bound(one, 0, 1);
  mean.compute_root().store_in(MemoryType::Stack);
  forLoss.schedule(LoopLevel(mean, all.y), isa);
  coefficients.bound(i, 0, 2 * classes);
  forGradient.schedule(LoopLevel(coefficients, n), isa);
  return kernelBuild(Pipeline({loss, coefficients}), factor.inputs);
}

/// [sum of weight * loss, the losses].
KernelBuild buildTotalLoss(const KernelSpec &spec) {
  const std::vector<double> weights = spec.numbers("weights");
  std::vector<ImageParam> inputs;
  std::vector<Expr> values = {Expr(0.0)};
  for (size_t l = 0; l < weights.size(); l++) {
    inputs.push_back(denseParam("loss" + std::to_string(l), {1}));
    values.push_back(cast<double>(inputs[l](0)));
    values[0] += Expr(weights[l]) * values.back();
  }
  const Var i("i");
  Func out("y");
  out(i) = cast<float>(mux(i, values));
  out.output_buffer().dim(0).set_bounds(0, int(values.size())).set_stride(1);
  out.bound(i, 0, int(values.size())).unroll(i);
  return kernelBuild(Pipeline(out), inputs);
}

KernelBuild buildFinishLoss(const KernelSpec &spec, Isa isa) {
  if (spec.op == "total_loss")
    return buildTotalLoss(spec);
  const std::string kind = spec.word("kind");
  return kind == "dice" || kind == "soft_iou" ? buildFinishOverlap(spec, isa) : buildFinishTerms(spec, isa);
}

std::string whyNot(const KernelSpec &spec) {
  if (spec.op == "total_loss")
    return spec.get("n") > 0 && int(spec.numbers("weights").size()) == spec.get("n")
               ? ""
               : "there must be as many weights as losses, at least one";
  const std::string kind = spec.word("kind");
  if (kind != "dice" && kind != "soft_iou" && (spec.get("c") != 1 || spec.get("per_image")))
    return "the sums of " + kind + " have one channel, and per_image goes with dice and soft_iou only";
  return spec.get("in") == spec.get("c") ? "" : "sums are dense: in must be c";
}

} // namespace

Family finishLossFamily() {
  return checkedFamily(
      plainFamily("finish_loss", "Losses from their sums.", {"finish_loss", "total_loss"}, buildFinishLoss),
      whyNot);
}

} // namespace segc::schedules
