/// \file Depthwise convolution: every channel has its own filter, vectors run over channels.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// The machine's vector, or the largest power of two that the channels fill.
int vectorLanes(const KernelSpec &spec, Isa isa) {
  int vector = lanes(isa);
  while (vector > spec.get("c"))
    vector /= 2;
  return vector;
}

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  const int c = spec.get("c");
  return spec.get("g") == c && spec.get("k") == c
             ? ""
             : "it needs as many groups and output channels as input channels";
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  std::vector<int> vectors;
  for (int cv : {1, 2, 4})
    if (cv * vectorLanes(spec, isa) <= spec.get("c"))
      vectors.push_back(cv);
  return {{"cv", "channel vectors of the register tile", vectors},
          {"px", "pixels of the register tile", {1, 2, 4, 6, 8}},
          {"rows", "image rows of a task", {1, 2, 4, 8}}};
}

Schedule choose(const KernelSpec &spec, Isa isa) {
  const int cv = 2 * vectorLanes(spec, isa) <= spec.get("c") && isa == Isa::Avx512 ? 2 : 1;
  return {"depthwise", {{"cv", cv}, {"px", isa == Isa::Avx512 ? 8 / cv : 4}, {"rows", 2}}};
}

Packing packing(const KernelSpec &spec, const Schedule &, Isa) {
  KernelSpec pack;
  pack.op = "pack_depthwise";
  pack.fields = {{"scale", {0}}, {"tap", {0, 0}}, {"step", {1, 1}}};
  pack.words = {{"from", "conv"}};
  return {pack.print(), {paddedChannels(spec.get("c")), spec.get("r", 1), spec.get("r")}};
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int channels = spec.get("c"), vector = vectorLanes(spec, isa),
            panel = vector * schedule.params.at("cv");
  const int px = schedule.params.at("px"), rw = spec.get("r", 1), rh = spec.get("r");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const ImageParam w = denseParam("w", packing(spec, schedule, isa).extents);
  const Epilogues epilogues(spec, channels);
  Var c("c"), x("x"), y("y"), n("n"), co("co"), ci("ci"), cl("cl"), xi("xi"), yi("yi"), yb("yb"),
      task("task");
  RDom r(0, rw, 0, rh, "r");
  Func sum("sum"), out("y");
  sum(c, x, y, n) = epilogues.initial(c);
  sum(c, x, y, n) += w(c, r.x, r.y) * in(c, x * spec.get("s", 1) + r.x * spec.get("d", 1),
                                         y * spec.get("s") + r.y * spec.get("d"), n);
  out(c, x, y, n) = epilogues.apply(sum(c, x, y, n), c, x, y, n, true);

  // Loops: task (image, block of rows) > row > tile of pixels > panel of channels > registers. The last panel
  // moves down to end with the channels, so that nothing beyond them is read or written.
  describeActivation(out.output_buffer(), channels, spec.get("out"));
  out.bound(c, 0, channels)
      .split(c, co, ci, panel, TailStrategy::ShiftInwards)
      .split(ci, ci, cl, vector)
      .split(y, yb, yi, schedule.params.at("rows"), TailStrategy::GuardWithIf)
      .vectorize(cl)
      .unroll(ci)
      .reorder(cl, ci, co, x, yi, yb, n)
      .fuse(yb, n, task)
      .parallel(task);
  if (px > 1)
    out.specialize(out.output_buffer().dim(1).extent() >= px)
        .split(x, x, xi, px, TailStrategy::ShiftInwards)
        .reorder(cl, ci, xi, co, x)
        .unroll(xi);
  sum.compute_at(out, co)
      .store_in(MemoryType::Register)
      .bound_extent(c, panel)
      .vectorize(c, vector)
      .unroll(c)
      .unroll(x);
  sum.update().reorder(c, x, r.x, r.y, y, n).vectorize(c, vector).unroll(c).unroll(x);
  // Taps of one row share input vectors between neighbouring pixels once they are unrolled.
  if (rw <= 7)
    sum.update().unroll(r.x);

  KernelBuild result{{in, w}, Pipeline(out)};
  result.inputs.insert(result.inputs.end(), epilogues.operands().begin(), epilogues.operands().end());
  return result;
}

} // namespace

Family depthwiseFamily() {
  return {"depthwise", "Depthwise convolution on vectors of channels; any filter, stride and dilation.",
          whyNot,      parameters,
          choose,      packing,
          build};
}

} // namespace segc::schedules
