/// \file Windows, bins and the pixels that resizing reads, along one axis.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Taps.h"

using namespace Halide;

namespace segc::schedules {
namespace {

Expr wide(const Expr &v) { return cast<int64_t>(v); }
Expr ceilDivide(const Expr &a, const Expr &b) { return (a + b - 1) / b; }
/// floor(i * to / from) and ceil(i * to / from), the products in 64 bits.
Expr scaledDown(const Expr &i, const Expr &to, const Expr &from) {
  return cast<int>(wide(i) * to / wide(from));
}
Expr scaledUp(const Expr &i, const Expr &to, const Expr &from) {
  return cast<int>(ceilDivide(wide(i) * to, wide(from)));
}
Expr inverse(const Expr &v) { return 1.f / cast<float>(v); }

/// Keys' cubic kernel with a = -0.75 at distances up to 1, from 1 to 2, and anywhere (Keys, Cubic convolution
/// interpolation, 1981; the a of OpenCV and PyTorch).
constexpr float kCubic = -0.75f;
Expr cubicNear(const Expr &d) { return ((kCubic + 2) * d - (kCubic + 3)) * d * d + 1.f; }
Expr cubicFar(const Expr &d) { return kCubic * (((d - 5.f) * d + 8.f) * d - 4.f); }
Expr cubicKernel(const Expr &d) {
  const Expr t = abs(d);
  return select(t <= 1.f, cubicNear(t), t < 2.f, cubicFar(t), 0.f);
}

//===-- means over windows: window o starts at o * s, in coordinates of the padded input --===//

struct Windows {
  int taps, stride, after;
  bool padded; ///< the divisor counts padding, of which `after` pixels lie behind the input
  Windows(const KernelSpec &spec, int axis)
      : taps(spec.get("r", axis)), stride(spec.get("s", axis)), after(spec.get("after", axis)),
        padded(spec.word("count") == "padded") {}
  /// What the sum over window `o` is divided by.
  Expr cells(const Expr &o, const Side &pixels) const {
    const Expr start = o * stride;
    return padded ? min(start + taps, pixels.end() + after) - start
                  : min(start + taps, pixels.end()) - max(start, pixels.min);
  }
};

Taps windowTaps(const Windows &w, const Expr &o, const Side &pixels) {
  const Expr first = max(o * w.stride, pixels.min), end = min(o * w.stride + w.taps, pixels.end());
  return {first, end - first, w.taps, w.cells(o, pixels), {}};
}

/// The windows o with o * s <= p < o * s + r.
Taps windowTransposeTaps(const Windows &w, const Expr &p, const Side &windows, const Side &pixels) {
  const Expr first = max((p - w.taps) / w.stride + 1, 0), end = min(p / w.stride + 1, windows.extent);
  return {first, end - first, ceilDiv(w.taps, w.stride), {}, [=](const Expr &o) {
            return inverse(w.cells(o, pixels));
          }};
}

//===-- means over bins: bin i has the pixels floor(i * in / out) to ceil((i + 1) * in / out) - 1 --===//

Taps binTaps(const Expr &i, const Expr &in, const Expr &out) {
  const Expr first = scaledDown(i, in, out), count = scaledUp(i + 1, in, out) - first;
  return {first, count, in / out + 2, count, {}};
}

/// Bin o contains pixel i where o * in < (i + 1) * out and (o + 1) * in > i * out: the same formula turned
/// around.
Taps binTransposeTaps(const Expr &i, const Expr &bins, const Expr &pixels) {
  Taps taps = binTaps(i, bins, pixels);
  taps.divisor = Expr();
  taps.weight = [=](const Expr &o) { return inverse(binTaps(o, pixels, bins).count); };
  return taps;
}

//===-- transposes of resizing: pixel o of the large side read position at(o) of the small one --===//

/// Nearest: floor(o * in / out) = i. With `zeros` only the first of these o counts, if there is one.
Taps nearestTransposeTaps(const Expr &i, const Expr &in, const Expr &out, bool zeros) {
  const Expr first = scaledUp(i, out, in), end = scaledUp(i + 1, out, in);
  if (zeros)
    return {first, min(end - first, 1), 1, {}, {}};
  return {first, end - first, ceilDivide(out, in), {}, {}};
}

/// Bilinear and bicubic interpolation: at(o) = (o + 1/2) * in / out - 1/2, or o * (in - 1) / (out - 1) with
/// aligned corners, is a fraction of integers, and counts for the pixels less than 1 or 2 away.
Taps interpolationTransposeTaps(const Expr &i, const Expr &in, const Expr &out, bool cubic, bool align) {
  const int reach = cubic ? 2 : 1;
  const Expr denominator = align ? max(wide(out) - 1, 1) : 2 * wide(out);
  auto numerator = [=](const Expr &o) { return align ? wide(o) * (in - 1) : (2 * wide(o) + 1) * in - out; };
  // The last o at or before i - reach; an open interval of length 2 * reach has no more than ceil of its o.
  const Expr before = align ? wide(i - reach) * (out - 1) / max(wide(in) - 1, 1)
                            : ((2 * wide(i - reach) + 1) * out - in) / (2 * wide(in));
  Taps taps;
  taps.first = select(align && out == 1, 0, cast<int>(max(before + 1, 0)));
  taps.most = !align ? ceilDivide(2 * reach * out, in)
                     : select(in > 1, max(ceilDivide(2 * reach * (out - 1), max(in - 1, 1)), 1), out);
  taps.count = min(out - taps.first, taps.most);
  auto distance = [=](const Expr &at) {
    return cast<float>(at - denominator * i) * (1.f / cast<float>(denominator));
  };
  if (!cubic)
    taps.weight = [=](const Expr &o) {
      const Expr at = align ? numerator(o) : clamp(numerator(o), wide(0), denominator * (in - 1));
      return max(1.f - abs(distance(at)), 0.f);
    };
  else
    taps.weight = [=](const Expr &o) {
      // The pixels at the edges stand for two more beyond them.
      const Expr d = distance(numerator(o));
      return cubicKernel(d) + select(i == 0, cubicKernel(d + 1.f) + cubicKernel(d + 2.f), 0.f) +
             select(i == in - 1, cubicKernel(d - 1.f) + cubicKernel(d - 2.f), 0.f);
    };
  return taps;
}

} // namespace

std::vector<Expr> cubicWeights(const Expr &t) {
  return {cubicFar(t + 1.f), cubicNear(t), cubicNear(1.f - t), cubicFar(2.f - t)};
}

Taps tapsOf(const KernelSpec &spec, int axis, const Expr &i, const Side &operand, const Side &result) {
  if (spec.op == "avgpool")
    return windowTaps(Windows(spec, axis), i, operand);
  if (spec.op == "avgpool_transpose")
    return windowTransposeTaps(Windows(spec, axis), i, operand, result);
  if (spec.op == "adaptive_avgpool")
    return binTaps(i, operand.extent, result.extent);
  if (spec.op == "adaptive_avgpool_transpose")
    return binTransposeTaps(i, operand.extent, result.extent);
  const std::string mode = spec.word("mode");
  if (mode == "nearest" || mode == "zeros")
    return nearestTransposeTaps(i, result.extent, operand.extent, mode == "zeros");
  return interpolationTransposeTaps(i, result.extent, operand.extent, mode == "bicubic",
                                    spec.get("align") != 0);
}

} // namespace segc::schedules
