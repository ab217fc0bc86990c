/// \file The optimisers on flat vectors, and what else runs over all parameters: average, accumulation, norm.
///
/// Rules of PyTorch 2 (torch.optim SGD, Adam, AdamW). A result may be its operand's memory, so every element
/// is computed once and nothing is read after it is written.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Bands.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <map>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Vectors of elements in a task.
constexpr int kTaskVectors = 1024;
/// Parts that `sum_squares` divides a vector into.
constexpr int kParts = 256;

ImageParam flat(const std::string &name) {
  ImageParam param(Float(32), 1, name);
  param.dim(0).set_min(0).set_stride(1);
  return param;
}

/// The 16 numbers of a launch (docs/kernels.md).
struct Hyper {
  ImageParam row = denseParam("hyper", {16});
  Expr rate = row(0), decay = row(1), factor = row(2), momentum = row(3), beta1 = row(3), beta2 = row(4),
       eps = row(5), correction1 = row(6), correction2 = row(7), average = row(9), lossScale = row(10);
};

/// One pass over vectors of equal length: `values` are the results at element `i`. They are all computed, in
/// registers, before one is stored. The last vector reads its last element again instead of what lies behind.
class Pass {
public:
  const Var lane{"lane"}, v{"v"};
  const Expr i;

  Pass(const ImageParam &first, Isa isa)
      : i(min(likely(v * lanes(isa) + lane), first.dim(0).extent() - 1)), vector(lanes(isa)) {}

  KernelBuild build(const std::vector<Expr> &values, std::vector<ImageParam> inputs) const {
    const Var e("e"), vo("vo"), task("task");
    Func step("step"), out("y");
    step(lane, v) = Tuple(values);
    out(e) = Tuple(valuesOf(step(e % vector, e / vector), values.size()));
    for (OutputImageParam result : out.output_buffers())
      result.dim(0).set_stride(1);
    out.output_buffers()[0].dim(0).set_min(0);
    out.split(e, vo, e, vector, TailStrategy::GuardWithIf)
        .vectorize(e)
        .split(vo, task, vo, kTaskVectors, TailStrategy::GuardWithIf)
        .parallel(task);
    step.compute_at(out, vo)
        .store_in(MemoryType::Register)
        .bound(lane, 0, vector)
        .bound_extent(v, 1)
        .vectorize(lane);
    return kernelBuild(Pipeline(out), std::move(inputs));
  }

private:
  const int vector;
};

/// v = momentum * v + g, p -= rate * v (Nesterov: rate * (g + momentum * v)), g with the decay's share of p.
KernelBuild buildSgd(const KernelSpec &spec, Isa isa) {
  const Hyper hyper;
  const ImageParam p = flat("p"), g = flat("g"), m = flat("m");
  const Pass pass(p, isa);
  const Expr gradient = g(pass.i) * hyper.factor + hyper.decay * p(pass.i);
  if (!spec.get("momentum"))
    return pass.build({p(pass.i) - hyper.rate * gradient}, {hyper.row, p, g});
  const Expr velocity = hyper.momentum * m(pass.i) + gradient;
  const Expr step = spec.get("nesterov") ? gradient + hyper.momentum * velocity : velocity;
  return pass.build({p(pass.i) - hyper.rate * step, velocity}, {hyper.row, p, g, m});
}

/// Kingma and Ba 2015; decoupled: Loshchilov and Hutter 2019, the decay shrinks p instead of joining g.
KernelBuild buildAdam(const KernelSpec &spec, Isa isa) {
  const Hyper hyper;
  const ImageParam p = flat("p"), g = flat("g"), m = flat("m"), v = flat("v");
  const Pass pass(p, isa);
  const bool decoupled = spec.get("decoupled") != 0;
  const Expr old = p(pass.i), scaled = g(pass.i) * hyper.factor;
  const Expr gradient = decoupled ? scaled : scaled + hyper.decay * old;
  const Expr start = decoupled ? old * (1.f - hyper.rate * hyper.decay) : old;
  const Expr mean = hyper.beta1 * m(pass.i) + (1.f - hyper.beta1) * gradient;
  const Expr square = hyper.beta2 * v(pass.i) + (1.f - hyper.beta2) * (gradient * gradient);
  const Expr step = mean / (sqrt(square) * (1.f / hyper.correction2) + hyper.eps);
  return pass.build({start - hyper.rate / hyper.correction1 * step, mean, square}, {hyper.row, p, g, m, v});
}

KernelBuild buildEma(const KernelSpec &, Isa isa) {
  const Hyper hyper;
  const ImageParam e = flat("e"), p = flat("p");
  const Pass pass(e, isa);
  return pass.build({hyper.average * e(pass.i) + (1.f - hyper.average) * p(pass.i)}, {hyper.row, e, p});
}

KernelBuild buildAccumulate(const KernelSpec &, Isa isa) {
  const ImageParam a = flat("a"), g = flat("g");
  const Pass pass(a, isa);
  return pass.build({a(pass.i) + g(pass.i)}, {a, g});
}

/// The gradients of a loss that was scaled; the scale is a power of two, so that nothing is rounded.
KernelBuild buildUnscale(const KernelSpec &, Isa isa) {
  const Hyper hyper;
  const ImageParam g = flat("g");
  const Pass pass(g, isa);
  return pass.build({g(pass.i) * (1.f / hyper.lossScale)}, {hyper.row, g});
}

KernelBuild buildCopy(const KernelSpec &, Isa isa) {
  const ImageParam x = flat("x");
  const Pass pass(x, isa);
  return pass.build({x(pass.i)}, {x});
}

/// partial(part) = sum of squares of elements floor(part * n / 256) to floor((part + 1) * n / 256), in f64:
/// lanes first, then over the lanes.
KernelBuild buildSumSquares(const KernelSpec &spec, Isa isa) {
  const int vector = sharesOf(spec, isa);
  const ImageParam g = flat("g");
  const Var part("part"), lane("lane");
  auto start = [&](const Expr &p) {
    return cast<int>(cast<int64_t>(p) * cast<int64_t>(g.dim(0).extent()) / kParts);
  };
  const Expr first = start(part), count = start(part + 1) - first;
  RDom r(0, g.dim(0).extent() / kParts / vector + 2, "r");
  r.where(r * vector < count);
  const Expr at = r * vector + lane;
  const Expr value = cast<double>(g(first + min(likely(at), max(count - 1, 0))));
  Func perLane("perLane"), out("y");
  perLane(lane, part) = Expr(0.0);
  perLane(lane, part) += select(likely(at < count), value * value, Expr(0.0));
  const Func total = sumLanes(perLane, 1, vector, {part}, out, part)[0];
  out(part) = total(part);
  out.output_buffer().dim(0).set_bounds(0, kParts).set_stride(1);
  out.bound(part, 0, kParts).parallel(part);
  perLane.compute_at(out, part)
      .store_in(MemoryType::Register)
      .bound(lane, 0, vector)
      .bound_extent(part, 1)
      .vectorize(lane);
  perLane.update().reorder(lane, r, part).vectorize(lane);
  return kernelBuild(Pipeline(out), {g});
}

KernelBuild buildOptimizer(const KernelSpec &spec, Isa isa) {
  static const std::map<std::string, KernelBuild (*)(const KernelSpec &, Isa)> builds = {
      {"sgd", buildSgd},
      {"adam", buildAdam},
      {"ema", buildEma},
      {"accumulate", buildAccumulate},
      {"unscale", buildUnscale},
      {"copy_vector", buildCopy},
      {"sum_squares", buildSumSquares}};
  return builds.at(spec.op)(spec, isa);
}

std::string whyNot(const KernelSpec &spec) {
  return spec.get("nesterov") && !spec.get("momentum") ? "nesterov needs momentum" : "";
}

} // namespace

Family optimizerFamily() {
  return checkedFamily(
      plainFamily("optimizer", "One pass over flat vectors, also in place.",
                  {"sgd", "adam", "ema", "accumulate", "unscale", "copy_vector", "sum_squares"},
                  buildOptimizer),
      whyNot);
}

} // namespace segc::schedules
