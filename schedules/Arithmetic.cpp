/// \file Comparisons, exponentials and logarithms for kernels.
// SPDX-License-Identifier: MIT
#include "schedules/Arithmetic.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Bits of floats; the order key of -inf.
constexpr int kInfinity = 0x7f800000, kMagnitude = 0x7fffffff, kQuietNan = 0x7fc00000;
constexpr int kLowest = -kInfinity - 1;

} // namespace

Expr selectBelow(const Expr &a, const Expr &b, const Expr &yes, const Expr &no) {
  return select(strict_float(a < b), yes, no);
}

/// By its bits, because LLVM removes is_nan() of anything but a load.
Expr keepNan(const Expr &v, const Expr &result) {
  const Expr magnitude = reinterpret<uint32_t>(v) & Expr(uint32_t(kMagnitude));
  return select(magnitude > Expr(uint32_t(kInfinity)), v, result);
}

Expr selectBits(const Expr &condition, const Expr &yes, const Expr &no) {
  return reinterpret<float>(select(condition, reinterpret<int32_t>(yes), reinterpret<int32_t>(no)));
}
Expr quietNan() { return reinterpret<float>(Expr(kQuietNan)); }

Expr expNormal(const Expr &v) { return exp(clamp(v, -87.f, 88.f)); }

/// Cephes' expf: 2^k * exp(r), |r| <= ln 2 / 2, 1e-7 relative. Adding 1.5 * 2^23 rounds to an integer:
/// Halide's own exp needs floor(), a call of the C library on machines without SSE 4.1.
Expr expNegative(const Expr &v) {
  const Expr shift = 12582912.f, in = max(v, -87.f);
  const Expr k = strict_float(strict_float(in * 1.44269504088896341f + shift) - shift);
  const Expr r = strict_float(strict_float(in - k * 0.693359375f) + k * 2.12194440e-4f);
  Expr p = 1.9875691500e-4f * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const Expr power = reinterpret<float>((cast<int32_t>(k) + 127) << 23);
  return select(strict_float(v < -87.f), 0.f, (p * r * r + r + 1.f) * power);
}

/// log(u) with u = 1 + t rounded, plus what the rounding took away: d log = du / u.
Expr log1p(const Expr &t) {
  const Expr u = strict_float(1.f + t);
  return Internal::halide_log(u) + strict_float(t - strict_float(u - 1.f)) / u;
}

/// The bits of positive floats ascend, those of negative ones do once all but the sign are flipped.
Expr orderKey(const Expr &v) {
  const Expr bits = reinterpret<int32_t>(v), magnitude = bits & kMagnitude;
  return select(magnitude > kInfinity, Int(32).max(), magnitude == 0, 0, bits ^ ((bits >> 31) & kMagnitude));
}
Expr fromKey(const Expr &key) { return reinterpret<float>(key ^ ((key >> 31) & kMagnitude)); }
Expr isFinite(const Expr &key) { return key < kInfinity && key > kLowest; }

Expr fromBfloat(const Expr &bits) {
  const int lanes = bits.type().lanes();
  return reinterpret(Float(32, lanes), cast(UInt(32, lanes), bits) << 16);
}

/// Half a unit of the last kept bit, minus one if that is even, carries into the kept half.
Expr toBfloat(const Expr &v) {
  const int lanes = v.type().lanes();
  const Expr all = reinterpret(UInt(32, lanes), v);
  const Expr rounded = (all + 0x7fff + ((all >> 16) & 1)) >> 16;
  const Expr isNan =
      (all & Internal::make_const(all.type(), 0x7fffffff)) > Internal::make_const(all.type(), 0x7f800000);
  return cast(UInt(16, lanes), select(isNan, (all >> 16) | 0x40, rounded));
}

/// Exponent and mantissa move to where f32 has them, 112 makes up for the bias; the largest exponent (inf,
/// NaN) becomes f32's. A subnormal half is the mantissa of a number at 2^-14, less that 2^-14.
Expr fromHalf(const Expr &half) {
  const int lanes = half.type().lanes();
  const Type bits = UInt(32, lanes), number = Float(32, lanes);
  auto word = [&](uint32_t value) { return Internal::make_const(bits, value); };
  const Expr h = cast(bits, half), magnitude = (h & word(0x7fff)) << word(13);
  const Expr normal = magnitude + select(magnitude >= word(0x0f800000), word(224u << 23), word(112u << 23));
  const Expr smallest = Internal::make_const(number, 0x1p-14);
  const Expr small = strict_float(reinterpret(number, magnitude + word(113u << 23)) - smallest);
  const Expr result = select(magnitude < word(1u << 23), reinterpret(bits, small), normal);
  return reinterpret(number, result | ((h & word(0x8000)) << word(16)));
}

/// Normal halves: rebias, add half a unit of the last kept bit (minus one if that is even), shift. Subnormal
/// ones: adding 0.5 lets the addition itself round at 2^-24. From 65520 on infinity; NaN stays, quiet.
Expr toHalf(const Expr &v) {
  const int lanes = v.type().lanes();
  const Type bits = UInt(32, lanes), number = Float(32, lanes);
  auto word = [&](uint32_t value) { return Internal::make_const(bits, value); };
  const Expr all = reinterpret(bits, v), magnitude = all & word(0x7fffffff);
  const Expr normal =
      (magnitude - word(0x38000000) + word(0xfff) + ((magnitude >> word(13)) & word(1))) >> word(13);
  const Expr half = Internal::make_const(number, 0.5);
  const Expr small =
      reinterpret(bits, strict_float(reinterpret(number, magnitude) + half)) - word(0x3f000000);
  const Expr finite = select(magnitude < word(0x38800000), small, normal);
  const Expr result =
      select(magnitude > word(0x7f800000), word(0x7e00), magnitude >= word(0x477ff000), word(0x7c00), finite);
  return cast(UInt(16, lanes), result | ((all >> word(16)) & word(0x8000)));
}

} // namespace segc::schedules
