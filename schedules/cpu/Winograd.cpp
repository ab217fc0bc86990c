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
/// Tiles beyond the image are computed from clamped coordinates and not stored, so that any extents work and
/// nothing outside the window of W + 2 by H + 2 pixels is read.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/WinogradTransforms.h"

using namespace Halide;

namespace segc::schedules {
namespace {

using namespace winograd;

std::string whyNot(const KernelSpec &spec, Isa isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  if (const std::string why = whyNotReduced(spec) + whyNotScaled(spec); !why.empty())
    return why;
  const bool plain = spec.get("r") == 3 && spec.get("r", 1) == 3 && spec.get("s") == 1 &&
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

std::vector<int> divisors(int value, const std::vector<int> &candidates) {
  std::vector<int> legal;
  for (int d : candidates)
    if (value % d == 0)
      legal.push_back(d);
  return legal;
}

/// The largest of `candidates` (ascending, starting with 1) that divides `value`.
int largestDivisor(int value, const std::vector<int> &candidates) {
  return divisors(value, candidates).back();
}

const std::vector<int> kChunks = {1, 2, 3, 4, 6, 8, 12, 16, 32};

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  const int vectors = spec.get("k") / lanes(isa);
  return {{"bx", "tiles of a block along x", {4, 8}},
          {"by", "tiles of a block along y", {2, 4}},
          {"cv", "channel vectors of the micro-tile", divisors(vectors, {1, 2})},
          {"cb", "micro-tiles of channels per block of products", {1, 2, 3, 4}},
          {"kc", "channel blocks of a task at most", kChunks}};
}

/// Channel vectors whose products are kept at a time: cv * cb, fewer where that does not divide the channels.
int blockVectors(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int cv = schedule.params.at("cv"), panels = spec.get("k") / lanes(isa) / cv;
  int blocks = schedule.params.at("cb");
  while (panels % blocks)
    blocks--;
  return blocks * cv;
}

/// Blocks of 16 tiles keep v and m in the L2 cache; where the transformed weights no longer fit it as well,
/// 32 tiles halve the passes over them (256 channels at 64x64: 10.4 against 8.9 ms on one thread), except in
/// the deepest layers, whose images have no 32 tiles. Chunks of 256 output channels make enough tasks of
/// small images, while the input is transformed again only once a chunk (4 % of its products).
Schedule choose(const KernelSpec &spec, Isa isa) {
  const int k = spec.get("k"), vectors = k / lanes(isa), cv = largestDivisor(vectors, {1, 2});
  const bool wide = spec.get("c") * k >= 1 << 15 && k < 1024;
  Schedule schedule{"winograd",
                    {{"bx", wide ? 8 : 4}, {"by", 4}, {"cv", cv}, {"cb", isAvx512(isa) ? 2 : 4}, {"kc", 1}}};
  const int block = blockVectors(spec, schedule, isa);
  const int most = std::max(256 / lanes(isa) / block, 1);
  for (int kc : kChunks)
    if (kc <= most)
      schedule.params["kc"] = kc;
  return schedule;
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int panel = schedule.params.at("cv") * lanes(isa);
  KernelSpec pack;
  pack.op = "pack_winograd";
  pack.fields = {{"panel", {panel}}, {"scale", {0}}, {"step", {1, 1}}};
  pack.words = {{"from", "conv"}};
  return {pack.print(), {panel, spec.get("c"), kPlanes * kPlanes, spec.get("k") / panel}};
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int vector = lanes(isa), channels = spec.get("c"), k = spec.get("k"), cv = schedule.params.at("cv");
  const int bx = schedule.params.at("bx"), by = schedule.params.at("by");
  const int mx = 4, my = isAvx512(isa) ? 2 : 1; // 8 x 2 vectors of sums with 32 registers, 4 x 2 with 16
  const int block = blockVectors(spec, schedule, isa), blocks = k / vector / block;
  int chunk = schedule.params.at("kc");
  while (blocks % chunk)
    chunk--;

  const ImageParam in = activation("x", channels, spec.get("in"));
  const ImageParam u = denseParam("u", packing(spec, schedule, isa).extents);
  const Epilogues epilogues(spec, k);
  Var c("c"), x("x"), y("y"), n("n"), lane("lane"), co("co"), s("s"), t("t"), tx("tx"), ty("ty"), i("i"),
      j("j"), kv("kv");
  Func columns("columns"), v("v"), acc("acc"), m("m"), rowsOut("rowsOut"), tile("tile"), out("y");
  auto six = [](auto element) {
    Exprs e;
    for (int i = 0; i < kPlanes; i++)
      e.push_back(element(i));
    return e;
  };
  out(c, x, y, n) =
      undef<float>(); // v needs the extents of the result's buffer; the values follow as an update
  describeActivation(out.output_buffer(), k, spec.get("out"));
  const Expr lastX = out.output_buffer().dim(1).extent() + 1, lastY = out.output_buffer().dim(2).extent() + 1;
  columns(lane, tx, ty, kv, s, t, n) =
      mux(t, inputTransform(six([&](int i) {
            return in(kv * vector + lane, min(tx * kTile + s, lastX), min(ty * kTile + i, lastY), n);
          })));
  v(lane, i, j, kv, tx, ty, s, t, n) = mux(
      s, inputTransform(six([&](int i2) { return columns(lane, tx * mx + i, ty * my + j, kv, i2, t, n); })));
  RDom r(0, vector, 0, channels / vector, "r");
  acc(lane, s, t, tx, ty, co, n) = 0.f;
  acc(lane, s, t, tx, ty, co, n) += u(co % cv * vector + lane, r.y * vector + r.x, s + kPlanes * t, co / cv) *
                                    v(r.x, tx % mx, ty % my, r.y, tx / mx, ty / my, s, t, n);
  m(lane, s, t, tx, ty, co, n) =
      acc(lane, s, t, tx, ty, co, n); // a copy, so that sums start and stay in registers
  rowsOut(lane, s, t, tx, ty, co, n) =
      mux(t, outputTransform(six([&](int i) { return m(lane, s, i, tx, ty, co, n); })));
  tile(lane, s, t, tx, ty, co, n) =
      mux(s, outputTransform(six([&](int i) { return rowsOut(lane, i, t, tx, ty, co, n); })));
  out(c, x, y, n) = epilogues.apply(
      tile(c % vector, x % kTile, y % kTile, x / kTile, y / kTile, c / vector, n), c, x, y, n);

  // Loops: task (chunk of channels, image, block of tiles) > block of channels > tile > vector of channels >
  // pixels.
  Var cb("cb"), kb("kb"), ci("ci"), xi("xi"), yi("yi"), xb("xb"), yb("yb"), txi("txi"), tyi("tyi"),
      task("task");
  const TailStrategy guard = TailStrategy::GuardWithIf;
  out.bound(c, 0, k)
      .update()
      .split(c, co, lane, vector)
      .split(co, cb, co, block)
      .split(cb, kb, cb, chunk)
      .split(x, tx, xi, kTile, guard)
      .split(y, ty, yi, kTile, guard)
      .split(tx, xb, tx, bx, guard)
      .split(ty, yb, ty, by, guard)
      .reorder(lane, xi, yi, co, tx, ty, cb, xb, yb, n, kb)
      .vectorize(lane)
      .unroll(xi)
      .unroll(yi)
      .fuse(xb, yb, task)
      .fuse(task, n, task)
      .fuse(task, kb, task)
      .parallel(task);

  v.compute_at(out, task)
      .store_in(MemoryType::Heap)
      .bound(i, 0, mx)
      .bound(j, 0, my)
      .bound_extent(kv, channels / vector)
      .bound_extent(tx, bx / mx)
      .bound_extent(ty, by / my)
      .bound_extent(s, kPlanes)
      .bound_extent(t, kPlanes)
      .bound_extent(n, 1)
      .bound_storage(kv, channels / vector + 1) // planes a power of two apart would share cache sets
      .reorder(lane, s, t, kv, i, j, tx, ty, n)
      .vectorize(lane, vector)
      .unroll(s)
      .unroll(t);
  columns.compute_at(v, kv)
      .store_in(MemoryType::Stack)
      .bound_extent(s, kPlanes)
      .bound_extent(t, kPlanes)
      .bound_extent(n, 1);
  columns.bound_extent(tx, 1)
      .bound_extent(ty, 1)
      .bound_extent(kv, 1)
      .vectorize(lane, vector)
      .unroll(s)
      .unroll(t);

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
  acc.update()
      .reorder(lane, co, tx, ty, r.x, r.y, s, t, n)
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
  return {"winograd", "Winograd convolution F(4x4, 3x3); 3x3 filters without stride, dilation and groups.",
          whyNot,     parameters,
          choose,     packing,
          build};
}

} // namespace segc::schedules
