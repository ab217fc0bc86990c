/// \file Norms with statistics of each image, and what their gradients need, from partial sums: against plain
/// loops in double.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_training_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

constexpr int kImages = 3, kHeight = 5;

/// Channels and groups of them: instance norm, layer norm, and groups that no vector fits.
const std::pair<int, int> kShapes[] = {{1, 1},  {6, 3},  {21, 21}, {21, 7},
                                       {64, 1}, {64, 8}, {150, 5}, {40, 40}};

/// Sums of three columns and their totals over the bands.
struct RandomSums {
  Sums sums;
  std::vector<double> total; ///< by image, channel, column

  RandomSums(int c, std::mt19937 &random) : sums(c, 3, kHeight, kImages), total(size_t(kImages) * c * 3) {
    sums.view.for_each_element([&](int i, int k, int b, int n) {
      // The second column is large enough for a variance, the third is the same for all channels.
      sums.view(i, k, b, n) = k == 2   ? 50 + b
                              : k == 1 ? 200 + uniform(random, 0, 9)
                                       : uniform(random, -50, 50);
      total[(size_t(n) * c + i) * 3 + k] += sums.view(i, k, b, n);
    });
  }
  double at(int n, int channel, int column) const {
    return total[(size_t(n) * (total.size() / 3 / kImages) + channel) * 3 + column];
  }
};

/// [N, C, 1, 1].
struct PerImage : Activation<float> {
  explicit PerImage(int c) : Activation<float>(Extents{c, 1, 1, kImages}, c, NAN) {}
};

/// One value a channel.
struct PerChannel : Vector {
  PerChannel(int c, std::mt19937 &random) : Vector(c, padding(c)) {
    fill([&] { return uniform(random, -2, 2); });
  }
};

void expectClose(PerImage &got, const std::vector<double> &want, const std::string &what) {
  Worst worst;
  got.view.for_each_element([&](int c, int, int, int n) {
    worst.add(got.view(c, 0, 0, n), want[size_t(n) * got.view.dim(0).extent() + c]);
  });
  EXPECT_LE(worst.relative(), 1e-6) << what;
  EXPECT_EQ(got.damaged(), 0) << what;
}

TEST(FinishGroups, Statistics) {
  std::mt19937 random(51);
  for (Isa isa : isasHere())
    for (auto [c, groups] : kShapes) {
      const bool affine = random() % 3;
      MemoryKernel kernel("finish_group_stats" + field("c", c) + field("in", c) + field("groups", groups) +
                              field("gamma", affine) + field("beta", affine) + " eps=0.001 : f32",
                          isa);
      if (!kernel)
        continue;
      RandomSums sums(c, random);
      PerChannel gamma(c, random), beta(c, random);
      std::vector<Buffer<>> inputs = {sums.sums.view};
      if (affine)
        inputs.insert(inputs.end(), {gamma.view, beta.view});
      PerImage scale(c), shift(c), mean(c), rstd(c);
      EXPECT_TRUE(sameForAnyThreads(kernel, inputs, {scale.view, shift.view, mean.view, rstd.view}));
      std::vector<double> want[4];
      const int size = c / groups;
      for (int n = 0; n < kImages; n++)
        for (int i = 0; i < c; i++) {
          double all[3] = {0, 0, 0};
          for (int j = i / size * size; j < (i / size + 1) * size; j++)
            for (int k = 0; k < 3; k++)
              all[k] += sums.at(n, j, k);
          const double m = all[0] / all[2], r = 1 / std::sqrt(all[1] / all[2] - m * m + 0.001);
          const double a = (affine ? gamma.view(i) : 1) * r;
          const double row[4] = {a, (affine ? beta.view(i) : 0) - m * a, m, r};
          for (int k = 0; k < 4; k++)
            want[k].push_back(row[k]);
        }
      PerImage *const got[4] = {&scale, &shift, &mean, &rstd};
      for (int k = 0; k < 4; k++)
        expectClose(*got[k], want[k], kernel.spec.print() + " result " + std::to_string(k));
    }
}

TEST(FinishGroups, VarianceOfAConstantIsZero) {
  MemoryKernel kernel("finish_group_stats c2 in2 groups2 gamma0 beta0 eps=0.25 : f32", isasHere().front());
  Sums sums(2, 3, 1, kImages);
  const double value = double(0.1f), count = 1e6;
  sums.view.for_each_element([&](int c, int k, int, int) {
    sums.view(c, k, 0, 0) = k == 0   ? value * count * (1 + 1e-16)
                            : k == 2 ? count
                            : c      ? NAN
                                     : value * value * count * (1 - 4e-16);
    for (int n = 1; n < kImages; n++)
      sums.view(c, k, 0, n) = sums.view(c, k, 0, 0);
  });
  PerImage scale(2), shift(2), mean(2), rstd(2);
  kernel.run({sums.view}, {scale.view, shift.view, mean.view, rstd.view});
  EXPECT_EQ(rstd.view(0, 0, 0, 2), 2.f);
  EXPECT_TRUE(std::isnan(rstd.view(1, 0, 0, 2)));
}

TEST(FinishGroups, ASingleValueIsItsOwnMean) {
  const Isa isa = isasHere().front();
  MemoryKernel stats("finish_group_stats c2 in2 groups2 gamma0 beta0 eps=1e-05 : f32", isa),
      gradient("finish_group_norm_grad c2 in2 groups2 gamma0 : f32", isa);
  Sums sums(2, 3, 1, kImages);
  sums.view.fill(1.0); // x = 1, dy = 1, one value
  PerImage scale(2), shift(2), mean(2), rstd(2), a(2), b(2), c(2);
  stats.run({sums.view}, {scale.view, shift.view, mean.view, rstd.view});
  Vector dgamma(2), dbeta(2);
  gradient.run({sums.view, mean.view, rstd.view}, {dgamma.view, dbeta.view, a.view, b.view, c.view});
  for (PerImage *value : {&scale, &shift, &a, &b, &c})
    EXPECT_EQ(value->view(1, 0, 0, 2), 0.f);
  EXPECT_EQ(mean.view(1, 0, 0, 2), 1.f);
  EXPECT_EQ(dbeta.view(1), float(kImages));
}

TEST(FinishGroups, Gradient) {
  std::mt19937 random(52);
  for (Isa isa : isasHere())
    for (auto [c, groups] : kShapes) {
      const bool affine = random() % 3;
      MemoryKernel kernel("finish_group_norm_grad" + field("c", c) + field("in", c) +
                              field("groups", groups) + field("gamma", affine) + " : f32",
                          isa);
      if (!kernel)
        continue;
      RandomSums sums(c, random);
      PerChannel gamma(c, random);
      PerImage mean(c), rstd(c);
      const int size = c / groups;
      for (int n = 0; n < kImages; n++)
        for (int i = 0; i < c; i++) { // one mean and one rstd a group
          mean.view(i, 0, 0, n) = i % size ? mean.view(i - 1, 0, 0, n) : uniform(random, -1, 1);
          rstd.view(i, 0, 0, n) = i % size ? rstd.view(i - 1, 0, 0, n) : uniform(random, 0.5, 2);
        }
      std::vector<Buffer<>> inputs = {sums.sums.view, mean.view, rstd.view};
      if (affine)
        inputs.push_back(gamma.view);
      Vector dgamma(c), dbeta(c);
      PerImage a(c), b(c), shift(c);
      EXPECT_TRUE(sameForAnyThreads(kernel, inputs, {dgamma.view, dbeta.view, a.view, b.view, shift.view}));
      std::vector<double> want[3], vectors[2] = {std::vector<double>(c), std::vector<double>(c)};
      auto factor = [&](int i) { return affine ? double(gamma.view(i)) : 1; };
      auto s1 = [&](int n, int i) {
        return rstd.view(i, 0, 0, n) * (sums.at(n, i, 1) - mean.view(i, 0, 0, n) * sums.at(n, i, 0));
      };
      for (int n = 0; n < kImages; n++)
        for (int i = 0; i < c; i++) {
          vectors[0][i] += s1(n, i);
          vectors[1][i] += sums.at(n, i, 0);
          double all[3] = {0, 0, 0};
          for (int j = i / size * size; j < (i / size + 1) * size; j++) {
            all[0] += factor(j) * sums.at(n, j, 0);
            all[1] += factor(j) * s1(n, j);
            all[2] += sums.at(n, j, 2);
          }
          const double r = rstd.view(i, 0, 0, n), ofX = -r * r * all[1] / all[2];
          const double row[3] = {factor(i) * r, ofX, -r * all[0] / all[2] - ofX * mean.view(i, 0, 0, n)};
          for (int k = 0; k < 3; k++)
            want[k].push_back(row[k]);
        }
      const std::string what = kernel.spec.print();
      expectClose(a, want[0], what + " a");
      expectClose(b, want[1], what + " b");
      expectClose(shift, want[2], what + " c");
      Vector *const got[2] = {&dgamma, &dbeta};
      for (int k = 0; k < 2; k++) {
        Worst worst;
        for (int i = 0; i < c; i++)
          worst.add(got[k]->view(i), vectors[k][i]);
        EXPECT_LE(worst.relative(), 1e-6) << what;
        EXPECT_EQ(got[k]->damaged(), 0) << what;
      }
    }
}

TEST(FinishGroups, RefusesGroupsThatDoNotDivide) {
  const auto schedule =
      chooseSchedule(parseSpec("finish_group_stats c8 in8 groups3 gamma0 beta0 eps=1 : f32"), Isa::Avx2);
  ASSERT_EQ(schedule.index(), 1u);
  EXPECT_NE(std::get<std::string>(schedule).find("groups must divide the channels"), std::string::npos);
}

} // namespace
} // namespace segc::schedules
