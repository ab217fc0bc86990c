/// \file A network's last resizing, straight into the planes of the caller's tensor.
///
/// In the result's layout (N, C, H, W) a row of one channel is a dense run of memory, and the weights of a
/// row's pixels are the same for all channels. So the few rows of the operand that a band of the result needs
/// are taken apart by channels and resized horizontally once; what is left for each pixel of the result is a
/// weighted sum of two dense rows (bicubic: four). Resizing by pixels and taking the result apart behind it
/// writes it twice and reads it once more: for 21 classes at 512 x 512 pixels, eight times those of the
/// operand, that takes 5.4 ms, this kernel 2.7 (one thread, AVX-512).
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Prefetch.h"
#include "schedules/cpu/Resize.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Elements between what is stored and what is fetched into the L2 cache meanwhile: after the rest of a
/// network the result is no longer there, and stores alone wait for most of it (LR-ASPP at 512 x 512 on two
/// threads: this kernel has 8 instead of 11 % of the samples, the network takes 20.0 instead of 20.8 ms).
constexpr int kAhead = 1024;

std::string whyNot(const KernelSpec &spec, Isa) {
  return spec.op == "export_upsample" ? "" : "it computes only export_upsample";
}

std::vector<Parameter> parameters(const KernelSpec &, Isa) {
  return {{"tile", "pixels of a row that are computed before the next row", {64, 128, 256, 512}},
          {"rows", "image rows of a task", {8, 16, 32, 64}}};
}

Schedule choose(const KernelSpec &, Isa) { return {"planes", {{"tile", 512}, {"rows", 64}}}; }

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int channels = spec.get("c"), vector = lanes(isa);
  const int tile = schedule.params.at("tile"), rows = schedule.params.at("rows");
  // Of `count` pixels of the result, where the operand has no more pixels than it; rounding may add one.
  auto needed = [&](int count) { return count + (spec.word("mode") == "bicubic" ? 5 : 3); };
  const Var c("c"), x("x"), y("y"), n("n"), xo("xo"), xi("xi"), xv("xv"), yb("yb"), yi("yi"), co("co"),
      ci("ci"), task("task");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Expr inW = in.dim(1).extent(), inH = in.dim(2).extent();

  // Its values depend on the result's extents, which exist once it is defined: they follow as an update.
  Func out("y"), plane("plane"), wide("wide");
  out(c, x, y, n) = undef<float>();
  OutputImageParam result = out.output_buffer();
  describeForeign(result, channels);
  const Expr width = result.dim(1).extent(), height = result.dim(2).extent();

  plane(x, y, c, n) = in(c, x, y, n);
  wide(x, y, c, n) =
      weighted(neighbours(spec, x, inW, width), [&](const Expr &px) { return Expr(plane(px, y, c, n)); });
  const Expr byPlanes =
      weighted(neighbours(spec, y, inH, height), [&](const Expr &py) { return Expr(wide(x, py, c, n)); });
  const Expr isPlanar = result.dim(1).stride() == 1 && width >= inW && height >= inH && width >= vector;
  // Only one of these loops around the updates runs; specializations leave the values of updates as they are.
  const RDom planes(0, select(isPlanar, 1, 0), "planes"), others(0, select(isPlanar, 0, 1), "others");
  Expr ahead = kAhead;
  const Expr at[] = {c, x, y, n};
  for (int d = 0; d < 4; d++)
    ahead += (at[d] - result.dim(d).min()) * result.dim(d).stride();
  out(c, x, y, n) = prefetching(select(planes.x >= 0, byPlanes, 0.f), result, ahead, 1);
  out(c, x, y, n) = select(others.x >= 0, resized(spec, in, c, x, y, n, width, height), 0.f);

  out.bound(c, 0, channels);
  out.update(0)
      .split(y, yb, yi, rows, TailStrategy::GuardWithIf)
      .split(x, xi, xv, vector, TailStrategy::PredicateStores)
      .split(xi, xo, xi, tile / vector, TailStrategy::GuardWithIf)
      .reorder(xv, xi, yi, xo, yb, c, n, planes.x)
      .vectorize(xv)
      .fuse(yb, c, task)
      .fuse(task, n, task)
      .parallel(task)
      .specialize(result.dim(1).stride() == 1); // always so where isPlanar: stores are of whole vectors then
  wide.compute_at(out, xo)
      .store_in(MemoryType::Heap)
      .bound_storage(x, tile)
      .bound_storage(y, needed(rows))
      .vectorize(x, vector, TailStrategy::RoundUp);
  plane.compute_at(wide, y).store_in(MemoryType::Stack).bound_storage(x, needed(tile)).bound_storage(y, 1);
  // Other layouts, and results with fewer pixels than the operand.
  Stage pixels = out.update(1);
  pixels.reorder(c, x, y, n, others.x).fuse(y, n, task).parallel(task);
  constexpr int kMostLanes = 64; // of a vector of 4096 LLVM makes no code in minutes
  const int block = std::min(powerOfTwoBelow(channels), kMostLanes);
  Stage dense = pixels.specialize(result.dim(0).stride() == 1);
  dense.split(c, co, ci, block, TailStrategy::ShiftInwardsAndBlend).vectorize(ci);
  if (channels < 2 * block)
    dense.unroll(co);
  KernelBuild kernel = kernelBuild(Pipeline(out), {in});
  lowerPrefetches(kernel.pipeline);
  return kernel;
}

} // namespace

Family planesFamily() {
  return {"planes", "A network's last resizing, straight into the planes of the caller's tensor.",
          whyNot,   parameters,
          choose,   [](const KernelSpec &, const Schedule &, Isa) { return Packing{}; },
          build};
}

} // namespace segc::schedules
