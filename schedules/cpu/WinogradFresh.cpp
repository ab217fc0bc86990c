/// \file Winograd convolution F(4x4, 3x3) that takes filters as they lie in the file and transforms them
/// itself.
///
/// For training, where filters change in every run, and images of few tiles: transformed filters are four
/// times as large as the filters, and it takes as long to write and to read them as to multiply by them. Here
/// a task has all tiles of a block and some panels of output channels. For each chunk of input channels it
/// transforms the filters (u) and the pixels (v) into the L2 cache and adds their products to the sums (m).
///
///   u (lane, ci, channel, s, t, panel)  the filters of a chunk
///   m (lane, s, t, tx, ty, co)          sums over the chunks so far
///
/// The rest is as in WinogradLoops.h.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Prefetch.h"
#include "schedules/cpu/Rows.h"
#include "schedules/cpu/WinogradLoops.h"
#include "schedules/cpu/WinogradTransforms.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

using namespace winograd;

constexpr int kTile = 4, kPlanes = kTile + 2, kTaps = 3;
constexpr int kPanel = 2; ///< vectors of output channels of a micro-tile

const std::vector<int> kGroups = {1, 2, 3, 4, 6, 8}, kChunkVectors = {1, 2, 4};

std::string whyNot(const KernelSpec &spec, Isa isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  if (spec.dtype != "f32")
    return "it computes in f32 only";
  if (const std::string why = whyNotPlain(spec); !why.empty())
    return why;
  const bool plain = spec.get("r") == kTaps && spec.get("r", 1) == kTaps && spec.get("s") == 1 &&
                     spec.get("s", 1) == 1 && spec.get("d") == 1 && spec.get("d", 1) == 1 &&
                     spec.get("g") == 1;
  if (!plain)
    return "it needs a 3x3 filter without stride, dilation and groups";
  if (spec.get("c") % lanes(isa) || spec.get("k") % (kPanel * lanes(isa)))
    return "the channels are no whole vectors, or the output channels no whole panels";
  return "";
}

std::vector<int> divisors(int value, const std::vector<int> &candidates) {
  std::vector<int> found;
  for (int d : candidates)
    if (value % d == 0)
      found.push_back(d);
  return found;
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  return {
      {"from", "1: the filters are those of the convolution whose data gradient this is", {0, 1}},
      {"bx", "tiles of a block along x", {4, 8}},
      {"by", "tiles of a block along y", {2, 4, 8}},
      {"kb", "panels of two vectors of output channels of a task",
       divisors(spec.get("k") / lanes(isa) / kPanel, kGroups)},
      {"cc", "vectors of input channels of a chunk", divisors(spec.get("c") / lanes(isa), kChunkVectors)}};
}

/// Blocks of 8 x 8 tiles, or 4 x 4 where the image has no more: filters are transformed once a block. Tasks
/// of 64 output channels and chunks of 32 input channels have u, v and m of 1.2 MB, and an L2 cache of 2 MB
/// room for the pixels and filters that they are made from. With chunks of 64 the ten such layers of a step of
/// U-Net take 86 instead of 79 ms on two threads, with those of 16 as long, and with 128 output channels 83.
Schedule choose(const KernelSpec &spec, Isa isa) {
  constexpr int kChannels = 32; // of a chunk at most
  auto tiles = [](int extent) { return extent > 4 * kTile ? 8 : 4; };
  return {"winograd_fresh",
          {{"from", spec.fresh == "deconv"},
           {"bx", tiles(spec.likelyWidth)},
           {"by", tiles(spec.likelyHeight)},
           {"kb", divisorUpTo(spec.get("k") / lanes(isa) / kPanel, 2)},
           {"cc", divisorUpTo(spec.get("c") / lanes(isa),
                              std::min(kChannels / lanes(isa), kChunkVectors.back()))}}};
}

/// One image of one block, whose filters are 1 MB and more: those of several blocks would be transformed anew
/// for each. The step of U-Net at 256x256 takes 8 % less time so, 6 % if images of 16x16 only count.
bool pays(const KernelSpec &spec, Isa) {
  const int width = spec.likelyWidth, height = spec.likelyHeight;
  return !spec.fresh.empty() && spec.likelyImages == 1 && spec.get("c") * spec.get("k") >= 1 << 18 &&
         std::max(width, height) <= 32 && std::min(width, height) > 8;
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int c = spec.get("c"), k = spec.get("k"), vector = lanes(isa);
  const int group = schedule.params.at("kb"), chunk = schedule.params.at("cc");
  const bool backward = schedule.params.at("from") == 1;
  Schedule point = schedule;
  point.params.insert({{"cv", kPanel}, {"cb", group}, {"kc", 1}});
  const Filtering filtering = filteringOf(kTile, "f32");
  Loops loops(spec, point, isa, filtering, filtering);
  const ImageParam in = activation("x", c, spec.get("in"));
  const ImageParam w = denseParam("w", {kTaps, kTaps, backward ? k : c, backward ? c : k});
  const Epilogues epilogues(spec, k);
  const Var &lane = loops.lane, &x = loops.x, &y = loops.y, &n = loops.n, &s = loops.s, &t = loops.t,
            &tx = loops.tx, &ty = loops.ty, &co = loops.co;
  const Expr lastX = in.dim(1).extent() - 1, lastY = in.dim(2).extent() - 1;

  Part part(0, vector, c / vector, "", "unused");
  loops.defineInput(part, [&](const Expr &c, const Expr &tx, const Expr &s, const Expr &ty, const Expr &t) {
    return in(c, min(tx * kTile + s, lastX), min(ty * kTile + t, lastY), n);
  });

  Var ci("ci"), rx("rx"), ry("ry"), ch("ch"), panel("panel"), number("number");
  Func taps("taps"), columns("filterColumns"), u("u"), &m = loops.m, sum("sum");
  const Expr out = (panel * kPanel + ci) * vector + lane;
  taps(lane, rx, ry, ci, ch, panel) =
      backward ? w(kTaps - 1 - rx, kTaps - 1 - ry, out, ch) : w(rx, ry, ch, out);
  columns(lane, s, ry, ci, ch, panel) =
      mux(s, filtering.filter(listOf(kTaps, [&](int i) { return taps(lane, i, ry, ci, ch, panel); })));
  u(lane, ci, ch, s, t, panel) =
      mux(t, filtering.filter(listOf(kTaps, [&](int i) { return columns(lane, s, i, ci, ch, panel); })));

  const RDom r(0, vector, 0, chunk, "r"), chunks(0, c / vector / chunk, "chunks");
  const Expr kv = number * chunk + r.y, ofChunk = r.y * vector + r.x;
  sum(lane, s, t, tx, ty, co, n, number) = 0.f;
  Expr weight = u(lane, co % kPanel, kv * vector + r.x, s, t, co / kPanel);
  // Meanwhile the filters of the next chunk are fetched, each micro-tile some rows' line of its plane.
  const int across = loops.bx / loops.mx, down = loops.by / loops.my, micro = across * down;
  const Expr microTile = tx / loops.mx % across + ty / loops.my % down * across, plane = s + t * kPlanes,
             inGroup = co / kPanel % group, next = (number + 1) * chunk * vector;
  constexpr int kLine = 16; // floats
  if (backward) {
    const Expr row = next + microTile * (chunk * vector / micro) + ofChunk / micro,
               line = (plane * group + inGroup) / (kPlanes * kPlanes * kLine / (9 * kPanel * vector));
    weight = prefetching(weight, w,
                         row * (9 * k) + (co / kPanel - inGroup) * (kPanel * vector * 9) + line * kLine, 1);
  } else {
    const int rows = std::max(kPanel * vector / micro, 1);
    const Expr row = co / kPanel * (kPanel * vector) + microTile * rows + ofChunk * rows / (chunk * vector);
    weight = prefetching(weight, w, row * (9 * c) + next * 9 + plane * kLine, 1);
  }
  sum(lane, s, t, tx, ty, co, n, number) +=
      weight * part.v(r.x, tx % loops.mx, ty % loops.my, kv, tx / loops.mx, ty / loops.my, s, t, n);
  m(lane, s, t, tx, ty, co, n) = 0.f;
  m(lane, s, t, tx, ty, co, n) += sum(lane, s, t, tx, ty, co, n, chunks);
  loops.defineTiles();

  Func result("y");
  result(loops.c, x, y, n) = undef<float>();
  describeActivation(result.output_buffer(), k, spec.get("out"));
  result(loops.c, x, y, n) = epilogues.apply(loops.pixel(x / kTile, y / kTile, x % kTile, y % kTile), loops.c,
                                             x, y, n, false, false);

  // Loops: task > chunk of input channels > plane > panel > micro-tile.
  loops.scheduleTiles(result, kTile, kTile);
  const Var txi("txi"), tyi("tyi");
  auto microTiles = [&](Stage stage) {
    return stage.split(co, co, ci, kPanel)
        .split(tx, tx, txi, loops.mx, TailStrategy::RoundUp)
        .split(ty, ty, tyi, loops.my, TailStrategy::RoundUp)
        .vectorize(lane, vector)
        .unroll(ci)
        .unroll(txi)
        .unroll(tyi);
  };
  m.compute_at(result, Var("task"))
      .store_in(MemoryType::Heap)
      .bound_extent(s, kPlanes)
      .bound_extent(t, kPlanes)
      .reorder_storage({lane, co, tx, ty, s, t, n})
      .bound_storage(tx, loops.bx)
      .bound_storage(ty, loops.by + 1)
      .bound_extent(co, group * kPanel)
      .bound_extent(n, 1);
  microTiles(m).reorder(lane, ci, txi, tyi, tx, ty, co, s, t, n);
  microTiles(m.update()).reorder(lane, ci, txi, tyi, tx, ty, co, s, t, chunks.x, n);
  sum.compute_at(m, tx)
      .store_in(MemoryType::Register)
      .bound_extent(s, 1)
      .bound_extent(t, 1)
      .bound_extent(tx, loops.mx)
      .bound_extent(ty, loops.my)
      .bound_extent(co, kPanel)
      .bound_extent(n, 1)
      .bound_extent(number, 1)
      .reorder(lane, co, tx, ty, s, t, n)
      .vectorize(lane, vector)
      .unroll(co)
      .unroll(tx)
      .unroll(ty);
  sum.update()
      .reorder({lane, co, tx, ty, r.x, r.y, s, t, n})
      .vectorize(lane, vector)
      .unroll(co)
      .unroll(tx)
      .unroll(ty);
  loops.scheduleInput(LoopLevel(m, chunks.x), part, chunk);
  u.compute_at(m, chunks.x)
      .store_in(MemoryType::Heap)
      .bound_extent(lane, vector)
      .bound_extent(ci, kPanel)
      .bound_extent(ch, chunk * vector)
      .bound_storage(ch, chunk * vector + 1)
      .bound_extent(s, kPlanes)
      .bound_extent(t, kPlanes)
      .bound_extent(panel, group)
      .reorder(lane, t, s, ch, ci, panel)
      .vectorize(lane, vector)
      .unroll(t);
  columns.compute_at(u, ch)
      .store_in(MemoryType::Stack)
      .bound_extent(lane, vector)
      .bound_extent(s, kPlanes)
      .bound_extent(ry, kTaps)
      .bound_extent(ci, 1)
      .bound_extent(ch, 1)
      .bound_extent(panel, 1)
      .vectorize(lane, vector)
      .unroll(s)
      .unroll(ry);
  taps.compute_at(u, ch)
      .store_in(MemoryType::Stack)
      .bound_extent(lane, vector)
      .bound_extent(rx, kTaps)
      .bound_extent(ry, kTaps)
      .bound_extent(ci, 1)
      .bound_extent(ch, 1)
      .bound_extent(panel, 1)
      .vectorize(lane, vector)
      .unroll(rx)
      .unroll(ry);
  KernelBuild kernel = kernelBuild(Pipeline(result), {in, w}, epilogues.operands());
  lowerPrefetches(kernel.pipeline);
  return kernel;
}

} // namespace

Family winogradFreshFamily() {
  return {"winograd_fresh",
          "Winograd convolution F(4x4) that transforms its filters itself, for training; 3x3 filters without "
          "stride, dilation and groups.",
          whyNot,
          parameters,
          choose,
          [](const KernelSpec &, const Schedule &, Isa) { return Packing{}; },
          build,
          false,
          pays};
}

} // namespace segc::schedules
