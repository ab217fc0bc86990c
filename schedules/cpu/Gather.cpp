/// \file Sums over the pixels of an operand that count for one pixel of the result: means over windows and
/// bins, their transposes, the transpose of resizing.
///
/// Vectors lie over channels, since neighbouring pixels read from far apart; the sums of a block of channels
/// stay in registers. What may add up many pixels does so in f64.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include "schedules/cpu/Taps.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Windows of up to this many taps are unrolled, and up to so many are added in f32.
constexpr int kMostUnrolled = 9, kMostInF32 = 64;
/// Vectors of one block of channels.
constexpr int kBlockVectors = 4;

/// Upper bound of the taps of one pixel; 0 if only the extents tell.
int64_t mostTaps(const KernelSpec &spec) {
  if (spec.op == "avgpool")
    return int64_t(spec.get("r")) * spec.get("r", 1);
  if (spec.op == "avgpool_transpose")
    return int64_t(1) * ceilDiv(spec.get("r"), spec.get("s")) * ceilDiv(spec.get("r", 1), spec.get("s", 1));
  return 0;
}

KernelBuild buildGather(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const int64_t taps = mostTaps(spec);
  const bool fixed = spec.op == "avgpool" || spec.op == "avgpool_transpose";
  ImageParam in = spec.op == "avgpool" ? boundedActivation("x", channels, spec.get("in"))
                                       : activation("x", channels, spec.get("in"));
  const Epilogues epilogues(spec, channels);
  const Rows rows(channels, isa, true);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;

  Func sum("sum"), out("y");
  OutputImageParam result = rows.declare(out, spec.get("out"));
  if (spec.op != "avgpool_transpose") {
    result.dim(1).set_min(0);
    result.dim(2).set_min(0);
  }
  const Taps h = tapsOf(spec, 1, x, sideOf(in, 1), sideOf(result, 1));
  const Taps v = tapsOf(spec, 0, y, sideOf(in, 2), sideOf(result, 2));
  RDom r(0, h.most, 0, v.most, "r");
  r.where(r.x < h.count && r.y < v.count);
  const Expr px = h.first + r.x, py = v.first + r.y;
  Expr value = in(c, px, py, n);
  if (h.weight)
    value = value * (v.weight(py) * h.weight(px));
  const bool precise = spec.op != "upsample_transpose" && (taps == 0 || taps > kMostInF32);
  const Type type = precise ? Float(64) : Float(32);
  sum(c, x, y, n) = cast(type, 0);
  sum(c, x, y, n) += cast(type, value);
  Expr total = sum(c, x, y, n);
  if (h.divisor.defined())
    total = total / cast(type, h.divisor * v.divisor);
  // Operands of epilogues have the result's extents, but start at 0.
  out(c, x, y, n) =
      epilogues.apply(cast<float>(total), c, x - result.dim(1).min(), y - result.dim(2).min(), n);

  Stage stage = out.update();
  const int vector = std::min(lanes(isa), powerOfTwoBelow(channels));
  const int block = std::min(kBlockVectors, channels / vector) * vector;
  const bool exact = channels % block == 0;
  const Var co("co"), ci("ci"), cl("cl"), task("task");
  out.bound(c, 0, channels);
  // The last block ends with the channels; what it shares with the one before keeps its values. Blocks that
  // share nothing are tasks of their own: there may be few rows.
  stage.split(c, co, ci, block, exact ? TailStrategy::RoundUp : TailStrategy::ShiftInwardsAndBlend)
      .split(ci, ci, cl, vector)
      .vectorize(cl)
      .unroll(ci);
  if (exact)
    stage.reorder(cl, ci, x, co, y, n).fuse(co, y, task).fuse(task, n, task);
  else
    stage.reorder(cl, ci, co, x, y, n).fuse(y, n, task);
  stage.parallel(task);
  sum.compute_at(out, exact ? x : co)
      .store_in(MemoryType::Register)
      .bound_extent(c, block)
      .bound_extent(x, 1)
      .bound_extent(y, 1)
      .bound_extent(n, 1)
      .vectorize(c, vector)
      .unroll(c);
  sum.update().reorder(c, r.x, r.y, x, y, n).vectorize(c, vector).unroll(c);
  if (fixed && taps <= kMostUnrolled)
    sum.update().unroll(r.x).unroll(r.y);
  return kernelBuild(Pipeline(out), {in}, epilogues.operands());
}

} // namespace

Family gatherFamily() {
  return plainFamily("gather",
                     "Sums over the pixels that count for a pixel: means, transposes of means and resizing.",
                     {"avgpool", "avgpool_transpose", "adaptive_avgpool", "adaptive_avgpool_transpose",
                      "upsample_transpose"},
                     buildGather);
}

} // namespace segc::schedules
