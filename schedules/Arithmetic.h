/// \file Floating-point expressions that several kernels share, exact at the ends and with NaN kept.
///
/// Halide lets LLVM assume that no float is NaN: what depends on NaN is decided by strict comparisons or by
/// the bits.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>

namespace segc::schedules {

/// `a < b ? yes : no`, false when unordered; `below(v, 0) ? 0 : v` still becomes one vmaxps whose second
/// operand is v.
Halide::Expr selectBelow(const Halide::Expr &a, const Halide::Expr &b, const Halide::Expr &yes,
                         const Halide::Expr &no);
/// `result`, or v where v is NaN.
Halide::Expr keepNan(const Halide::Expr &v, const Halide::Expr &result);
/// `condition ? yes : no` for f32, by their bits.
Halide::Expr selectBits(const Halide::Expr &condition, const Halide::Expr &yes, const Halide::Expr &no);
Halide::Expr quietNan();

/// exp, for arguments clamped to where the result is a normal number: Halide's polynomial (1.6e-7 relative)
/// gives 0 for infinities of both signs and for NaN.
Halide::Expr expNormal(const Halide::Expr &v);
/// exp for arguments up to 0; 0 where the result would not be a normal number (and for -inf).
Halide::Expr expNegative(const Halide::Expr &v);
/// log(1 + t) for t >= 0, exact for small t too.
Halide::Expr log1p(const Halide::Expr &t);

/// An integer that orders like the float, with one value for both zeros and NaN above all, and the way back.
/// Maxima of keys need no care with NaN.
Halide::Expr orderKey(const Halide::Expr &v);
Halide::Expr fromKey(const Halide::Expr &key);
/// Whether the key is that of a finite number.
Halide::Expr isFinite(const Halide::Expr &key);

/// bf16, the upper half of an f32's bits, in 16-bit integers (any number of lanes): exact widening, and
/// rounding to the nearest, ties to even, NaN kept and quiet. `v` occurs several times.
Halide::Expr fromBfloat(const Halide::Expr &bits);
Halide::Expr toBfloat(const Halide::Expr &v);

/// f16 in the same way, by integers and two exact operations on f32: for where nothing converts. Values from
/// 65520 on become infinity; subnormal halves are right also where those of f32 are taken for 0.
Halide::Expr fromHalf(const Halide::Expr &bits);
Halide::Expr toHalf(const Halide::Expr &v);

} // namespace segc::schedules
