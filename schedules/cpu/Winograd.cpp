/// \file Winograd convolution F(4x4, 3x3) with stride 1: a quarter of the multiplications of the direct sum.
///
/// A task is a block of tiles and a chunk of output channels. It transforms the block's input once (v), then
/// for each block of channels multiplies 36 planes of [channels x input channels] [input channels x tiles]
/// (m) and transforms the products back into results, with the epilogues on registers.
///
///   u (p, ci, plane, q)                 weights: panel q of cv vectors of output channels
///   v (lane, i, j, kv, tx, ty, s, t)    one line per (tile, vector of input channels); the mx x my tiles of
///   a micro-tile
///                                       lie side by side, then the channels: the product reads one
///                                       sequential stream
///   m (lane, s, t, tx, ty, co)          products, a tile's 36 planes together for the output transform
///
/// A convolution of dilation d is d * d plain ones, each of the pixels of one phase, which the kernel stores
/// as axes of their own: y (c, phase, x, phase, y, n). Along x tile number T is tile T / d of phase T % d, so
/// that the tiles of a block are neighbours in the image's rows.
///
/// Tiles beyond the image are computed from clamped coordinates and not stored, so that any extents work and
/// nothing outside the window of W + 2d by H + 2d pixels is read. Channels that fill no whole vector are a
/// narrower vector of v of their own; output channels beyond the last one have weights of zero and are not
/// stored.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Maximum.h"
#include "schedules/cpu/WinogradTransforms.h"

using namespace Halide;

namespace segc::schedules {
namespace {

using namespace winograd;

bool isDilated(const KernelSpec &spec) { return spec.get("d") > 1 || spec.get("d", 1) > 1; }

/// Tiles of a block along an axis; the later ones are for dilations that are no powers of two.
const std::vector<int> kBlocksX = {4, 8, 12, 20, 24}, kBlocksY = {2, 4, 6, 10};

/// Those of `blocks` that are a part of the phases or have all of them.
std::vector<int> legalBlocks(int dilation, const std::vector<int> &blocks) {
  std::vector<int> legal;
  for (int tiles : blocks)
    if (dilation == 1 ? tiles <= 8 && tiles != 6 : dilation % tiles == 0 || tiles % dilation == 0)
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
  const std::string reduction = spec.pooling().empty() ? whyNotReduced(spec) : "";
  if (const std::string why = reduction + whyNotScaled(spec); !why.empty())
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

/// Panels of cv vectors, the last one partly used.
int panelsOf(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  return ceilDiv(vectorsOf(spec, isa), schedule.params.at("cv"));
}

const std::vector<int> kChunks = {1, 2, 3, 4, 6, 8, 12, 16, 32};

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  return {{"bx", "tiles of a block along x", legalBlocks(spec.get("d", 1), kBlocksX)},
          {"by", "tiles of a block along y", legalBlocks(spec.get("d"), kBlocksY)},
          {"cv", "channel vectors of the micro-tile", {1, 2}},
          {"cb", "micro-tiles of channels per block of products", {1, 2, 3, 4}},
          {"kc", "channel blocks of a task at most", kChunks}};
}

/// Channel vectors whose products are kept at a time: cv * cb, fewer where that does not divide the channels.
int blockVectors(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  int blocks = schedule.params.at("cb");
  while (panelsOf(spec, schedule, isa) % blocks)
    blocks--;
  return blocks * schedule.params.at("cv");
}

/// Blocks of 16 tiles keep v and m in the L2 cache; where the transformed weights no longer fit it as well,
/// 32 tiles halve the passes over them (256 channels at 64x64: 10.4 against 8.9 ms on one thread), except in
/// images that have no 32 tiles (512 channels at 16x16: 3.0 against 1.8 ms on two) and in the deepest layers.
/// Chunks of 256 output channels make enough tasks of small images, while the input is transformed again only
/// once a chunk (4 % of its products).
Schedule choose(const KernelSpec &spec, Isa isa) {
  const int k = spec.get("k"), cv = std::min(vectorsOf(spec, isa), 2);
  const bool hasTiles = spec.likelyWidth == 0 || spec.likelyWidth > 4 * kTile;
  const bool wide = spec.get("c") * k >= 1 << 15 && k < 1024 && hasTiles;
  Schedule schedule{"winograd",
                    {{"bx", blockUpTo(legalBlocks(spec.get("d", 1), kBlocksX), wide ? 8 : 4)},
                     {"by", blockUpTo(legalBlocks(spec.get("d"), kBlocksY), 4)},
                     {"cv", cv},
                     {"cb", isAvx512(isa) ? 2 : 4},
                     {"kc", 1}}};
  const int block = blockVectors(spec, schedule, isa);
  const int most = std::max(256 / lanes(isa) / block, 1);
  for (int kc : kChunks)
    if (kc <= most)
      schedule.params["kc"] = kc;
  return schedule;
}

/// Tiles of a phase reach beyond small images, and all of their results are computed. At four times fewer
/// multiplications, of which the transforms take a part, the half of an axis may be in vain; an image within
/// one tile leaves most of a micro-tile unused.
bool pays(const KernelSpec &spec, Isa) {
  const int width = spec.likelyWidth, tile = kTile * spec.get("d", 1);
  if (width == 0)
    return !isDilated(spec);
  return width > kTile && 5 * width >= 3 * (width + tile - 1) / tile * tile;
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int panel = schedule.params.at("cv") * lanes(isa);
  KernelSpec pack;
  pack.op = "pack_winograd";
  pack.fields = {{"panel", {panel}}, {"scale", {0}}, {"step", {1, 1}}};
  pack.words = {{"from", "conv"}};
  return {pack.print(), {panel, spec.get("c"), kPlanes * kPlanes, panelsOf(spec, schedule, isa)}};
}

/// What a kernel stores for the pixels of one tile.
struct Stored {
  int side;                 ///< results along one side of a tile
  std::vector<int> strides; ///< pixel stride of each result
  bool index;               ///< the last one is the position of a maximum
  explicit Stored(const KernelSpec &spec) : side(kTile), strides{spec.get("out")}, index(false) {
    const std::string pooling = spec.pooling();
    if (pooling.empty())
      return;
    side = kTile / 2;
    index = pooling == "pool_index";
    if (pooling == "keep_pool")
      strides.assign(4, spec.get("out"));
    if (pooling != "pool")
      strides.push_back(spec.epilogues.back().stride);
  }
};

/// The epilogues in front of a pool.
KernelSpec beforePool(KernelSpec spec) {
  if (!spec.pooling().empty())
    spec.epilogues.pop_back();
  return spec;
}

/// What is stored for result pixel (i, j) of a tile; value(i, j) is a pixel of the convolution.
template <typename F> Exprs stored(const KernelSpec &spec, const Expr &i, const Expr &j, const F &value) {
  if (spec.pooling().empty())
    return {value(i, j)};
  const Stored results(spec);
  const Exprs window = {value(2 * i, 2 * j), value(2 * i + 1, 2 * j), value(2 * i, 2 * j + 1),
                        value(2 * i + 1, 2 * j + 1)};
  Expr best = reinterpret<int32_t>(window[0]), position = cast<uint8_t>(0);
  for (int tap = 1; tap < 4; tap++) {
    const Expr isNew = isNewMaximum(window[tap], reinterpret<float>(best), results.index);
    position = select(isNew, cast<uint8_t>(tap), position);
    best = select(isNew, reinterpret<int32_t>(window[tap]), best);
  }
  const Expr maximum = reinterpret<float>(best);
  if (results.index)
    return {maximum, position};
  return spec.pooling() == "pool" ? Exprs{maximum}
                                  : Exprs{window[0], window[1], window[2], window[3], maximum};
}

/// A result whose phases are axes: pixel (x, y) of the image is (x % d, x / d, y % d, y / d).
void declarePhases(Func out, const std::vector<Var> &axes, const KernelSpec &spec) {
  out(axes) = undef<float>();
  OutputImageParam buffer = out.output_buffer();
  const int dx = spec.get("d", 1), dy = spec.get("d"), pixel = spec.get("out");
  buffer.dim(0).set_bounds(0, spec.get("k")).set_stride(1);
  buffer.dim(1).set_bounds(0, dx).set_stride(pixel);
  buffer.dim(2).set_min(0).set_stride(pixel * dx);
  buffer.dim(3).set_bounds(0, dy);
  buffer.dim(4).set_min(0);
  buffer.dim(5).set_min(0);
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int vector = lanes(isa), channels = spec.get("c"), k = spec.get("k"), cv = schedule.params.at("cv");
  const int bx = schedule.params.at("bx"), by = schedule.params.at("by");
  const int mx = 4, my = isAvx512(isa) ? 2 : 1; // 8 x 2 vectors of sums with 32 registers, 4 x 2 with 16
  const int block = blockVectors(spec, schedule, isa), blocks = panelsOf(spec, schedule, isa) * cv / block;
  int chunk = schedule.params.at("kc");
  while (blocks % chunk)
    chunk--;
  const Stored results(spec);
  const bool isRagged = k % (blocks * block * vector) != 0;

  const int dx = spec.get("d", 1), dy = spec.get("d");

  const ImageParam in = activation("x", channels, spec.get("in"));
  const ImageParam u = denseParam("u", packing(spec, schedule, isa).extents);
  const Epilogues epilogues(beforePool(spec), k);
  Var c("c"), x("x"), y("y"), n("n"), lane("lane"), co("co"), s("s"), t("t"), tx("tx"), ty("ty"), i("i"),
      j("j"), kv("kv"), phaseX("phaseX"), phaseY("phaseY");
  Func acc("acc"), m("m"), rowsOut("rowsOut"), tile("tile"), out("y");
  auto six = [](auto element) {
    Exprs e;
    for (int i = 0; i < kPlanes; i++)
      e.push_back(element(i));
    return e;
  };
  // Some values depend on the result's extents, which exist only once the Func has a definition: all of them
  // follow as an update.
  Exprs undefined(results.strides.size(), undef<float>());
  if (results.index)
    undefined.back() = undef<uint8_t>();
  const int side = results.side;
  if (isDilated(spec))
    declarePhases(out, {c, phaseX, x, phaseY, y, n}, spec);
  else {
    out(c, x, y, n) = Tuple(undefined);
    const std::vector<OutputImageParam> buffers = out.output_buffers();
    describeActivation(buffers[0], k, results.strides[0]);
    for (size_t b = 1; b < buffers.size(); b++) { // their extents are the first one's
      buffers[b].dim(0).set_stride(1);
      buffers[b].dim(1).set_stride(results.strides[b]);
    }
  }
  const Expr lastX = in.dim(1).extent() - 1, lastY = in.dim(2).extent() - 1;
  // Pixel `p` of tile number `tile` along an axis.
  auto pixel = [](const Expr &tile, const Expr &p, int dilation) {
    return (tile / dilation * kTile + p) * dilation + tile % dilation;
  };

  struct Part {
    int first, lanes, vectors;
    Func columns, v;
    RDom r;
  };
  std::vector<Part> parts;
  if (channels >= vector)
    parts.push_back({0, vector, channels / vector, Func("columns"), Func("v"),
                     RDom(0, vector, 0, channels / vector, "r")});
  if (const int rest = channels % vector)
    parts.push_back(
        {channels - rest, rest, 1, Func("columnsRest"), Func("vRest"), RDom(0, rest, 0, 1, "rest")});
  acc(lane, s, t, tx, ty, co, n) = 0.f;
  for (Part &p : parts) {
    p.columns(lane, tx, ty, kv, s, t, n) =
        mux(t, inputTransform(six([&](int i) {
              return in(p.first + kv * p.lanes + lane, min(pixel(tx, s, dx), lastX),
                        min(pixel(ty, i, dy), lastY), n);
            })));
    p.v(lane, i, j, kv, tx, ty, s, t, n) = mux(
        s,
        inputTransform(six([&](int i2) { return p.columns(lane, tx * mx + i, ty * my + j, kv, i2, t, n); })));
    acc(lane, s, t, tx, ty, co, n) +=
        u(co % cv * vector + lane, p.first + p.r.y * p.lanes + p.r.x, s + kPlanes * t, co / cv) *
        p.v(p.r.x, tx % mx, ty % my, p.r.y, tx / mx, ty / my, s, t, n);
  }
  m(lane, s, t, tx, ty, co, n) =
      acc(lane, s, t, tx, ty, co, n); // a copy, so that sums start and stay in registers
  rowsOut(lane, s, t, tx, ty, co, n) =
      mux(t, outputTransform(six([&](int i) { return m(lane, s, i, tx, ty, co, n); })));
  tile(lane, s, t, tx, ty, co, n) =
      mux(s, outputTransform(six([&](int i) { return rowsOut(lane, i, t, tx, ty, co, n); })));
  auto valueAt = [&](const Expr &tileX, const Expr &tileY, const Expr &i, const Expr &j) {
    return epilogues.apply(tile(c % vector, i, j, tileX, tileY, c / vector, n), c, pixel(tileX, i, dx),
                           pixel(tileY, j, dy), n, false, isRagged);
  };
  if (isDilated(spec)) {
    RDom inside(0, 1, "inside"); // the phases that the last row and column of pixels do not have
    inside.where(x * dx + phaseX <= lastX - 2 * dx && y * dy + phaseY <= lastY - 2 * dy);
    out(c, phaseX, x, phaseY, y, n) =
        valueAt(x / kTile * dx + phaseX, y / kTile * dy + phaseY, x % kTile, y % kTile) +
        cast<float>(inside.x);
  } else {
    out(c, x, y, n) = Tuple(stored(spec, x % side, y % side, [&](const Expr &i, const Expr &j) {
      return valueAt(x / side, y / side, i, j);
    }));
  }

  // Loops: task (chunk of channels, image, block of tiles) > block of channels > tile > vector of channels >
  // pixels. A block of tiles has some phases of one tile, or all phases of some.
  Var cb("cb"), kb("kb"), ci("ci"), xi("xi"), yi("yi"), xb("xb"), yb("yb"), txi("txi"), tyi("tyi"),
      task("task");
  const TailStrategy guard = TailStrategy::GuardWithIf, whole = isRagged ? guard : TailStrategy::RoundUp;
  const bool partX = dx > bx, partY = dy > by;
  Stage store = out.bound(c, 0, k).update();
  store.split(c, co, lane, vector, isRagged ? TailStrategy::PredicateStores : TailStrategy::RoundUp)
      .split(co, cb, co, block, whole)
      .split(cb, kb, cb, chunk, whole)
      .split(x, tx, xi, side, guard)
      .split(y, ty, yi, side, guard);
  partX ? store.split(phaseX, xb, phaseX, bx) : store.split(tx, xb, tx, bx / dx, guard);
  partY ? store.split(phaseY, yb, phaseY, by) : store.split(ty, yb, ty, by / dy, guard);
  std::vector<VarOrRVar> loops = {lane, xi, yi, co};
  std::vector<Var> tasks;
  auto place = [&](bool part, const Var &phase, const Var &tiles, const Var &blockOfTiles) {
    if (isDilated(spec))
      loops.push_back(phase);
    tasks.push_back(blockOfTiles);
    part ? tasks.push_back(tiles) : loops.push_back(tiles);
  };
  place(partX, phaseX, tx, xb);
  place(partY, phaseY, ty, yb);
  tasks.insert(tasks.end(), {n, kb});
  loops.push_back(cb);
  loops.insert(loops.end(), tasks.begin(), tasks.end());
  store.reorder(loops).vectorize(lane).unroll(xi).unroll(yi);
  for (size_t l = 1; l < tasks.size(); l++)
    store.fuse(l == 1 ? tasks[0] : task, tasks[l], task);
  store.parallel(task);

  for (Part &p : parts) {
    p.v.compute_at(out, task)
        .store_in(MemoryType::Heap)
        .bound(i, 0, mx)
        .bound(j, 0, my)
        .bound_extent(kv, p.vectors)
        .bound_extent(tx, bx / mx)
        .bound_extent(ty, by / my)
        .bound_extent(s, kPlanes)
        .bound_extent(t, kPlanes)
        .bound_extent(n, 1)
        .bound_storage(kv, p.vectors + 1) // planes a power of two apart would share cache sets
        .reorder(lane, s, t, kv, i, j, tx, ty, n)
        .vectorize(lane, p.lanes)
        .unroll(s)
        .unroll(t);
    p.columns.compute_at(p.v, kv)
        .store_in(MemoryType::Stack)
        .bound_extent(s, kPlanes)
        .bound_extent(t, kPlanes)
        .bound_extent(n, 1);
    p.columns.bound_extent(tx, 1)
        .bound_extent(ty, 1)
        .bound_extent(kv, 1)
        .vectorize(lane, p.lanes)
        .unroll(s)
        .unroll(t);
  }

  for (Func f : {tile, rowsOut})
    f.compute_at(out, co)
        .store_in(MemoryType::Stack)
        .bound_extent(tx, 1)
        .bound_extent(ty, 1)
        .bound_extent(co, 1)
        .bound_extent(n, 1)
        .bound_extent(t, kTile)
        .vectorize(lane, vector)
        .unroll(s)
        .unroll(t);
  tile.bound_extent(s, kTile);
  rowsOut.bound_extent(s, kPlanes);

  m.compute_at(out, cb)
      .hoist_storage(out, task)
      .store_in(MemoryType::Heap)
      .bound_extent(s, kPlanes)
      .bound_extent(t, kPlanes)
      .bound_extent(tx, bx)
      .bound_extent(ty, by)
      .bound_extent(co, block)
      .bound_extent(n, 1)
      .split(co, co, ci, cv)
      .split(tx, tx, txi, mx)
      .split(ty, ty, tyi, my)
      .reorder(lane, ci, txi, tyi, tx, ty, co, s, t, n)
      .vectorize(lane, vector)
      .unroll(ci)
      .unroll(txi)
      .unroll(tyi);
  acc.compute_at(m, tx)
      .store_in(MemoryType::Register)
      .bound_extent(s, 1)
      .bound_extent(t, 1)
      .bound_extent(tx, mx)
      .bound_extent(ty, my)
      .bound_extent(co, cv)
      .bound_extent(n, 1)
      .reorder(lane, co, tx, ty, s, t, n)
      .vectorize(lane, vector)
      .unroll(co)
      .unroll(tx)
      .unroll(ty);
  for (size_t p = 0; p < parts.size(); p++)
    acc.update(int(p))
        .reorder(lane, co, tx, ty, parts[p].r.x, parts[p].r.y, s, t, n)
        .vectorize(lane, vector)
        .unroll(co)
        .unroll(tx)
        .unroll(ty);

  KernelBuild kernel{{in, u}, Pipeline(out)};
  kernel.inputs.insert(kernel.inputs.end(), epilogues.operands().begin(), epilogues.operands().end());
  return kernel;
}

} // namespace

Family winogradFamily() {
  return {
      "winograd", "Winograd convolution F(4x4, 3x3); 3x3 filters without stride and groups, any dilation.",
      whyNot,     parameters,
      choose,     packing,
      build,      false,
      pays,       true};
}

} // namespace segc::schedules
