/// \file Winograd convolution F(2x4, 3x3) on bf16: a third of the multiplications of the direct sum, by dot
/// products.
///
/// The loops are those of WinogradLoops.h, with these differences: transformed inputs v and filters u are
/// rounded to bf16, a step multiplies a pair of input channels, sums and both transforms are f32. A result is
/// off by up to 1e-2 of the maximum (6e-3 in the mean square), before it is rounded itself.
///
///   u (2 p + ci % 2, ci / 2, plane, q)  weights: panel q of cv vectors of output channels
///   v (lane, i, j, kv, tx, ty, s, t)    16 input channels of a tile are half a cache line
///   m (lane, s, t, tx, ty, co)          products in f32
// SPDX-License-Identifier: MIT
#include "schedules/Arithmetic.h"
#include "schedules/Epilogue.h"
#include "schedules/cpu/ConvTile.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Prefetch.h"
#include "schedules/cpu/Rows.h"
#include "schedules/cpu/WinogradLoops.h"

using namespace Halide;

namespace segc::schedules {
namespace {

using namespace winograd;

constexpr int kTileX = 4, kTileY = 2; ///< results of a tile

std::string whyNot(const KernelSpec &spec, Isa isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  if (const std::string why = whyNotPlain(spec); !why.empty())
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

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  const int vectors = spec.get("k") / lanes(isa);
  return {{"bx", "tiles of a block along x", {4, 8}},
          {"by", "tiles of a block along y", {2, 4, 8}},
          {"cv", "channel vectors of the micro-tile", divisors(vectors, {1, 2})},
          {"cb", "micro-tiles of channels per block of products", {1, 2, 3, 4}},
          {"kc", "channel blocks of a task at most", kChunks}};
}

/// Blocks of 16 tiles keep v and m in the L2 cache; with filters of 12 MB and more 32 tiles halve the passes
/// over them.
Schedule choose(const KernelSpec &spec, Isa isa) {
  const int k = spec.get("k"), cv = largestDivisor(k / lanes(isa), {1, 2});
  const bool wide = spec.get("c") * k >= 1 << 18;
  Schedule schedule{"winograd_bf16", {{"bx", 4}, {"by", wide ? 8 : 4}, {"cv", cv}, {"cb", 2}, {"kc", 1}}};
  chooseChunk(spec, schedule, isa);
  return schedule;
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int panel = schedule.params.at("cv") * lanes(isa);
  KernelSpec pack;
  pack.op = "pack_winograd";
  pack.fields = {{"panel", {panel}}, {"tile", {kTileY, kTileX}}, {"scale", {0}}, {"step", {1, 1}}};
  pack.words = {{"from", "conv"}};
  pack.dtype = "bf16";
  return {pack.print(), {2 * panel, spec.get("c") / 2, (kTileX + 2) * (kTileY + 2), spec.get("k") / panel}};
}

/// How transformed inputs are stored.
Expr narrow(Expr value) { return reinterpret(BFloat(16), toBfloat(value)); }

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  Loops loops(spec, schedule, isa, filteringOf(kTileX, "bf16"), filteringOf(kTileY, "bf16"));
  const int channels = spec.get("c"), vector = loops.vector, cv = loops.cv;
  const ImageParam in = activation("x", channels, spec.get("in"));
  const std::vector<int> weights = packing(spec, schedule, isa).extents;
  const ImageParam u = denseParam("u", weights, BFloat(16));
  const Epilogues epilogues(spec, loops.k);
  const Var &c = loops.c, &x = loops.x, &y = loops.y, &n = loops.n, &co = loops.co;
  Func out("y");
  out(c, x, y, n) =
      undef<float>(); // v needs the extents of the result's buffer; the values follow as an update
  describeActivation(out.output_buffer(), loops.k, spec.get("out"));
  const Expr lastX = out.output_buffer().dim(1).extent() + 1, lastY = out.output_buffer().dim(2).extent() + 1;

  std::vector<Part> parts = {Part(0, vector, channels / vector, "", "r")};
  const RVar channel = parts[0].r.x, vectors = parts[0].r.y;
  loops.defineInput(
      parts[0],
      [&](const Expr &c, const Expr &tx, const Expr &s, const Expr &ty, const Expr &t) {
        return in(c, min(tx * kTileX + s, lastX), min(ty * kTileY + t, lastY), n);
      },
      narrow);
  const Expr pairOfChannels = vectors * (vector / 2) + channel / 2,
             plane = loops.s + loops.alongX.planes() * loops.t,
             weight = u(2 * (co % cv * vector + loops.lane) + channel % 2, pairOfChannels, plane, co / cv);
  loops.addProducts(parts[0], cast<float>(loops.fetchAhead(weight, u, weights, pairOfChannels, plane)));
  loops.defineResults();
  out(c, x, y, n) = epilogues.apply(loops.pixel(x / kTileX, y / kTileY, x % kTileX, y % kTileY), c, x, y, n);

  loops.schedule(out, parts, kTileX, kTileY);
  const RVar pairs("pairs"), pair("pair");
  loops.scheduleSum(loops.acc.update().split(channel, pairs, pair, 2), pairs, vectors)
      .atomic()
      .vectorize(pair);

  KernelBuild kernel = kernelBuild(Pipeline(out), {in, u}, epilogues.operands());
  lowerPrefetches(kernel.pipeline);
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
