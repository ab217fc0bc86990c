/// \file Direct convolution: register tiles of channel vectors x pixels, each with its epilogues and one
/// store.
///
/// Weights are streamed from the L2 cache once per tile; a task is `rows` image rows of one panel.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/ConvTile.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"

using namespace Halide;

namespace segc::schedules {
namespace {

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  if (const std::string why = whyNotReduced(spec); !why.empty())
    return why;
  const bool isPointwise = spec.get("r") == 1 && spec.get("r", 1) == 1 && spec.get("g") == 1;
  if (isScaled(spec) && !isPointwise)
    return "it scales what it reads for 1x1 filters without groups only";
  return whyNoGroups(spec);
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  return {{"cv", "channel vectors of the register tile", legalConvVectors(spec, isa)},
          {"px", "pixels of the register tile", kTilePixels},
          {"rows", "image rows of a task", {1, 2, 4, 8, 16}}};
}

Schedule choose(const KernelSpec &spec, Isa isa) {
  const RegisterTile tile = chooseRegisterTile(spec, isa);
  return {"direct", {{"cv", tile.vectors}, {"px", tile.pixels}, {"rows", isScaled(spec) ? 1 : 4}}};
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  return convPacking(spec, schedule.params.at("cv"), isa, hasDots(spec, isa));
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int k = spec.get("k"), px = schedule.params.at("px"), rows = schedule.params.at("rows");
  Var c("c"), x("x"), y("y"), n("n"), xi("xi"), yi("yi"), yb("yb"), co("co"), ci("ci"), cl("cl"),
      task("task");
  const bool dots = hasDots(spec, isa);
  const ImageParam in =
      activation("x", spec.get("c"), spec.get("in"), dots && !isScaled(spec) ? BFloat(16) : Float(32));
  const Epilogues epilogues(spec, k);
  ReadOperand read(spec, in, dots);
  ConvTile tile(
      spec, schedule.params.at("cv"), isa, read.source, [&](const Expr &c) { return epilogues.initial(c); },
      dots);
  const int vector = tile.vector, panel = tile.panel;
  const bool masked = k % panel != 0; // only without groups
  Func out("y");
  out(c, x, y, n) = epilogues.apply(tile.sum(c, x, y, n), c, x, y, n, true, masked);

  // Loops: task (image, block of rows, panel) > row > tile > registers; where pixels are scaled, panels are
  // inside tiles, so that a tile's pixels are multiplied once, as vectors over their channels. Only stores
  // are masked: whole vectors are computed, the weights' panels end in zeros.
  describeActivation(out.output_buffer(), k, spec.get("out"));
  out.bound(c, 0, k)
      .split(c, co, cl, vector, masked ? TailStrategy::PredicateStores : TailStrategy::RoundUp)
      .split(co, co, ci, panel / vector, masked ? TailStrategy::GuardWithIf : TailStrategy::RoundUp)
      .split(y, yb, yi, rows, TailStrategy::GuardWithIf)
      .vectorize(cl)
      .unroll(ci);
  if (isScaled(spec))
    out.reorder(cl, ci, co, x, yi, yb, n).fuse(yb, n, task).parallel(task);
  else
    out.reorder(cl, ci, x, yi, co, yb, n).fuse(co, yb, task).fuse(task, n, task).parallel(task);
  // The last tile of a row moves left to end with it; rows shorter than a tile are computed pixel by pixel.
  if (px > 1) {
    Stage tiles = out.specialize(out.output_buffer().dim(1).extent() >= px);
    tiles.split(x, x, xi, px, TailStrategy::ShiftInwards).unroll(xi);
    isScaled(spec) ? tiles.reorder(cl, ci, xi, co, x, yi) : tiles.reorder(cl, ci, xi, x, yi);
  }
  tile.schedule(LoopLevel(out, isScaled(spec) ? co : x));
  read.schedule(LoopLevel(out, x), MemoryType::Stack, isa);
  std::vector<ImageParam> inputs = {in, tile.w};
  inputs.insert(inputs.end(), read.factors.begin(), read.factors.end());
  return kernelBuild(Pipeline(out), inputs, epilogues.operands());
}

} // namespace

Family directConvFamily() {
  return {"direct", "Direct convolution on a register tile; any filter, stride, dilation and groups.",
          whyNot,   parameters,
          choose,   packing,
          build};
}

} // namespace segc::schedules
