/// \file Initial weights: definitions, distribution, and the exact bits that scripts/initial_weights.py
/// gives.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/Initialise.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace segc;

namespace {

using Values = std::vector<float>;

Values values(llvm::StringRef name, std::vector<int64_t> extents, llvm::StringRef init, uint64_t seed = 0,
              int64_t groups = 1) {
  auto result = initialValues(name, extents, init, seed, groups);
  EXPECT_TRUE(static_cast<bool>(result)) << llvm::toString(result.takeError());
  return result ? *result : Values();
}

std::string refusal(std::vector<int64_t> extents, llvm::StringRef init, int64_t groups = 1) {
  auto result = initialValues("w", extents, init, 0, groups);
  return result ? "" : llvm::toString(result.takeError());
}

/// Standardised moments: mean, standard deviation, skewness, kurtosis.
std::vector<double> moments(const Values &sample) {
  double n = static_cast<double>(sample.size()), mean = 0, m2 = 0, m3 = 0, m4 = 0;
  for (float x : sample)
    mean += x / n;
  for (float x : sample) {
    double d = x - mean;
    m2 += d * d / n;
    m3 += d * d * d / n;
    m4 += d * d * d * d / n;
  }
  return {mean, std::sqrt(m2), m3 / std::pow(m2, 1.5), m4 / (m2 * m2)};
}

} // namespace

TEST(Initialise, Constants) {
  EXPECT_EQ(values("w", {2}, "zero"), (Values{0, 0}));
  EXPECT_EQ(values("w", {2}, "one"), (Values{1, 1}));
  EXPECT_EQ(values("w", {1, 2}, "constant:-0.25"), (Values{-0.25, -0.25}));
}

TEST(Initialise, HeIsNormalWithFanIn) {
  auto m = moments(values("w", {512, 64, 3, 3}, "he"));
  EXPECT_NEAR(m[0], 0, 5e-4);
  EXPECT_NEAR(m[1] / std::sqrt(2.0 / (64 * 9)), 1, 5e-3);
  EXPECT_NEAR(m[2], 0, 0.02);
  EXPECT_NEAR(m[3], 3, 0.04);
  EXPECT_NEAR(moments(values("w", {1 << 18}, "normal:0.5"))[1], 0.5, 2e-3);
  // Shares within one and two standard deviations, as Phi has them.
  int one = 0, two = 0;
  Values sample = values("w", {1 << 18}, "normal:1");
  for (float x : sample) {
    one += std::fabs(x) < 1;
    two += std::fabs(x) < 2;
  }
  EXPECT_NEAR(one / double(sample.size()), 0.682689, 4e-3);
  EXPECT_NEAR(two / double(sample.size()), 0.954500, 2e-3);
}

TEST(Initialise, XavierIsUniformWithinItsBound) {
  Values sample = values("w", {128, 64, 3, 3}, "xavier");
  double bound = std::sqrt(6.0 / (9 * (128 + 64)));
  for (float x : sample)
    ASSERT_LE(std::fabs(x), bound);
  auto m = moments(sample);
  EXPECT_NEAR(m[0], 0, 1e-3);
  EXPECT_NEAR(m[1] / (bound / std::sqrt(3.0)), 1, 5e-3);
  EXPECT_NEAR(m[3], 1.8, 0.02);
}

TEST(Initialise, FiltersOnTheDiagonal) {
  EXPECT_EQ(values("w", {2, 2, 1, 4}, "bilinear"),
            (Values{0.25, 0.75, 0.75, 0.25, 0, 0, 0, 0, 0, 0, 0, 0, 0.25, 0.75, 0.75, 0.25}));
  EXPECT_EQ(values("w", {1, 1, 3, 3}, "bilinear"), (Values{0.25, 0.5, 0.25, 0.5, 1, 0.5, 0.25, 0.5, 0.25}));
  EXPECT_EQ(values("w", {2, 2, 1, 3}, "identity"), (Values{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}));
  // Depthwise: every group has its own diagonal; without groups only the first channel is on it.
  EXPECT_EQ(values("w", {2, 1, 1, 1}, "identity", 0, 2), (Values{1, 1}));
  EXPECT_EQ(values("w", {2, 1, 1, 1}, "identity"), (Values{1, 0}));
}

TEST(Initialise, DependsOnNameAndSeedOnly) {
  EXPECT_EQ(values("a", {64}, "normal:1", 7), values("a", {64}, "normal:1", 7));
  EXPECT_NE(values("a", {64}, "normal:1", 7), values("b", {64}, "normal:1", 7));
  EXPECT_NE(values("a", {64}, "normal:1", 7), values("a", {64}, "normal:1", 8));
  Values longer = values("a", {128}, "normal:1", 7);
  longer.resize(64);
  EXPECT_EQ(longer, values("a", {64}, "normal:1", 7));
}

TEST(Initialise, BitsOfTheScript) {
  // scripts/initial_weights.py enc1.0.weight he 1 2 1 1 2, and so on.
  EXPECT_EQ(
      values("enc1.0.weight", {2, 1, 1, 2}, "he", 1),
      (Values{-0x1.04b2d60000000p+0f, 0x1.6a96820000000p+0f, 0x1.f8cd3c0000000p-4f, 0x1.e711aa0000000p-1f}));
  EXPECT_EQ(
      values("mid.weight", {2, 2}, "xavier", 1099511627776),
      (Values{0x1.6528160000000p-1f, -0x1.fb0fa20000000p-1f, -0x1.bffd920000000p-1f, 0x1.10acc00000000p+0f}));
}

TEST(Initialise, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(refusal({2}, "hee").find("known are he, xavier"), std::string::npos);
  for (const char *init : {"normal", "normal:", "normal:x", "normal:-1", "normal:inf", "constant:nan", ""})
    EXPECT_NE(refusal({2}, init), "") << init;
  EXPECT_NE(refusal({2}, "he").find("rank 2"), std::string::npos);
  EXPECT_NE(refusal({2, 2}, "bilinear").find("rank 4"), std::string::npos);
  EXPECT_NE(refusal({0}, "zero"), "");
  EXPECT_NE(refusal({int64_t(1) << 40, int64_t(1) << 40}, "zero"), "");
  EXPECT_NE(refusal({3, 1}, "zero", 2).find("groups"), std::string::npos);
}
