/// \file Scale and shift of norms with statistics of each image, and what their gradients need, from partial
/// sums.
///
/// Tiny kernels in f64: a task is one image. Totals of all channels stay beside it, then those of the groups;
/// the vectors are rounded once (hourglass.finish_group_stats and finish_group_norm_grad have the formulas).
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Bands.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// The operands and loops of both kernels.
struct Groups {
  const int channels, size; ///< size: channels of a group
  const ImageParam sums;
  std::vector<ImageParam> inputs;
  const Var c{"c"}, x{"x"}, y{"y"}, n{"n"}, g{"g"};

  explicit Groups(const KernelSpec &spec)
      : channels(spec.get("c")), size(channels / spec.get("groups")), sums(sumsParam(channels)),
        inputs{sums} {}

  /// The next operand, a vector; or a constant if the problem has none.
  Func vector(const KernelSpec &spec, const char *name, double otherwise) {
    Func value(std::string(name) + "Of");
    if (spec.get(name)) {
      inputs.push_back(denseParam(name, {paddedChannels(channels)}));
      value(c) = cast<double>(inputs.back()(c));
    } else {
      value(c) = Expr(otherwise);
    }
    return value;
  }

  /// The next operand, one value for each image and channel.
  ImageParam perImage(const char *name) {
    inputs.push_back(activation(name, channels, channels));
    return inputs.back();
  }

  /// The three columns' sums over the bands of an image.
  Func channelTotals() const {
    const RDom r(0, sums.dim(2).extent(), "r");
    std::vector<Expr> terms;
    for (int k = 0; k < 3; k++)
      terms.push_back(sums(c, k, r, n));
    Func total("total");
    total(c, n) = zeros(3);
    total(c, n) = plus(total(c, n), terms);
    return total;
  }

  /// The sums over the channels of each group of what `terms` makes of a channel.
  Func groupTotals(const std::function<std::vector<Expr>(const Expr &)> &terms) const {
    const RDom j(0, size, "j");
    Func all("all");
    all(g, n) = zeros(3);
    all(g, n) = plus(all(g, n), terms(g * size + j));
    return all;
  }

  /// `out`(c, x, y, n) with extents (C, 1, 1, N): one task an image, the stages beside it.
  void schedule(Func out, const std::vector<Func> &perChannel, const std::vector<Func> &perGroup,
                Isa isa) const {
    const int vector = std::min(lanes(isa), powerOfTwoBelow(channels));
    std::vector<OutputImageParam> results = out.output_buffers();
    for (OutputImageParam result : results)
      result.dim(0).set_stride(1);
    describeActivation(results[0], channels, channels); // the others have its extents
    for (int d : {1, 2})
      results[0].dim(d).set_extent(1);
    const Var co("co"), ci("ci");
    out.bound(c, 0, channels).split(c, co, ci, vector, TailStrategy::ShiftInwards).vectorize(ci);
    out.reorder(ci, co, x, y, n).parallel(n);
    for (Func f : perChannel) {
      f.compute_at(out, n).bound(c, 0, channels).bound_extent(n, 1);
      for (Stage stage : stagesOf(f))
        stage.vectorize(c, vector, TailStrategy::GuardWithIf);
    }
    for (Func f : perGroup)
      f.compute_at(out, n).bound(g, 0, channels / size).bound_extent(n, 1);
  }

private:
  static std::vector<Stage> stagesOf(Func f) {
    std::vector<Stage> stages = {Stage(f)};
    for (int i = 0; i < f.num_update_definitions(); i++)
      stages.push_back(f.update(i));
    return stages;
  }
};

/// The variance is E[x^2] - E[x]^2 as in finish_stats: f64 leaves it 1e-16 of the mean's square off.
KernelBuild buildStats(const KernelSpec &spec, Isa isa) {
  Groups of(spec);
  const Func gamma = of.vector(spec, "gamma", 1), beta = of.vector(spec, "beta", 0);
  const Func total = of.channelTotals();
  const Func all = of.groupTotals([&](const Expr &channel) { return valuesOf(total(channel, of.n), 3); });
  const FuncRef t = all(of.g, of.n);
  const Expr average = t[0] / t[2], variance = t[1] / t[2] - average * average;
  Func group("group"), out("y");
  const Expr inverse = Expr(1.0) / sqrt(select(strict_float(variance < Expr(0.0)), Expr(0.0), variance) +
                                        Expr(spec.numbers("eps").at(0)));
  group(of.g, of.n) = Tuple(average, inverse, unlessAlone(t[2], inverse));
  const FuncRef s = group(of.c / of.size, of.n);
  const Expr mean = s[0], rstd = s[1], scale = gamma(of.c) * s[2];
  out(of.c, of.x, of.y, of.n) =
      Tuple(cast<float>(scale), cast<float>(beta(of.c) - mean * scale), cast<float>(mean), cast<float>(rstd));
  of.schedule(out, {total}, {all, group}, isa);
  return kernelBuild(Pipeline(out), of.inputs);
}

KernelBuild buildGradient(const KernelSpec &spec, Isa isa) {
  Groups of(spec);
  const Var &c = of.c, &n = of.n, &g = of.g;
  const ImageParam mean = of.perImage("mean"), rstd = of.perImage("rstd");
  const Func gamma = of.vector(spec, "gamma", 1);
  auto statistic = [](const ImageParam &value, const Expr &channel, const Expr &image) {
    return cast<double>(value(channel, 0, 0, image));
  };
  // Gradients of the vectors: over all bands of all images, in order.
  const RDom r(0, of.sums.dim(2).extent(), 0, of.sums.dim(3).extent(), "rv");
  Func vectors("vectors"), rounded("dy");
  const Expr dy = of.sums(c, 0, r.x, r.y);
  vectors(c) = zeros(2);
  vectors(c) = plus(vectors(c),
                    {statistic(rstd, c, r.y) * (of.sums(c, 1, r.x, r.y) - statistic(mean, c, r.y) * dy), dy});
  rounded(c) = Tuple(cast<float>(vectors(c)[0]), cast<float>(vectors(c)[1]));
  const int vector = std::min(lanes(isa), powerOfTwoBelow(of.channels));
  std::vector<OutputImageParam> results = rounded.output_buffers();
  for (OutputImageParam result : results)
    result.dim(0).set_stride(1);
  results[0].dim(0).set_bounds(0, of.channels);
  const Var co("cov"), ci("civ");
  rounded.bound(c, 0, of.channels).split(c, co, ci, vector, TailStrategy::ShiftInwards).vectorize(ci);
  vectors.compute_at(rounded, co).store_in(MemoryType::Register).vectorize(c).update().vectorize(c);
  // What multiplies and adds to pixels.
  const Func total = of.channelTotals();
  const Func all = of.groupTotals([&](const Expr &channel) -> std::vector<Expr> {
    const FuncRef t = total(channel, n);
    const Expr s0 = t[0], s1 = statistic(rstd, channel, n) * (t[1] - statistic(mean, channel, n) * s0);
    return {gamma(channel) * s0, gamma(channel) * s1, t[2]};
  });
  const Expr first = g * of.size, ofGroup = statistic(rstd, first, n);
  const FuncRef t = all(g, n);
  Func group("group"), out("y");
  const Expr b = -ofGroup * ofGroup * t[1] / t[2];
  const Expr constant = -ofGroup * t[0] / t[2] - b * statistic(mean, first, n);
  group(g, n) = Tuple(unlessAlone(t[2], ofGroup), unlessAlone(t[2], b), unlessAlone(t[2], constant));
  const FuncRef s = group(c / of.size, n);
  out(c, of.x, of.y, n) = Tuple(cast<float>(gamma(c) * s[0]), cast<float>(s[1]), cast<float>(s[2]));
  of.schedule(out, {total}, {all, group}, isa);
  return kernelBuild(Pipeline({rounded, out}), of.inputs);
}

KernelBuild buildFinish(const KernelSpec &spec, Isa isa) {
  return spec.op == "finish_group_stats" ? buildStats(spec, isa) : buildGradient(spec, isa);
}

std::string whyNot(const KernelSpec &spec) {
  if (spec.get("groups") < 1 || spec.get("c") % spec.get("groups"))
    return "groups must divide the channels";
  return spec.get("in") == spec.get("c") ? "" : "sums are dense: in must be c";
}

} // namespace

Family finishGroupsFamily() {
  return checkedFamily(plainFamily("finish_groups", "Norms with statistics of each image, from their sums.",
                                   {"finish_group_stats", "finish_group_norm_grad"}, buildFinish),
                       whyNot);
}

} // namespace segc::schedules
