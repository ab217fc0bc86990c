/// \file Losses in plain double precision, pixel by pixel: the formulas of docs/model-format.md.
// SPDX-License-Identifier: MIT
#pragma once
#include "test/unit/schedule_training_support.h"
#include <algorithm>
#include <functional>

namespace segc::schedules {

/// One loss as a problem's words say it, and random tensors for it.
struct TestLoss {
  std::string kind;
  int c;
  bool pixelWeights = false;
  std::vector<double> cw = {}, alpha = {0.25};
  double gamma = 2, beta = 1, ignore = 255;
  bool ignores = true;

  bool labels() const {
    return kind == "cross_entropy" || kind == "focal" || kind == "dice" || kind == "soft_iou";
  }
  bool overlap() const { return kind == "dice" || kind == "soft_iou"; }
  bool counts(double target) const { return !ignores || target != ignore; }
  int columns() const { return kind == "bce" ? 5 : overlap() ? 3 : 2; }

  static std::string list(const std::vector<double> &values) {
    std::string text;
    for (double v : values)
      text += (text.empty() ? "" : "/") + std::to_string(v);
    return text;
  }
  std::string words() const {
    std::string text = ignores ? " ignore=" + std::to_string(int(ignore)) : "";
    if (!cw.empty())
      text += " cw=" + list(cw);
    if (kind == "focal")
      text += " alpha=" + list(alpha) + " gamma=" + std::to_string(gamma);
    if (kind == "smooth_l1")
      text += " beta=" + std::to_string(beta);
    return text;
  }
};

inline double softplus(double v) { return std::max(v, 0.) + std::log1p(std::exp(-std::fabs(v))); }

/// log p of every class of a pixel, and log(1 - p), exact at both ends.
struct Probabilities {
  std::vector<double> logP, logQ;
  explicit Probabilities(const std::vector<double> &logits) {
    if (logits.size() == 1) {
      logP = {-softplus(-logits[0])};
      logQ = {-softplus(logits[0])};
      return;
    }
    // One largest logit stands apart: next to 1 its p is 1 - q, and q a sum of the others.
    const size_t first = std::max_element(logits.begin(), logits.end()) - logits.begin();
    double others = 0;
    for (size_t c = 0; c < logits.size(); c++)
      others += c == first ? 0 : std::exp(logits[c] - logits[first]);
    for (size_t c = 0; c < logits.size(); c++) {
      logP.push_back(logits[c] - logits[first] - std::log1p(others));
      logQ.push_back(c == first ? std::log(others / (1 + others)) : std::log1p(-std::exp(logP[c])));
    }
    for (double v : logits)
      if (std::isnan(v))
        std::fill(logP.begin(), logP.end(), NAN);
  }
};

/// The term of cross_entropy or focal for a pixel that counts.
inline double labelTerm(const TestLoss &loss, const std::vector<double> &logits, double target) {
  const Probabilities p(logits);
  double logP, logQ, alpha = 1;
  if (loss.c == 1) {
    logP = target == 1 ? p.logP[0] : p.logQ[0];
    logQ = target == 1 ? p.logQ[0] : p.logP[0];
    alpha = target == 1 ? loss.alpha[0] : 1 - loss.alpha[0];
  } else {
    logP = p.logP[int(target)];
    logQ = p.logQ[int(target)];
    alpha = loss.alpha[loss.alpha.size() > 1 ? int(target) : 0];
  }
  return loss.kind == "cross_entropy" ? -logP : -alpha * std::exp(loss.gamma * logQ) * logP;
}

/// The term of mse, l1, smooth_l1 or score.
inline double distanceTerm(const TestLoss &loss, double x, double target) {
  if (loss.kind == "score")
    return -x * target;
  const double d = std::fabs(x - target);
  if (loss.kind == "mse")
    return d * d;
  return loss.kind == "smooth_l1" && d < loss.beta ? d * d / (2 * loss.beta)
         : loss.kind == "smooth_l1"                ? d - loss.beta / 2
                                                   : d;
}

/// What finish_loss makes of the sums is a linear function of these to the gradient: this is the part of one
/// pixel of that function, whose derivatives by the logits are dx. `k` are the coefficients.
inline double pixelPart(const TestLoss &loss, const std::vector<double> &logits,
                        const std::vector<double> &targets, double weight, const std::vector<double> &k) {
  double part = 0;
  if (loss.overlap()) {
    const Probabilities p(logits);
    for (int c = 0; c < loss.c; c++)
      part += ((targets[0] == (loss.c == 1 ? 1 : c)) * k[c] + k[loss.c + c]) * std::exp(p.logP[c]);
    return loss.counts(targets[0]) ? weight * part : 0;
  }
  if (loss.labels()) {
    const double cw = loss.cw.empty() || !loss.counts(targets[0]) ? 1 : loss.cw[int(targets[0])];
    return loss.counts(targets[0]) ? k[0] * weight * cw * labelTerm(loss, logits, targets[0]) : 0;
  }
  for (int c = 0; c < loss.c; c++)
    if (loss.counts(targets[c]))
      part += loss.kind == "bce" ? weight * (k[0] * targets[c] * softplus(-logits[c]) +
                                             k[1] * (1 - targets[c]) * softplus(logits[c]))
                                 : k[0] * weight * distanceTerm(loss, logits[c], targets[c]);
  return part;
}

/// The tensors of one run.
struct LossTensors {
  Extents e;
  Activation<float> x, target, weights;

  LossTensors(const TestLoss &loss, Extents e, int in, int t, int pw, std::mt19937 &random, float range)
      : e(e), x(e, in, NAN), target({loss.labels() ? 1 : loss.c, e.w, e.h, e.n}, t, NAN),
        weights({1, e.w, e.h, e.n}, pw, NAN) {
    x.fill([&] { return uniform(random, -range, range); });
    target.fill([&] {
      if (loss.ignores && random() % 5 == 0)
        return float(loss.ignore);
      return loss.labels()        ? float(random() % (loss.c == 1 ? 2 : loss.c))
             : loss.kind == "bce" ? (random() % 2 ? float(random() % 2) : uniform(random, 0, 1))
                                  : uniform(random, -2, 2);
    });
    weights.fill([&] { return random() % 4 ? uniform(random, 0, 3) : 0.f; });
  }
  std::vector<double> logits(int px, int py, int n) const {
    std::vector<double> all;
    for (int c = 0; c < x.view.dim(0).extent(); c++)
      all.push_back(x.view(c, px, py, n));
    return all;
  }
  std::vector<double> targets(int px, int py, int n) const {
    std::vector<double> all;
    for (int c = 0; c < target.view.dim(0).extent(); c++)
      all.push_back(target.view(c, px, py, n));
    return all;
  }
  std::vector<Halide::Buffer<>> inputs(bool pixelWeights) const {
    std::vector<Halide::Buffer<>> all = {x.view, target.view};
    if (pixelWeights)
      all.push_back(weights.view);
    return all;
  }
  void forEachPixel(const std::function<void(int, int, int)> &pixel) const {
    for (int n = 0; n < e.n; n++)
      for (int py = 0; py < e.h; py++)
        for (int px = 0; px < e.w; px++)
          pixel(px, py, n);
  }
};

/// Losses over all kinds and numbers of channels, with and without weights.
inline std::vector<TestLoss> testLosses() {
  std::vector<TestLoss> all;
  auto add = [&](const std::string &kind, int c, bool weights) -> TestLoss & {
    TestLoss loss{kind, c};
    loss.pixelWeights = weights;
    loss.ignores = kind != "mse" && kind != "l1" && kind != "smooth_l1" && kind != "score";
    all.push_back(loss);
    return all.back();
  };
  for (int c : {2, 3, 7, 8, 21, 150}) {
    add("cross_entropy", c, c % 2).cw =
        c == 3 || c == 21 ? std::vector<double>(c, 0.5) : std::vector<double>();
    if (!all.back().cw.empty())
      all.back().cw[1] = 2, all.back().cw[2] = 0;
    TestLoss &focal = add("focal", c, c % 2 == 0);
    focal.gamma = c == 2 ? 0.5 : c == 3 ? 0 : c == 7 ? 1 : c == 8 ? 1.7 : 2;
    if (c == 21)
      for (int i = 0; i < 20; i++)
        focal.alpha.push_back(0.1 * i);
    add(c % 2 ? "dice" : "soft_iou", c, c % 3 == 0);
  }
  for (double gamma : {0., 0.5, 2., 3.})
    add("focal", 1, gamma == 2).gamma = gamma;
  add("dice", 1, true).ignore = -100;
  for (int c : {1, 2, 21, 150}) {
    add("bce", c, c != 2);
    add("mse", c, c == 2);
    add("l1", c, c == 21);
    add("score", c, c == 1);
    add("smooth_l1", c, true).beta = c == 1 ? 0 : 0.7;
  }
  return all;
}

} // namespace segc::schedules
