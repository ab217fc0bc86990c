/// \file Nearest and bilinear resizing; the extents of input and result decide the scale.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// floor(i * in / out), the product in 64 bits.
Expr nearestPixel(const Expr &i, const Expr &in, const Expr &out) {
  return min(cast<int>(cast<int64_t>(i) * in / cast<int64_t>(out)), in - 1);
}

/// Two neighbours along one axis and the share of the second one.
struct Between {
  Expr low, high, share;
};

/// PyTorch's upsample_bilinear2d: half-pixel coordinates (i + 0.5) * in / out - 0.5, not below 0, or with
/// aligned corners i * (in - 1) / (out - 1), 0 for a single pixel; all in f32. Beyond the last pixel the
/// neighbour is the pixel itself.
Between between(const Expr &i, const Expr &in, const Expr &out, bool align) {
  const Expr scale = align ? select(out > 1, cast<float>(in - 1) / cast<float>(max(out - 1, 1)), 0.f)
                           : cast<float>(in) / cast<float>(out);
  const Expr at = align ? cast<float>(i) * scale : max((cast<float>(i) + 0.5f) * scale - 0.5f, 0.f);
  const Expr low = min(cast<int>(at), in - 1);
  return {low, min(low + 1, in - 1), clamp(at - cast<float>(low), 0.f, 1.f)};
}

KernelBuild buildUpsample(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Epilogues epilogues(spec, channels);
  const Rows rows(channels, isa, true);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;

  Func out("y");
  OutputImageParam result = rows.declare(out, spec.get("out"));
  result.dim(1).set_min(0);
  result.dim(2).set_min(0);
  const Expr inW = in.dim(1).extent(), inH = in.dim(2).extent();
  const Expr outW = result.dim(1).extent(), outH = result.dim(2).extent();
  Expr value;
  if (spec.word("mode") == "nearest")
    value = in(c, nearestPixel(x, inW, outW), nearestPixel(y, inH, outH), n);
  else {
    const bool align = spec.get("align") != 0;
    const Between h = between(x, inW, outW, align), v = between(y, inH, outH, align);
    auto row = [&](const Expr &at) {
      return (1.f - h.share) * in(c, h.low, at, n) + h.share * in(c, h.high, at, n);
    };
    value = (1.f - v.share) * row(v.low) + v.share * row(v.high);
  }
  out(c, x, y, n) = epilogues.apply(value, c, x, y, n);
  rows.scheduleValues(out);
  return kernelBuild(Pipeline(out), {in}, epilogues.operands());
}

} // namespace

Family upsampleFamily() {
  return plainFamily("upsample", "Nearest and bilinear resizing by rows.", {"upsample"}, buildUpsample);
}

} // namespace segc::schedules
