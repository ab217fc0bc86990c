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

} // namespace

Expr resized(const KernelSpec &spec, const ImageParam &in, const Expr &c, const Expr &x, const Expr &y,
             const Expr &n, const Expr &width, const Expr &height) {
  const Expr inW = in.dim(1).extent(), inH = in.dim(2).extent();
  const std::string mode = spec.word("mode");
  if (mode == "nearest" || mode == "zeros") {
    const Expr px = nearestPixel(x, inW, width), py = nearestPixel(y, inH, height);
    const Expr value = in(c, px, py, n);
    return mode == "nearest" ? value
                             : select(isFirst(x, px, inW, width) && isFirst(y, py, inH, height), value, 0.f);
  }
  const bool cubic = mode == "bicubic", align = spec.get("align") != 0;
  const Neighbours h = neighbours(x, inW, width, cubic, align), v = neighbours(y, inH, height, cubic, align);
  Expr value;
  for (size_t j = 0; j < v.pixel.size(); j++) {
    Expr row;
    for (size_t i = 0; i < h.pixel.size(); i++) {
      const Expr term = h.weight[i] * in(c, h.pixel[i], v.pixel[j], n);
      row = i ? row + term : term;
    }
    value = j ? value + v.weight[j] * row : v.weight[j] * row;
  }
  return value;
}

} // namespace segc::schedules
