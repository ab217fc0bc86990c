/// \file The kernels of the losses against loops in double: sums, gradients as difference quotients, ends of
/// the range.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_training_loss_support.h"
#include <map>
#include <memory>

using namespace Halide;

namespace segc::schedules {
namespace {

const Extents kSizes[] = {{0, 1, 1, 1}, {0, 5, 3, 2}, {0, 37, 2, 1}, {0, 16, 35, 2}};

/// The wanted sums (c, k, b, n).
Buffer<double> sumsOf(const TestLoss &loss, const LossTensors &t) {
  Buffer<double> sums(
      std::vector<int>{loss.overlap() ? loss.c : 1, loss.columns(), std::min(t.e.h, 32), t.e.n});
  sums.fill(0.0);
  t.forEachPixel([&](int px, int py, int n) {
    const std::vector<double> logits = t.logits(px, py, n), targets = t.targets(px, py, n);
    const double w = loss.pixelWeights ? t.weights.view(0, px, py, n) : 1;
    const int b = bandOf(py, t.e.h);
    auto add = [&](int c, int k, double v) { sums(c, k, b, n) += v; };
    if (loss.overlap()) {
      if (!loss.counts(targets[0]))
        return;
      const Probabilities p(logits);
      for (int c = 0; c < loss.c; c++) {
        const double y = targets[0] == (loss.c == 1 ? 1 : c), v = w * std::exp(p.logP[c]);
        add(c, 0, v * y), add(c, 1, v), add(c, 2, w * y);
      }
    } else if (loss.labels()) {
      if (!loss.counts(targets[0]))
        return;
      const double all = w * (loss.cw.empty() ? 1 : loss.cw[int(targets[0])]);
      add(0, 0, all * labelTerm(loss, logits, targets[0])), add(0, 1, all);
    } else
      for (int c = 0; c < loss.c; c++) {
        const double y = targets[c];
        if (!loss.counts(y))
          continue;
        if (loss.kind == "bce") {
          add(0, 0, w * y * softplus(-logits[c])), add(0, 1, w * (1 - y) * softplus(logits[c]));
          add(0, 2, w), add(0, 3, y), add(0, 4, 1 - y);
        } else
          add(0, 0, w * distanceTerm(loss, logits[c], y)), add(0, 1, w);
      }
  });
  return sums;
}

struct Problem {
  int in, t, pw, out;
  std::string sums, gradient;
  Problem(const TestLoss &loss, std::mt19937 &random)
      : in(loss.c + random() % 3), t((loss.labels() ? 1 : loss.c) + random() % 3), pw(1 + random() % 2),
        out(loss.c + random() % 3) {
    const std::string common = " kind=" + loss.kind + field("c", loss.c) + field("in", in) + field("t", t) +
                               field("pw", loss.pixelWeights ? pw : 0);
    sums = "loss_sums" + common + field("out", loss.overlap() ? loss.c : 1) + loss.words() + " : f32";
    gradient = "loss_grad" + common + field("out", out) + field("per_image", loss.overlap()) + loss.words() +
               " : f32";
  }
};

TEST(LossSums, AgainstLoops) {
  std::mt19937 random(61);
  for (Isa isa : isasHere())
    for (const TestLoss &loss : testLosses()) {
      if (skipped(isa, random))
        continue;
      const Problem problem(loss, random);
      MemoryKernel kernel(problem.sums, isa);
      if (!kernel)
        continue;
      for (Extents e : kSizes)
        for (float range : {2.f, 40.f}) {
          e.c = loss.c;
          const LossTensors tensors(loss, e, problem.in, problem.t, problem.pw, random, range);
          Sums sums(loss.overlap() ? loss.c : 1, loss.columns(), e.h, e.n);
          const std::vector<Buffer<>> inputs = tensors.inputs(loss.pixelWeights);
          if (range < 10)
            EXPECT_TRUE(sameForAnyThreads(kernel, inputs, {sums.view})) << problem.sums;
          else
            kernel.run(inputs, {sums.view});
          const Buffer<double> want = sumsOf(loss, tensors);
          std::vector<Worst> worst(loss.columns());
          want.for_each_element(
              [&](int c, int k, int b, int n) { worst[k].add(sums.view(c, k, b, n), want(c, k, b, n)); });
          for (int k = 0; k < loss.columns(); k++)
            EXPECT_LE(worst[k].relative(), 2e-6) << problem.sums << " " << name(isa) << " column " << k << " "
                                                 << e.h << "x" << e.w << " " << range;
          EXPECT_EQ(sums.damaged(), 0) << problem.sums << " " << name(isa);
        }
    }
}

/// dx by difference quotients of pixelPart, in double.
Buffer<double> gradientOf(const TestLoss &loss, const LossTensors &t, const Buffer<float> &coefficients) {
  Buffer<double> dx(std::vector<int>{loss.c, t.e.w, t.e.h, t.e.n});
  t.forEachPixel([&](int px, int py, int n) {
    std::vector<double> logits = t.logits(px, py, n), k;
    const std::vector<double> targets = t.targets(px, py, n);
    for (int i = 0; i < coefficients.dim(0).extent(); i++)
      k.push_back(coefficients(i, 0, 0, std::min(n, coefficients.dim(3).extent() - 1)));
    const double w = loss.pixelWeights ? t.weights.view(0, px, py, n) : 1, h = 1e-5;
    for (int c = 0; c < loss.c; c++) {
      const double at = logits[c];
      logits[c] = at + h;
      const double above = pixelPart(loss, logits, targets, w, k);
      logits[c] = at - h;
      dx(c, px, py, n) = (above - pixelPart(loss, logits, targets, w, k)) / (2 * h);
      logits[c] = at;
    }
  });
  return dx;
}

TEST(LossGradients, AgainstDifferences) {
  std::mt19937 random(62);
  for (Isa isa : isasHere())
    for (const TestLoss &loss : testLosses()) {
      if (skipped(isa, random))
        continue;
      const Problem problem(loss, random);
      MemoryKernel kernel(problem.gradient, isa);
      if (!kernel)
        continue;
      for (Extents e : {Extents{0, 1, 1, 1}, loss.c > 100 ? Extents{0, 5, 2, 1} : Extents{0, 19, 3, 2}})
        for (float range : {2.f, 40.f}) {
          e.c = loss.c;
          const LossTensors tensors(loss, e, problem.in, problem.t, problem.pw, random, range);
          const int count = loss.overlap() ? 2 * loss.c : loss.kind == "bce" ? 2 : 1;
          Activation<float> coefficients({count, 1, 1, loss.overlap() ? e.n : 1}, count, NAN);
          coefficients.fill([&] { return uniform(random, 0.5f, 2); });
          Activation<float> dx(e, problem.out, 77.f);
          std::vector<Buffer<>> inputs = tensors.inputs(loss.pixelWeights);
          inputs.push_back(coefficients.view);
          EXPECT_TRUE(sameForAnyThreads(kernel, inputs, {dx.view})) << problem.gradient;
          const Buffer<double> want = gradientOf(loss, tensors, coefficients.view);
          // What difference quotients see; of a pixel that is sure, f32 leaves a difference of g and its
          // mean.
          Worst worst(loss.overlap() ? 1e-2 : 1e-4);
          want.for_each_element([&](int c, int x, int y, int n) {
            const bool kink = loss.kind == "l1" || (loss.kind == "smooth_l1" && loss.beta == 0);
            if (!kink || std::fabs(tensors.x.view(c, x, y, n) - tensors.target.view(c, x, y, n)) > 1e-3)
              worst.add(dx.view(c, x, y, n), want(c, x, y, n));
          });
          EXPECT_LE(worst.relative(), 1e-5)
              << problem.gradient << " " << name(isa) << " " << e.w << " " << range;
          EXPECT_EQ(dx.damaged(), 0) << problem.gradient << " " << name(isa);
        }
    }
}

/// Loss and gradient of one pixel with these logits, by kernels; k = 1.
struct OnePixel {
  double term, weight;
  std::vector<float> dx;
};
MemoryKernel &kernelOf(const std::string &problem) {
  static std::map<std::string, std::unique_ptr<MemoryKernel>> kernels;
  auto &kernel = kernels[problem];
  if (!kernel)
    kernel = std::make_unique<MemoryKernel>(problem, isasHere().front());
  return *kernel;
}
OnePixel onePixel(const std::string &words, const std::vector<float> &logits,
                  const std::vector<float> &target) {
  const int c = int(logits.size()), t = int(target.size());
  const std::string fields =
      words.substr(0, words.find(' ')) + field("c", c) + field("in", c) + field("t", t) + " pw0";
  const std::string rest = words.substr(words.find(' ')) + " : f32";
  MemoryKernel &sums = kernelOf("loss_sums kind=" + fields + " out1" + rest);
  MemoryKernel &gradient = kernelOf("loss_grad kind=" + fields + field("out", c) + " per_image0" + rest);
  const bool bce = fields.compare(0, 3, "bce") == 0;
  Activation<float> x({c, 1, 1, 1}, c, NAN), y({t, 1, 1, 1}, t, NAN), k({1 + bce, 1, 1, 1}, 1 + bce, NAN),
      dx({c, 1, 1, 1}, c, 77.f);
  Sums partial(1, bce ? 5 : 2, 1, 1);
  k.view.fill(1.f);
  for (int i = 0; i < c; i++)
    x.view(i, 0, 0, 0) = logits[i];
  for (int i = 0; i < t; i++)
    y.view(i, 0, 0, 0) = target[i];
  sums.run({x.view, y.view}, {partial.view});
  gradient.run({x.view, y.view, k.view}, {dx.view});
  OnePixel found{partial.view(0, 0, 0, 0) + (bce ? partial.view(0, 1, 0, 0) : 0),
                 partial.view(0, bce ? 2 : 1, 0, 0),
                 {}};
  for (int i = 0; i < c; i++)
    found.dx.push_back(dx.view(i, 0, 0, 0));
  return found;
}

std::vector<float> spread(int c, float label, float others) {
  std::vector<float> logits(c, others);
  logits[1] = label;
  return logits;
}

TEST(LossGradients, ExtremeLogits) {
  for (int c : {2, 21}) {
    for (float size : {1e4f, 1e30f}) {
      OnePixel wrong = onePixel("cross_entropy ignore=255", spread(c, -size, size), {1});
      EXPECT_FLOAT_EQ(wrong.term, 2. * size + (size < 1e5f ? std::log(c - 1.) : 0)) << c;
      EXPECT_FLOAT_EQ(wrong.dx[1], -1);
      EXPECT_FLOAT_EQ(wrong.dx[0], 1.f / (c - 1));
      OnePixel right = onePixel("cross_entropy ignore=255", spread(c, size, -size), {1});
      EXPECT_EQ(right.term, 0);
      EXPECT_EQ(right.dx, std::vector<float>(c, 0.f));
      for (const char *gamma : {"0", "0.5", "1", "2"}) {
        const std::string focal = std::string("focal ignore=255 alpha=1 gamma=") + gamma;
        wrong = onePixel(focal, spread(c, -size, size), {1});
        EXPECT_FLOAT_EQ(wrong.term, 2. * size + (size < 1e5f ? std::log(c - 1.) : 0)) << c << focal;
        EXPECT_FLOAT_EQ(wrong.dx[1], -1) << focal;
        right = onePixel(focal, spread(c, size, -size), {1});
        EXPECT_EQ(right.term, 0) << focal;
        EXPECT_EQ(right.dx, std::vector<float>(c, 0.f)) << focal;
      }
    }
    // Small terms keep their digits: log p = -log(1 + 20 exp(-18)).
    const double rest = (c - 1) * std::exp(-18.);
    OnePixel sure = onePixel("cross_entropy ignore=255", spread(c, 9, -9), {1});
    EXPECT_NEAR(sure.term / std::log1p(rest), 1, 1e-6);
    EXPECT_NEAR(sure.dx[1] / (rest / (1 + rest)), -1, 1e-6);
  }
  for (float y : {0.f, 1.f})
    for (float size : {1e4f, 1e30f, INFINITY}) {
      const float towards = y ? size : -size;
      OnePixel right = onePixel("bce ignore=255", {towards}, {y}),
               wrong = onePixel("bce ignore=255", {-towards}, {y});
      EXPECT_EQ(right.term, 0);
      EXPECT_EQ(right.dx[0], 0);
      EXPECT_FLOAT_EQ(wrong.term, size);
      EXPECT_FLOAT_EQ(wrong.dx[0], y ? -1 : 1);
      for (const char *gamma : {"0", "0.5", "2"}) {
        const std::string focal = std::string("focal ignore=255 alpha=0.5 gamma=") + gamma;
        right = onePixel(focal, {towards}, {y}), wrong = onePixel(focal, {-towards}, {y});
        EXPECT_EQ(right.term, 0) << focal;
        EXPECT_EQ(right.dx[0], 0) << focal;
        EXPECT_FLOAT_EQ(wrong.term, 0.5f * size) << focal;
        EXPECT_FLOAT_EQ(wrong.dx[0], y ? -0.5f : 0.5f) << focal;
      }
    }
}

TEST(LossGradients, NanCountsUnlessIgnored) {
  for (const char *loss : {"cross_entropy ignore=255", "focal ignore=255 gamma=0", "bce ignore=255"})
    for (int c : {1, 2, 21}) {
      if (c == 1 && loss[0] == 'c')
        continue;
      const bool bce = loss[0] == 'b';
      std::vector<float> logits(c, 0.5f), target(bce ? c : 1, 0.f);
      logits[c / 2] = NAN;
      const OnePixel found = onePixel(loss, logits, target);
      EXPECT_TRUE(std::isnan(found.term)) << loss << c;
      for (int i = 0; i < c; i++)
        EXPECT_EQ(std::isnan(found.dx[i]), !bce || i == c / 2) << loss << c;
      std::fill(target.begin(), target.end(), 255.f);
      const OnePixel ignored = onePixel(loss, logits, target);
      EXPECT_TRUE(ignored.term == 0 && ignored.weight == 0) << loss << c;
      EXPECT_EQ(ignored.dx, std::vector<float>(c, 0.f)) << loss << c;
    }
  for (const char *loss : {"mse ", "l1 ", "smooth_l1 beta=0.5"}) {
    EXPECT_TRUE(std::isnan(onePixel(loss, {NAN}, {1}).term)) << loss;
    EXPECT_TRUE(std::isnan(onePixel(loss, {NAN}, {1}).dx[0])) << loss;
    EXPECT_EQ(onePixel(loss, {255}, {255}).weight, 1) << loss; // 255 is a measurement
    EXPECT_EQ(onePixel(loss, {2}, {2}).dx[0], 0) << loss;
  }
}

TEST(LossGradients, RefusesWhatDoesNotFit) {
  for (const char *text : {"loss_sums kind=cross_entropy c3 in3 t1 pw0 out1 cw=1/2 : f32",
                           "loss_sums kind=cross_entropy c1 in1 t1 pw0 out1 : f32",
                           "loss_sums kind=focal c3 in3 t1 pw0 out1 alpha=1/2 : f32",
                           "loss_sums kind=focal c3 in3 t1 pw0 out1 gamma=-1 : f32",
                           "loss_sums kind=dice c3 in3 t1 pw0 out1 : f32",
                           "loss_grad kind=focal c3 in3 t1 pw0 out3 per_image0 gamma=-1 : f32",
                           "finish_loss kind=mse c1 in1 reduction=mean per_image1 scale=1 : f32",
                           "total_loss n3 weights=1/2 : f32"})
    EXPECT_EQ(chooseSchedule(parseSpec(text), Isa::Avx2).index(), 1u) << text;
}

} // namespace
} // namespace segc::schedules
