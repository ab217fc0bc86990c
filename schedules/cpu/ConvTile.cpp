/// \file Sums of direct convolutions in registers, and the packing their weights need.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/ConvTile.h"
#include "schedules/Arithmetic.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>
#include <cmath>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Output channels of one group.
int groupChannels(const KernelSpec &spec) { return spec.get("k") / spec.get("g"); }

} // namespace

bool isScaled(const KernelSpec &spec) { return spec.word("read") == "scaled"; }

ReadOperand::ReadOperand(const KernelSpec &spec, const ImageParam &in, bool rounded)
    : source(in), channels(spec.get("c")) {
  if (!segc::schedules::isScaled(spec))
    return;
  factors.push_back(activation("s", channels, 0));
  factors[0].dim(2).set_stride(0);
  const Var c("c"), x("x"), y("y"), n("n");
  const Expr product = in(c, x, y, n) * factors[0](c, 0, 0, n);
  scaled(c, x, y, n) = rounded ? reinterpret(BFloat(16), toBfloat(product)) : product;
  source = scaled;
}

void ReadOperand::schedule(const LoopLevel &level, MemoryType memory, Isa isa) {
  if (isScaled())
    scaled.compute_at(level)
        .store_in(memory)
        .bound(scaled.args()[0], 0, channels)
        .vectorize(scaled.args()[0], std::min(lanes(isa), powerOfTwoBelow(channels)),
                   TailStrategy::ShiftInwards);
}

int convLanes(const KernelSpec &spec, Isa isa) {
  if (spec.get("g") == 1)
    return lanes(isa);
  int vector = lanes(isa);
  while (groupChannels(spec) % vector)
    vector /= 2;
  return vector;
}

std::vector<int> legalConvVectors(const KernelSpec &spec, Isa isa) {
  std::vector<int> legal;
  const int vector = convLanes(spec, isa), k = spec.get("k");
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

/// Any tile of eight sums or more keeps the multipliers busy (1x1, 128 to 256 channels, rows of 240 pixels: 1
/// x 4 to 2 x 12 all reach 96 to 99 % of the peak), so what is left to choose by is what is computed in vain:
/// lanes beyond the last channel, and pixels that the last tile of a row computes again (672 to 112 channels,
/// rows of 32 pixels: 77 % with 4 x 6, 87 % with 2 x 8, 99 % with 1 x 8). The more pixels, the fewer weights
/// come from the L2 cache (512 to 256 channels at 32x32: 1.50 ms with 4 x 4, 1.38 with 2 x 8). Short sums
/// spend their time on results as well, and a pixel's are written faster the longer their run (16 to 64
/// channels at 256x256, f32: 1.01 ms with 2 x 8, 0.71 with 4 x 6; 64 to 256 at 64x64 0.72 and 0.68).
RegisterTile chooseRegisterTile(const KernelSpec &spec, Isa isa) {
  const int vectors = ceilDiv(groupChannels(spec), convLanes(spec, isa)), width = spec.likelyWidth;
  const int registers = isAvx512(isa) ? 32 : 16;
  // Cycles of a vector of results, two products in each.
  const double terms = double(spec.get("c")) / spec.get("g") * spec.get("r") * spec.get("r", 1);
  const double products = terms / (hasDots(spec, isa) ? 4 : 2);
  RegisterTile chosen{1, 1};
  double least = HUGE_VAL;
  for (int cv : legalConvVectors(spec, isa))
    for (int px : kTilePixels) {
      const int sums = cv * px;
      if (sums + cv >= registers || (width && px > width))
        continue;
      const double lanesComputed = double(ceilDiv(vectors, cv)) * cv / vectors;
      // Of unknown rows half a tile, were they of 128 pixels.
      const double pixelsComputed = width ? double(ceilDiv(width, px)) * px / width : 1 + (px - 1) / 256.;
      // A sum waits for the one before it, a vector of weights comes from the L2 cache in the time of four
      // products, or delays those of a pixel, and processors read one operand a product (with AVX-512 some
      // read two).
      constexpr double kLatency = 8, kStream = 4, kDelay = 0.3, kRun = 8;
      const double reads = 1 + std::max(0.0, double(cv + px) / sums - 1) * (isAvx512(isa) ? 0.5 : 1);
      const double stalls = std::max({1.0, kLatency / sums, kStream / px, reads});
      const double time =
          lanesComputed * pixelsComputed * (products * stalls * (1 + kDelay / px) + kRun / cv);
      if (time < least) {
        least = time;
        chosen = {cv, px};
      }
    }
  return chosen;
}

bool hasDots(const KernelSpec &spec, Isa isa) {
  return isa == Isa::Avx512Bf16 && spec.dtype == "bf16" && spec.get("c") / spec.get("g") % 2 == 0;
}

Packing convPacking(const KernelSpec &spec, int cv, Isa isa, bool dots) {
  const int panel = cv * convLanes(spec, isa), groups = spec.get("g"), pair = dots ? 2 : 1;
  KernelSpec pack;
  pack.op = "pack_conv";
  pack.fields = {{"panel", {panel}}, {"g", {groups}}, {"scale", {0}}, {"step", {1, 1}}};
  pack.words = {{"from", "conv"}};
  pack.dtype = dots ? "bf16" : "f32";
  return {pack.print(),
          {pair * panel, spec.get("c") / groups / pair, spec.get("r", 1), spec.get("r"),
           groups * ceilDiv(groupChannels(spec), panel)}};
}

ConvTile::ConvTile(const KernelSpec &spec, int cv, Isa isa, const Source &source,
                   const std::function<Expr(const Expr &)> &initial, bool dots)
    : vector(convLanes(spec, isa)), panel(cv * vector), dots(dots),
      w(denseParam("w", convPacking(spec, cv, isa, dots).extents, dots ? BFloat(16) : Float(32))),
      r(0, spec.get("c") / spec.get("g"), 0, spec.get("r", 1), 0, spec.get("r"), "r") {
  const int groups = spec.get("g"), panelsPerGroup = ceilDiv(groupChannels(spec), panel);
  const Expr firstC = groups == 1 ? Expr(0) : c / panel / panelsPerGroup * (spec.get("c") / groups);
  sum(c, x, y, n) = initial(c);
  const Expr value = source(firstC + r.x, x * spec.get("s", 1) + r.y * spec.get("d", 1),
                            y * spec.get("s") + r.z * spec.get("d"), n);
  if (dots)
    sum(c, x, y, n) +=
        cast<float>(w(2 * (c % panel) + r.x % 2, r.x / 2, r.y, r.z, c / panel)) * cast<float>(value);
  else
    sum(c, x, y, n) += w(c % panel, r.x, r.y, r.z, c / panel) * value;
}

void ConvTile::schedule(const LoopLevel &level) {
  sum.compute_at(level)
      .store_in(MemoryType::Register)
      .bound_extent(c, panel)
      .vectorize(c, vector)
      .unroll(c)
      .unroll(x);
  if (!dots) {
    sum.update().reorder(c, x, y, n, r.x, r.y, r.z).vectorize(c, vector).unroll(c).unroll(x);
    return;
  }
  const RVar pairs("pairs"), pair("pair");
  sum.update()
      .split(r.x, pairs, pair, 2)
      .reorder(pair, c, x, y, n, pairs, r.y, r.z)
      .vectorize(c, vector)
      .unroll(c)
      .unroll(x)
      .atomic()
      .vectorize(pair);
}

} // namespace segc::schedules
