/// \file Sums of depthwise convolutions in registers, and the packing their weights need.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/DepthwiseTile.h"

using namespace Halide;

namespace segc::schedules {

int depthwiseLanes(const KernelSpec &spec, Isa isa) {
  int vector = lanes(isa);
  while (vector > spec.get("c"))
    vector /= 2;
  return vector;
}

Packing depthwisePacking(const KernelSpec &spec) {
  KernelSpec pack;
  pack.op = "pack_depthwise";
  pack.fields = {{"scale", {0}}, {"step", {1, 1}}};
  pack.words = {{"from", "conv"}};
  return {pack.print(), {paddedChannels(spec.get("c")), spec.get("r", 1), spec.get("r")}};
}

DepthwiseTile::DepthwiseTile(const KernelSpec &spec, const ImageParam &in, const std::string &weights,
                             const std::function<Expr(const Expr &)> &initial)
    : w(denseParam(weights, depthwisePacking(spec).extents)), filterWidth(spec.get("r", 1)),
      r(0, filterWidth, 0, spec.get("r"), "taps") {
  sum(c, x, y, n) = initial(c);
  sum(c, x, y, n) += w(c, r.x, r.y) * in(c, x * spec.get("s", 1) + r.x * spec.get("d", 1),
                                         y * spec.get("s") + r.y * spec.get("d"), n);
}

void DepthwiseTile::schedule(const LoopLevel &level, int panel, int lanes) {
  sum.compute_at(level)
      .store_in(MemoryType::Register)
      .bound_extent(c, panel)
      .vectorize(c, lanes)
      .unroll(c)
      .unroll(x);
  sum.update().reorder(c, x, r.x, r.y, y, n).vectorize(c, lanes).unroll(c).unroll(x);
  // Taps of one row share input vectors between neighbouring pixels once they are unrolled.
  if (filterWidth <= 7)
    sum.update().unroll(r.x);
}

} // namespace segc::schedules
