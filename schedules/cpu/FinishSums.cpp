/// \file Vectors made of partial sums: gradients of biases, statistics, what a batch norm's backward needs.
///
/// Sums of all bands and images are added in f64, in order; the vectors are rounded once. Small kernels: a
/// task is one vector of channels.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Bands.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// The first `columns` columns' sums over all bands and images as a function of the channel.
struct Totals {
  ImageParam sums;
  RDom r;
  Func total{"total"};
  const Var c{"c"};

  /// The threads of a GPU have a band each, and may lie beyond the last channel.
  Totals(int channels, int columns, Isa isa)
      : sums(sumsParam(channels)),
        r(0, isGpu(isa) ? Expr(kMostBands) : sums.dim(2).extent(), 0, sums.dim(3).extent(), "r") {
    if (isGpu(isa))
      r.where(r.x < sums.dim(2).extent());
    std::vector<Expr> terms;
    for (int k = 0; k < columns; k++)
      terms.push_back(sums(isGpu(isa) ? min(c, channels - 1) : Expr(c), k, r.x, r.y));
    total(c) = zeros(columns);
    total(c) = plus(total(c), terms);
  }
};

ImageParam vectorOf(const std::string &name, int channels) {
  return denseParam(name, {paddedChannels(channels)});
}

double numberOf(const KernelSpec &spec, const char *word) { return spec.numbers(word).at(0); }

/// Vectors of channels; the last one ends with the channels. `stages` are computed beside each.
KernelBuild finish(Func out, const Var &c, int channels, Isa isa, const std::vector<Func> &stages,
                   std::vector<ImageParam> inputs) {
  const int vector = std::min(lanes(isa), powerOfTwoBelow(channels));
  const Var task("task");
  for (OutputImageParam result : out.output_buffers())
    result.dim(0).set_stride(1);
  out.output_buffers()[0].dim(0).set_bounds(0, channels); // those of the others are the same
  out.bound(c, 0, channels).split(c, task, c, vector, TailStrategy::ShiftInwards).vectorize(c);
  if (channels % vector == 0) // otherwise two tasks would write the same elements
    out.parallel(task);
  for (Func stage : stages) {
    stage.compute_at(out, task).store_in(MemoryType::Register).vectorize(c);
    for (int i = 0; i < stage.num_update_definitions(); i++)
      stage.update(i).vectorize(c);
  }
  return kernelBuild(Pipeline(out), std::move(inputs));
}

KernelBuild buildFinishSum(const KernelSpec &spec, Isa isa) {
  const Totals totals(spec.get("c"), 1, isa);
  Func out("y");
  out(totals.c) = cast<float>(Expr(totals.total(totals.c)));
  return finish(out, totals.c, spec.get("c"), isa, {totals.total}, {totals.sums});
}

/// Mean and biased variance, E[x^2] - E[x]^2: f64 leaves it 1e-16 of the mean's square off, never below 0.
KernelBuild buildFinishStats(const KernelSpec &spec, Isa isa) {
  const Totals totals(spec.get("c"), 3, isa);
  const FuncRef t = totals.total(totals.c);
  const Expr mean = t[0] / t[2], variance = t[1] / t[2] - mean * mean;
  Func out("y");
  out(totals.c) =
      Tuple(cast<float>(mean), cast<float>(select(strict_float(variance < Expr(0.0)), Expr(0.0), variance)));
  return finish(out, totals.c, spec.get("c"), isa, {totals.total}, {totals.sums});
}

/// Ioffe and Szegedy 2015, section 3, as hourglass.finish_norm_grad writes it.
KernelBuild buildFinishNormGrad(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const Totals totals(channels, 3, isa);
  const Var &c = totals.c;
  std::vector<ImageParam> inputs = {totals.sums, vectorOf("mean", channels), vectorOf("variance", channels)};
  const Expr mean = cast<double>(inputs[1](c)), variance = cast<double>(inputs[2](c));
  Expr gamma(1.0);
  if (spec.get("gamma")) {
    inputs.push_back(vectorOf("gamma", channels));
    gamma = cast<double>(inputs[3](c));
  }
  const FuncRef t = totals.total(c);
  const Expr s0 = t[0];
  Func inverse("inverse"), s1("s1"), out("y");
  inverse(c) = Expr(1.0) / sqrt(variance + Expr(numberOf(spec, "eps")));
  s1(c) = inverse(c) * (t[1] - mean * s0);
  const Expr a = unlessAlone(t[2], gamma * inverse(c)), b = -a * inverse(c) * s1(c) / t[2],
             shift = -a * s0 / t[2] - b * mean;
  out(c) = Tuple(cast<float>(s1(c)), cast<float>(s0), cast<float>(a), cast<float>(b), cast<float>(shift));
  return finish(out, c, channels, isa, {totals.total, inverse, s1}, inputs);
}

/// In place: every element is computed once.
KernelBuild buildRunningUpdate(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam sums = sumsParam(channels);
  const std::vector<ImageParam> inputs = {vectorOf("running", channels), vectorOf("batch", channels), sums};
  const double momentum = numberOf(spec, "momentum");
  const RDom r(0, sums.dim(2).extent(), 0, sums.dim(3).extent(), "r");
  const Var c("c");
  Func count("count"), out("y");
  count() = Expr(0.0);
  count() += sums(0, 2, r.x, r.y);
  Expr batch = cast<double>(inputs[1](c));
  if (spec.get("unbiased"))
    batch = select(count() > Expr(1.0), batch * count() / (count() - Expr(1.0)), batch);
  out(c) = cast<float>(cast<double>(inputs[0](c)) * Expr(1 - momentum) + batch * Expr(momentum));
  out.output_buffer().dim(0).set_bounds(0, channels).set_stride(1);
  out.bound(c, 0, channels).vectorize(c, lanes(isa), TailStrategy::GuardWithIf);
  count.compute_root().store_in(MemoryType::Register);
  return kernelBuild(Pipeline(out), inputs);
}

KernelBuild buildFinish(const KernelSpec &spec, Isa isa) {
  return spec.op == "finish_sum"         ? buildFinishSum(spec, isa)
         : spec.op == "finish_stats"     ? buildFinishStats(spec, isa)
         : spec.op == "finish_norm_grad" ? buildFinishNormGrad(spec, isa)
                                         : buildRunningUpdate(spec, isa);
}

} // namespace

Family finishSumsFamily() {
  return plainFamily("finish_sums", "Vectors of a channel each from partial sums.",
                     {"finish_sum", "finish_stats", "finish_norm_grad", "running_update"}, buildFinish);
}

} // namespace segc::schedules
