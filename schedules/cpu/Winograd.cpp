/// \file Winograd convolution F(m x n, 3x3) with stride 1 for tiles of 2, 4 or 6 results a side: 16, 36 or 64
/// multiplications for 4, 16 or 36 results.
///
/// The loops are those of WinogradLoops.h. Tiles beyond the image are computed from clamped coordinates and
/// not stored, so that any extents work and nothing outside the window of W + 2d by H + 2d pixels is read.
/// Channels that fill no whole vector are a narrower vector of v of their own; output channels beyond the
/// last one have weights of zero and are not stored.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/PooledResults.h"
#include "schedules/cpu/Prefetch.h"
#include "schedules/cpu/Rows.h"
#include "schedules/cpu/WinogradLoops.h"
#include "schedules/cpu/WinogradTransforms.h"

using namespace Halide;

namespace segc::schedules {
namespace {

using namespace winograd;

bool isDilated(const KernelSpec &spec) { return spec.get("d") > 1 || spec.get("d", 1) > 1; }

const std::vector<int> kSides = {2, 4, 6}; ///< results along one side of a tile

/// Tiles of a block along an axis; the later ones are for dilations that are no powers of two.
const std::vector<int> kBlocksX = {4, 8, 12, 20, 24}, kBlocksY = {2, 4, 6, 10};

/// Those of `blocks` that are a part of the phases or have all of them.
std::vector<int> legalBlocks(int dilation, const std::vector<int> &blocks) {
  std::vector<int> legal;
  for (int tiles : blocks)
    if (dilation % tiles == 0 || tiles % dilation == 0)
      legal.push_back(tiles);
  return legal;
}

/// Of `legal`, in ascending order, the largest up to `most`, or else the first.
int blockUpTo(const std::vector<int> &legal, int most) {
  int chosen = legal.front();
  for (int tiles : legal)
    if (tiles <= most)
      chosen = tiles;
  return chosen;
}

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  if (const std::string why = spec.pooling().empty() ? whyNotPlain(spec) : whyNotScaled(spec); !why.empty())
    return why;
  const bool plain = spec.get("r") == 3 && spec.get("r", 1) == 3 && spec.get("s") == 1 &&
                     spec.get("s", 1) == 1 && spec.get("g") == 1;
  if (!plain)
    return "it needs a 3x3 filter without stride and groups";
  if (isDilated(spec) && !spec.pooling().empty())
    return "with dilation the pixels of a pool lie in different tiles";
  if (legalBlocks(spec.get("d", 1), kBlocksX).empty() || legalBlocks(spec.get("d"), kBlocksY).empty())
    return "no block of tiles fits this dilation";
  if (spec.get("c") < 16 || spec.get("k") < 8)
    return "with fewer than 16 input or 8 output channels the transforms cost more than they save";
  return "";
}

/// Vectors of output channels, the last one partly used.
int vectorsOf(const KernelSpec &spec, Isa isa) { return ceilDiv(spec.get("k"), lanes(isa)); }

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  return {{"tx", "results of a tile along x", kSides},
          {"ty", "results of a tile along y", kSides},
          {"bx", "tiles of a block along x", legalBlocks(spec.get("d", 1), kBlocksX)},
          {"by", "tiles of a block along y", legalBlocks(spec.get("d"), kBlocksY)},
          {"cv", "channel vectors of the micro-tile", {1, 2, 4}},
          {"cb", "micro-tiles of channels per block of products", {1, 2, 3, 4}},
          {"kc", "channel blocks of a task at most", kChunks}};
}

/// A candidate of the rule: results of a tile and vectors of channels of a micro-tile.
struct Tiling {
  int tx, ty, cv;
};

constexpr int kTasks = 64; ///< a kernel should have as many

/// How high the image is in the model at hand; as high as wide where only the width is known.
int64_t likelyHeight(const KernelSpec &spec) {
  return spec.likelyHeight ? spec.likelyHeight : spec.likelyWidth;
}

/// Multiplications for each pair of an input and an output channel: whole micro-tiles cover the image, of d
/// phases along each axis.
int64_t products(const KernelSpec &spec, const Tiling &t, Isa isa) {
  auto along = [&](int extent, int results, int dilation, int tiles) {
    const int perPhase = ceilDiv(extent, results * dilation);
    return int64_t(ceilDiv(perPhase * dilation, tiles)) * tiles * (results + 2);
  };
  return along(spec.likelyWidth, t.tx, spec.get("d", 1), tilesX(t.cv)) *
         along(int(likelyHeight(spec)), t.ty, spec.get("d"), tilesY(isa));
}

/// Transformed filters of 38 MB and more for an image of few tiles come from memory in each run. F(4x2) takes
/// a sixth more time for such a layer than F(4x4), and two thirds of the memory (U-Net at 256x256: 75 MB less
/// for 1.1 % of its time). At 32x32 pixels 1024 output channels are as fast with it (1024 to 1024: 25.6
/// against 31.3 ms on two threads, 512 to 1024: 11.7 against 11.2; U-Net at 512x512: 75 MB less), 512 are
/// not (1024 to 512: 26.3 against 23.6 ms on one).
bool readsFilters(const KernelSpec &spec) {
  const int64_t pixels = spec.likelyWidth * likelyHeight(spec);
  return spec.get("c") * spec.get("k") >= 1 << 18 && pixels <= (spec.get("k") >= 1024 ? 32 * 32 : 16 * 16);
}

/// Blocks of tiles that the image has: where these are tasks enough, none of them transforms its input twice
/// (336 to 672 channels with dilation 16 at 64x64: 44.7 against 31.6 ms on one thread, 672 to 672
/// without 35.2 against 31.0 on two).
int blocksOfTiles(const KernelSpec &spec, const Schedule &schedule) {
  auto along = [&](int extent, const char *results, const char *tiles, int dilation) {
    const int perPhase = ceilDiv(extent, schedule.params.at(results) * dilation);
    return ceilDiv(perPhase * dilation, schedule.params.at(tiles));
  };
  return along(spec.likelyWidth, "tx", "bx", spec.get("d", 1)) *
         along(int(likelyHeight(spec)), "ty", "by", spec.get("d"));
}

/// The tiles with the fewest multiplications; 5 % fewer must be worth another choice than F(4x4). F(6x6) has
/// 1.78 a result against 2.25, but its filters are 7 times as large as 3x3 ones: those of 256 x 256 channels
/// take 17 MB for a gain of a tenth, and with more no cache holds them and the transformed inputs. Where
/// training packs them in each step, 128 x 128 channels are too many already, and where the image has few
/// blocks to multiply by them, 64 x 128 (128 to 128 channels at 128x128 in U-Net: 6.2 against 5.0 ms; at
/// 256x256 18.1 against 20.1). Images of a few pixels suit smaller tiles.
Tiling chooseTiling(const KernelSpec &spec, Isa isa) {
  const int vectors = vectorsOf(spec, isa), narrow = std::min(vectors, 2), wide = vectors % 4 ? narrow : 4;
  const Tiling low{2, 4, narrow};
  Tiling best{4, 4, narrow};
  if (!spec.likelyWidth)
    return best;
  const Schedule six{"", {{"tx", 6}, {"ty", 6}, {"bx", 4}, {"by", 4}}};
  const int mostOfSix = blocksOfTiles(spec, six) < kTasks ? 1 << 12 // channels times channels
                        : spec.fresh.empty()              ? 1 << 15
                                                          : 1 << 13;
  for (const Tiling &t : {Tiling{4, 4, wide}, {6, 6, wide}, low})
    if (100 * products(spec, t, isa) < 95 * products(spec, best, isa) &&
        (t.tx < 6 || spec.get("c") * spec.get("k") <= mostOfSix))
      best = t;
  return readsFilters(spec) && 3 * products(spec, low, isa) <= 4 * products(spec, best, isa) ? low : best;
}

/// Blocks of 16 tiles, or of 8 of 6x6 results, keep v and m in the L2 cache; where the transformed weights no
/// longer fit it as well, twice as many halve the passes over them (256 channels at 64x64: 10.4 against 8.9
/// ms on one thread; 256 to 128 at 128x128 with 6x6 results: 12.1 against 10.1 on two), except in images that
/// have no 32 tiles (512 channels at 16x16: 3.0 against 1.8 ms on two) and in the deepest layers.
Schedule choose(const KernelSpec &spec, Isa isa) {
  const int k = spec.get("k");
  const Tiling t = chooseTiling(spec, isa);
  const bool hasTiles = spec.likelyWidth == 0 || spec.likelyWidth > 4 * t.tx;
  const bool wide = t.tx < 6 && spec.get("c") * k >= 1 << 15 && (k < 1024 || t.tx == 2) && hasTiles;
  Schedule schedule{"winograd",
                    {{"tx", t.tx},
                     {"ty", t.ty},
                     {"bx", blockUpTo(legalBlocks(spec.get("d", 1), kBlocksX), wide ? 8 : 4)},
                     {"by", blockUpTo(legalBlocks(spec.get("d"), kBlocksY), 4)},
                     {"cv", t.cv},
                     {"cb", (isAvx512(isa) ? 4 : 8) / std::max(t.cv, 2)},
                     {"kc", 1}}};
  if (t.tx == 6 && isAvx512(isa) && spec.get("c") * k <= 1 << 12)
    schedule.params["by"] = blockUpTo(legalBlocks(spec.get("d"), kBlocksY), 2);
  chooseChunk(spec, schedule, isa, blocksOfTiles(spec, schedule) >= 8);
  return schedule;
}

/// The direct sum has nine multiplications a result. Of the fewer ones the transforms take a part, and an
/// image within one tile leaves most of a micro-tile unused.
bool pays(const KernelSpec &spec, Isa isa) {
  const int64_t width = spec.likelyWidth, height = likelyHeight(spec);
  if (width == 0)
    return !isDilated(spec);
  return std::max(width, height) > 4 && products(spec, chooseTiling(spec, isa), isa) <= 6 * width * height;
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int panel = schedule.params.at("cv") * lanes(isa), tx = schedule.params.at("tx"),
            ty = schedule.params.at("ty");
  KernelSpec pack;
  pack.op = "pack_winograd";
  pack.fields = {{"panel", {panel}}, {"tile", {ty, tx}}, {"scale", {0}}, {"step", {1, 1}}};
  pack.words = {{"from", "conv"}};
  return {pack.print(), {panel, spec.get("c"), (tx + 2) * (ty + 2), panelsOf(spec, schedule, isa)}};
}

// The values of results depend on extents, which exist only once the Func has a definition: they follow as an
// update of the undefined ones declared here.

/// A result whose phases are axes: pixel (x, y) of the image is (x % d, x / d, y % d, y / d).
void declarePhases(Func out, const Loops &l, const KernelSpec &spec) {
  out(l.c, l.phaseX, l.x, l.phaseY, l.y, l.n) = undef<float>();
  OutputImageParam buffer = out.output_buffer();
  const int pixel = spec.get("out");
  buffer.dim(0).set_bounds(0, l.k).set_stride(1);
  buffer.dim(1).set_bounds(0, l.dx).set_stride(pixel);
  buffer.dim(2).set_min(0).set_stride(pixel * l.dx);
  buffer.dim(3).set_bounds(0, l.dy);
  buffer.dim(4).set_min(0);
  buffer.dim(5).set_min(0);
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  Loops loops(spec, schedule, isa, filteringOf(schedule.params.at("tx"), "f32"),
              filteringOf(schedule.params.at("ty"), "f32"));
  const int channels = spec.get("c"), vector = loops.vector, dx = loops.dx, dy = loops.dy;
  const ImageParam in = activation("x", channels, spec.get("in"));
  const std::vector<int> weights = packing(spec, schedule, isa).extents;
  const ImageParam u = denseParam("u", weights);
  const Epilogues epilogues(beforePool(spec), loops.k);
  const Var &c = loops.c, &x = loops.x, &y = loops.y, &n = loops.n, &co = loops.co;
  const Expr lastX = in.dim(1).extent() - 1, lastY = in.dim(2).extent() - 1;
  // Pixel `p` of tile number `tile` along an axis.
  auto pixel = [](const Filtering &axis, int dilation, const Expr &tile, const Expr &p) {
    return (tile / dilation * axis.results() + p) * dilation + tile % dilation;
  };
  auto pixelX = [&](const Expr &tile, const Expr &p) { return pixel(loops.alongX, dx, tile, p); };
  auto pixelY = [&](const Expr &tile, const Expr &p) { return pixel(loops.alongY, dy, tile, p); };

  std::vector<Part> parts;
  if (channels >= vector)
    parts.emplace_back(0, vector, channels / vector, "", "r");
  if (const int rest = channels % vector)
    parts.emplace_back(channels - rest, rest, 1, "Rest", "rest");
  for (Part &p : parts) {
    loops.defineInput(p, [&](const Expr &c, const Expr &tx, const Expr &s, const Expr &ty, const Expr &t) {
      return in(c, min(pixelX(tx, s), lastX), min(pixelY(ty, t), lastY), n);
    });
    const Expr channel = p.first + p.r.y * p.lanes + p.r.x, plane = loops.s + loops.alongX.planes() * loops.t,
               weight = u(co % loops.cv * vector + loops.lane, channel, plane, co / loops.cv);
    loops.addProducts(p, loops.fetchAhead(weight, u, weights, channel, plane));
  }
  loops.defineResults();

  auto valueAt = [&](const Expr &tx, const Expr &ty, const Expr &i, const Expr &j) {
    return epilogues.apply(loops.pixel(tx, ty, i, j), c, pixelX(tx, i), pixelY(ty, j), n, false,
                           loops.isRagged);
  };
  const PooledResults results(spec);
  const int sideX = loops.alongX.results() / results.side, sideY = loops.alongY.results() / results.side;
  Func out("y");
  if (loops.isDilated()) {
    declarePhases(out, loops, spec);
    RDom inside(0, 1, "inside"); // the phases that the last row and column of pixels do not have
    inside.where(x * dx + loops.phaseX <= lastX - 2 * dx && y * dy + loops.phaseY <= lastY - 2 * dy);
    // The sum with inside.x, which is 0, makes the condition one of this update.
    out(c, loops.phaseX, x, loops.phaseY, y, n) =
        valueAt(x / sideX * dx + loops.phaseX, y / sideY * dy + loops.phaseY, x % sideX, y % sideY) +
        cast<float>(inside.x);
  } else {
    out(c, x, y, n) = Tuple(results.undefined());
    results.describe(out.output_buffers(), loops.k);
    out(c, x, y, n) = Tuple(results.values(x % sideX, y % sideY, [&](const Expr &i, const Expr &j) {
      return valueAt(x / sideX, y / sideY, i, j);
    }));
  }
  loops.schedule(out, parts, sideX, sideY);
  for (size_t p = 0; p < parts.size(); p++)
    loops.scheduleSum(loops.acc.update(int(p)), parts[p].r.x, parts[p].r.y);

  KernelBuild kernel = kernelBuild(Pipeline(out), {in, u}, epilogues.operands());
  lowerPrefetches(kernel.pipeline);
  return kernel;
}

} // namespace

Family winogradFamily() {
  return {"winograd",
          "Winograd convolution on tiles of 2, 4 or 6 results a side; 3x3 filters without stride and groups, "
          "any dilation.",
          whyNot,
          parameters,
          choose,
          packing,
          build,
          false,
          pays,
          true};
}

} // namespace segc::schedules
