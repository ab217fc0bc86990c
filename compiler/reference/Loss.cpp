/// \file Losses straight from the formulas of docs/model-format.md: the judge of the sums and gradients that
/// training computes with (LossGradient.cpp).
// SPDX-License-Identifier: MIT
#include "compiler/reference/Loss.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cmath>
#include <vector>

using namespace mlir;

namespace segc::reference {

/// "3", "0.5", "nan"
static std::string text(double number) {
  std::string printed;
  llvm::raw_string_ostream(printed) << llvm::format("%g", number);
  return printed;
}

LogicalResult checkLabels(Operation *op, const LossFields &fields, const Tensor &x, const Tensor &target) {
  int64_t classes = x.shape[1], width = target.shape[3], plane = target.planeSize();
  if (!hg::isLabelLoss(fields.kind) || classes == 1)
    return success();
  for (size_t at = 0; at < target.data.size(); ++at) {
    double label = target.data[at];
    if (!fields.counts(label) || (label == std::floor(label) && label >= 0 && label < double(classes)))
      continue;
    int64_t n = static_cast<int64_t>(at) / plane, pixel = static_cast<int64_t>(at) % plane;
    return op->emitOpError() << "the target at image " << n << ", row " << pixel / width << ", column "
                             << pixel % width << " is " << text(label) << "; labels of " << classes
                             << " classes lie in [0, " << classes << "), ignored pixels are "
                             << text(fields.ignoreIndex);
  }
  return success();
}

namespace {

/// log p and log(1 - p) of p = 1 / (1 + exp(-x)); exact far from 0 too.
double logSigmoid(double x) { return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)); }
double logOneMinusSigmoid(double x) { return logSigmoid(-x); }

/// The tensors of a loss, pixel by pixel.
struct Scene {
  const Tensor &x, &target;
  const Tensor *weights;
  const LossFields &fields;

  int64_t classes() const { return x.shape[1]; }
  double weight(int64_t n, int64_t i) const { return weights ? weights->plane(n, 0)[i] : 1; }
  double logit(int64_t n, int64_t c, int64_t i) const { return x.plane(n, c)[i]; }
  double label(int64_t n, int64_t i) const { return target.plane(n, 0)[i]; }
  /// log of the sum of the exponentials of a pixel.
  double logSum(int64_t n, int64_t i) const {
    double largest = logit(n, 0, i), sum = 0;
    for (int64_t c = 1; c < classes(); ++c)
      largest = std::max(largest, logit(n, c, i));
    for (int64_t c = 0; c < classes(); ++c)
      sum += std::exp(logit(n, c, i) - largest);
    return largest + std::log(sum);
  }
  /// log of the softmax.
  double logProbability(int64_t n, int64_t c, int64_t i) const { return logit(n, c, i) - logSum(n, i); }
  template <typename PixelT> void forEachPixel(PixelT pixel) const {
    for (int64_t n = 0; n < x.shape[0]; ++n)
      for (int64_t i = 0; i < x.planeSize(); ++i)
        pixel(n, i);
  }
};

/// Weighted terms, and their mean or sum.
struct Terms {
  double sum = 0, weight = 0;
  void add(double w, double term) {
    sum += w * term;
    weight += w;
  }
  double result(bool mean) const { return !mean ? sum : weight == 0 ? 0 : sum / weight; }
};

double crossEntropy(const Scene &scene) {
  Terms terms;
  scene.forEachPixel([&](int64_t n, int64_t i) {
    if (!scene.fields.counts(scene.label(n, i)))
      return;
    auto y = static_cast<int64_t>(scene.label(n, i));
    terms.add(scene.weight(n, i) * scene.fields.classWeight(y), -scene.logProbability(n, y, i));
  });
  return terms.result(scene.fields.mean);
}

double focal(const Scene &scene) {
  Terms terms;
  double gamma = scene.fields.gamma;
  scene.forEachPixel([&](int64_t n, int64_t i) {
    if (!scene.fields.counts(scene.label(n, i)))
      return;
    double logP, alpha;
    if (scene.classes() == 1) {
      bool positive = scene.label(n, i) == 1;
      double x = scene.logit(n, 0, i);
      logP = positive ? logSigmoid(x) : logOneMinusSigmoid(x);
      alpha = positive ? scene.fields.alphaOf(0) : 1 - scene.fields.alphaOf(0);
    } else {
      auto y = static_cast<int64_t>(scene.label(n, i));
      logP = scene.logProbability(n, y, i);
      alpha = scene.fields.alphaOf(y);
    }
    terms.add(scene.weight(n, i), -alpha * std::pow(-std::expm1(logP), gamma) * logP);
  });
  return terms.result(scene.fields.mean);
}

/// Calls `element(n, c, i, target)` for what counts.
template <typename ElementT> void forEachElement(const Scene &scene, ElementT element) {
  for (int64_t c = 0; c < scene.classes(); ++c)
    scene.forEachPixel([&](int64_t n, int64_t i) {
      if (double y = scene.target.plane(n, c)[i]; scene.fields.counts(y))
        element(n, c, i, y);
    });
}

double binaryCrossEntropy(const Scene &scene) {
  double positives = 0, negatives = 0;
  forEachElement(scene, [&](int64_t, int64_t, int64_t, double y) {
    positives += y;
    negatives += 1 - y;
  });
  double factor =
      scene.fields.balanced ? std::max(1.0, negatives) / std::max(1.0, positives) : scene.fields.posWeight;
  Terms terms;
  forEachElement(scene, [&](int64_t n, int64_t c, int64_t i, double y) {
    double x = scene.logit(n, c, i);
    terms.add(scene.weight(n, i), -factor * y * logSigmoid(x) - (1 - y) * logOneMinusSigmoid(x));
  });
  return terms.result(scene.fields.mean);
}

double regression(const Scene &scene) {
  Terms terms;
  double beta = scene.fields.beta;
  forEachElement(scene, [&](int64_t n, int64_t c, int64_t i, double y) {
    double distance = std::fabs(scene.logit(n, c, i) - y);
    double term = scene.fields.kind == "score"                          ? -scene.logit(n, c, i) * y
                  : scene.fields.kind == "mse"                          ? distance * distance
                  : scene.fields.kind == "smooth_l1" && distance < beta ? distance * distance / (2 * beta)
                  : scene.fields.kind == "smooth_l1"                    ? distance - beta / 2
                                                                        : distance;
    terms.add(scene.weight(n, i), term);
  });
  return terms.result(scene.fields.mean);
}

/// dice or soft_iou of images [first, last).
double overlap(const Scene &scene, int64_t first, int64_t last) {
  double eps = scene.fields.eps, ratios = 0;
  std::vector<double> logSums; // of each pixel, once for all classes
  for (int64_t n = first; n < last; ++n)
    for (int64_t i = 0; i < scene.x.planeSize(); ++i)
      logSums.push_back(scene.logSum(n, i));
  for (int64_t c = 0; c < scene.classes(); ++c) {
    double both = 0, predicted = 0, wanted = 0;
    for (int64_t n = first; n < last; ++n)
      for (int64_t i = 0; i < scene.x.planeSize(); ++i) {
        double label = scene.label(n, i), w = scene.weight(n, i);
        if (!scene.fields.counts(label))
          continue;
        double x = scene.logit(n, c, i), logSum = logSums[(n - first) * scene.x.planeSize() + i],
               p = std::exp(scene.classes() == 1 ? logSigmoid(x) : x - logSum);
        bool y = label == (scene.classes() == 1 ? 1 : static_cast<double>(c));
        both += w * p * y;
        predicted += w * p;
        wanted += w * y;
      }
    double numerator = (scene.fields.kind == "dice" ? 2 * both : both) + eps;
    double denominator = predicted + wanted + eps - (scene.fields.kind == "dice" ? 0 : both);
    ratios += denominator == 0 ? 1 : numerator / denominator; // nothing there, nothing found: a full match
  }
  return 1 - ratios / static_cast<double>(scene.classes());
}

double overlap(const Scene &scene) {
  int64_t images = scene.x.shape[0];
  if (!scene.fields.perImage)
    return overlap(scene, 0, images);
  double sum = 0;
  for (int64_t n = 0; n < images; ++n)
    sum += overlap(scene, n, n + 1);
  return scene.fields.mean ? sum / static_cast<double>(images) : sum;
}

} // namespace

static LogicalResult evaluateLoss(hg::LossOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  LossFields fields(op);
  if (failed(checkLabels(op, fields, operands[0], operands[1])))
    return failure();
  Scene scene{operands[0], operands[1], op.getPixelWeight() ? &operands[2] : nullptr, fields};
  results[0].data[0] = fields.kind == "cross_entropy"                       ? crossEntropy(scene)
                       : fields.kind == "bce"                               ? binaryCrossEntropy(scene)
                       : fields.kind == "focal"                             ? focal(scene)
                       : fields.kind == "dice" || fields.kind == "soft_iou" ? overlap(scene)
                                                                            : regression(scene);
  return success();
}

static void evaluateTotalLoss(hg::TotalLossOp op, ArrayRef<Tensor> operands,
                              MutableArrayRef<Tensor> results) {
  for (size_t i = 0; i < operands.size(); ++i) {
    results[0].data[0] += op.getWeights()[i] * operands[i].data[0];
    results[0].data[1 + i] = operands[i].data[0];
  }
}

void enterLossOps(EvaluatorTable &table) {
  enter<evaluateLoss>(table);
  enter<evaluateTotalLoss>(table);
}

} // namespace segc::reference
