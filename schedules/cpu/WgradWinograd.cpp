/// \file Weight gradients in the domain of Winograd's F(4x4, 3x3): a quarter of the direct sum's products.
///
///   dw = G^T [ sum over tiles of (B^T x B) * (A dy A^T) ] G
///
/// A task owns a block of input x output channels and one band of tiles. It transforms a piece of its band
/// (v of x, z of dy), adds 36 planes of products [input channels x tiles] [tiles x output channels] to the
/// block's sums (m), and at the end transforms these to the nine taps, while they are in the L2 cache.
///
///   v, z (lane, vector, tile, s, t)     a plane's tiles follow each other: the products read sequentially
///   m    (lane, channel, vector, s, t)  vectors of output channels; those of neighbouring input channels are
///                                       neighbours, as their taps are read together
///
/// What a tile has beyond the image counts as dy = 0; x is read there at the nearest pixel of its window.
///
/// Where there are dot products of bf16, v and z are rounded to bf16 and hold two tiles a word: half the
/// products and half the memory, sums in f32.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/ConvTile.h"
#include "schedules/cpu/DotPairs.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Prefetch.h"
#include "schedules/cpu/Wgrad.h"
#include "schedules/cpu/WinogradTransforms.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

using namespace wgrad;
using namespace winograd;

constexpr int kTaps = 3;
constexpr int kTile = 4, kPlanes = kTile + 2; ///< results and transformed values along one side of a tile

std::string whyNot(const KernelSpec &spec, Isa isa) {
  if (spec.op != "conv_wgrad")
    return "it computes gradients of convolution weights only";
  const bool plain = spec.get("r") == kTaps && spec.get("r", 1) == kTaps && spec.get("s") == 1 &&
                     spec.get("s", 1) == 1 && spec.get("d") == 1 && spec.get("d", 1) == 1 &&
                     spec.get("g") == 1;
  if (!plain)
    return "it needs a 3x3 filter without stride, dilation and groups";
  if (spec.get("c") % lanes(isa) || spec.get("k") % lanes(isa))
    return "the channels are no whole vectors";
  if (spec.get("c") < 16 || spec.get("k") < 16)
    return "with fewer than 16 channels the transforms cost more than they save";
  return "";
}

/// A task's block in vectors: of output channels (whole register tiles) and of input channels.
struct Block {
  int output, input;
  Block(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
    const int cv = schedule.params.at("cv");
    output = cv * divisorUpTo(spec.get("k") / lanes(isa) / cv, schedule.params.at("kb"));
    input = divisorUpTo(spec.get("c") / lanes(isa), schedule.params.at("cb"));
  }
};

const std::vector<int> kBlocks = {1, 2, 3, 4, 5, 6, 7, 8, 16, 32}, kTiles = {8, 16, 32, 64, 128};

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  std::vector<int> vectors, channels;
  for (int cv : {1, 2, 4})
    if (spec.get("k") / lanes(isa) % cv == 0)
      vectors.push_back(cv);
  return {{"cv", "vectors of output channels of the register tile", vectors},
          {"it", "input channels of the register tile", upTo(lanes(isa), {2, 4, 8, 16})},
          {"kb", "register tiles of output channels of a task at most", kBlocks},
          {"cb", "vectors of input channels of a task at most", kBlocks},
          {"tiles", "tiles that are transformed at a time", kTiles},
          {"parts", "bands with sums of their own", {1, 2, 4, 8, 16, 32, 64}}};
}

int tasks(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const Block block(spec, schedule, isa);
  const int vector = lanes(isa);
  return spec.get("k") / vector / block.output * (spec.get("c") / vector / block.input) *
         schedule.params.at("parts");
}

/// Vectors of a block: the divisor of `vectors` next to `most`, from below if it is not less than half of it.
int blockVectors(int vectors, int most) {
  const int below = divisorUpTo(vectors, most);
  if (2 * below >= std::min(most, vectors))
    return below;
  for (int above = most + 1; above <= 2 * most; above++)
    if (vectors % above == 0)
      return above;
  return below;
}

/// The best point with blocks of about blockC x blockK channels. Pieces have as many tiles as a cache of 1 MB
/// has room for beside the planes, or 32 where it has none.
Schedule pointOf(const KernelSpec &spec, Isa isa, int blockC, int blockK) {
  constexpr int kCache = (1 << 20) / 4 / (kPlanes * kPlanes);
  const int vector = lanes(isa), vectors = spec.get("k") / vector;
  const int cv = vectors % 4 == 0 ? 4 : vectors % 2 == 0 ? 2 : 1;
  const int it = isAvx512(isa) && cv == 4 ? 4 : std::min(8 / cv, vector); // of 32 and of 16 registers
  const int kb = upTo(blockVectors(vectors / cv, std::max(blockK / (cv * vector), 1)), kBlocks).back();
  const int cb = upTo(blockVectors(spec.get("c") / vector, blockC / vector), kBlocks).back();
  Schedule schedule{"wgrad_winograd", {{"cv", cv}, {"it", it}, {"kb", kb}, {"cb", cb}, {"parts", 1}}};
  const int perWord = hasDots(spec, isa) ? 2 : 1;
  const int room = perWord * (kCache - kb * cv * cb * vector * vector) / ((kb * cv + cb) * vector);
  schedule.params["tiles"] = room < 8 ? 32 : upTo(room, kTiles).back();
  schedule.params["parts"] = chooseParts(spec, tasks(spec, schedule, isa));
  return schedule;
}

/// Blocks of 64 x 64 channels: their planes stay in an L2 cache of 1 MB beside a piece. Twice as large ones
/// transform x or dy half as often and need twice the bands for as many tasks (one image on two threads of a
/// Xeon, 128 to 256 channels at 64x64: 3.3 against 2.9 ms, 256 to 512 at 32x32: 3.5 against 3.0; eight
/// images of 256 channels at 64x64 on one thread: as fast).
Schedule choose(const KernelSpec &spec, Isa isa) {
  const int blockK = std::min(spec.get("k"), 64), blockC = std::min({spec.get("c"), 128, 64 * 64 / blockK});
  return pointOf(spec, isa, blockC, blockK);
}

/// Of one band there is nothing to add: the kernel stores the file's layout itself, and the gradient goes
/// through memory once instead of three times (1024 to 1024 channels at 16x16 on two threads: 8.7 instead of
/// 12.4 ms with what unpacked it, 512 to 512 at 32x32: 6.4 instead of 7.1).
bool storesFilter(const Schedule &schedule) { return schedule.params.at("parts") == 1; }

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  if (storesFilter(schedule))
    return {"", {kTaps, kTaps, spec.get("c"), spec.get("k")}};
  return packedGradient(lanes(isa), kTaps * kTaps, spec.get("c"), spec.get("k") / lanes(isa),
                        schedule.params.at("parts"), false);
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int vector = lanes(isa), most = schedule.params.at("tiles"), parts = schedule.params.at("parts");
  const int cv = schedule.params.at("cv"), it = schedule.params.at("it");
  const Block block(spec, schedule, isa);

  const ImageParam x = activation("x", spec.get("c"), spec.get("in"));
  const ImageParam dy = activation("dy", spec.get("k"), spec.get("dy"));
  const Expr width = dy.dim(1).extent(), height = dy.dim(2).extent();
  const Expr tilesX = (width + kTile - 1) / kTile, tilesY = (height + kTile - 1) / kTile;
  const Expr tiles = tilesX * tilesY * dy.dim(3).extent();
  const Pieces pieces(tiles, parts, most);
  const bool dots = hasDots(spec, isa);
  const int perWord = dots ? 2 : 1;                                                     // tiles
  const Expr words = (pieces.length + perWord - 1) / perWord, length = words * perWord; // of a piece

  Var l("l"), vk("vk"), vc("vc"), c("c"), e("e"), s("s"), t("t"), piece("piece"), part("part"), tap("tap");
  const Filtering filtering = filteringOf(kTile, dots ? "bf16" : "f32");
  const Expr number = bandStart(tiles, part, parts) + piece * length + e, tile = min(number, tiles - 1);
  const Expr left = tile % tilesX * kTile, top = tile / tilesX % tilesY * kTile, n = tile / (tilesX * tilesY);
  const Expr endX =
      select(number < bandStart(tiles, part + 1, parts), width, 0); // tiles beyond the band are 0
  auto gradient = [&](Expr px, Expr py) {
    return select(px < endX && py < height, dy(vk * vector + l, min(px, width - 1), min(py, height - 1), n),
                  0.f);
  };
  Func vColumns("vColumns"), v("v"), zColumns("zColumns"), z("z"), acc("acc"), m("m"), rows("rows"), out;
  const bool direct = storesFilter(schedule);
  // A column's first value, which meanwhile fetches the same column of the next tile: its pixels lie too far
  // apart for the processor to foresee them.
  auto fetching = [&](const Expr &value, const ImageParam &of, const Expr &vectors, int rows) {
    if (spec.dtype != "f32")
      return value;
    const Expr index = vectors * vector + (left + kTile + s) * of.dim(1).stride() + top * of.dim(2).stride() +
                       n * of.dim(3).stride();
    return prefetching(value, of, index, rows, of.dim(2).stride());
  };
  vColumns(l, vc, e, s, t, piece, part) = mux(t, filtering.input(listOf(kPlanes, [&](int i) {
    const Expr value = x(vc * vector + l, min(left + s, width + 1), min(top + i, height + 1), n);
    return i ? value : fetching(value, x, vc, kPlanes);
  })));
  auto inWords = [&](const std::function<Expr(const Expr &)> &tileValue) {
    return dots ? pairOf(tileValue(2 * e), tileValue(2 * e + 1)) : tileValue(e);
  };
  v(l, vc, e, s, t, piece, part) = inWords([&](const Expr &e) {
    return mux(
        s, filtering.input(listOf(kPlanes, [&](int i) { return vColumns(l, vc, e, i, t, piece, part); })));
  });
  zColumns(l, vk, e, s, t, piece, part) = mux(t, filtering.resultGradient(listOf(kTile, [&](int i) {
    const Expr value = gradient(left + s, top + i);
    return i ? value : fetching(value, dy, vk, kTile);
  })));
  z(l, vk, e, s, t, piece, part) = inWords([&](const Expr &e) {
    return mux(s, filtering.resultGradient(
                      listOf(kTile, [&](int i) { return zColumns(l, vk, e, i, t, piece, part); })));
  });

  RDom sum(0, words, "sum"), all(0, pieces.count, "all");
  acc(l, vk, c, s, t, piece, part) = 0.f;
  const Expr ofDy = z(l, vk, sum, s, t, piece, part), ofX = v(c % vector, c / vector, sum, s, t, piece, part),
             before = acc(l, vk, c, s, t, piece, part);
  acc(l, vk, c, s, t, piece, part) = dots ? dotPairs(before, ofDy, ofX) : before + ofDy * ofX;
  // The first piece's sums need no m: its iteration becomes code of its own.
  m(l, vk, c, s, t, part) = undef<float>();
  m(l, vk, c, s, t, part) =
      select(likely(all > 0), m(l, vk, c, s, t, part), 0.f) + acc(l, vk, c, s, t, all, part);
  rows(l, vk, c, s, t, part) =
      mux(t, filtering.filterGradient(listOf(kPlanes, [&](int i) { return m(l, vk, c, s, i, part); })));
  Func packed(direct ? "taps" : "packed");
  packed(l, tap, c, vk, part) = mux(tap % kTaps, filtering.filterGradient(listOf(kPlanes, [&](int i) {
    return rows(l, vk, c, i, tap / kTaps, part);
  })));

  // Loops: task (part, block of output, of input channels) > piece > plane > register tiles > tiles.
  Var kb("kb"), cb("cb"), ki("ki"), ci("ci"), rx("rx"), ry("ry"), task("task");
  if (direct) {
    out = storeFilter(packed, spec, block.output, block.input, vector);
    packed.reorder(l, tap, c, vk, part).split(tap, ry, rx, kTaps).vectorize(l).unroll(rx).unroll(ry);
  } else {
    out = packed;
    declarePacked(out, packing(spec, schedule, isa).extents);
    out.split(vk, kb, vk, block.output)
        .split(tap, ry, rx, kTaps)
        .split(c, cb, c, block.input * vector)
        .reorder(l, rx, ry, vk, c, cb, kb, part)
        .vectorize(l)
        .unroll(rx)
        .unroll(ry)
        .fuse(cb, kb, task)
        .fuse(task, part, task)
        .parallel(task);
  }
  rows.compute_at(packed, direct ? c : vk)
      .store_in(MemoryType::Stack)
      .bound(l, 0, vector)
      .bound_extent(vk, 1)
      .bound_extent(c, 1)
      .bound(s, 0, kPlanes)
      .bound(t, 0, kTaps)
      .bound_extent(part, 1)
      .vectorize(l)
      .unroll(s)
      .unroll(t);

  auto registerTiles = [&](Stage stage) {
    return stage.split(vk, vk, ki, cv).split(c, c, ci, it).vectorize(l).unroll(ki).unroll(ci);
  };
  const LoopLevel ofTask = direct ? LoopLevel(out, RVar("task")) : LoopLevel(out, task);
  m.compute_at(ofTask)
      .store_in(MemoryType::Heap)
      .reorder_storage({l, c, vk, s, t, part})
      .bound(l, 0, vector)
      .bound_extent(vk, block.output)
      .bound_extent(c, block.input * vector)
      .bound(s, 0, kPlanes)
      .bound(t, 0, kPlanes)
      .bound_extent(part, 1)
      .bound_storage(c, block.input * vector + 1); // planes a power of two apart would share cache sets
  registerTiles(m.update()).reorder(l, ki, ci, c, vk, s, t, all, part);
  acc.compute_at(m, c)
      .store_in(MemoryType::Register)
      .bound(l, 0, vector)
      .bound_extent(vk, cv)
      .bound_extent(c, it)
      .bound_extent(s, 1)
      .bound_extent(t, 1)
      .bound_extent(piece, 1)
      .bound_extent(part, 1)
      .vectorize(l)
      .unroll(vk)
      .unroll(c);
  acc.update().reorder(l, vk, c, sum, s, t, piece, part).vectorize(l).unroll(vk).unroll(c);

  auto transform = [&](Func values, Func columns, const Var &vectors, int count, int size) {
    values.compute_at(m, all)
        .store_in(MemoryType::Heap)
        .bound(l, 0, vector)
        .bound_extent(vectors, count)
        .bound(s, 0, kPlanes)
        .bound(t, 0, kPlanes)
        .bound_extent(piece, 1)
        .bound_extent(part, 1)
        .bound_storage(e, most / perWord + 1)
        .reorder(l, s, t, vectors, e, piece, part)
        .vectorize(l)
        .unroll(s);
    columns.compute_at(values, vectors)
        .store_in(MemoryType::Stack)
        .bound(l, 0, vector)
        .bound_extent(vectors, 1)
        .bound_extent(e, perWord)
        .bound(s, 0, size)
        .bound(t, 0, kPlanes)
        .bound_extent(piece, 1)
        .bound_extent(part, 1)
        .reorder(l, t, s, vectors, e, piece, part)
        .vectorize(l)
        .unroll(t);
  };
  transform(v, vColumns, vc, block.input, kPlanes);
  transform(z, zColumns, vk, block.output, kTile);
  KernelBuild kernel{{x, dy}, Pipeline(out)};
  if (dots)
    lowerDotPairs(kernel.pipeline);
  lowerPrefetches(kernel.pipeline);
  return kernel;
}

} // namespace

Family wgradWinogradFamily() {
  return {
      "wgrad_winograd",
      "Weight gradients in the domain of Winograd's F(4x4, 3x3); 3x3 filters without stride, dilation and "
      "groups.",
      whyNot,
      parameters,
      choose,
      packing,
      build};
}

} // namespace segc::schedules
