/// \file A depthwise convolution and the 1x1 convolution that reads it: what lies between stays in a small
/// tile.
///
/// For every tile of pixels of a row the depthwise result of all channels goes, through its bias and
/// activation, into a tile on the stack; the register tiles of the 1x1 convolution read it from there, as
/// bf16 where there are dot products of these.
// SPDX-License-Identifier: MIT
#include "schedules/Arithmetic.h"
#include "schedules/cpu/ConvTile.h"
#include "schedules/cpu/DepthwiseTile.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"

using namespace Halide;

namespace segc::schedules {
namespace {

KernelSpec depthwisePart(const KernelSpec &spec) { return weightParts(spec)[0]; }
KernelSpec pointwisePart(const KernelSpec &spec) { return weightParts(spec)[1]; }

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.op != "separable")
    return "it computes only a depthwise and a 1x1 convolution at once";
  if (spec.get("c") < 2)
    return "with one channel there is nothing to separate";
  return whyNotReduced(spec);
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  return {{"cv", "channel vectors of the register tile", legalConvVectors(pointwisePart(spec), isa)},
          {"px", "pixels of the register tile", kTilePixels},
          {"blocks", "register tiles along x of one depthwise tile", {1, 2, 4}},
          {"rows", "image rows of a task", {1, 2, 4, 8}}};
}

Schedule choose(const KernelSpec &spec, Isa isa) {
  const RegisterTile tile = chooseRegisterTile(pointwisePart(spec), isa);
  return {"separable", {{"cv", tile.vectors}, {"px", tile.pixels}, {"blocks", 1}, {"rows", 4}}};
}

Packing packing(const KernelSpec &part, const Schedule &schedule, Isa isa) {
  return part.get("g") == 1 ? convPacking(part, schedule.params.at("cv"), isa, hasDots(part, isa))
                            : depthwisePacking(part);
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const KernelSpec first = depthwisePart(spec), second = pointwisePart(spec);
  const int channels = spec.get("c"), k = spec.get("k"), px = schedule.params.at("px");
  const int width = px * schedule.params.at("blocks");
  Var c("c"), x("x"), y("y"), n("n"), xt("xt"), xi("xi"), yi("yi"), yb("yb"), co("co"), ci("ci"), cl("cl"),
      task("task");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const ImageParam bias = denseParam("b", {paddedChannels(channels)});
  DepthwiseTile depthwise(first, in, "dw", [&](const Expr &channel) { return bias(channel); });
  Func mid("mid"), out("y");
  const std::string function = spec.word("mid");
  const Expr sum = depthwise.sum(c, x, y, n);
  const Expr between = function == "none" ? sum : activate(function, sum);
  const bool dots = hasDots(second, isa);
  mid(c, x, y, n) = dots ? reinterpret(BFloat(16), toBfloat(between)) : between;
  const Epilogues epilogues(spec, k);
  ConvTile tile(
      second, schedule.params.at("cv"), isa, mid,
      [&](const Expr &channel) { return epilogues.initial(channel); }, dots);
  const bool masked = k % tile.panel != 0;
  out(c, x, y, n) = epilogues.apply(tile.sum(c, x, y, n), c, x, y, n, true, masked);

  // Loops: task (image, block of rows) > row > tile of pixels `x` > panel > register tile `xt` > registers.
  describeActivation(out.output_buffer(), k, spec.get("out"));
  out.bound(c, 0, k)
      .split(c, co, cl, tile.vector, masked ? TailStrategy::PredicateStores : TailStrategy::RoundUp)
      .split(co, co, ci, tile.panel / tile.vector, masked ? TailStrategy::GuardWithIf : TailStrategy::RoundUp)
      .split(x, x, xt, 1)
      .split(y, yb, yi, schedule.params.at("rows"), TailStrategy::GuardWithIf)
      .vectorize(cl)
      .unroll(ci)
      .reorder(cl, ci, xt, co, x, yi, yb, n)
      .fuse(yb, n, task)
      .parallel(task);
  // The last tile of a row moves left to end with it; rows shorter than a tile are computed pixel by pixel.
  const Expr isWide = out.output_buffer().dim(1).extent() >= width;
  Var xp("xp"), xb("xb");
  out.specialize(isWide)
      .split(x, x, xp, width, TailStrategy::ShiftInwards)
      .split(xp, xb, xi, px)
      .fuse(xb, xt, xt)
      .reorder(cl, ci, xi, xt, co, x)
      .unroll(xi);
  tile.schedule(LoopLevel(out, xt));

  const int lanesHere = depthwiseLanes(first, isa);
  mid.compute_at(out, x)
      .store_in(MemoryType::Stack)
      .bound(c, 0, channels)
      .split(c, co, ci, lanesHere, TailStrategy::ShiftInwards)
      .vectorize(ci)
      .reorder(ci, x, co);
  mid.specialize(isWide).split(x, x, xi, px).reorder(ci, xi, x, co).unroll(xi);
  depthwise.schedule(LoopLevel(mid, x), lanesHere, lanesHere);
  return kernelBuild(Pipeline(out), {in, depthwise.w, bias, tile.w}, epilogues.operands());
}

} // namespace

Family separableFamily() {
  return {"separable", "A depthwise and a 1x1 convolution, the result of the first in a small tile.",
          whyNot,      parameters,
          choose,      packing,
          build};
}

} // namespace segc::schedules
