/// \file Winograd's minimal filtering F(m, 3): m results of a 3-tap filter by m + 2 multiplications.
///
/// y = A^T [ (G g) * (B^T d) ] for m + 2 inputs d and three taps g, and the same along the other axis of a
/// tile (Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks"). The product of the
/// polynomials of g and of the results is interpolated at the points 0, +-p for some p, and infinity (Toom
/// and Cook; the transposed algorithm computes the correlation). With M(x) = x * product of (x^2 - p^2):
///
///   G    row of point p: (1, p, p^2) / M'(p), of infinity: (0, 0, 1)
///   B^T  row of point p: the coefficients of M(x) / (x - p), of infinity: those of M(x)
///   A    row of point p: (1, p, …, p^(m-1)), of infinity: (0, …, 0, 1)
///
/// Values of a pair +-p differ in the sign of the odd powers only, so each pair shares its two sums.
// SPDX-License-Identifier: MIT
#pragma once
#include <Halide.h>
#include <string>
#include <vector>

namespace segc::schedules::winograd {

using Exprs = std::vector<Halide::Expr>;

/// element(0), element(1), …
template <typename F> Exprs listOf(int count, const F &element) {
  Exprs e;
  for (int i = 0; i < count; i++)
    e.push_back(element(i));
  return e;
}

/// F(m, 3) by its positive points; values are 0, then those of each point p and of -p, then infinity.
class Filtering {
public:
  explicit Filtering(std::vector<double> points) : points(std::move(points)) {}

  int results() const { return 2 * int(points.size()); } ///< m
  int planes() const { return results() + 2; }           ///< multiplications

  Exprs input(const Exprs &d) const;  ///< B^T d: m + 2 inputs to as many values
  Exprs output(const Exprs &q) const; ///< A^T q: m + 2 products to m results
  Exprs filter(const Exprs &g) const; ///< G g: three taps to m + 2 values

  // The gradient with respect to g: dg = G^T [ sum over tiles of (B^T d B) * (A dy A^T) ] G.
  Exprs resultGradient(const Exprs &d) const; ///< A dy: m gradients of results to m + 2 values
  Exprs filterGradient(const Exprs &q) const; ///< G^T q: m + 2 sums to the gradients of three taps

private:
  double slopeAtZero() const;     ///< M'(0)
  double slopeAt(double p) const; ///< M'(p) = M'(-p)
  std::vector<double> points;
};

/// F(m, 3) for sums of f32 or products of bf16. For f32 m = 2, 4, 6 take the points 1, then 2, then 1/2,
/// whose factors are exact; with 256 channels F(6x6, 3x3) is off by up to 1.7e-5 of the maximum, F(4x4, 3x3)
/// by 1.0e-5. Values rounded to bf16 want factors near 1: with 3/4 and 3/2 F(4, 3) has half the error that it
/// has with 1 and 2 (Barabasz et al. 2020, "Error Analysis and Improving the Accuracy of Winograd Convolution
/// for Deep Neural Networks").
Filtering filteringOf(int results, const std::string &dtype);

} // namespace segc::schedules::winograd
