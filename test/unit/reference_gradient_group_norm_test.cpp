/// \file Norms with statistics of each image: their meaning, and their way back against finite differences.
// SPDX-License-Identifier: MIT
#include "test/unit/gradient_support.h"
#include <cmath>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

using Values = std::vector<double>;

std::string typeOf(const Tensor &tensor, const char *element = "f32") {
  std::string text;
  for (int64_t extent : tensor.shape)
    text += std::to_string(extent) + "x";
  return text + element;
}

std::string segments(std::initializer_list<int> sizes) {
  std::string text;
  for (int size : sizes)
    text += (text.empty() ? "" : ", ") + std::to_string(size);
  return ", operandSegmentSizes = array<i32: " + text + ">";
}

std::string numbers(int64_t groups) { return "eps = 0.01, groups = " + std::to_string(groups) + " : i64"; }

/// hourglass.group_norm of x, [gamma, beta].
OpCase normCase(const std::vector<Tensor> &operands, int64_t groups) {
  int affine = operands.size() > 1;
  OpCase norm{"group_norm", numbers(groups) + segments({1, affine, affine, 0, 0}), {}};
  for (const Tensor &operand : operands)
    norm.operands.push_back(typeOf(operand));
  return norm;
}

Tensor sumsOf(const char *kind, const std::vector<Tensor> &operands) {
  OpCase sums{"channel_sums", std::string("kind = \"") + kind + "\"", {}, {"?x?x?x?xf64"}};
  for (const Tensor &operand : operands)
    sums.operands.push_back(typeOf(operand));
  return evaluateCase(sums, operands)[0];
}

/// scale, shift, mean, rstd.
std::vector<Tensor> statisticsOf(const Tensor &sums, const std::vector<Tensor> &vectors, int64_t groups) {
  int affine = !vectors.empty();
  OpCase finish{"finish_group_stats", numbers(groups) + segments({1, affine, affine}), {typeOf(sums, "f64")}};
  finish.results.resize(4, "?x?x1x1xf32");
  std::vector<Tensor> operands = {sums};
  for (const Tensor &vector : vectors) {
    operands.push_back(vector);
    finish.operands.push_back(typeOf(vector));
  }
  return evaluateCase(finish, operands);
}

} // namespace

TEST(GroupNorm, EachGroupOfEachImageByItself) {
  Tensor x = scattered({2, 6, 3, 5}, 1, 3, 9);
  for (int64_t groups : {1, 2, 3, 6}) {
    Tensor y = evaluateCase(normCase({x}, groups), {x})[0];
    int64_t elements = 6 / groups * 15;
    for (size_t start = 0; start < y.data.size(); start += elements) {
      double mean = 0, square = 0, centre = 0, variance = 0;
      for (size_t i = start; i < start + elements; ++i) {
        mean += y.data[i] / static_cast<double>(elements);
        square += y.data[i] * y.data[i] / static_cast<double>(elements);
        centre += x.data[i] / static_cast<double>(elements);
      }
      for (size_t i = start; i < start + elements; ++i)
        variance += std::pow(x.data[i] - centre, 2) / static_cast<double>(elements);
      EXPECT_NEAR(mean, 0, 1e-12);
      EXPECT_NEAR(square, variance / (variance + 0.01), 1e-12);
    }
  }
}

TEST(GroupNorm, StatisticsAndGradient) {
  for (bool affine : {false, true})
    for (auto [extents, groups] : {std::pair(Extents{2, 6, 4, 3}, 3), std::pair(Extents{1, 4, 37, 1}, 1),
                                   std::pair(Extents{3, 2, 3, 2}, 2), std::pair(Extents{2, 4, 1, 1}, 2)}) {
      Tensor x = scattered(extents, 1, -1, 3), dy = scattered(extents, 2);
      SCOPED_TRACE(typeOf(x));
      std::vector<Tensor> vectors, operands = {x};
      if (affine)
        vectors = {scattered({extents[1]}, 3), scattered({extents[1]}, 4)};
      operands.insert(operands.end(), vectors.begin(), vectors.end());
      Function norm(normCase(operands, groups));
      // As the compiled graph computes it.
      std::vector<Tensor> statistics = statisticsOf(sumsOf("stats", {x}), vectors, groups);
      std::vector<Tensor> written = {x, statistics[0], statistics[1]};
      OpCase applied{"group_norm", numbers(groups) + segments({1, 0, 0, 1, 1}), {}};
      for (const Tensor &operand : written)
        applied.operands.push_back(typeOf(operand));
      Tensor y = evaluateCase(applied, written)[0], wanted = norm(operands);
      for (size_t i = 0; i < y.data.size(); ++i)
        EXPECT_NEAR(y.data[i], wanted.data[i], 1e-12);
      Tensor products = sumsOf("product", {dy, x});
      std::vector<Tensor> known = {products, statistics[2], statistics[3]};
      if (affine)
        known.push_back(vectors[0]);
      OpCase finish{"finish_group_norm_grad",
                    "groups = " + std::to_string(groups) + " : i64",
                    {typeOf(products, "f64")},
                    {"?xf32", "?xf32", "?x?x1x1xf32", "?x?x1x1xf32", "?x?x1x1xf32"}};
      for (size_t i = 1; i < known.size(); ++i)
        finish.operands.push_back(typeOf(known[i]));
      auto finished = evaluateCase(finish, known);
      Tensor dx(extents);
      auto plane = static_cast<size_t>(x.planeSize());
      for (size_t i = 0; i < dx.data.size(); ++i)
        dx.data[i] = finished[2].data[i / plane] * dy.data[i] + finished[3].data[i / plane] * x.data[i] +
                     finished[4].data[i / plane];
      // As it is meant.
      auto loss = [&](size_t index) {
        return [&, index](const Tensor &moved) { return dot(norm(with(operands, index, moved)), dy); };
      };
      expectGradient(loss(0), x, dx);
      if (affine) {
        expectGradient(loss(1), vectors[0], finished[0]);
        expectGradient(loss(2), vectors[1], finished[1]);
      }
    }
}

TEST(GroupNorm, VarianceIsNeverNegativeAndKeepsNaN) {
  Tensor sums({1, 2, 1, 3}, Values{3e8, 3e16 - 8, 3, NAN, NAN, 3});
  auto statistics = statisticsOf(sums, {}, 2);
  EXPECT_NEAR(statistics[3].data[0], 10, 1e-12); // 1 / sqrt(eps)
  EXPECT_TRUE(std::isnan(statistics[2].data[1]) && std::isnan(statistics[3].data[1]));
}
