/// \file Sums over channels, statistics of a batch, and batch norm's way back.
// SPDX-License-Identifier: MIT
#include "test/unit/gradient_support.h"
#include <cmath>
#include <limits>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

using Values = std::vector<double>;
const std::vector<std::string> kVector = {"?xf32"}, kSums = {"?x?x?x?xf64"};

Tensor sumsOf(const char *kind, const std::string &type, std::vector<Tensor> operands) {
  OpCase sums{"channel_sums", std::string("kind = \"") + kind + "\"", {type}, kSums};
  sums.operands.resize(operands.size(), type);
  return evaluateCase(sums, operands)[0];
}

std::string sumsType(const Tensor &sums) {
  std::string text;
  for (int64_t extent : sums.shape)
    text += std::to_string(extent) + "x";
  return text + "f64";
}

/// hourglass.norm as training means it.
Tensor trainNorm(const std::string &type, bool affine, const std::vector<Tensor> &operands,
                 bool frozen = false) {
  OpCase norm{"norm",
              std::string("eps = 0.01, operandSegmentSizes = ") +
                  (affine ? "array<i32: 1, 1, 1, 1, 1>" : "array<i32: 1, 0, 0, 1, 1>") +
                  (frozen ? ", frozen" : ""),
              {type}};
  norm.operands.resize(operands.size(), std::to_string(operands[0].shape[1]) + "xf32");
  auto module = moduleOf(norm);
  Interpreter interpreter;
  interpreter.train();
  auto results = interpreter.run(*module, operands);
  EXPECT_TRUE(mlir::succeeded(results));
  return (*results)[0];
}

} // namespace

TEST(Sums, BandsDependOnTheHeightAlone) {
  for (int64_t height : {1, 5, 32, 33, 70}) {
    Tensor x({1, 1, height, 2});
    for (int64_t row = 0; row < height; ++row)
      x.data[2 * row] = 1 << (row % 8);
    Tensor sums = sumsOf("stats", "1x1x" + std::to_string(height) + "x2xf32", {x});
    int64_t bands = std::min<int64_t>(height, 32);
    ASSERT_EQ(sums.shape, (Extents{1, 1, bands, 3}));
    for (int64_t band = 0; band < bands; ++band) {
      Values expected(3, 0);
      for (int64_t row = band * height / bands; row < (band + 1) * height / bands; ++row) {
        expected[0] += 1 << (row % 8);
        expected[1] += 1 << (row % 8 * 2);
        expected[2] += 2;
      }
      for (int column = 0; column < 3; ++column)
        EXPECT_EQ(sums.data[3 * band + column], expected[column]) << "band " << band;
    }
  }
}

TEST(Sums, EveryKind) {
  Tensor x({1, 2, 1, 2}, Values{1, 2, 3, 4}), other({1, 2, 1, 2}, Values{-5, 6, 7, -8});
  EXPECT_EQ(sumsOf("sum", "1x2x1x2xf32", {x}).data, (Values{3, 7}));
  EXPECT_EQ(sumsOf("stats", "1x2x1x2xf32", {x}).data, (Values{3, 5, 2, 7, 25, 2}));
  EXPECT_EQ(sumsOf("product", "1x2x1x2xf32", {x, other}).data, (Values{3, 7, 2, 7, -11, 2}));
  EXPECT_EQ(sumsOf("negative", "1x2x1x2xf32", {x, other}).data, (Values{-5, -32}));
}

TEST(Sums, FinishAddsImagesAndBands) {
  Tensor x = scattered({3, 2, 35, 2}, 1);
  Values expected(2, 0);
  for (size_t i = 0; i < x.data.size(); ++i)
    expected[x.channelOf(i)] += x.data[i];
  Tensor sums = sumsOf("sum", "3x2x35x2xf32", {x});
  Tensor total = evaluateCase({"finish_sum", "", {sumsType(sums)}, kVector}, {sums})[0];
  for (int c = 0; c < 2; ++c)
    EXPECT_NEAR(total.data[c], expected[c], 1e-12);
}

TEST(BatchNorm, TrainsWithTheStatisticsOfItsBatch) {
  const std::string type = "2x3x4x2xf32";
  Tensor x = scattered({2, 3, 4, 2}, 1, 5, 9), stored({3}, Values{100, 200, 300});
  Tensor y = trainNorm(type, false, {x, stored, stored});
  for (int64_t c = 0; c < 3; ++c) {
    double mean = 0, square = 0, variance = 0, centre = 0;
    for (int64_t n = 0; n < 2; ++n)
      for (int64_t i = 0; i < 8; ++i) {
        mean += y.plane(n, c)[i] / 16;
        square += y.plane(n, c)[i] * y.plane(n, c)[i] / 16;
        centre += x.plane(n, c)[i] / 16;
      }
    for (int64_t n = 0; n < 2; ++n)
      for (int64_t i = 0; i < 8; ++i)
        variance += std::pow(x.plane(n, c)[i] - centre, 2) / 16;
    EXPECT_NEAR(mean, 0, 1e-12);
    EXPECT_NEAR(square, variance / (variance + 0.01), 1e-12);
  }
  // Frozen norms keep the running ones.
  Tensor frozen = trainNorm(type, false, {x, Tensor({3}, 1.0), Tensor({3}, 3.99)}, true);
  EXPECT_NEAR(frozen.data[0], (x.data[0] - 1) / 2, 1e-12);
}

TEST(BatchNorm, StatisticsAndGradient) {
  for (bool affine : {false, true})
    for (Extents extents : {Extents{2, 3, 4, 3}, Extents{1, 2, 37, 1}, Extents{2, 1, 1, 1}}) {
      std::string channels = std::to_string(extents[1]) + "xf32", type;
      for (int64_t extent : extents)
        type += std::to_string(extent) + "x";
      type += "f32";
      SCOPED_TRACE(type);
      Tensor x = scattered(extents, 1, -1, 3), dy = scattered(extents, 2);
      Tensor gamma = scattered({extents[1]}, 3), beta = scattered({extents[1]}, 4), none({extents[1]}, NAN);
      // As the differentiated graph computes it.
      Tensor stats = sumsOf("stats", type, {x}), products = sumsOf("product", type, {dy, x});
      auto batch = evaluateCase({"finish_stats", "", {sumsType(stats)}, {"?xf32", "?xf32"}}, {stats});
      OpCase finish{"finish_norm_grad",
                    "eps = 0.01",
                    {sumsType(products), channels, channels},
                    {"?xf32", "?xf32", "?xf32", "?xf32", "?xf32"}};
      std::vector<Tensor> known = {products, batch[0], batch[1]};
      if (affine) {
        finish.operands.push_back(channels);
        known.push_back(gamma);
      }
      auto finished = evaluateCase(finish, known);
      OpCase back{"norm_grad", "", {type, type, channels, channels, channels}};
      Tensor dx = evaluateCase(back, {dy, x, finished[2], finished[3], finished[4]})[0];
      // As it is meant.
      std::vector<Tensor> operands = {x, none, none};
      if (affine)
        operands.insert(operands.begin() + 1, {gamma, beta});
      auto loss = [&](size_t index) {
        return [&, index](const Tensor &moved) {
          return dot(trainNorm(type, affine, with(operands, index, moved)), dy);
        };
      };
      expectGradient(loss(0), x, dx);
      if (affine) {
        expectGradient(loss(1), gamma, finished[0]);
        expectGradient(loss(2), beta, finished[1]);
      }
    }
}

TEST(BatchNorm, VarianceIsNeverNegativeAndKeepsNaN) {
  OpCase finish{"finish_stats", "", {"1x2x1x3xf64"}, {"?xf32", "?xf32"}};
  Tensor sums({1, 2, 1, 3}, Values{3e8, 3e16 - 8, 3, NAN, NAN, 3});
  auto stats = evaluateCase(finish, {sums});
  EXPECT_EQ(stats[1].data[0], 0);
  EXPECT_TRUE(std::isnan(stats[0].data[1]) && std::isnan(stats[1].data[1]));
}

TEST(BatchNorm, RunningStatisticsFollow) {
  auto update = [](const char *attributes, Values sums) {
    OpCase op{"running_update", attributes, {"1xf32", "1xf32", "1x1x1x3xf64"}, kVector};
    return evaluateCase(op, {Tensor({1}, 10.0), Tensor({1}, 2.0), Tensor({1, 1, 1, 3}, std::move(sums))})[0]
        .data[0];
  };
  EXPECT_DOUBLE_EQ(update("momentum = 0.25", {0, 0, 5}), 0.75 * 10 + 0.25 * 2);
  EXPECT_DOUBLE_EQ(update("momentum = 0.25, unbiased", {0, 0, 5}), 0.75 * 10 + 0.25 * 2.5);
  EXPECT_DOUBLE_EQ(update("momentum = 0.25, unbiased", {0, 0, 1}), 0.75 * 10 + 0.25 * 2); // one element
}

TEST(Sums, OfTwoWeightGradients) {
  OpCase sum{"sum_weights", "", {"2x1x1x1xf32", "2x1x1x1xf32"}};
  EXPECT_EQ(
      evaluateCase(sum, {Tensor({2, 1, 1, 1}, Values{1, 2}), Tensor({2, 1, 1, 1}, Values{10, 20})})[0].data,
      (Values{11, 22}));
}
