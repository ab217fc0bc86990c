/// \file Depthwise convolution: every channel has its own filter, vectors run over channels.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/DepthwiseTile.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"

using namespace Halide;

namespace segc::schedules {
namespace {

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  if (const std::string why = whyNotPlain(spec); !why.empty())
    return why;
  const int c = spec.get("c");
  return spec.get("g") == c && spec.get("k") == c
             ? ""
             : "it needs as many groups and output channels as input channels";
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  std::vector<int> vectors;
  for (int cv : {1, 2, 4})
    if (cv * depthwiseLanes(spec, isa) <= spec.get("c"))
      vectors.push_back(cv);
  return {{"cv", "channel vectors of the register tile", vectors},
          {"px", "pixels of the register tile", {1, 2, 4, 6, 8, 12, 16}},
          {"rows", "image rows of a task", {1, 2, 4, 8}}};
}

/// One vector of channels and many pixels: neighbouring pixels share what they read, those of a dilated
/// filter over longer distances (960 channels, 5x5 with dilation 2, rows of 32 pixels: 43 % of the peak with
/// 4 pixels, 63 % with 8, 70 % with 16; without dilation 8 are as good). Of the widths whose sums stay in
/// registers the one whose tiles read the fewest columns, the larger one of equals. Where loads keep up with
/// two products a cycle, two vectors and 8 pixels of one row of a dilated filter are better still (the same
/// layer on two threads: 0.27 against 0.35 ms), whose lines come in pairs.
Schedule choose(const KernelSpec &spec, Isa isa) {
  if (isAvx512(isa) && spec.get("d", 1) > 1 && spec.dtype == "f32" && spec.get("c") >= 2 * lanes(isa) &&
      spec.likelyWidth >= 8)
    return {"depthwise", {{"cv", 2}, {"px", 8}, {"rows", 1}}};
  const bool isFar = spec.get("d", 1) > 1 || spec.dtype != "f32";
  const int most = isAvx512(isa) && isFar ? 16 : 8, halo = (spec.get("r", 1) - 1) * spec.get("d", 1);
  auto columns = [&](int px) { return ceilDiv(spec.likelyWidth, px) * (px + halo); };
  int best = 4;
  for (int px : {6, 8, 16})
    if (px <= most && (!spec.likelyWidth ? px <= 8 : columns(px) <= columns(best)))
      best = px;
  return {"depthwise", {{"cv", 1}, {"px", best}, {"rows", 2}}};
}

Packing packing(const KernelSpec &spec, const Schedule &, Isa) { return depthwisePacking(spec); }

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int channels = spec.get("c"), vector = depthwiseLanes(spec, isa),
            panel = vector * schedule.params.at("cv");
  const int px = schedule.params.at("px");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Epilogues epilogues(spec, channels);
  DepthwiseTile tile(spec, in, "w", [&](const Expr &c) { return epilogues.initial(c); });
  Var c("c"), x("x"), y("y"), n("n"), co("co"), ci("ci"), cl("cl"), xi("xi"), yi("yi"), yb("yb"),
      task("task");
  Func out("y");
  out(c, x, y, n) = epilogues.apply(tile.sum(c, x, y, n), c, x, y, n, true);

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
  tile.schedule(LoopLevel(out, co), panel, vector);
  return kernelBuild(Pipeline(out), {in, tile.w}, epilogues.operands());
}

} // namespace

Family depthwiseFamily() {
  return {"depthwise", "Depthwise convolution on vectors of channels; any filter, stride and dilation.",
          whyNot,      parameters,
          choose,      packing,
          build};
}

} // namespace segc::schedules
