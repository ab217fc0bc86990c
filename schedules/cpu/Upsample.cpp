/// \file Resizing; the extents of input and result decide the scale.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include "schedules/cpu/Taps.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// floor(i * in / out), the product in 64 bits.
Expr nearestPixel(const Expr &i, const Expr &in, const Expr &out) {
  return min(cast<int>(cast<int64_t>(i) * in / cast<int64_t>(out)), in - 1);
}

/// Whether pixel i is the first that reads pixel p = nearestPixel(i).
Expr isFirst(const Expr &i, const Expr &p, const Expr &in, const Expr &out) {
  return cast<int64_t>(i) * in - cast<int64_t>(p) * out < in;
}

/// Neighbours along one axis, from the first to the last, and their weights.
struct Neighbours {
  std::vector<Expr> pixel, weight;
};

/// PyTorch's upsample_bilinear2d and upsample_bicubic2d: half-pixel coordinates (i + 0.5) * in / out - 0.5,
/// or with aligned corners i * (in - 1) / (out - 1), 0 for a single pixel; all in f32. Neighbours beyond the
/// edge are the edge's pixel.
Neighbours neighbours(const Expr &i, const Expr &in, const Expr &out, bool cubic, bool align) {
  const Expr scale = align ? select(out > 1, cast<float>(in - 1) / cast<float>(max(out - 1, 1)), 0.f)
                           : cast<float>(in) / cast<float>(out);
  const Expr at = align ? cast<float>(i) * scale : (cast<float>(i) + 0.5f) * scale - 0.5f;
  if (!cubic) {
    const Expr inside = max(at, 0.f), low = min(cast<int>(inside), in - 1);
    const Expr share = clamp(inside - cast<float>(low), 0.f, 1.f);
    return {{low, min(low + 1, in - 1)}, {1.f - share, share}};
  }
  const Expr low = cast<int>(at + 1.f) - 1; // floor: positions are above -1
  Neighbours four{{}, cubicWeights(clamp(at - cast<float>(low), 0.f, 1.f))};
  for (int k = -1; k <= 2; k++)
    four.pixel.push_back(clamp(low + k, 0, in - 1));
  return four;
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
  const std::string mode = spec.word("mode");
  Expr value;
  if (mode == "nearest" || mode == "zeros") {
    const Expr px = nearestPixel(x, inW, outW), py = nearestPixel(y, inH, outH);
    value = in(c, px, py, n);
    if (mode == "zeros")
      value = select(isFirst(x, px, inW, outW) && isFirst(y, py, inH, outH), value, 0.f);
  } else {
    const bool cubic = mode == "bicubic", align = spec.get("align") != 0;
    const Neighbours h = neighbours(x, inW, outW, cubic, align), v = neighbours(y, inH, outH, cubic, align);
    for (size_t j = 0; j < v.pixel.size(); j++) {
      Expr row;
      for (size_t i = 0; i < h.pixel.size(); i++) {
        const Expr term = h.weight[i] * in(c, h.pixel[i], v.pixel[j], n);
        row = i ? row + term : term;
      }
      value = j ? value + v.weight[j] * row : v.weight[j] * row;
    }
  }
  out(c, x, y, n) = epilogues.apply(value, c, x, y, n);
  if (rows.overChannels || mode == "nearest" || mode == "zeros") {
    rows.scheduleValues(out);
  } else {
    // Vectors across pixels would gather every neighbour. The last vector ends with the channels; what it
    // shares with the one before keeps its values.
    const Var co("co"), ci("ci");
    out.bound(c, 0, channels);
    rows.parallelRows(out.update());
    out.update()
        .split(c, co, ci, powerOfTwoBelow(channels), TailStrategy::ShiftInwardsAndBlend)
        .vectorize(ci)
        .unroll(co);
  }
  return kernelBuild(Pipeline(out), {in}, epilogues.operands());
}

} // namespace

Family upsampleFamily() { return plainFamily("upsample", "Resizing by rows.", {"upsample"}, buildUpsample); }

} // namespace segc::schedules
