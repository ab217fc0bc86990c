/// \file A network's last layer with what is made of its class scores: these stay in a small tile on the
/// stack.
///
/// For every tile of pixels of a row all channels' scores are computed (by register tiles of a convolution,
/// or by resizing), with the epilogues in front of the reduction; then the tile's argmax or softmax is
/// stored. Neither kind of scores ever lies in memory: with 21 classes that is 84 bytes a pixel written and
/// read.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/PixelScores.h"
#include "schedules/cpu/Resize.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Pixels of a tile: whole vectors across pixels for every instruction set, whole register tiles.
constexpr int kTile = 16;
/// Scores of a tile stay in the L1 cache (4 and 16 KB).
constexpr int kMostConvChannels = 64, kMostChannels = 256;

int channelsOf(const KernelSpec &spec) { return spec.get(spec.op == "conv" ? "k" : "c"); }

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.reduction().empty() || !spec.pooling().empty())
    return "it computes only what ends in +argmax, +softmax or +log_softmax";
  const int most = spec.op == "conv" ? kMostConvChannels : kMostChannels;
  if (channelsOf(spec) > most)
    return "it holds the scores of at most " + std::to_string(most) + " channels";
  if (spec.op == "conv" && spec.get("g") != 1)
    return "it needs a convolution without groups";
  return whyNotScaled(spec);
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  const Parameter rows{"rows", "image rows of a task", {1, 2, 4, 8}};
  if (spec.op == "upsample")
    return {rows};
  return {{"cv", "channel vectors of the register tile", legalConvVectors(spec, isa)},
          {"px", "pixels of the register tile", {1, 2, 4, 8, 16}},
          rows};
}

/// Of the panels that waste the fewest lanes the widest; then as many pixels as the registers take.
Schedule choose(const KernelSpec &spec, Isa isa) {
  if (spec.op == "upsample")
    return {"head", {{"rows", 2}}};
  const int k = spec.get("k"), registers = isAvx512(isa) ? 24 : 12;
  auto computed = [&](int cv) { return ceilDiv(k, cv * lanes(isa)) * cv; };
  int cv = 1;
  for (int v : legalConvVectors(spec, isa))
    if (computed(v) <= computed(cv))
      cv = v;
  int px = 1;
  while (2 * px * cv <= registers && px < kTile)
    px *= 2;
  return {"head", {{"cv", cv}, {"px", px}, {"rows", 4}}};
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  return spec.op == "conv" ? convPacking(spec, schedule.params.at("cv"), isa) : Packing{};
}

/// The epilogues in front of the reduction.
KernelSpec scoresOnly(KernelSpec spec) {
  spec.epilogues.pop_back();
  return spec;
}

struct Vars {
  const Var c{"c"}, x{"x"}, y{"y"}, n{"n"}, co{"co"}, ci{"ci"}, cl{"cl"}, xi{"xi"}, xt{"xt"}, xv{"xv"},
      yi{"yi"}, yb{"yb"}, task{"task"};
};

/// Loops: task (image, block of rows) > row > tile `x` > pixel, or vector of pixels, `xi` > channels.
void scheduleLoops(Stage all, const PixelScores &reduction, int rows, TailStrategy vectors) {
  const Vars v;
  all.split(v.x, v.x, v.xi, 1).split(v.y, v.yb, v.yi, rows, TailStrategy::GuardWithIf);
  if (reduction.across || reduction.isArgmax)
    all.unroll(v.c).reorder(v.c, v.xi, v.x, v.yi, v.yb, v.n);
  else
    all.split(v.c, v.co, v.ci, reduction.lanes, vectors)
        .vectorize(v.ci)
        .reorder(v.ci, v.co, v.xi, v.x, v.yi, v.yb, v.n);
  all.fuse(v.yb, v.n, v.task).parallel(v.task);
}

/// Splits the pixels of loop `x` into tiles. The last one of a row moves left, or where the values are an
/// update, which must not compute pixels twice, is cut.
void scheduleTiles(Stage wide, const PixelScores &reduction, bool cut) {
  const Vars v;
  if (reduction.across && cut)
    wide.split(v.x, v.x, v.xv, reduction.lanes, TailStrategy::PredicateStores)
        .split(v.x, v.x, v.xt, kTile / reduction.lanes, TailStrategy::GuardWithIf);
  else
    wide.split(v.x, v.x, v.xt, kTile, cut ? TailStrategy::GuardWithIf : TailStrategy::ShiftInwards);
  if (reduction.across && !cut)
    wide.split(v.xt, v.xt, v.xv, reduction.lanes);
  if (reduction.across)
    wide.reorder(v.xv, v.c, v.xi, v.xt, v.x).vectorize(v.xv);
  else if (reduction.isArgmax)
    wide.reorder(v.c, v.xi, v.xt, v.x);
  else
    wide.reorder(v.ci, v.co, v.xi, v.xt, v.x);
}

/// The last tile of a row moves left to end with it; rows shorter than a tile are computed pixel by pixel.
KernelBuild buildConv(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const Vars v;
  const int k = spec.get("k");
  const ImageParam in = activation("x", spec.get("c"), spec.get("in"));
  const Epilogues epilogues(scoresOnly(spec), k);
  ConvTile tile(spec, schedule.params.at("cv"), isa, in, [&](const Expr &c) { return epilogues.initial(c); });
  const int padded = ceilDiv(k, tile.panel) * tile.panel;
  Func scores("scores"), out("y");
  scores(v.c, v.x, v.y, v.n) =
      epilogues.apply(tile.sum(v.c, v.x, v.y, v.n), v.c, v.x, v.y, v.n, true, padded != k);
  PixelScores reduction(spec.reduction(), k, isa, scores);
  out(v.c, v.x, v.y, v.n) = reduction.result();

  describeActivation(out.output_buffer(), reduction.results, spec.get("out"));
  out.bound(v.c, 0, reduction.results);
  scheduleLoops(out, reduction, schedule.params.at("rows"),
                k % reduction.lanes ? TailStrategy::ShiftInwards : TailStrategy::RoundUp);
  const Expr isWide = out.output_buffer().dim(1).extent() >= kTile;
  scheduleTiles(out.specialize(isWide), reduction, false);
  reduction.schedule(LoopLevel(out, v.xi));
  scores.compute_at(out, v.x)
      .store_in(MemoryType::Stack)
      .bound(v.c, 0, padded)
      .split(v.c, v.co, v.ci, tile.panel)
      .split(v.ci, v.ci, v.cl, tile.vector)
      .vectorize(v.cl)
      .unroll(v.ci)
      .reorder(v.cl, v.ci, v.x, v.co);
  const int px = schedule.params.at("px");
  scores.specialize(isWide).split(v.x, v.x, v.xi, px).reorder(v.cl, v.ci, v.xi, v.x, v.co).unroll(v.xi);
  tile.schedule(LoopLevel(scores, v.x));
  return kernelBuild(Pipeline(out), {in, tile.w}, epilogues.operands());
}

/// All tiles are whole: beyond a row's end nothing is stored, and resizing reads the pixels at the edge.
KernelBuild buildUpsample(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const Vars v;
  const int channels = spec.get("c");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Epilogues epilogues(scoresOnly(spec), channels);
  Func scores("scores"), out("y");
  // Scores depend on the result's extents, which exist once it is defined; its values follow as an update.
  const bool argmax = spec.reduction() == "argmax";
  out(v.c, v.x, v.y, v.n) = undef(argmax ? Int(32) : Float(32));
  describeActivation(out.output_buffer(), argmax ? 1 : channels, spec.get("out"));
  const Expr width = out.output_buffer().dim(1).extent(), height = out.output_buffer().dim(2).extent();
  scores(v.c, v.x, v.y, v.n) = epilogues.apply(resized(spec, in, v.c, v.x, v.y, v.n, width, height), v.c,
                                               min(v.x, width - 1), v.y, v.n);
  PixelScores reduction(spec.reduction(), channels, isa, scores);
  out(v.c, v.x, v.y, v.n) = reduction.result();

  out.bound(v.c, 0, reduction.results);
  const Stage values = out.update();
  scheduleLoops(values, reduction, schedule.params.at("rows"), TailStrategy::GuardWithIf);
  scheduleTiles(values, reduction, true);
  reduction.schedule(LoopLevel(out, v.xi));
  const int vector = std::min(lanes(isa), powerOfTwoBelow(channels));
  scores.compute_at(out, v.x)
      .store_in(MemoryType::Stack)
      .bound(v.c, 0, channels)
      .bound_extent(v.x, kTile)
      .split(v.c, v.co, v.ci, vector, TailStrategy::ShiftInwards)
      .vectorize(v.ci);
  return kernelBuild(Pipeline(out), {in}, epilogues.operands());
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  return spec.op == "conv" ? buildConv(spec, schedule, isa) : buildUpsample(spec, schedule, isa);
}

} // namespace

Family headFamily() {
  return {"head", "A convolution or resizing whose class scores become an argmax or a softmax at once.",
          whyNot, parameters,
          choose, packing,
          build};
}

} // namespace segc::schedules
