/// \file Optimisers against PyTorch's rules in double, twenty steps in place; the other passes over flat
/// vectors.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_training_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// torch.optim's update rules as its documentation writes them, in double.
struct Rule {
  std::string problem;
  bool adam = false, decoupled = false, nesterov = false;
  double momentum = 0, decay = 0;
  double rate = 0.05, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, factor = 0.5;
  std::vector<double> p, m, v;

  int states() const { return adam ? 2 : momentum != 0; }
  std::vector<float> hyper(int t) const {
    return {float(rate),
            float(decay),
            float(factor),
            float(adam ? beta1 : momentum),
            float(beta2),
            float(eps),
            float(1 - std::pow(beta1, t)),
            float(std::sqrt(1 - std::pow(double(float(beta2)), t)))};
  }
  void step(int t, const std::vector<double> &gradients) {
    for (size_t i = 0; i < p.size(); i++) {
      double g = gradients[i] * factor;
      if (decoupled)
        p[i] -= rate * decay * p[i];
      else
        g += decay * p[i];
      if (adam) {
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        const double mHat = m[i] / (1 - std::pow(beta1, t)), vHat = v[i] / (1 - std::pow(beta2, t));
        p[i] -= rate * mHat / (std::sqrt(vHat) + eps);
      } else {
        m[i] = t == 1 ? g : momentum * m[i] + g; // the first step takes the gradient itself
        p[i] -= rate * (nesterov ? g + momentum * m[i] : m[i]);
      }
    }
  }
};

std::vector<Rule> rules() {
  std::vector<Rule> all;
  auto add = [&](const std::string &problem, bool adam, bool flag, double momentum, double decay) {
    Rule rule;
    rule.problem = problem + " : f32";
    rule.adam = adam;
    rule.decoupled = adam && flag;
    rule.nesterov = !adam && flag;
    rule.momentum = momentum;
    rule.decay = decay;
    all.push_back(rule);
  };
  add("sgd momentum0 nesterov0", false, false, 0, 0);
  add("sgd momentum0 nesterov0", false, false, 0, 0.1);
  add("sgd momentum1 nesterov0", false, false, 0.9, 0.1);
  add("sgd momentum1 nesterov1", false, true, 0.9, 0.1);
  add("adam decoupled0", true, false, 0, 0);
  add("adam decoupled0", true, false, 0, 0.1);
  add("adam decoupled1", true, true, 0, 0.1);
  return all;
}

void checkRule(MemoryKernel &kernel, Rule rule, int length, std::mt19937 &random) {
  Vector p(length), g(length), m(length), v(length);
  Buffer<float> hyper(std::vector<int>{16});
  hyper.fill(NAN); // what an optimiser has no use for
  p.fill([&] { return uniform(random, -1, 1); });
  m.view.fill(0.f);
  v.view.fill(0.f);
  rule.p.assign(p.view.data(), p.view.data() + length);
  rule.m.assign(length, 0.0);
  rule.v.assign(length, 0.0);
  std::vector<Buffer<>> inputs = {hyper, p.view, g.view, m.view, v.view}, results = {p.view, m.view, v.view};
  inputs.resize(3 + rule.states());
  results.resize(1 + rule.states());
  for (int t = 1; t <= 20; t++) {
    const std::vector<float> row = rule.hyper(t);
    std::copy(row.begin(), row.end(), hyper.data());
    g.fill([&] { return uniform(random, -1, 1) * (t % 3 ? 1.f : 20.f); });
    rule.step(t, std::vector<double>(g.view.data(), g.view.data() + length));
    kernel.run(inputs, results);
  }
  Worst worst[3];
  for (int i = 0; i < length; i++) {
    worst[0].add(p.view(i), rule.p[i]);
    worst[1].add(m.view(i), rule.m[i]);
    worst[2].add(v.view(i), rule.v[i]);
  }
  for (int k = 0; k < 1 + rule.states(); k++) // v: 1 - beta2 is that of beta2 rounded to f32, 1.3e-5 off
    EXPECT_LE(worst[k].relative(), k == 2 ? 3e-5 : 1e-5) << rule.problem << " " << length;
  EXPECT_EQ(p.damaged() + g.damaged() + m.damaged() + v.damaged(), 0) << rule.problem << " " << length;
}

TEST(Optimizers, TwentyStepsOfEach) {
  std::mt19937 random(51);
  for (Isa isa : isasHere())
    for (const Rule &rule : rules()) {
      MemoryKernel kernel(rule.problem, isa);
      if (kernel)
        for (int length : {1, 3, 16, 1000, 16384 + 5})
          checkRule(kernel, rule, length, random);
    }
}

TEST(Optimizers, SameBitsForAnyThreads) {
  std::mt19937 random(52);
  const int length = 5 * 16384 + 3;
  MemoryKernel kernel("adam decoupled1 : f32", isasHere().front());
  Vector p(length), g(length), m(length), v(length), p2(length), m2(length), v2(length);
  for (Vector *t : {&p, &g, &m, &v})
    t->fill([&] { return uniform(random, 0, 1); });
  Buffer<float> hyper(std::vector<int>{16});
  hyper.fill(0.1f);
  EXPECT_TRUE(
      sameForAnyThreads(kernel, {hyper, p.view, g.view, m.view, v.view}, {p2.view, m2.view, v2.view}));
}

TEST(Optimizers, RefusesNesterovWithoutMomentum) {
  EXPECT_EQ(chooseSchedule(parseSpec("sgd momentum0 nesterov1 : f32"), Isa::Avx2).index(), 1u);
}

TEST(FlatVectors, AverageAccumulateCopy) {
  std::mt19937 random(53);
  for (Isa isa : isasHere()) {
    MemoryKernel ema("ema : f32", isa), add("accumulate : f32", isa), copy("copy_vector : f32", isa);
    if (!ema || !add || !copy)
      continue;
    Buffer<float> hyper(std::vector<int>{16});
    hyper.fill(NAN);
    hyper(9) = 0.75f;
    for (int length : {1, 5, 64, 33333}) {
      Vector a(length), b(length), e(length), c(length);
      for (Vector *t : {&a, &b})
        t->fill([&] { return uniform(random, -1, 1); });
      copy.run({a.view}, {e.view});
      copy.run({a.view}, {c.view});
      ema.run({hyper, e.view, b.view}, {e.view});
      add.run({c.view, b.view}, {c.view});
      Worst average, sum;
      for (int i = 0; i < length; i++) {
        average.add(e.view(i), 0.75 * a.view(i) + 0.25 * b.view(i));
        sum.add(c.view(i), double(a.view(i)) + b.view(i));
      }
      EXPECT_LE(average.relative(), 1e-6) << length << name(isa);
      EXPECT_LE(sum.relative(), 1e-6) << length << name(isa);
      EXPECT_EQ(a.damaged() + b.damaged() + e.damaged() + c.damaged(), 0) << length << name(isa);
    }
  }
}

TEST(FlatVectors, SumOfSquaresInParts) {
  std::mt19937 random(54);
  for (Isa isa : isasHere()) {
    MemoryKernel kernel("sum_squares : f32", isa);
    if (!kernel)
      continue;
    for (int length : {1, 100, 256, 257, 5000, 100003}) {
      Vector g(length);
      g.fill([&] { return uniform(random, -1, 1) * 1e20f; }); // squares leave f32
      Buffer<double> partial(std::vector<int>{256});
      EXPECT_TRUE(sameForAnyThreads(kernel, {g.view}, {partial}));
      Worst worst;
      for (int part = 0; part < 256; part++) {
        double want = 0;
        for (int64_t i = int64_t(part) * length / 256; i < int64_t(part + 1) * length / 256; i++)
          want += double(g.view(int(i))) * g.view(int(i));
        worst.add(partial(part), want);
      }
      EXPECT_LE(worst.relative(), 1e-14) << length << name(isa);
    }
  }
}

TEST(FlatVectors, NanReachesTheNorm) {
  MemoryKernel kernel("sum_squares : f32", isasHere().front());
  Vector g(1000);
  g.view.fill(1.f);
  g.view(999) = NAN;
  Buffer<double> partial(std::vector<int>{256});
  kernel.run({g.view}, {partial});
  EXPECT_TRUE(std::isnan(partial(255)));
  EXPECT_FALSE(std::isnan(partial(254)));
}

} // namespace
} // namespace segc::schedules
