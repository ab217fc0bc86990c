/// \file The loops over the tiles of a convolution.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/AmxTile.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {

std::vector<int> amxVectors(const KernelSpec &spec) {
  return spec.get("k") > kAmxColumns ? std::vector<int>{1, 2} : std::vector<int>{1};
}

AmxSteps::AmxSteps(const KernelSpec &spec)
    : all(spec.get("c") / 2), count(std::max(ceilDiv(all, kAmxRows), 1)), overlap(all % count != 0),
      pairs(overlap ? kAmxRows : all / count) {}

Expr AmxSteps::channels(const Expr &i) const {
  return overlap ? min(i / pairs * pairs, all - pairs) + i % pairs : i;
}

Packing AmxSteps::packing(const KernelSpec &spec, int cv, Isa isa) const {
  Packing packing = convPacking(spec, cv, isa, true);
  if (overlap) {
    KernelSpec pack = std::get<KernelSpec>(KernelSpec::parse(packing.problem));
    pack.words["last"] = std::to_string(pairs);
    packing.problem = pack.print();
    packing.extents[1] = pairs * count;
  }
  return packing;
}

AmxTile::AmxTile(const KernelSpec &spec, int cv, Isa isa, const Source &in, const std::string &suffix)
    : panel(cv * kAmxColumns), products(spec),
      w(denseParam("w" + suffix, products.packing(spec, cv, isa).extents, BFloat(16))), sum("sum" + suffix),
      r(0, 2, 0, products.pairs * products.count, 0, spec.get("r", 1), 0, spec.get("r"), "r" + suffix) {
  sum(c, q, x, y, n) = 0.f;
  const Expr value = in(2 * products.channels(r.y) + r.x, x * spec.get("s", 1) + r.z * spec.get("d", 1),
                        y * spec.get("s") + r.w * spec.get("d"), n);
  sum(c, q, x, y, n) += cast<float>(w(2 * c + r.x, r.y, r.z, r.w, q)) * cast<float>(value);
}

Expr AmxTile::at(const Expr &c, const Expr &x, const Expr &y, const Expr &n) const {
  return sum(c % panel, c / panel, x, y, n);
}

void AmxTile::schedule(const LoopLevel &level, const Expr &isWide, int px, int least, int steps) {
  const Var tc("tc"), tx("tx"), tileC(kAmxChannels), tileX(kAmxPixels);
  const std::string prefix = kAmxSteps;
  const RVar step(prefix), chunk(prefix + "_c"), column(prefix + "_x"), row(prefix + "_y"), tileP(kAmxPairs);
  sum.compute_at(level).store_in(MemoryType::Stack).bound(c, 0, panel).bound_extent(q, 1);
  auto scheduleTiles = [&](Stage stage, int rows) {
    stage.split(c, tc, tileC, kAmxColumns)
        .split(x, tx, tileX, rows)
        .split(r.y, step, tileP, products.pairs)
        .split(step, chunk, step, divisorUpTo(products.count, steps))
        .rename(r.z, column)
        .rename(r.w, row)
        .reorder({r.x, tileP, tileX, tileC, tc, tx, y, step, column, row, chunk, q, n})
        .unroll(tc)
        .unroll(tx)
        .unroll(y);
  };
  Stage few = sum.update();
  scheduleTiles(few.specialize(isWide), std::min(px, kAmxRows));
  scheduleTiles(few, least);
}

void AmxTile::lower(Pipeline pipeline) const { lowerAmxProducts(pipeline, sum, w.name(), r.x); }

} // namespace segc::schedules
