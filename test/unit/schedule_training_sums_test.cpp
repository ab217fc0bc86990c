/// \file Sums per channel, and the vectors made of them, against plain loops in double.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_training_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

const Extents kSizes[] = {{0, 1, 1, 1}, {0, 5, 3, 2}, {0, 16, 33, 1}, {0, 37, 70, 2}};

/// What one element adds to column k.
double term(const std::string &kind, int k, double x, double other) {
  if (kind == "negative")
    return x * (other > 0 ? 0 : other);
  return k == 0 ? x : k == 2 ? 1 : kind == "stats" ? x * x : x * other;
}

Buffer<double> sumsOf(const std::string &kind, const Buffer<float> &x, const Buffer<float> &other,
                      int columns) {
  const int h = x.dim(2).extent();
  Buffer<double> sums(std::vector<int>{x.dim(0).extent(), columns, std::min(h, 32), x.dim(3).extent()});
  sums.fill(0.0);
  x.for_each_element([&](int c, int px, int py, int n) {
    for (int k = 0; k < columns; k++)
      sums(c, k, bandOf(py, h), n) +=
          term(kind, k, x(c, px, py, n), other.defined() ? other(c, px, py, n) : 0);
  });
  return sums;
}

void checkSums(int c, const std::string &kind, Isa isa, std::mt19937 &random) {
  const bool two = kind == "product" || kind == "negative";
  const int columns = kind == "sum" || kind == "negative" ? 1 : 3, in = c + random() % 3,
            second = c + random() % 3;
  MemoryKernel kernel("channel_sums" + field("c", c) + field("in", in) + field("other", two ? second : 0) +
                          field("out", c) + " kind=" + kind + " : f32",
                      isa);
  if (!kernel)
    return;
  for (Extents e : kSizes) {
    e.c = c;
    Activation<float> x(e, in, NAN), other(e, second, NAN);
    for (auto *t : {&x, &other})
      t->fill([&] { return uniform(random, -1, 1) * 1e3f + 1e3f * (t == &x); });
    Sums sums(c, columns, e.h, e.n);
    std::vector<Buffer<>> inputs = {x.view};
    if (two)
      inputs.push_back(other.view);
    EXPECT_TRUE(sameForAnyThreads(kernel, inputs, {sums.view})) << kernel.spec.print();
    const Buffer<double> want = sumsOf(kind, x.view, two ? other.view : Buffer<float>(), columns);
    std::vector<Worst> worst(columns);
    want.for_each_element(
        [&](int i, int k, int b, int n) { worst[k].add(sums.view(i, k, b, n), want(i, k, b, n)); });
    for (const Worst &w : worst) // all in double
      EXPECT_LE(w.relative(), 1e-13) << kernel.spec.print() << " " << name(isa) << " " << e.h << "x" << e.w;
    EXPECT_EQ(sums.damaged(), 0) << kernel.spec.print() << " " << name(isa);
  }
}

TEST(ChannelSums, AgainstLoops) {
  std::mt19937 random(41);
  for (Isa isa : isasHere())
    for (int c : {1, 2, 3, 7, 8, 21, 64, 65, 150})
      for (const char *kind : {"sum", "stats", "product", "negative"})
        if (!skipped(isa, random))
          checkSums(c, kind, isa, random);
}

TEST(ChannelSums, NanStaysInItsChannel) {
  for (Isa isa : isasHere())
    for (int c : {3, 21})
      for (bool inX : {true, false}) {
        MemoryKernel kernel("channel_sums" + field("c", c) + field("in", c) + field("other", c) +
                                field("out", c) + " kind=negative : f32",
                            isa);
        if (!kernel)
          continue;
        const Extents e{c, 19, 3, 1};
        Activation<float> x(e, c, 0.f), other(e, c, 0.f);
        x.view.fill(1.f);
        other.view.fill(-1.f);
        (inX ? x : other).view(2, 18, 1, 0) = NAN;
        Sums sums(c, 1, e.h, 1);
        kernel.run({x.view, other.view}, {sums.view});
        sums.view.for_each_element([&](int i, int, int b, int) {
          EXPECT_TRUE(i == 2 && b == 1 ? std::isnan(sums.view(i, 0, b, 0)) : sums.view(i, 0, b, 0) == -19)
              << i;
        });
      }
}

TEST(ChannelSums, RefusesOperandsThatDoNotFit) {
  auto refusal = [](const char *text) {
    const auto schedule = chooseSchedule(parseSpec(text), Isa::Avx2);
    return schedule.index() ? std::get<std::string>(schedule) : "";
  };
  EXPECT_NE(refusal("channel_sums c8 in8 other0 out8 kind=product : f32").find("a second operand goes with"),
            std::string::npos);
  EXPECT_NE(refusal("channel_sums c8 in8 other8 out8 kind=stats : f32").find("a second operand goes with"),
            std::string::npos);
  EXPECT_NE(refusal("channel_sums c8 in8 other0 out9 kind=stats : f32").find("out must be c"),
            std::string::npos);
}

/// Sums of `images` images in bands, and their totals over these.
struct RandomSums {
  Sums sums;
  std::vector<std::vector<double>> total; ///< by column, by channel

  RandomSums(int c, int columns, int height, int images, std::mt19937 &random)
      : sums(c, columns, height, images), total(columns, std::vector<double>(c, 0.0)) {
    // The second column is large enough for a variance, the third is the same for all channels.
    sums.view.for_each_element([&](int i, int k, int b, int n) {
      sums.view(i, k, b, n) = k == 2   ? 50 + b
                              : k == 1 ? 200 + uniform(random, 0, 9)
                                       : uniform(random, -50, 50);
      total[k][i] += sums.view(i, k, b, n);
    });
  }
};

void expectVector(Vector &got, const std::vector<double> &want, const std::string &what) {
  Worst worst;
  for (size_t i = 0; i < want.size(); i++)
    worst.add(got.view(int(i)), want[i]);
  EXPECT_LE(worst.relative(), 1e-6) << what;
  EXPECT_EQ(got.damaged(), 0) << what;
}

TEST(FinishSums, SumAndStatistics) {
  std::mt19937 random(42);
  for (Isa isa : isasHere())
    for (int c : {1, 3, 21, 64, 150}) {
      const std::string fields = field("c", c) + field("in", c) + " : f32";
      MemoryKernel sum("finish_sum" + fields, isa), stats("finish_stats" + fields, isa);
      if (!sum || !stats)
        continue;
      RandomSums one(c, 1, 40, 2, random), three(c, 3, 40, 2, random);
      Vector total(c), mean(c), variance(c);
      EXPECT_TRUE(sameForAnyThreads(sum, {one.sums.view}, {total.view}));
      EXPECT_TRUE(sameForAnyThreads(stats, {three.sums.view}, {mean.view, variance.view}));
      expectVector(total, one.total[0], "finish_sum" + fields);
      std::vector<double> m, v;
      for (int i = 0; i < c; i++) {
        m.push_back(three.total[0][i] / three.total[2][i]);
        v.push_back(three.total[1][i] / three.total[2][i] - m[i] * m[i]);
      }
      expectVector(mean, m, "finish_stats" + fields);
      expectVector(variance, v, "finish_stats" + fields);
    }
}

TEST(FinishSums, VarianceOfAConstantIsZero) {
  MemoryKernel stats("finish_stats c1 in1 : f32", isasHere().front());
  Sums sums(1, 3, 1, 1);
  const double value = double(0.1f), count = 1e6;
  sums.view(0, 0, 0, 0) = value * count * (1 + 1e-16);
  sums.view(0, 1, 0, 0) = value * value * count * (1 - 4e-16);
  sums.view(0, 2, 0, 0) = count;
  Vector mean(1), variance(1);
  stats.run({sums.view}, {mean.view, variance.view});
  EXPECT_EQ(mean.view(0), 0.1f);
  EXPECT_EQ(variance.view(0), 0.f);
  sums.view(0, 1, 0, 0) = NAN;
  stats.run({sums.view}, {mean.view, variance.view});
  EXPECT_TRUE(std::isnan(variance.view(0)));
}

TEST(FinishSums, NormGradient) {
  std::mt19937 random(43);
  for (Isa isa : isasHere())
    for (int c : {1, 21, 64})
      for (bool affine : {true, false}) {
        MemoryKernel kernel("finish_norm_grad" + field("c", c) + field("in", c) + field("gamma", affine) +
                                " eps=0.001 : f32",
                            isa);
        if (!kernel)
          continue;
        RandomSums sums(c, 3, 5, 3, random);
        Vector mean(c, Vector::padding(c)), variance(c, Vector::padding(c)), gamma(c, Vector::padding(c));
        mean.fill([&] { return uniform(random, -1, 1); });
        variance.fill([&] { return uniform(random, 0.1f, 2); });
        gamma.fill([&] { return uniform(random, -2, 2); });
        std::vector<Buffer<>> inputs = {sums.sums.view, mean.view, variance.view};
        if (affine)
          inputs.push_back(gamma.view);
        Vector dgamma(c), dbeta(c), a(c), b(c), shift(c);
        EXPECT_TRUE(sameForAnyThreads(kernel, inputs, {dgamma.view, dbeta.view, a.view, b.view, shift.view}));
        std::vector<double> want[5];
        for (int i = 0; i < c; i++) {
          const double r = 1 / std::sqrt(variance.view(i) + 0.001), m = sums.total[2][i];
          const double s0 = sums.total[0][i], s1 = r * (sums.total[1][i] - mean.view(i) * s0);
          const double wantA = (affine ? gamma.view(i) : 1) * r, wantB = -wantA * r * s1 / m;
          const double row[5] = {s1, s0, wantA, wantB, -wantA * s0 / m - wantB * mean.view(i)};
          for (int k = 0; k < 5; k++)
            want[k].push_back(row[k]);
        }
        Vector *const got[5] = {&dgamma, &dbeta, &a, &b, &shift};
        for (int k = 0; k < 5; k++)
          expectVector(*got[k], want[k], kernel.spec.print() + " result " + std::to_string(k));
      }
}

TEST(FinishSums, NothingPassesTheNormOfASingleValue) {
  std::mt19937 random(46);
  for (Isa isa : isasHere()) {
    MemoryKernel kernel("finish_norm_grad c21 in21 gamma0 eps=1e-05 : f32", isa);
    RandomSums sums(21, 3, 1, 1, random);
    Vector mean(21), variance(21), dgamma(21), dbeta(21), a(21), b(21), shift(21);
    mean.fill([&] { return uniform(random, -1, 1); });
    variance.fill([] { return 0.f; });
    for (int c = 0; c < 21; c++)
      sums.sums.view(c, 2, 0, 0) = 1 + c % 2; // every other channel has two values
    kernel.run({sums.sums.view, mean.view, variance.view},
               {dgamma.view, dbeta.view, a.view, b.view, shift.view});
    for (int c = 0; c < 21; c++) {
      EXPECT_EQ(dbeta.view(c), float(sums.total[0][c]));
      for (Vector *factor : {&a, &b, &shift})
        EXPECT_EQ(factor->view(c) == 0, c % 2 == 0) << kernel.spec.print() << " channel " << c;
    }
  }
}

TEST(FinishSums, RunningStatistics) {
  std::mt19937 random(44);
  for (Isa isa : isasHere())
    for (int c : {1, 21, 64})
      for (bool unbiased : {true, false})
        for (bool single : {true, false}) {
          MemoryKernel kernel("running_update" + field("c", c) + field("in", c) +
                                  field("unbiased", unbiased) + " momentum=0.25 : f32",
                              isa);
          if (!kernel)
            continue;
          RandomSums sums(c, 3, single ? 1 : 5, single ? 1 : 2, random);
          if (single)
            sums.sums.view.fill(1.0), sums.total[2].assign(c, 1.0);
          Vector running(c, Vector::padding(c)), batch(c, Vector::padding(c));
          running.fill([&] { return uniform(random, -1, 1); });
          batch.fill([&] { return uniform(random, -1, 1); });
          std::vector<double> want;
          for (int i = 0; i < c; i++) {
            const double m = sums.total[2][i], factor = unbiased && m > 1 ? m / (m - 1) : 1;
            want.push_back(0.75 * running.view(i) + 0.25 * factor * batch.view(i));
          }
          kernel.run({running.view, batch.view, sums.sums.view}, {running.view}); // in place
          expectVector(running, want, kernel.spec.print());
        }
}

} // namespace
} // namespace segc::schedules
