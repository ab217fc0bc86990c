/// \file Which pixels resizing reads and with which weights.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Resize.h"
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

/// PyTorch's upsample_bilinear2d and upsample_bicubic2d: half-pixel coordinates (i + 0.5) * in / out - 0.5,
/// or with aligned corners i * (in - 1) / (out - 1), 0 for a single pixel; all in f32. Neighbours beyond the
/// edge are the edge's pixel.
Neighbours interpolated(const Expr &i, const Expr &in, const Expr &out, bool cubic, bool align) {
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

} // namespace

Neighbours neighbours(const KernelSpec &spec, const Expr &i, const Expr &in, const Expr &out) {
  const std::string mode = spec.word("mode");
  if (mode == "nearest")
    return {{nearestPixel(i, in, out)}, {1.f}};
  return interpolated(i, in, out, mode == "bicubic", spec.get("align") != 0);
}

Expr weighted(const Neighbours &along, const std::function<Expr(const Expr &)> &value) {
  if (along.pixel.size() == 1)
    return value(along.pixel[0]);
  Expr sum;
  for (size_t i = 0; i < along.pixel.size(); i++) {
    const Expr term = along.weight[i] * value(along.pixel[i]);
    sum = i ? sum + term : term;
  }
  return sum;
}

Expr resized(const KernelSpec &spec, const ImageParam &in, const Expr &c, const Expr &x, const Expr &y,
             const Expr &n, const Expr &width, const Expr &height) {
  const Expr inW = in.dim(1).extent(), inH = in.dim(2).extent();
  if (spec.word("mode") == "zeros") {
    const Expr px = nearestPixel(x, inW, width), py = nearestPixel(y, inH, height);
    return select(isFirst(x, px, inW, width) && isFirst(y, py, inH, height), in(c, px, py, n), 0.f);
  }
  const Neighbours h = neighbours(spec, x, inW, width), v = neighbours(spec, y, inH, height);
  return weighted(
      v, [&](const Expr &py) { return weighted(h, [&](const Expr &px) { return Expr(in(c, px, py, n)); }); });
}

} // namespace segc::schedules
