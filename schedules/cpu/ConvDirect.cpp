/// \file Direct convolution: a register tile of channel vectors x pixels, summed over the whole filter.
///
/// For every tile: sums start with the bias, one broadcast input value times `cv` weight vectors for each of
/// `px` pixels per step, the epilogues act on the registers, one store. Weights are panels of cv vectors of
/// output channels, streamed from the L2 cache once per tile; a task is `rows` image rows of one panel.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Output channels of one group.
int groupChannels(const KernelSpec &spec) { return spec.get("k") / spec.get("g"); }

/// Lanes of a vector: all of the machine's without groups (the last vector is stored under a mask); with
/// groups the largest power of two that divides a group's channels, so that no vector straddles two groups.
int vectorLanes(const KernelSpec &spec, Isa isa) {
  if (spec.get("g") == 1)
    return lanes(isa);
  int vector = lanes(isa);
  while (groupChannels(spec) % vector)
    vector /= 2;
  return vector;
}

/// Channel vectors a register tile may have: panels must not straddle groups, and what they read of
/// per-channel vectors must exist.
std::vector<int> legalVectors(const KernelSpec &spec, Isa isa) {
  std::vector<int> legal;
  const int vector = vectorLanes(spec, isa), k = spec.get("k");
  for (int cv : {1, 2, 3, 4}) {
    const int panel = cv * vector;
    const bool fits = spec.get("g") > 1
                          ? groupChannels(spec) % panel == 0
                          : ceilDiv(k, panel) * panel <= paddedChannels(k) && (cv - 1) * vector < k;
    if (fits)
      legal.push_back(cv);
  }
  return legal;
}

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  if (spec.get("c") % spec.get("g") || spec.get("k") % spec.get("g"))
    return "the groups do not divide the channels";
  return "";
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  return {{"cv", "channel vectors of the register tile", legalVectors(spec, isa)},
          {"px", "pixels of the register tile", {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14}},
          {"rows", "image rows of a task", {1, 2, 4, 8, 16}}};
}

/// The widest tile that fits the registers: 32 with AVX-512, else 16; two or more are left for weights and
/// inputs.
Schedule choose(const KernelSpec &spec, Isa isa) {
  const std::vector<int> legal = legalVectors(spec, isa);
  const int registers = isa == Isa::Avx512 ? 28 : 12, most = isa == Isa::Avx512 ? 4 : 2;
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
    if (p * cv <= (cv == 1 ? registers / 2 : cv == 2 && isa == Isa::Avx512 ? 16 : cv == 4 ? 24 : registers))
      px = p;
  return {"direct", {{"cv", cv}, {"px", px}, {"rows", 4}}};
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int panel = schedule.params.at("cv") * vectorLanes(spec, isa), groups = spec.get("g");
  KernelSpec pack;
  pack.op = "pack_conv";
  pack.fields = {{"panel", {panel}}, {"g", {groups}}, {"scale", {0}}, {"tap", {0, 0}}, {"step", {1, 1}}};
  pack.words = {{"from", "conv"}};
  return {pack.print(),
          {panel, spec.get("c") / groups, spec.get("r", 1), spec.get("r"),
           groups * ceilDiv(groupChannels(spec), panel)}};
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int k = spec.get("k"), groups = spec.get("g"), groupC = spec.get("c") / groups;
  const int px = schedule.params.at("px"), rows = schedule.params.at("rows"), vector = vectorLanes(spec, isa);
  const Packing pack = packing(spec, schedule, isa);
  const int panel = pack.extents[0], panelsPerGroup = pack.extents[4] / groups;
  const bool masked = k % panel != 0; // only without groups

  const ImageParam in = activation("x", spec.get("c"), spec.get("in")), w = denseParam("w", pack.extents);
  const Epilogues epilogues(spec, k);
  Var c("c"), x("x"), y("y"), n("n"), xi("xi"), yi("yi"), yb("yb"), co("co"), ci("ci"), cl("cl"),
      task("task");
  RDom r(0, groupC, 0, spec.get("r", 1), 0, spec.get("r"), "r");
  Func sum("sum"), out("y");
  const Expr firstC = groups == 1 ? Expr(0) : c / panel / panelsPerGroup * groupC;
  sum(c, x, y, n) = epilogues.initial(c);
  sum(c, x, y, n) +=
      w(c % panel, r.x, r.y, r.z, c / panel) * in(firstC + r.x, x * spec.get("s", 1) + r.y * spec.get("d", 1),
                                                  y * spec.get("s") + r.z * spec.get("d"), n);
  out(c, x, y, n) = epilogues.apply(sum(c, x, y, n), c, x, y, n, true, masked);

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
  sum.compute_at(out, x)
      .store_in(MemoryType::Register)
      .bound_extent(c, panel)
      .vectorize(c, vector)
      .unroll(c)
      .unroll(x);
  sum.update().reorder(c, x, y, n, r.x, r.y, r.z).vectorize(c, vector).unroll(c).unroll(x);

  KernelBuild result{{in, w}, Pipeline(out)};
  result.inputs.insert(result.inputs.end(), epilogues.operands().begin(), epilogues.operands().end());
  return result;
}

} // namespace

Family directConvFamily() {
  return {"direct", "Direct convolution on a register tile; any filter, stride, dilation and groups.",
          whyNot,   parameters,
          choose,   packing,
          build};
}

} // namespace segc::schedules
