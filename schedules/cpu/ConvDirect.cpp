/// \file Direct convolution: register tiles of channel vectors x pixels, each with its epilogues and one
/// store.
///
/// Weights are streamed from the L2 cache once per tile; a task is `rows` image rows of one panel.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/ConvTile.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

bool isScaled(const KernelSpec &spec) { return spec.word("read") == "scaled"; }
/// Products with factors are f32.
bool usesDots(const KernelSpec &spec, Isa isa) { return hasDots(spec, isa) && !isScaled(spec); }

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
          {"px", "pixels of the register tile", {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14}},
          {"rows", "image rows of a task", {1, 2, 4, 8, 16}}};
}

/// The widest tile that fits the registers: 32 with AVX-512, else 16; two or more are left for weights and
/// inputs. Dot products take twice the weights a cycle: panels of 4 vectors come from the L2 cache too slowly
/// for them (512 channels 1x1: 35 % of the peak with 4 x 6, 98 % with 2 x 8).
Schedule choose(const KernelSpec &spec, Isa isa) {
  const std::vector<int> legal = legalConvVectors(spec, isa);
  const int registers = isAvx512(isa) ? 28 : 12, most = isAvx512(isa) && !usesDots(spec, isa) ? 4 : 2;
  int cv = 1;
  for (int v : legal)
    if (v <= most)
      cv = v;
  // Panels that fill the L2 cache are streamed slower than 4 x 6 sums need them: halve them, and more pixels
  // share each vector (1024 channels 3x3: 42 % of peak with 4 x 6, 78 % with 2 x 8).
  const double panelBytes = 4.0 * cv * lanes(isa) * spec.get("c") * spec.get("r") * spec.get("r", 1);
  if (cv == 4 && panelBytes > 400e3)
    cv = 2;
  int px = 1;
  for (int p : {1, 2, 3, 4, 6, 8, 10, 12, 14})
    if (p * cv <= (cv == 1 ? registers / 2 : cv == 2 && isAvx512(isa) ? 16 : cv == 4 ? 24 : registers))
      px = p;
  return {"direct", {{"cv", cv}, {"px", px}, {"rows", 4}}};
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  return convPacking(spec, schedule.params.at("cv"), isa, usesDots(spec, isa));
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int k = spec.get("k"), px = schedule.params.at("px"), rows = schedule.params.at("rows");
  Var c("c"), x("x"), y("y"), n("n"), xi("xi"), yi("yi"), yb("yb"), co("co"), ci("ci"), cl("cl"),
      task("task");
  const bool dots = usesDots(spec, isa);
  const ImageParam in = activation("x", spec.get("c"), spec.get("in"), dots ? BFloat(16) : Float(32));
  const Epilogues epilogues(spec, k);
  std::vector<ImageParam> factors;
  Func scaled("scaled");
  Source source = in;
  if (isScaled(spec)) {
    factors.push_back(activation("s", spec.get("c"), 0));
    factors[0].dim(2).set_stride(0);
    scaled(c, x, y, n) = in(c, x, y, n) * factors[0](c, 0, 0, n);
    source = scaled;
  }
  ConvTile tile(
      spec, schedule.params.at("cv"), isa, source, [&](const Expr &c) { return epilogues.initial(c); }, dots);
  const int vector = tile.vector, panel = tile.panel;
  const bool masked = k % panel != 0; // only without groups
  Func out("y");
  out(c, x, y, n) = epilogues.apply(tile.sum(c, x, y, n), c, x, y, n, true, masked);

  // Loops: task (image, block of rows, panel) > row > tile > registers. Only stores are masked: whole vectors
  // are computed, the weights' panels end in zeros.
  describeActivation(out.output_buffer(), k, spec.get("out"));
  out.bound(c, 0, k)
      .split(c, co, cl, vector, masked ? TailStrategy::PredicateStores : TailStrategy::RoundUp)
      .split(co, co, ci, panel / vector, masked ? TailStrategy::GuardWithIf : TailStrategy::RoundUp)
      .split(y, yb, yi, rows, TailStrategy::GuardWithIf)
      .vectorize(cl)
      .unroll(ci)
      .reorder(cl, ci, x, yi, co, yb, n)
      .fuse(co, yb, task)
      .fuse(task, n, task)
      .parallel(task);
  // The last tile of a row moves left to end with it; rows shorter than a tile are computed pixel by pixel.
  if (px > 1) {
    out.specialize(out.output_buffer().dim(1).extent() >= px)
        .split(x, x, xi, px, TailStrategy::ShiftInwards)
        .reorder(cl, ci, xi, x, yi)
        .unroll(xi);
  }
  tile.schedule(LoopLevel(out, x));
  // The tile's pixels are multiplied once, as vectors over their channels.
  if (isScaled(spec))
    scaled.compute_at(out, x)
        .store_in(MemoryType::Stack)
        .vectorize(c, std::min(lanes(isa), powerOfTwoBelow(spec.get("c"))), TailStrategy::ShiftInwards);
  std::vector<ImageParam> inputs = {in, tile.w};
  inputs.insert(inputs.end(), factors.begin(), factors.end());
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
