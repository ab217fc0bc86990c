/// \file The transpose of resizing: every pixel of the small side gathers what was read from it.
///
/// Along an axis of `in` pixels that was resized to `out`, pixel o read position at(o); it gives pixel i the
/// weight max(0, 1 - |at(o) - i|) with at(o) clamped to the axis (bilinear), or 1 if floor(o * in / out) = i
/// (nearest). So the o that count for i follow each other. Positions are exact fractions of integers.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

Expr wide(const Expr &v) { return cast<int64_t>(v); }
Expr ceilDivide(const Expr &a, const Expr &b) { return (a + b - 1) / b; }

/// One axis: which pixels of the large side count for pixel i of the small one.
struct Reach {
  Expr first, most; ///< the first of them, and how many there are at most
  Expr pixel;       ///< number `step` of them, inside the axis
  Expr weight;      ///< 0 where there is no such pixel

  Reach(const KernelSpec &spec, const Expr &i, const Expr &step, const Expr &in, const Expr &out) {
    const bool align = spec.get("align") != 0;
    if (spec.word("mode") == "nearest") {
      const Expr end = cast<int>(ceilDivide(wide(i + 1) * out, wide(in)));
      first = cast<int>(ceilDivide(wide(i) * out, wide(in)));
      most = ceilDivide(out, in);
      weight = select(first + step < end, 1.f, 0.f);
    } else {
      // Positions as numerator / denominator: (o + 1/2) * in / out - 1/2, or o * (in - 1) / (out - 1).
      const Expr denominator = align ? max(wide(out) - 1, 1) : 2 * wide(out);
      const Expr before = align ? wide(i - 1) * (out - 1) / max(wide(in) - 1, 1)
                                : ((2 * wide(i) - 1) * out - in) / (2 * wide(in));
      first = select(align && out == 1, 0, cast<int>(max(before + 1, 0)));
      most = !align ? ceilDivide(2 * out, in)
                    : select(in > 1, max(ceilDivide(2 * (out - 1), max(in - 1, 1)), 1), out);
      const Expr o = wide(first + step);
      const Expr at = align ? o * (in - 1) : clamp((2 * o + 1) * in - out, wide(0), denominator * (in - 1));
      const Expr distance = cast<float>(at - denominator * i) / cast<float>(denominator);
      weight = select(first + step < out, max(1.f - abs(distance), 0.f), 0.f);
    }
    pixel = min(first + step, out - 1);
  }
};

KernelBuild buildUpsampleTranspose(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Epilogues epilogues(spec, channels);
  const Rows rows(channels, isa, true);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n, co("co"), ci("ci");

  Func sum("sum"), out("y");
  OutputImageParam result = rows.declare(out, spec.get("out"));
  result.dim(1).set_min(0);
  result.dim(2).set_min(0);
  const Expr smallW = result.dim(1).extent(), smallH = result.dim(2).extent();
  const Expr largeW = in.dim(1).extent(), largeH = in.dim(2).extent();
  const RDom r(0, Reach(spec, 0, 0, smallW, largeW).most, 0, Reach(spec, 0, 0, smallH, largeH).most, "r");
  const Reach h(spec, x, r.x, smallW, largeW), v(spec, y, r.y, smallH, largeH);
  const Expr weight = v.weight * h.weight;
  sum(c, x, y, n) = 0.f;
  sum(c, x, y, n) += select(weight > 0.f, weight * in(c, h.pixel, v.pixel, n), 0.f);
  out(c, x, y, n) = epilogues.apply(sum(c, x, y, n), c, x, y, n);

  // Vectors over channels only: neighbouring pixels read from far apart.
  const int vector = std::min(lanes(isa), powerOfTwoBelow(channels));
  out.bound(c, 0, channels);
  rows.parallelRows(out.update());
  // The last vector ends with the channels; what it shares with the one before keeps its values.
  out.update().split(c, co, ci, vector, TailStrategy::ShiftInwardsAndBlend).vectorize(ci);
  sum.compute_at(out, co).store_in(MemoryType::Register).bound_extent(c, vector).vectorize(c);
  sum.update().reorder(c, r.x, r.y, x, y, n).vectorize(c);
  return kernelBuild(Pipeline(out), {in}, epilogues.operands());
}

} // namespace

Family upsampleTransposeFamily() {
  return plainFamily("upsample_transpose", "The transpose of resizing, by rows.", {"upsample_transpose"},
                     buildUpsampleTranspose);
}

} // namespace segc::schedules
