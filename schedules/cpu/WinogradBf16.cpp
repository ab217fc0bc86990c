/// \file Winograd convolution F(2x4, 3x3) on bf16: a third of the multiplications of the direct sum, by dot
/// products.
///
/// As Winograd.cpp (tasks, blocks, loops) with these differences: transformed inputs v and filters u are
/// rounded to bf16, a step multiplies a pair of input channels, sums and both transforms are f32. A result is
/// off by up to 1e-2 of the maximum (6e-3 in the mean square), before it is rounded itself.
///
///   u (2 p + ci % 2, ci / 2, plane, q)  weights: panel q of cv vectors of output channels
///   v (lane, i, j, kv, tx, ty, s, t)    16 input channels of a tile are half a cache line
///   m (lane, s, t, tx, ty, co)          products in f32
// SPDX-License-Identifier: MIT
#include "schedules/cpu/WinogradBf16.h"
#include "schedules/Arithmetic.h"
#include "schedules/Epilogue.h"
#include "schedules/cpu/ConvTile.h"
#include "schedules/cpu/Families.h"

using namespace Halide;

namespace segc::schedules {
namespace {

using namespace winograd_bf16;

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
  if (!hasDots(spec, isa))
    return "it needs bf16 operands and their dot products (avx512bf16)";
  if (spec.get("c") % lanes(isa) || spec.get("k") % lanes(isa))
    return "the channels are no whole vectors";
  if (spec.get("c") < 32 || spec.get("k") < 32)
    return "with fewer than 32 channels F(4x4, 3x3) in f32 is as fast, and exact";
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
          {"by", "tiles of a block along y", {2, 4, 8}},
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

/// Blocks of 16 tiles keep v and m in the L2 cache; with filters of 12 MB and more 32 tiles halve the passes
/// over them. Chunks of 256 output channels make enough tasks of small images, while the input is transformed
/// again only once a chunk.
Schedule choose(const KernelSpec &spec, Isa isa) {
  const int k = spec.get("k"), cv = largestDivisor(k / lanes(isa), {1, 2});
  const bool wide = spec.get("c") * k >= 1 << 18;
  Schedule schedule{"winograd_bf16", {{"bx", 4}, {"by", wide ? 8 : 4}, {"cv", cv}, {"cb", 2}, {"kc", 1}}};
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
  pack.op = "pack_winograd_bf16";
  pack.fields = {{"panel", {panel}}, {"scale", {0}}, {"step", {1, 1}}};
  pack.words = {{"from", "conv"}};
  pack.dtype = "bf16";
  return {pack.print(), {2 * panel, spec.get("c") / 2, kPlanes, spec.get("k") / panel}};
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int vector = lanes(isa), channels = spec.get("c"), k = spec.get("k"), cv = schedule.params.at("cv");
  const int bx = schedule.params.at("bx"), by = schedule.params.at("by");
  const int mx = 4, my = 2; // 8 x 2 vectors of sums
  const int block = blockVectors(spec, schedule, isa), blocks = k / vector / block;
  int chunk = schedule.params.at("kc");
  while (blocks % chunk)
    chunk--;

  const ImageParam in = activation("x", channels, spec.get("in"));
  const ImageParam u = denseParam("u", packing(spec, schedule, isa).extents, BFloat(16));
  const Epilogues epilogues(spec, k);
  Var c("c"), x("x"), y("y"), n("n"), lane("lane"), co("co"), s("s"), t("t"), tx("tx"), ty("ty"), i("i"),
      j("j"), kv("kv");
  Func columns("columns"), v("v"), acc("acc"), m("m"), rowsOut("rowsOut"), tile("tile"), out("y");
  auto all = [](int count, auto element) {
    Exprs e;
    for (int i = 0; i < count; i++)
      e.push_back(element(i));
    return e;
  };
  out(c, x, y, n) =
      undef<float>(); // v needs the extents of the result's buffer; the values follow as an update
  describeActivation(out.output_buffer(), k, spec.get("out"));
  const Expr lastX = out.output_buffer().dim(1).extent() + 1, lastY = out.output_buffer().dim(2).extent() + 1;
  columns(lane, tx, ty, kv, s, t, n) =
      mux(t, inputTransformY(all(kPlanesY, [&](int i) {
            return in(kv * vector + lane, min(tx * kTileX + s, lastX), min(ty * kTileY + i, lastY), n);
          })));
  v(lane, i, j, kv, tx, ty, s, t, n) =
      reinterpret(BFloat(16), toBfloat(mux(s, inputTransformX(all(kPlanesX, [&](int i2) {
                                             return columns(lane, tx * mx + i, ty * my + j, kv, i2, t, n);
                                           })))));
  RDom r(0, vector, 0, channels / vector, "r");
  acc(lane, s, t, tx, ty, co, n) = 0.f;
  acc(lane, s, t, tx, ty, co, n) += cast<float>(u(2 * (co % cv * vector + lane) + r.x % 2,
                                                  r.y * (vector / 2) + r.x / 2, s + kPlanesX * t, co / cv)) *
                                    cast<float>(v(r.x, tx % mx, ty % my, r.y, tx / mx, ty / my, s, t, n));
  m(lane, s, t, tx, ty, co, n) =
      acc(lane, s, t, tx, ty, co, n); // a copy, so that sums start and stay in registers
  rowsOut(lane, s, t, tx, ty, co, n) =
      mux(t, outputTransformY(all(kPlanesY, [&](int i) { return m(lane, s, i, tx, ty, co, n); })));
  tile(lane, s, t, tx, ty, co, n) =
      mux(s, outputTransformX(all(kPlanesX, [&](int i) { return rowsOut(lane, i, t, tx, ty, co, n); })));
  out(c, x, y, n) = epilogues.apply(
      tile(c % vector, x % kTileX, y % kTileY, x / kTileX, y / kTileY, c / vector, n), c, x, y, n);

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
      .split(x, tx, xi, kTileX, guard)
      .split(y, ty, yi, kTileY, guard)
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
      .bound_extent(s, kPlanesX)
      .bound_extent(t, kPlanesY)
      .bound_extent(n, 1)
      .bound_storage(kv, channels / vector + 1) // planes a power of two apart would share cache sets
      .reorder(lane, s, t, kv, i, j, tx, ty, n)
      .vectorize(lane, vector)
      .unroll(s)
      .unroll(t);
  columns.compute_at(v, kv)
      .store_in(MemoryType::Stack)
      .bound_extent(s, kPlanesX)
      .bound_extent(t, kPlanesY)
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
        .bound_extent(t, kTileY)
        .vectorize(lane, vector)
        .unroll(s)
        .unroll(t);
  tile.bound_extent(s, kTileX);
  rowsOut.bound_extent(s, kPlanesX);

  m.compute_at(out, cb)
      .hoist_storage(out, task)
      .store_in(MemoryType::Heap)
      .bound_extent(s, kPlanesX)
      .bound_extent(t, kPlanesY)
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
  const RVar pairs("pairs"), pair("pair");
  acc.update()
      .split(r.x, pairs, pair, 2)
      .reorder(pair, lane, co, tx, ty, pairs, r.y, s, t, n)
      .vectorize(lane, vector)
      .unroll(co)
      .unroll(tx)
      .unroll(ty)
      .atomic()
      .vectorize(pair);

  KernelBuild kernel{{in, u}, Pipeline(out)};
  kernel.inputs.insert(kernel.inputs.end(), epilogues.operands().begin(), epilogues.operands().end());
  return kernel;
}

} // namespace

Family winogradBf16Family() {
  return {"winograd_bf16",
          "Winograd convolution F(2x4, 3x3) by dot products of bf16, for the same filters.",
          whyNot,
          parameters,
          choose,
          packing,
          build};
}

} // namespace segc::schedules
