/// \file The transforms of Winograd's minimal filtering as expressions, with few operations.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/WinogradTransforms.h"
#include <cmath>

using namespace Halide;

namespace segc::schedules::winograd {
namespace {

/// The coefficients of the product of (x^2 - p^2) over all points but number `without`, of x^0, x^2, …
std::vector<double> evenPolynomial(const std::vector<double> &points, size_t without) {
  std::vector<double> coefficients = {1};
  for (size_t j = 0; j < points.size(); j++) {
    if (j == without)
      continue;
    coefficients.insert(coefficients.begin(), 0);
    for (size_t i = 0; i + 1 < coefficients.size(); i++)
      coefficients[i] -= points[j] * points[j] * coefficients[i + 1];
  }
  return coefficients;
}

/// sum + factor * e, which compilers make one operation.
Expr plus(const Expr &sum, double factor, const Expr &e) {
  if (factor == 1)
    return sum + e;
  if (factor == -1)
    return sum - e;
  return factor < 0 ? sum - Expr(float(-factor)) * e : sum + Expr(float(factor)) * e;
}

/// The sum of the products with d[first], d[first + 2], …; the highest coefficient is 1.
Expr sumOf(const std::vector<double> &coefficients, const Exprs &d, int first) {
  const int highest = int(coefficients.size()) - 1;
  Expr sum = d[first + 2 * highest];
  for (int i = highest - 1; i >= 0; i--)
    sum = plus(sum, coefficients[i], d[first + 2 * i]);
  return sum;
}

} // namespace

Exprs Filtering::input(const Exprs &d) const {
  const std::vector<double> all = evenPolynomial(points, points.size());
  Exprs values = {sumOf(all, d, 0)};
  for (size_t j = 0; j < points.size(); j++) {
    const std::vector<double> others = evenPolynomial(points, j);
    const Expr even = sumOf(others, d, 2), odd = sumOf(others, d, 1);
    values.push_back(plus(even, points[j], odd));
    values.push_back(plus(even, -points[j], odd));
  }
  values.push_back(sumOf(all, d, 1));
  return values;
}

Exprs Filtering::output(const Exprs &q) const {
  Exprs results;
  for (int power = 0; power < this->results(); power++) {
    Expr sum;
    for (size_t j = 0; j < points.size(); j++) {
      const Expr plusP = q[1 + 2 * j], minusP = q[2 + 2 * j];
      const Expr pair = power % 2 ? plusP - minusP : plusP + minusP;
      const double factor = std::pow(points[j], power);
      if (j == 0)
        sum = factor == 1 ? pair : Expr(float(factor)) * pair;
      else
        sum = plus(sum, factor, pair);
    }
    if (power == 0)
      sum += q.front();
    if (power + 1 == this->results())
      sum += q.back();
    results.push_back(sum);
  }
  return results;
}

double Filtering::slopeAtZero() const {
  double slope = 1;
  for (double p : points)
    slope *= -p * p;
  return slope;
}

double Filtering::slopeAt(double p) const {
  double slope = 2 * p * p;
  for (double other : points)
    slope *= other == p ? 1 : p * p - other * other;
  return slope;
}

Exprs Filtering::filter(const Exprs &g) const {
  auto times = [](const Expr &e, double factor) { return e * Expr(float(factor)); };
  Exprs values = {times(g[0], 1 / slopeAtZero())};
  for (double p : points) {
    const double slope = slopeAt(p);
    const Expr even = times(g[0], 1 / slope) + times(g[2], p * p / slope), odd = times(g[1], p / slope);
    values.push_back(even + odd);
    values.push_back(even - odd);
  }
  values.push_back(g[2]);
  return values;
}

Exprs Filtering::resultGradient(const Exprs &d) const {
  Exprs values = {d.front()};
  for (double p : points) {
    Expr even, odd; // of the polynomial with coefficients d at p, by Horner's scheme; the latter over p
    for (int i = results() - 2; i >= 0; i -= 2) {
      even = even.defined() ? plus(d[i], p * p, even) : d[i];
      odd = odd.defined() ? plus(d[i + 1], p * p, odd) : d[i + 1];
    }
    values.push_back(plus(even, p, odd));
    values.push_back(plus(even, -p, odd));
  }
  values.push_back(d.back());
  return values;
}

Exprs Filtering::filterGradient(const Exprs &q) const {
  Exprs taps = {Expr(float(1 / slopeAtZero())) * q.front(), Expr(), q.back()};
  for (size_t j = 0; j < points.size(); j++) {
    const double p = points[j], slope = slopeAt(p);
    const Expr sum = q[1 + 2 * j] + q[2 + 2 * j], difference = q[1 + 2 * j] - q[2 + 2 * j];
    taps[0] = plus(taps[0], 1 / slope, sum);
    taps[1] = j == 0 ? Expr(float(p / slope)) * difference : plus(taps[1], p / slope, difference);
    taps[2] = plus(taps[2], p * p / slope, sum);
  }
  return taps;
}

Filtering filteringOf(int results, const std::string &dtype) {
  if (dtype == "bf16" && results == 4)
    return Filtering({0.75, 1.5});
  const std::vector<double> points = {1, 2, 0.5};
  return Filtering({points.begin(), points.begin() + results / 2});
}

} // namespace segc::schedules::winograd
