/// \file The epilogues of training: derivatives against difference quotients, dropout against its generator.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Random.h"
#include "test/unit/schedule_training_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

struct Derivative {
  const char *epilogue, *function;
  double alpha;
  bool ofValue; ///< saved is f(x), not x
};
const Derivative kDerivatives[] = {
    {"d_relu", "relu", 0, true},
    {"d_relu6", "relu6", 0, true},
    {"d_leaky_relu", "leaky_relu", 0.01, true},
    {"d_sigmoid", "sigmoid", 0, true},
    {"d_tanh", "tanh", 0, true},
    {"d_hardsigmoid", "hardsigmoid", 0, true},
    {"d_prelu", "leaky_relu", 0, false}, // alpha: the channel's slope
    {"dx_leaky_relu", "leaky_relu", -0.1, false},
    {"d_elu", "elu", 1.5, false},
    {"d_selu", "selu", 0, false},
    {"d_gelu", "gelu", 0, false},
    {"d_silu", "silu", 0, false},
    {"d_hardswish", "hardswish", 0, false},
};

std::string inParentheses(const Derivative &d, int stride) {
  const std::string op = d.epilogue;
  const bool alpha = op.find("leaky") != std::string::npos || op == "d_elu";
  return "(" + std::to_string(stride) + (alpha ? "," + std::to_string(d.alpha) : "") + ")";
}

/// Across a kink no quotient is taken.
bool nearKink(double x) {
  for (double kink : {-3., 0., 3., 6.})
    if (std::fabs(x - kink) < 1e-3)
      return true;
  return false;
}

void checkDerivative(const Derivative &d, int c, Isa isa, std::mt19937 &random) {
  MemoryKernel kernel("pointwise" + field("c", c) + field("in", c) + field("out", c + 1) + " +" + d.epilogue +
                          inParentheses(d, c + 2) + " : f32",
                      isa);
  if (!kernel)
    return;
  const Extents e{c, 37, 3, 2};
  Activation<float> dy(e, c, NAN), saved(e, c + 2, NAN), dx(e, c + 1, 77.f);
  Buffer<float> slopes(std::vector<int>{paddedChannels(c)});
  slopes.for_each_element([&](int i) { slopes(i) = uniform(random, -0.5f, 0.5f); });
  dy.fill([&] { return uniform(random, -1, 1); });
  Worst worst;
  Buffer<double> want(std::vector<int>{e.c, e.w, e.h, e.n});
  want.for_each_element([&](int ch, int x, int y, int n) {
    double at = 0;
    while (nearKink(at))
      at = uniform(random, -8, 8);
    const double alpha = std::string(d.epilogue) == "d_prelu" ? slopes(ch) : d.alpha, h = 1e-5;
    if (!d.ofValue)
      at = float(at);
    auto f = [&](double v) { return activateReference(d.function, v, alpha); };
    saved.view(ch, x, y, n) = float(d.ofValue ? f(at) : at);
    want(ch, x, y, n) = dy.view(ch, x, y, n) * (f(at + h) - f(at - h)) / (2 * h);
  });
  std::vector<Buffer<>> inputs = {dy.view, saved.view};
  if (std::string(d.epilogue) == "d_prelu")
    inputs.push_back(slopes);
  kernel.run(inputs, {dx.view});
  want.for_each_element(
      [&](int ch, int x, int y, int n) { worst.add(dx.view(ch, x, y, n), want(ch, x, y, n)); });
  EXPECT_LE(worst.relative(), 1e-5) << kernel.spec.print() << " " << name(isa);
  EXPECT_EQ(dx.damaged(), 0) << kernel.spec.print();
}

TEST(TrainingEpilogues, Derivatives) {
  std::mt19937 random(31);
  for (Isa isa : isasHere())
    for (const Derivative &d : kDerivatives)
      if (!skipped(isa, random))
        checkDerivative(d, isa == isasHere().front() ? 21 : 3, isa, random);
}

/// One pixel of one channel a value: what a derivative epilogue makes of dy = 1 and these.
std::vector<float> derivativesAt(const std::string &epilogue, const std::vector<float> &at, float dy = 1) {
  MemoryKernel kernel("pointwise c1 in1 out1 +" + epilogue + " : f32", isasHere().front());
  const int count = int(at.size());
  Activation<float> v({1, count, 1, 1}, 1, NAN), saved({1, count, 1, 1}, 1, NAN), y({1, count, 1, 1}, 1, 0.f);
  v.view.fill(dy);
  for (int i = 0; i < count; i++)
    saved.view(0, i, 0, 0) = at[i];
  kernel.run({v.view, saved.view}, {y.view});
  std::vector<float> found;
  for (int i = 0; i < count; i++)
    found.push_back(y.view(0, i, 0, 0));
  return found;
}

TEST(TrainingEpilogues, DerivativesFarOut) {
  const float kBig = 1e30f;
  const std::vector<float> at = {-INFINITY, -kBig, -1e4f, 1e4f, kBig, INFINITY};
  const std::vector<float> step = {0, 0, 0, 1, 1, 1};
  for (const char *op : {"d_relu(1)", "d_elu(1,1)", "d_gelu(1)", "d_silu(1)", "d_hardswish(1)"}) {
    const std::vector<float> found = derivativesAt(op, at);
    for (size_t i = 0; i < at.size(); i++)
      EXPECT_NEAR(found[i], step[i], 1e-30f) << op << " at " << at[i];
  }
  EXPECT_EQ(derivativesAt("d_relu6(1)", {0, 6, 3}), (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(derivativesAt("d_hardsigmoid(1)", {0, 1}), (std::vector<float>{0, 0}));
  EXPECT_EQ(derivativesAt("d_relu(1)", {0.f, -0.f, 1e-30f}), (std::vector<float>{0, 0, 1}));
  // A NaN that is multiplied by f' = 0 is gone, every other one stays.
  EXPECT_EQ(derivativesAt("d_relu(1)", {-1}, NAN), (std::vector<float>{0}));
  for (const char *op : {"d_relu(1)", "d_sigmoid(1)", "d_tanh(1)", "d_gelu(1)", "d_silu(1)", "d_elu(1,1)"})
    EXPECT_TRUE(std::isnan(derivativesAt(op, {0.5f}, NAN)[0])) << op;
  for (const char *op : {"d_sigmoid(1)", "d_tanh(1)", "d_gelu(1)", "d_silu(1)", "d_hardswish(1)"})
    EXPECT_TRUE(std::isnan(derivativesAt(op, {NAN})[0])) << op;
}

TEST(TrainingEpilogues, ScaleAndNormGradient) {
  std::mt19937 random(32);
  for (Isa isa : isasHere())
    for (int c : {2, 21}) {
      MemoryKernel kernel("pointwise" + field("c", c) + field("in", c) + field("out", c) +
                              " +scale +norm_grad(" + std::to_string(c + 1) + ") : f32",
                          isa);
      if (!kernel)
        continue;
      const Extents e{c, 19, 2, 2};
      Activation<float> dy(e, c, NAN), x(e, c + 1, NAN);
      for (auto *t : {&dy, &x})
        t->fill([&] { return uniform(random, -1, 1); });
      std::vector<Buffer<float>> v;
      for (int i = 0; i < 4; i++) {
        v.emplace_back(std::vector<int>{paddedChannels(c)});
        v[i].for_each_value([&](float &at) { at = uniform(random, -2, 2); });
      }
      Worst worst;
      Buffer<double> want(std::vector<int>{e.c, e.w, e.h, e.n});
      want.for_each_element([&](int ch, int px, int py, int n) {
        want(ch, px, py, n) = double(dy.view(ch, px, py, n)) * v[0](ch) * v[1](ch) +
                              double(x.view(ch, px, py, n)) * v[2](ch) + v[3](ch);
      });
      kernel.run({dy.view, v[0], x.view, v[1], v[2], v[3]}, {dy.view}); // in place
      want.for_each_element(
          [&](int ch, int px, int py, int n) { worst.add(dy.view(ch, px, py, n), want(ch, px, py, n)); });
      EXPECT_LE(worst.relative(), 1e-6) << c << " " << name(isa);
      EXPECT_EQ(dy.damaged(), 0);
    }
}

TEST(TrainingEpilogues, Dropout) {
  std::mt19937 random(33);
  for (Isa isa : isasHere())
    for (int c : {1, 3, 21, 64})
      for (double rate : {0.0, 0.1, 0.5}) {
        if (skipped(isa, random))
          continue;
        const uint32_t site = 4000000000u + c;
        MemoryKernel kernel("pointwise" + field("c", c) + field("in", c + 1) + field("out", c) + " +drop(" +
                                std::to_string(site) + "," + std::to_string(rate) + ") : f32",
                            isa);
        if (!kernel)
          continue;
        const Extents e{c, 23, 5, 3};
        Activation<float> x(e, c + 1, NAN), y(e, c, 77.f);
        x.view.for_each_value([](float &v) { v = 1; });
        Buffer<int32_t> seed(std::vector<int>{2});
        seed(0) = -5, seed(1) = 77;
        kernel.run({x.view, seed}, {y.view});
        int wrong = 0, dropped = 0;
        y.view.for_each_element([&](int ch, int px, int py, int n) {
          const uint32_t index = ((n * e.h + py) * e.w + px) * e.c + ch;
          const bool gone = hg::uniform(uint32_t(-5), 77, site, index) < float(rate);
          dropped += gone;
          wrong += y.view(ch, px, py, n) != (gone ? 0.f : float(1 / (1 - rate)));
        });
        EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa);
        const double count = double(e.c) * e.w * e.h * e.n;
        EXPECT_NEAR(dropped / count, rate, 4 * std::sqrt(rate * (1 - rate) / count));
      }
}

TEST(TrainingEpilogues, DropoutOnlyWherePixelsCanBeCounted) {
  const KernelSpec spec = parseSpec("upsample c8 in8 out8 mode=nearest align0 +drop(1,0.5) : f32");
  const JitKernel kernel(spec, std::get<Schedule>(chooseSchedule(spec, Isa::Portable)), Isa::Portable);
  EXPECT_NE(kernel.error.find("+drop goes with pointwise only"), std::string::npos) << kernel.error;
}

} // namespace
} // namespace segc::schedules
