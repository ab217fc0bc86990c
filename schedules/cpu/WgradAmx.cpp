/// \file Weight gradients of bf16 as direct sums over pixels on the matrix registers of AMX.
///
/// A task owns a block of input x output channels and one band of strips, each of a few rows of results or a
/// part of them. It brings a strip into the shape of tiles (u of x, v of dy), and multiplies these into the
/// sums (m) of the block: for each tap 32 x 32 channels at a time over the whole strip.
///
///   u (lane, word, vector, copy, phase)  pairs of pixels of 16 input channels side by side
///   v (word, channel)                    the same pairs along each output channel
///   m (lane, vector, channel, tap)       vectors of input channels for each output channel
///
/// The rows of a strip follow each other in both, `pitch` pixels apart, which leaves room for what filters
/// reach over. There dy counts as 0, so a tap is a distance in u, of which a second copy has the pairs that
/// begin with odd pixels. Tiles then begin with cache lines: from the L2 cache, products of tiles that do not
/// are three quarters as fast (1230 against 1610 GFLOP/s). A stride of s takes s x s such images of x, its
/// phases: pixels (s x + i, s y + j).
// SPDX-License-Identifier: MIT
#include "schedules/cpu/AmxProducts.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Transposed.h"
#include "schedules/cpu/Wgrad.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

using namespace wgrad;

constexpr int kLanes = kAmxColumns, kPairs = 16; ///< of a tile
static_assert(kAmxRows == kLanes && Transposed::kSide == kLanes);

/// How far a filter reaches over a result's pixel along one axis, in pixels of a phase, and the phases.
int reachOf(const KernelSpec &spec, int axis) {
  return (spec.get("r", axis) - 1) * spec.get("d", axis) / spec.get("s", axis);
}
int phasesOf(const KernelSpec &spec, int axis) {
  return std::min(spec.get("s", axis), (spec.get("r", axis) - 1) * spec.get("d", axis) + 1);
}

std::string whyNot(const KernelSpec &spec, Isa isa) {
  constexpr int kMostReach = 64;
  if (spec.op != "conv_wgrad")
    return "it computes gradients of convolution weights only";
  if (isa != Isa::Amx || spec.dtype != "bf16")
    return "it needs bf16 operands and matrix tiles (amx)";
  if (spec.get("g") != 1)
    return "a tile multiplies all input channels";
  if (spec.get("c") % kLanes || spec.get("k") % kLanes)
    return "the channels are no whole tiles of 16";
  for (int axis : {0, 1})
    if (reachOf(spec, axis) > kMostReach || phasesOf(spec, axis) > 4)
      return "the filter reaches too far";
  return "";
}

/// A schedule's constants.
struct Strips {
  int ct, kt;                 ///< tiles of a product
  int blockC, blockK;         ///< a task's channels
  int reachX, reachY;         ///< of the filter
  int copies;                 ///< of x
  int phasesX, phases;        ///< of x along rows, and in all
  int columns, pitch, pixels; ///< of a strip at most: along a row, with the filter's reach, in all
  int tail;                   ///< words of zeros behind those of x
  int wordsX, wordsDy;        ///< of a vector of x, of a channel of dy

  Strips(const KernelSpec &spec, const Schedule &schedule) {
    auto param = [&](const char *name) { return schedule.params.at(name); };
    auto odd = [](int n) { return n | 1; }; // rows a power of two apart would share cache sets
    ct = param("ct"), kt = param("kt");
    blockC = ct * kLanes * divisorUpTo(spec.get("c") / kLanes / ct, param("cb"));
    blockK = kt * kLanes * divisorUpTo(spec.get("k") / kLanes / kt, param("kb"));
    reachX = reachOf(spec, 1), reachY = reachOf(spec, 0);
    copies = reachX ? 2 : 1;
    phasesX = phasesOf(spec, 1), phases = phasesX * phasesOf(spec, 0);
    columns = param("px") / 4;
    pitch = (columns + reachX + 1) / 2 * 2;
    pixels = std::max(param("px") * 5 / 4, pitch); // rows of 8 and more have as much beside them
    tail = kPairs + reachX / 2;
    wordsX = odd((pixels + reachY * pitch) / 2 + tail);
    wordsDy = kPairs * odd(ceilDiv(pixels / 2, kPairs) + 1);
  }
};

std::vector<int> tilesOf(int channels) {
  return channels % (2 * kLanes) ? std::vector<int>{1} : std::vector<int>{1, 2};
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa) {
  const std::vector<int> blocks = {1, 2, 3, 4, 6, 8, 16};
  return {{"ct", "tiles of input channels of a product", tilesOf(spec.get("c"))},
          {"kt", "tiles of output channels of a product", tilesOf(spec.get("k"))},
          {"cb", "products of input channels of a task at most", blocks},
          {"kb", "products of output channels of a task at most", blocks},
          {"px", "pixels of a strip, about", {256, 512, 1024, 2048}},
          {"parts", "bands with sums of their own", {1, 2, 4, 8, 16, 32, 64}}};
}

/// Blocks of 128 x 128 channels, strips of 512 pixels, whose tiles the L2 cache holds beside the sums (2048:
/// up to a tenth slower), and 16 tasks, as far as bands of 10 MB of partial sums give them: these cost more
/// beside products that take so little time than beside Winograd's.
Schedule choose(const KernelSpec &spec, Isa) {
  constexpr int kBlock = 128, kTasks = 16;
  const int ct = tilesOf(spec.get("c")).back(), kt = tilesOf(spec.get("k")).back();
  Schedule schedule{"wgrad_amx",
                    {{"ct", ct},
                     {"kt", kt},
                     {"cb", kBlock / kLanes / ct},
                     {"kb", kBlock / kLanes / kt},
                     {"px", 512},
                     {"parts", 1}}};
  const Strips strips(spec, schedule);
  const int blocks = spec.get("c") / strips.blockC * (spec.get("k") / strips.blockK);
  schedule.params["parts"] = chooseParts(spec, blocks, kTasks);
  return schedule;
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa) {
  return packedGradient(kLanes, spec.get("r") * spec.get("r", 1), spec.get("c"), spec.get("k") / kLanes,
                        schedule.params.at("parts"), false);
}

/// A pair of bf16 as a word.
Expr wordOf(const Expr &low, const Expr &high) {
  auto bits = [](const Expr &v) { return cast<uint32_t>(reinterpret<uint16_t>(v)); };
  return bits(low) | bits(high) << 16;
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const Strips strips(spec, schedule);
  const int parts = schedule.params.at("parts"), taps = spec.get("r", 1);
  const int tilesC = strips.ct, tileK = strips.kt * kLanes;
  const int vectorsC = strips.blockC / kLanes, vectorsK = strips.blockK / kLanes;
  const ImageParam x = activation("x", spec.get("c"), spec.get("in"), BFloat(16));
  const ImageParam dy = activation("dy", spec.get("k"), spec.get("dy"), BFloat(16));
  const Expr width = dy.dim(1).extent(), height = dy.dim(2).extent(), images = dy.dim(3).extent();

  // Strips of equal extents: as many across the rows as these need, then as many down as the bands need.
  auto ceiling = [](const Expr &a, const Expr &b) { return (a + b - 1) / b; };
  const Expr across = max(ceiling(width, strips.columns), 1), columns = ceiling(width, across);
  const Expr words = (columns + strips.reachX + 1) / 2, pitch = 2 * words; // of a row
  const Expr most = max(min(schedule.params.at("px") / columns, strips.pixels / pitch), 1);
  const Expr bandLines = max(ceiling(height * images * across, parts), 1);
  const Expr rows = ceiling(bandLines, ceiling(bandLines, most));
  const Expr down = ceiling(height, rows), pieces = across * down * images;

  Var l("l"), vc("vc"), vk("vk"), c("c"), k("k"), q("q"), copy("copy"), phase("phase"), rx("rx"), ry("ry"),
      piece("piece"), part("part"), tap("tap"), block("block"), y("y"), tileLane(kAmxChannels);
  const Expr wanted = bandStart(pieces, part, parts) + piece, number = min(wanted, pieces - 1);
  const Expr left = number % across * columns, top = number / across % down * rows,
             n = number / (across * down);
  const Expr endX = // strips beyond the band are 0
      select(wanted < bandStart(pieces, part + 1, parts), min(left + columns, width), 0);

  Func u("u"), v("v"), acc("acc"), m("m"), out("packed");
  u(l, q, vc, copy, phase, piece, part) = undef<uint32_t>();
  const Expr rowsX = rows + strips.reachY;
  RDom of(0, words, 0, rowsX, "of"), behind(0, strips.tail, "behind");
  auto pixel = [&](const Expr &i) {
    const Expr column = (left + i) * spec.get("s", 1) + phase % strips.phasesX,
               line = (top + of.y) * spec.get("s") + phase / strips.phasesX;
    return x(vc * kLanes + l, min(column, x.dim(1).extent() - 1), min(line, x.dim(2).extent() - 1), n);
  };
  u(l, of.y * words + of.x, vc, copy, phase, piece, part) =
      wordOf(pixel(2 * of.x + copy), pixel(2 * of.x + copy + 1));
  u(l, rowsX * words + behind, vc, copy, phase, piece, part) = cast<uint32_t>(0);

  auto gradient = [&](const Expr &i, const Expr &lane) {
    const Expr column = left + i, line = top + y;
    return select(i < columns && column < endX && line < height,
                  dy(vk * kLanes + lane, min(column, width - 1), min(line, height - 1), n),
                  reinterpret(BFloat(16), cast<uint16_t>(0)));
  };
  Transposed pairs("pairs",
                   [&](const Expr &lane, const Expr &row) {
                     const Expr first = 2 * (block * kPairs + row);
                     return wordOf(gradient(first, lane), gradient(first + 1, lane));
                   },
                   {block, y, vk, piece, part});
  v(q, k, piece, part) = undef<uint32_t>();
  // The last block of a row runs over its end, and the next row over that.
  RDom all(0, kPairs, 0, (words + kPairs - 1) / kPairs, 0, rows, "all"), end(0, kPairs, "end");
  v(all.z * words + all.y * kPairs + all.x, k, piece, part) =
      pairs.at(k % kLanes, all.x, {all.y, all.z, k / kLanes, piece, part});
  v(rows * words + end, k, piece, part) = cast<uint32_t>(0);

  RDom r(0, 2, 0, kPairs, 0, ceiling(rows * words, kPairs), "r"), strip(0, ceiling(pieces, parts), "strip");
  const int sx = spec.get("s", 1), sy = spec.get("s");
  const Expr right = rx * spec.get("d", 1), below = ry * spec.get("d"), shift = right / sx;
  const Expr phaseOf = clamp(below % sy * strips.phasesX + right % sx, 0, strips.phases - 1);
  const Expr ofX = u(tileLane, 0, vc, shift % strips.copies, phaseOf, piece, part);
  const Expr pair = r.z * kPairs + r.y;
  acc(tileLane, vc, k, rx, ry, piece, part) = 0.f;
  acc(tileLane, vc, k, rx, ry, piece, part) +=
      cast<float>(amxElement(ofX, 2 * kLanes * (pair + below / sy * words + shift / 2) + r.x)) *
      cast<float>(amxElement(v(0, k, piece, part), 2 * pair + r.x));
  m(l, vc, k, rx, ry, part) = 0.f;
  m(l, vc, k, rx, ry, part) += acc(l, vc, k, rx, ry, strip, part);
  Transposed sums("sums",
                  [&](const Expr &lane, const Expr &row) {
                    return m(lane, vc, vk * kLanes + row, tap % taps, tap / taps, part);
                  },
                  {tap, vc, vk, part});
  out(l, tap, c, vk, part) = sums.at(c % kLanes, l, {tap, c / kLanes, vk, part});

  // Loops: task (part, block of output, of input channels) > strip > channels of products > tap > pixels.
  Var kb("kb"), cb("cb"), ki("ki"), ci("ci"), co("co"), task("task"), tileX(kAmxPixels);
  declarePacked(out, packing(spec, schedule, isa).extents);
  out.split(vk, kb, vk, vectorsK)
      .split(c, cb, c, strips.blockC)
      .split(c, co, ci, kLanes)
      .reorder(l, ci, tap, co, vk, cb, kb, part)
      .vectorize(l)
      .unroll(ci)
      .fuse(cb, kb, task)
      .fuse(task, part, task)
      .parallel(task);
  sums.schedule(LoopLevel(out, tap));
  m.compute_at(out, task)
      .store_in(MemoryType::Heap)
      .bound(l, 0, kLanes)
      .bound_extent(vc, vectorsC)
      .bound_extent(k, strips.blockK)
      .bound(rx, 0, taps)
      .bound(ry, 0, spec.get("r"))
      .bound_extent(part, 1)
      .vectorize(l);
  m.update()
      .split(vc, vc, ci, tilesC)
      .split(k, k, ki, tileK)
      .reorder(l, ci, ki, rx, ry, vc, k, strip, part)
      .vectorize(l)
      .unroll(ci)
      .unroll(ki, 8);
  acc.compute_at(m, rx)
      .store_in(MemoryType::Stack)
      .bound(tileLane, 0, kLanes)
      .bound_extent(vc, tilesC)
      .bound_extent(k, tileK)
      .bound_extent(rx, 1)
      .bound_extent(ry, 1)
      .bound_extent(piece, 1)
      .bound_extent(part, 1);
  const RVar tileP(kAmxPairs), steps(kAmxSteps);
  acc.update()
      .split(k, k, tileX, kLanes)
      .rename(r.y, tileP)
      .rename(r.z, steps)
      .reorder({r.x, tileP, tileX, tileLane, k, vc, steps, rx, ry, piece, part})
      .unroll(k)
      .unroll(vc);

  u.compute_at(m, strip)
      .store_in(MemoryType::Heap)
      .bound(l, 0, kLanes)
      .bound(q, 0, strips.wordsX)
      .bound_extent(vc, vectorsC)
      .bound(copy, 0, strips.copies)
      .bound(phase, 0, strips.phases)
      .bound_extent(piece, 1)
      .bound_extent(part, 1);
  u.update(0).reorder(l, copy, vc, of.x, of.y, phase, piece, part).vectorize(l).unroll(copy);
  u.update(1).reorder(l, behind, vc, copy, phase, piece, part).vectorize(l);
  v.compute_at(m, strip)
      .store_in(MemoryType::Heap)
      .bound(q, 0, strips.wordsDy)
      .bound_extent(k, strips.blockK)
      .bound_extent(piece, 1)
      .bound_extent(part, 1);
  v.update(0)
      .split(k, k, ki, kLanes)
      .reorder(all.x, ki, k, all.y, all.z, piece, part)
      .allow_race_conditions()
      .vectorize(all.x)
      .unroll(ki);
  v.update(1).reorder(end, k, piece, part).allow_race_conditions().vectorize(end);
  pairs.schedule(LoopLevel(v, k));
  KernelBuild kernel{{x, dy}, Pipeline(out)};
  lowerAmxProducts(kernel.pipeline, acc, u.name(), r.x);
  return kernel;
}

} // namespace

Family wgradAmxFamily() {
  return {"wgrad_amx",
          "Weight gradients of bf16 summed directly on matrix tiles (AMX); any filter, stride and dilation.",
          whyNot,
          parameters,
          choose,
          packing,
          build};
}

} // namespace segc::schedules
