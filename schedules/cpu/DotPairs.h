/// \file Dot products of pairs of bf16 that lie in the halves of 32-bit words.
///
/// A dot product of bf16 adds the products of neighbouring halves of two registers to each lane of a third.
/// Where the pair is an axis of its own (two tiles of an image, say), words hold it: lane l of the register
/// is word l, and transforms write whole words instead of every other half.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>

namespace segc::schedules {

/// The word of two f32 rounded to bf16, `low` in the lower half. For intermediate values: ties are rounded
/// away from 0, which takes half the operations, and NaN are kept but for those whose bits are all ones.
Halide::Expr pairOf(const Halide::Expr &low, const Halide::Expr &high);

/// sum + low(a) * low(b) + high(a) * high(b). The pipeline needs lowerDotPairs().
Halide::Expr dotPairs(const Halide::Expr &sum, const Halide::Expr &a, const Halide::Expr &b);

/// Lets the pipeline's dotPairs() become dot products; Isa::Avx512Bf16 has an instruction for them.
void lowerDotPairs(Halide::Pipeline pipeline);

} // namespace segc::schedules
