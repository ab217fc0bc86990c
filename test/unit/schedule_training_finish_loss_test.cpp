/// \file Losses from their sums, coefficients as derivatives by these sums, totals.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_training_support.h"
#include <functional>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Columns of each class, added over bands: by image, or all in the first.
using Columns = std::vector<std::vector<std::vector<double>>>;

Columns columnsOf(const Buffer<double> &sums, bool perImage) {
  const int c = sums.dim(0).extent(), k = sums.dim(1).extent(), images = perImage ? sums.dim(3).extent() : 1;
  Columns all(images, std::vector<std::vector<double>>(c, std::vector<double>(k, 0.0)));
  Buffer<double> copy = sums;
  copy.for_each_element([&](int i, int j, int b, int n) { all[perImage ? n : 0][i][j] += sums(i, j, b, n); });
  return all;
}

/// 1 - mean over classes of (2I + eps) / (P + Y + eps) or (I + eps) / (P + Y - I + eps).
double overlapLoss(const std::string &kind, const Columns &columns, double eps, bool mean) {
  double loss = 0;
  for (const auto &image : columns) {
    double ratios = 0;
    for (const auto &s : image) {
      const double above = (kind == "dice" ? 2 : 1) * s[0] + eps,
                   below = s[1] + s[2] + eps - (kind == "dice" ? 0 : s[0]);
      ratios += below == 0 ? 1 : above / below;
    }
    loss += 1 - ratios / double(image.size());
  }
  return mean ? loss / double(columns.size()) : loss;
}

struct Finished {
  float loss;
  std::vector<float> coefficients;
};

Finished finish(MemoryKernel &kernel, Sums &sums, int count, int images) {
  Vector loss(1);
  Activation<float> coefficients({count, 1, 1, images}, count, 77.f);
  EXPECT_TRUE(sameForAnyThreads(kernel, {sums.view}, {loss.view, coefficients.view}));
  EXPECT_EQ(loss.damaged() + coefficients.damaged(), 0) << kernel.spec.print();
  Finished found{loss.view(0), {}};
  for (int n = 0; n < images; n++)
    for (int i = 0; i < count; i++)
      found.coefficients.push_back(coefficients.view(i, 0, 0, n));
  return found;
}

void checkOverlap(const std::string &kind, int c, bool perImage, bool mean, double eps, Isa isa,
                  std::mt19937 &random) {
  MemoryKernel kernel("finish_loss kind=" + kind + field("c", c) + field("in", c) +
                          " reduction=" + (mean ? "mean" : "sum") + field("per_image", perImage) +
                          " eps=" + std::to_string(eps) + " scale=0.4 : f32",
                      isa);
  if (!kernel)
    return;
  const int images = 3, parts = perImage ? images : 1;
  Sums sums(c, 3, 40, images);
  sums.view.for_each_element([&](int i, int k, int b, int n) { // I < P, Y
    sums.view(i, k, b, n) = uniform(random, k ? 2 : 0, k ? 5 : 2);
    if (i == 1 || (i == 0 && n == 2)) // empty classes
      sums.view(i, k, b, n) = k == 1 ? 1 : 0;
    if (i == 2 || (c == 1 && n == 1)) // nothing at all
      sums.view(i, k, b, n) = 0;
  });
  const Columns columns = columnsOf(sums.view, perImage);
  const Finished found = finish(kernel, sums, 2 * c, parts);
  EXPECT_NEAR(found.loss, overlapLoss(kind, columns, eps, mean), 1e-6) << kernel.spec.print();
  Worst worst;
  for (int n = 0; n < parts; n++)
    for (int i = 0; i < c; i++)
      for (int k : {0, 1}) {
        double want = 0; // where nothing is and eps is 0
        if (columns[n][i][1] + columns[n][i][2] + eps > 0) {
          Columns above = columns, below = columns;
          above[n][i][k] += 1e-5, below[n][i][k] -= 1e-5;
          want = 0.4 * (overlapLoss(kind, above, eps, mean) - overlapLoss(kind, below, eps, mean)) / 2e-5;
        }
        worst.add(found.coefficients[(n * 2 + k) * c + i], want);
      }
  EXPECT_LE(worst.relative(), 1e-6) << kernel.spec.print() << " " << name(isa);
}

TEST(FinishLoss, Overlap) {
  std::mt19937 random(71);
  for (Isa isa : isasHere())
    for (const char *kind : {"dice", "soft_iou"})
      for (int c : {1, 2, 21, 150})
        for (bool perImage : {false, true})
          if (!skipped(isa, random))
            checkOverlap(kind, c, perImage, c != 2, c == 21 ? 0 : 1, isa, random);
}

/// sums of one channel: the first column is the term's, the last named `weights` what it is divided by.
void checkTerms(const std::string &kind, bool mean, const std::string &pos, Isa isa, std::mt19937 &random) {
  const bool bce = kind == "bce";
  MemoryKernel kernel("finish_loss kind=" + kind + " c1 in1 reduction=" + (mean ? "mean" : "sum") +
                          " per_image0" + (bce ? " pos=" + pos : "") + " scale=0.4 : f32",
                      isa);
  if (!kernel)
    return;
  Sums sums(1, bce ? 5 : 2, 40, 2);
  sums.fill([&] { return uniform(random, 1, 5); });
  const std::vector<double> s = columnsOf(sums.view, false)[0][0];
  const double factor = pos == "auto" ? s[4] / s[3] : std::stod(pos), count = mean ? s[bce ? 2 : 1] : 1;
  Finished found = finish(kernel, sums, 1 + bce, 1);
  EXPECT_FLOAT_EQ(found.loss, float((bce ? factor * s[0] + s[1] : s[0]) / count)) << kernel.spec.print();
  EXPECT_FLOAT_EQ(found.coefficients.back(), float(0.4 / count)) << kernel.spec.print();
  if (bce)
    EXPECT_FLOAT_EQ(found.coefficients[0], float(0.4 / count * factor)) << kernel.spec.print();

  sums.view.fill(0.0); // nothing counts
  found = finish(kernel, sums, 1 + bce, 1);
  EXPECT_EQ(found.loss, 0) << kernel.spec.print();
  for (float k : found.coefficients)
    EXPECT_TRUE(mean ? k == 0 : std::isfinite(k)) << kernel.spec.print();
  sums.view(0, 0, 3, 1) = NAN;
  EXPECT_TRUE(mean || std::isnan(finish(kernel, sums, 1 + bce, 1).loss));
}

TEST(FinishLoss, Terms) {
  std::mt19937 random(72);
  for (Isa isa : isasHere())
    for (bool mean : {true, false}) {
      checkTerms("cross_entropy", mean, "1", isa, random);
      checkTerms("smooth_l1", mean, "1", isa, random);
      checkTerms("bce", mean, "auto", isa, random);
      checkTerms("bce", mean, "2.5", isa, random);
    }
}

/// Neither class is counted below one.
TEST(FinishLoss, BalanceOfOneClassOnly) {
  MemoryKernel kernel("finish_loss kind=bce c1 in1 reduction=sum per_image0 pos=auto scale=1 : f32",
                      isasHere().front());
  Sums sums(1, 5, 1, 1);
  sums.view.fill(0.0);
  sums.view(0, 4, 0, 0) = 7; // negatives only
  EXPECT_FLOAT_EQ(finish(kernel, sums, 2, 1).coefficients[0], 7);
  sums.view(0, 4, 0, 0) = 0;
  sums.view(0, 3, 0, 0) = 8; // positives only
  EXPECT_FLOAT_EQ(finish(kernel, sums, 2, 1).coefficients[0], 1.f / 8);
}

TEST(FinishLoss, Total) {
  for (Isa isa : isasHere()) {
    MemoryKernel kernel("total_loss n3 weights=1/0.4/-2 : f32", isa);
    if (!kernel)
      continue;
    Vector a(1), b(1), c(1), total(4);
    a.view(0) = 0.5f, b.view(0) = 10, c.view(0) = 0.125f;
    kernel.run({a.view, b.view, c.view}, {total.view});
    EXPECT_FLOAT_EQ(total.view(0), 0.5f + 4 - 0.25f);
    EXPECT_TRUE(total.view(1) == 0.5f && total.view(2) == 10 && total.view(3) == 0.125f);
    EXPECT_EQ(total.damaged(), 0);
  }
}

} // namespace
} // namespace segc::schedules
