/// \file Direct convolution for filters that no cache holds: each part of a panel is multiplied with several
/// image rows before the next one is read.
///
/// The sums of a register tile's columns, for all rows of a task, lie in the L1 cache; for every 64 input
/// channels of a tap each row's are taken into registers and back. So the weights come from memory once a
/// task, not once a row, and the rows prefetch the next part's between their products.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/ConvTile.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Prefetch.h"
#include "schedules/cpu/Rows.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Input channels between two rows: the largest of these that divides them.
int partOf(const KernelSpec &spec) {
  for (int channels : {64, 32, 16})
    if (spec.get("c") % channels == 0)
      return channels;
  return 0;
}

std::string whyNot(const KernelSpec &spec, Isa isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  if (isGpu(isa))
    return "its loops are for caches and prefetches";
  if (const std::string why = whyNotPlain(spec); !why.empty())
    return why;
  if (spec.get("g") != 1)
    return "it needs a convolution without groups";
  if (!partOf(spec))
    return "it takes 16 input channels at a time";
  return hasDots(spec, isa) ? "it has no dot products of bf16" : "";
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  return {{"cv", "channel vectors of the register tile", legalConvVectors(spec, isa)},
          {"px", "pixels of the register tile", kTilePixels},
          {"rows", "image rows of a task", {4, 5, 6, 7, 8, 9, 10, 11, 12}}};
}

/// Equal tasks of up to 12 rows, whose sums are 14 KB with 2 x 9 to a tile: rows that do not exist would
/// leave weights for the others to wait for.
Schedule choose(const KernelSpec &spec, Isa isa) {
  const RegisterTile tile = chooseRegisterTile(spec, isa);
  const int height = std::max(spec.likelyHeight, 4);
  return {"deep",
          {{"cv", tile.vectors},
           {"px", tile.pixels},
           {"rows", std::max(ceilDiv(height, ceilDiv(height, 12)), 4)}}};
}

/// Panels of 512 KB and more leave no cache near the core to the rest. 7x7, 512 to 4096 channels, 9x9 pixels
/// on two threads, whose L3 cache gives 30 GB/s each: 50 ms; the direct kernel, for which all weights come
/// from there for every row, takes 144.
bool pays(const KernelSpec &spec, Isa isa) {
  const Schedule point = choose(spec, isa);
  const int panel = point.params.at("cv") * lanes(isa), rows = point.params.at("rows");
  const int64_t elements = int64_t(panel) * spec.get("c") * spec.get("r") * spec.get("r", 1);
  const int tasks = ceilDiv(spec.get("k"), panel) * ceilDiv(spec.likelyHeight, rows);
  return elements >= 1 << 17 && std::min(spec.likelyHeight, spec.likelyWidth) >= 4 && tasks >= 8;
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  return convPacking(spec, schedule.params.at("cv"), isa);
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int channels = spec.get("c"), k = spec.get("k"), px = schedule.params.at("px"),
            rows = schedule.params.at("rows"), part = partOf(spec), vector = lanes(isa),
            panel = schedule.params.at("cv") * vector, height = spec.get("r"), width = spec.get("r", 1);
  const Var c("c"), x("x"), y("y"), n("n"), xi("xi"), yi("yi"), yb("yb"), co("co"), ci("ci"), cl("cl"),
      task("task");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const ImageParam w = denseParam("w", packing(spec, schedule, isa).extents);
  const Epilogues epilogues(spec, k);
  const RDom r(0, channels, 0, width, 0, height, "r");

  Func sum("sum"), out("y");
  sum(c, x, y, n) = epilogues.initial(c);
  const Expr tap = (c / panel * height + r.z) * width + r.y;
  const Expr nextPart = (tap * channels + r.x / part * part + part) * panel;
  const Expr share = y % rows * part + r.x % part; // of the next part's elements panel / rows
  const Expr weight =
      prefetching(w(c % panel, r.x, r.y, r.z, c / panel), w, nextPart + share * (panel / rows), 1);
  sum(c, x, y, n) += weight * in(r.x, x * spec.get("s", 1) + r.y * spec.get("d", 1),
                                 y * spec.get("s") + r.z * spec.get("d"), n);
  const bool masked = k % panel != 0;
  out(c, x, y, n) = epilogues.apply(sum(c, x, y, n), c, x, y, n, true, masked);

  // Loops: task (image, block of rows, panel) > tile of columns > part of the channels > row > registers.
  describeActivation(out.output_buffer(), k, spec.get("out"));
  out.bound(c, 0, k)
      .split(c, co, cl, vector, masked ? TailStrategy::PredicateStores : TailStrategy::RoundUp)
      .split(co, co, ci, panel / vector, masked ? TailStrategy::GuardWithIf : TailStrategy::RoundUp)
      .split(y, yb, yi, rows, TailStrategy::GuardWithIf)
      .vectorize(cl)
      .unroll(ci)
      .reorder(cl, ci, yi, x, co, yb, n)
      .fuse(co, yb, task)
      .fuse(task, n, task)
      .parallel(task);
  if (px > 1)
    out.specialize(out.output_buffer().dim(1).extent() >= px)
        .split(x, x, xi, px, TailStrategy::ShiftInwards)
        .unroll(xi)
        .reorder(cl, ci, xi, yi, x);
  const RVar parts("parts"), channel("channel");
  sum.compute_at(out, x)
      .store_in(MemoryType::Stack)
      .bound_extent(c, panel)
      .bound_storage(y, rows)
      .vectorize(c, vector)
      .unroll(c)
      .unroll(x);
  sum.update()
      .split(r.x, parts, channel, part)
      .reorder(c, x, channel, y, parts, r.y, r.z, n)
      .vectorize(c, vector)
      .unroll(c)
      .unroll(x);
  KernelBuild kernel = kernelBuild(Pipeline(out), {in, w}, epilogues.operands());
  lowerPrefetches(kernel.pipeline);
  return kernel;
}

} // namespace

Family deepConvFamily() {
  return {"deep", "Direct convolution that multiplies each part of its weights with several rows; no groups.",
          whyNot, parameters,
          choose, packing,
          build,  false,
          pays};
}

} // namespace segc::schedules
