/// \file The matrices of Winograd's minimal filtering for bf16: F(4, 3) along x, F(2, 3) along y.
///
/// y = A^T [ (G g G'^T) * (B^T d B') ] A' for a tile d of 6 columns and 4 rows, a 3x3 filter g and a result
/// of 4 columns and 2 rows (Lavin and Gray 2016). Transformed values are rounded to bf16, so the points
/// decide the error: F(2, 3) takes 0, 1, -1 and infinity; F(4, 3) takes 0, 3/4, -3/4, 3/2, -3/2 and infinity,
/// whose factors stay near 1. With those of f32 (1 and 2) the error of F(4, 3) would be twice as large, and
/// F(4x4, 3x3) has more of it than a network bears (Barabasz et al. 2020, "Error Analysis and Improving the
/// Accuracy of Winograd Convolution for Deep Neural Networks").
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>
#include <vector>

namespace segc::schedules::winograd_bf16 {

constexpr int kTileX = 4, kTileY = 2;                       ///< results of a tile
constexpr int kPlanesX = kTileX + 2, kPlanesY = kTileY + 2; ///< transformed values of a tile
constexpr int kPlanes = kPlanesX * kPlanesY;
using Exprs = std::vector<Halide::Expr>;

/// The finite points of F(4, 3): 0, +-a, +-b, by their squares.
constexpr double kA = 0.75, kB = 1.5, kA2 = kA * kA, kB2 = kB * kB;

inline Halide::Expr times(double factor, const Halide::Expr &e) { return Halide::Expr(float(factor)) * e; }

/// B^T d along x: six inputs to six values.
inline Exprs inputTransformX(const Exprs &d) {
  const Halide::Expr a = d[4] - times(kB2, d[2]), b = times(kA, d[3] - times(kB2, d[1]));
  const Halide::Expr c = d[4] - times(kA2, d[2]), e = times(kB, d[3] - times(kA2, d[1]));
  return {times(kA2 * kB2, d[0]) + (d[4] - times(kA2 + kB2, d[2])), a + b, a - b, c + e, c - e,
          times(kA2 * kB2, d[1]) + (d[5] - times(kA2 + kB2, d[3]))};
}

/// B^T d along y: four inputs to four values.
inline Exprs inputTransformY(const Exprs &d) { return {d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]}; }

/// A^T q along x: six products to four results.
inline Exprs outputTransformX(const Exprs &q) {
  const Halide::Expr a = q[1] + q[2], b = q[1] - q[2], c = q[3] + q[4], d = q[3] - q[4];
  return {q[0] + a + c, times(kA, b) + times(kB, d), times(kA2, a) + times(kB2, c),
          times(kA * kA2, b) + times(kB * kB2, d) + q[5]};
}

/// A^T q along y: four products to two results.
inline Exprs outputTransformY(const Exprs &q) { return {q[0] + q[1] + q[2], q[1] - q[2] - q[3]}; }

/// G g along x: three taps to six values, in double precision; the row of point p is (1, p, p^2) over the
/// product of p's differences to the other finite points.
inline Exprs filterTransformX(const Exprs &g) {
  auto over = [](const Halide::Expr &e, double divisor) { return e * Halide::Expr(1 / divisor); };
  auto pair = [&](double p, double p2, double other2) {
    const Halide::Expr even = g[0] + g[2] * Halide::Expr(p2), odd = g[1] * Halide::Expr(p);
    const double divisor = 2 * p2 * (p2 - other2);
    return std::pair(over(even + odd, divisor), over(even - odd, divisor));
  };
  const auto a = pair(kA, kA2, kB2), b = pair(kB, kB2, kA2);
  return {over(g[0], kA2 * kB2), a.first, a.second, b.first, b.second, g[2]};
}

/// G g along y: three taps to four values, in double precision.
inline Exprs filterTransformY(const Exprs &g) {
  const Halide::Expr half(0.5), even = half * (g[0] + g[2]), odd = half * g[1];
  return {g[0], even + odd, even - odd, g[2]};
}

} // namespace segc::schedules::winograd_bf16
