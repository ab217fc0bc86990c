/// \file The lowering pass that puts sums of products into the matrix registers of AMX.
///
/// AMX (Intel SDM, volume 1, chapter 18) has eight registers of 16 rows of 64 bytes, and adds to one of them,
/// 16 x 16 in f32, the product of two others, 16 x 32 and 32 x 16 in bf16. Rows of the first operand may be
/// any distance apart in memory; rows of the second are pairs along the sum.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>
#include <string>

namespace segc::schedules {

constexpr int kAmxRows = 16, kAmxColumns = 16; ///< of a register with sums

/// Names of the loops of one product: columns (channels) and rows (pixels) of the sums, pairs along the sum.
extern const char *const kAmxChannels, *const kAmxPixels, *const kAmxPairs;
/// Loops whose names begin with this go on with the same sums.
extern const char *const kAmxSteps;

/// For operands that are kept in words of 32 bits: the element `i`, of bf16, behind the first one of `word`,
/// a Func's value. Bounds are not inferred from `i`.
Halide::Expr amxElement(const Halide::Expr &word, const Halide::Expr &i);

/// `element` of the operand of bf16 called `b` below; each step besides fetches `lines` cache lines of it
/// into the L2 cache, from the element on that lies `ahead` behind the first one of the step's. They may lie
/// behind its end.
Halide::Expr amxFetching(const Halide::Expr &element, const Halide::Expr &ahead, int lines);

/// The update of `sum`, sum += f32(a) * f32(b), becomes products of tiles. Its loops are, from the innermost,
/// the RVar `pair` over the two elements of a pair, those above in any order, then unrolled ones over tiles
/// whose sums live at a time (four registers at most, as two operands need two), then those over kAmxSteps.
/// Each sum begins with zero and is stored once; what the first stage of `sum` computes is dropped. With
/// `inParts` loops over the rest of the sum lie further outside, and each sum begins with what lies in
/// memory, first with what the first stage computes. `b` is the operand of that name.
void lowerAmxProducts(Halide::Pipeline pipeline, const Halide::Func &sum, const std::string &b,
                      const Halide::RVar &pair, bool inParts = false);

} // namespace segc::schedules
