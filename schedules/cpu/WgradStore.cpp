/// \file How a kernel stores a weight gradient of 3x3 filters in the file's layout.
///
/// The sums lie in vectors of output channels, the file has the taps of all input channels for each of them:
/// blocks of vector x vector values are transposed as in UnpackWgrad.cpp, here while the caches hold them.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Wgrad.h"

using namespace Halide;

namespace segc::schedules::wgrad {

Func storeFilter(Func taps, const KernelSpec &spec, int output, int input, int vector) {
  constexpr int kWays = 4, kTaps = 3, kAll = kTaps * kTaps;
  const int others = vector / kWays, length = kAll * vector;
  Var a("a"), l("lane"), b("b"), f("f"), tile("tile"), blockC("blockC"), vk("vectorK");
  Func half("half"), block("block"), out("dw");
  const Expr e = tile * vector + a * kWays + b;
  half(a, l, b, tile, blockC, vk) = taps(l, e % kAll, blockC * vector + e / kAll, vk, 0);
  block(b, f, tile, blockC, vk) = half(f % others, f / others, b, tile, blockC, vk);
  Var kw("kw"), kh("kh"), ci("ci"), co("co");
  out(kw, kh, ci, co) = undef<float>();
  OutputImageParam result = out.output_buffer();
  int stride = 1;
  for (int d = 0, extents[] = {kTaps, kTaps, spec.get("c"), spec.get("k")}; d < 4; d++) {
    out.bound(out.args()[d], 0, extents[d]);
    result.dim(d).set_bounds(0, extents[d]).set_stride(stride);
    stride *= extents[d];
  }
  RDom flat(0, spec.get("c") * kAll, 0, spec.get("k"), "flat");
  const Expr within = flat.x % vector;
  out(flat.x, 0, 0, flat.y) = block(within % kWays, within / kWays + others * (flat.y % vector),
                                    flat.x % length / vector, flat.x / length, flat.y / vector);

  RVar kb("kb"), cb("cb"), vectorK("vectorK"), k("k"), vectorC("vectorC"), element("element"), task("task");
  out.update()
      .split(flat.y, kb, k, output * vector)
      .split(k, vectorK, k, vector)
      .split(flat.x, cb, element, input * length)
      .split(element, vectorC, element, length)
      .reorder(element, k, vectorC, vectorK, cb, kb)
      .vectorize(element, vector)
      .fuse(cb, kb, task)
      .parallel(task);
  auto stage = [&](Func func) { return func.compute_at(out, vectorC).store_in(MemoryType::Stack); };
  stage(block)
      .bound(b, 0, kWays)
      .bound(f, 0, others * vector)
      .bound(tile, 0, kAll)
      .bound_extent(blockC, 1)
      .bound_extent(vk, 1)
      .reorder(f, b, tile)
      .split(f, f, a, vector)
      .reorder(a, b, f, tile)
      .vectorize(a)
      .unroll(b)
      .unroll(f);
  stage(half)
      .bound(a, 0, others)
      .bound(l, 0, vector)
      .bound(b, 0, kWays)
      .bound(tile, 0, kAll)
      .bound_extent(blockC, 1)
      .bound_extent(vk, 1)
      .reorder(l, a, b, tile)
      .vectorize(l)
      .unroll(a)
      .unroll(b)
      .unroll(tile);
  const std::vector<Var> args = taps.args();
  stage(taps)
      .bound(args[0], 0, vector)
      .bound(args[1], 0, kAll)
      .bound_extent(args[2], vector)
      .bound_extent(args[3], 1)
      .bound_extent(args[4], 1);
  return out;
}

} // namespace segc::schedules::wgrad
