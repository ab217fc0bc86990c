/// \file The matrices of Winograd's minimal filtering F(4x4, 3x3) as expressions.
///
/// y = A^T [ (G g G^T) * (B^T d B) ] A for a 6x6 input tile d, a 3x3 filter g and a 4x4 result, interpolated
/// at 0, 1, -1, 2, -2 and infinity (Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural
/// Networks").
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>
#include <vector>

namespace segc::schedules::winograd {

constexpr int kTile = 4;           ///< results along one side of a tile
constexpr int kPlanes = kTile + 2; ///< transformed values along one side of a tile
using Exprs = std::vector<Halide::Expr>;

/// B^T d: six inputs to six values.
inline Exprs inputTransform(const Exprs &d) {
  const Halide::Expr a = d[4] - 4.f * d[2], b = d[3] - 4.f * d[1], c = d[4] - d[2], e = 2.f * (d[3] - d[1]);
  return {4.f * d[0] + (d[4] - 5.f * d[2]), a + b, a - b, c + e, c - e, 4.f * d[1] + (d[5] - 5.f * d[3])};
}

/// A^T q: six products to four results.
inline Exprs outputTransform(const Exprs &q) {
  const Halide::Expr a = q[1] + q[2], b = q[1] - q[2], c = q[3] + q[4], d = q[3] - q[4];
  return {q[0] + a + c, b + 2.f * d, a + 4.f * c, b + 8.f * d + q[5]};
}

/// G g: three taps to six values, in double precision.
inline Exprs filterTransform(const Exprs &g) {
  auto over = [](const Halide::Expr &e, double divisor) { return e * Halide::Expr(1 / divisor); };
  const Halide::Expr even = over(g[0] + g[2], 6), odd = over(g[1], 6);
  const Halide::Expr even2 = over(g[0], 24) + over(g[2], 6), odd2 = over(g[1], 12);
  return {over(g[0], 4), -even - odd, odd - even, even2 + odd2, even2 - odd2, g[2]};
}

// The gradient of y with respect to g: dg = G^T [ sum over tiles of (B^T d B) * (A dy A^T) ] G.

/// A dy: four gradients of results to six values.
inline Exprs resultGradientTransform(const Exprs &d) {
  const Halide::Expr a = d[0] + d[2], b = d[1] + d[3], c = d[0] + 4.f * d[2], e = 2.f * d[1] + 8.f * d[3];
  return {d[0], a + b, a - b, c + e, c - e, d[3]};
}

/// G^T q: six sums to the gradients of three taps.
inline Exprs filterGradientTransform(const Exprs &q) {
  const Halide::Expr a = q[1] + q[2], b = q[2] - q[1], c = q[3] + q[4], e = q[3] - q[4];
  return {0.25f * q[0] - (1 / 6.f) * a + (1 / 24.f) * c, (1 / 6.f) * b + (1 / 12.f) * e,
          (1 / 6.f) * (c - a) + q[5]};
}

} // namespace segc::schedules::winograd
