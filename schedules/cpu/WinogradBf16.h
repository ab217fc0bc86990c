/// \file The matrices of Winograd's minimal filtering F(2x2, 3x3) as expressions.
///
/// y = A^T [ (G g G^T) * (B^T d B) ] A for a 4x4 input tile d, a 3x3 filter g and a 2x2 result, interpolated
/// at 0, 1, -1 and infinity (Lavin and Gray 2016). Its factors are 0, 1 and 1/2, so that transformed values
/// may be rounded to bf16; those of F(4x4, 3x3) go up to 8 and would enlarge the rounding errors.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>
#include <vector>

namespace segc::schedules::winograd_bf16 {

constexpr int kTile = 2;           ///< results along one side of a tile
constexpr int kPlanes = kTile + 2; ///< transformed values along one side of a tile
using Exprs = std::vector<Halide::Expr>;

/// B^T d: four inputs to four values.
inline Exprs inputTransform(const Exprs &d) { return {d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]}; }

/// A^T q: four products to two results.
inline Exprs outputTransform(const Exprs &q) { return {q[0] + q[1] + q[2], q[1] - q[2] - q[3]}; }

/// G g: three taps to four values, in double precision.
inline Exprs filterTransform(const Exprs &g) {
  const Halide::Expr half(0.5), even = half * (g[0] + g[2]), odd = half * g[1];
  return {g[0], even + odd, even - odd, g[2]};
}

} // namespace segc::schedules::winograd_bf16
