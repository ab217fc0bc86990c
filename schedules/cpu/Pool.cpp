/// \file Maximum pooling, with or without the position of each maximum in its window.
///
/// Coordinates are those of the padded input; the bounded view says which of its pixels exist. Every window
/// has at least one of them.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Maximum.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Windows of up to this many taps are unrolled (vectors across pixels are gathers: too much code).
constexpr int kMostTaps = 9;

/// The first tap along one axis whose coordinate start + tap * dilation is not below `low`.
Expr firstTap(const Expr &start, const Expr &low, int dilation) {
  return max(0, (low - start + dilation - 1) / dilation);
}

KernelBuild buildPool(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c"), rh = spec.get("r"), rw = spec.get("r", 1), index = spec.get("idx");
  const ImageParam in = boundedActivation("x", channels, spec.get("in"));
  const Epilogues epilogues(spec, channels);
  // The result may share memory with a tensor that an epilogue reads.
  const bool inPlace = std::any_of(spec.epilogues.begin(), spec.epilogues.end(),
                                   [](const Epilogue &e) { return e.isTensor(); });
  const Rows rows(channels, isa, inPlace, true);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;

  const RDom r(0, rw, 0, rh, "r");
  const Expr left = x * spec.get("s", 1), top = y * spec.get("s");
  const Expr px = left + r.x * spec.get("d", 1), py = top + r.y * spec.get("d");
  const Expr value = in(c, nearest(px, in, 1), nearest(py, in, 2), n), bits = reinterpret<int32_t>(value);
  const Expr present = exists(px, in, 1) && exists(py, in, 2);
  const Expr lowest = int32_t(0xff800000u); // -inf

  Func best("best"), out("y");
  if (index == 0) {
    best(c, x, y, n) = lowest;
    const Expr soFar = reinterpret<float>(best(c, x, y, n));
    best(c, x, y, n) = select(present && isNewMaximum(value, soFar, false), bits, best(c, x, y, n));
    out(c, x, y, n) = epilogues.apply(soFar, c, x, y, n);
  } else {
    // Where all are -inf, the first pixel that exists wins.
    const Expr first = firstTap(top, in.dim(2).min(), spec.get("d")) * rw +
                       firstTap(left, in.dim(1).min(), spec.get("d", 1));
    best(c, x, y, n) = Tuple(lowest, cast<uint8_t>(first));
    const Expr soFar = reinterpret<float>(best(c, x, y, n)[0]);
    const Expr take = present && isNewMaximum(value, soFar, true);
    best(c, x, y, n) = Tuple(select(take, bits, best(c, x, y, n)[0]),
                             select(take, cast<uint8_t>(r.y * rw + r.x), best(c, x, y, n)[1]));
    out(c, x, y, n) = Tuple(epilogues.apply(soFar, c, x, y, n), best(c, x, y, n)[1]);
    out.output_buffers()[1].dim(0).set_stride(1);
    out.output_buffers()[1].dim(1).set_stride(index);
  }
  describeActivation(out.output_buffers()[0], channels, spec.get("out"));
  rows.schedule(out);
  rows.stage(best, out);
  if (rows.overChannels && rh * rw <= kMostTaps)
    best.update().unroll(r.x).unroll(r.y);
  return kernelBuild(Pipeline(out), {in}, epilogues.operands());
}

} // namespace

Family poolFamily() {
  Family family = plainFamily("pool", "Maximum pooling by rows, one vector of windows in registers.",
                              {"maxpool"}, buildPool);
  family.whyNot = [applies = family.whyNot](const KernelSpec &spec, Isa isa) {
    constexpr int kMostCells = 256; // an index is a byte
    return spec.op == "maxpool" && spec.get("idx") && spec.get("r") * spec.get("r", 1) > kMostCells
               ? "its index has a byte: a window has at most " + std::to_string(kMostCells) + " pixels"
               : applies(spec, isa);
  };
  return family;
}

} // namespace segc::schedules
