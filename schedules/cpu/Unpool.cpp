/// \file The inverse of maximum pooling with positions: each value goes back to where its maximum came from.
///
/// Written as a gather, so that every pixel is stored once: pixel p of the padded input is tap
/// p - w * stride of each window w that reaches it. Where several windows point at a pixel, the last one wins
/// or, for the gradient of a maximum pooling, their values add.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Vectors across pixels gather from every window that may reach them: beyond this many their code takes
/// seconds to compile, and pixels of few channels are computed one by one.
constexpr int kMostGathers = 1;

/// Candidate number `back` along one axis, counted from the last window that starts at or before `p`.
struct Candidate {
  Expr window; ///< clamped to the windows there are
  Expr tap;
  Expr exists;
};

Candidate candidate(const Expr &p, int back, const KernelSpec &spec, int axis, const Expr &windows) {
  const int taps = spec.get("r", axis), stride = spec.get("s", axis), dilation = spec.get("d", axis);
  const Expr window = p / stride - back, offset = p - window * stride;
  Expr exists = offset <= (taps - 1) * dilation && window >= 0 && window < windows;
  if (dilation > 1)
    exists = exists && offset % dilation == 0;
  return {clamp(window, 0, windows - 1), offset / dilation, exists};
}

KernelBuild buildUnpool(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam values = activation("v", channels, spec.get("in"));
  const ImageParam index = activation("index", channels, spec.get("idx"), UInt(8));
  const Epilogues epilogues(spec, channels);
  const Rows rows(channels, isa, true);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;

  auto candidates = [&](int axis) {
    return (spec.get("r", axis) - 1) * spec.get("d", axis) / spec.get("s", axis) + 1;
  };
  // The last window in row-major order wins: it is asked last here, so outermost. Or all that point here add,
  // in order.
  const bool sum = spec.word("overlap") == "sum";
  Expr value = 0.f;
  for (int back = candidates(0) - 1; back >= 0; back--)
    for (int aside = candidates(1) - 1; aside >= 0; aside--) {
      const Candidate v = candidate(y, back, spec, 0, values.dim(2).extent());
      const Candidate h = candidate(x, aside, spec, 1, values.dim(1).extent());
      const Expr here = index(c, h.window, v.window, n) == cast<uint8_t>(v.tap * spec.get("r", 1) + h.tap);
      const Expr arriving = values(c, h.window, v.window, n), points = v.exists && h.exists && here;
      value = sum ? value + select(points, arriving, 0.f) : select(points, arriving, value);
    }
  // Operands of epilogues have the result's extents, but start at 0.
  Func out("y");
  const OutputImageParam result = rows.declare(out, spec.get("out"));
  out(c, x, y, n) = epilogues.apply(value, c, x - result.dim(1).min(), y - result.dim(2).min(), n);
  if (rows.overChannels || channels * candidates(0) * candidates(1) <= kMostGathers)
    rows.scheduleValues(out);
  else {
    out.bound(c, 0, channels);
    rows.parallelRows(out.update());
  }
  return kernelBuild(Pipeline(out), {values, index}, epilogues.operands());
}

} // namespace

Family unpoolFamily() {
  return plainFamily("unpool", "Unpooling as a gather over the windows that reach a pixel.", {"unpool"},
                     buildUnpool);
}

} // namespace segc::schedules
