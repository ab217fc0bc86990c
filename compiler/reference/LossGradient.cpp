/// \file Losses as they are trained with: sums over bands of pixels, what follows from them, gradients.
///
/// Independent of Loss.cpp but for the fields, so that each can be the judge of the other.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Loss.h"
#include <cmath>

using namespace mlir;

namespace segc::reference {
namespace {

/// log(1 + exp(x)), which is -log(1 - p) of x; softplus(-x) is -log p.
double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// One pixel of a loss: its logits, its label or targets, its weight.
struct Pixel {
  const LossFields &fields;
  const Tensor &x, &target;
  int64_t n, i;
  double weight;
  /// Of a label among several classes: log of the sum of exp(x), and -log of the label's probability.
  double logSum = 0, surprise = 0;

  int64_t channels() const { return x.shape[1]; }
  bool binary() const { return channels() == 1; }
  double logit(int64_t c) const { return x.plane(n, c)[i]; }
  double label() const { return target.plane(n, 0)[i]; }
  /// The target of a channel: its own plane, or 1 where the label names the class.
  double targetOf(int64_t c) const {
    if (!hg::isLabelLoss(fields.kind))
      return target.plane(n, c)[i];
    return label() == (binary() ? 1.0 : static_cast<double>(c));
  }
  bool counts(int64_t c) const {
    return fields.counts(hg::isLabelLoss(fields.kind) ? label() : target.plane(n, c)[i]);
  }
  /// log of the sum of exp(x[c] - x[reference]).
  double logRatioSum(int64_t reference) const {
    double largest = 0, sum = 0;
    for (int64_t c = 0; c < channels(); ++c)
      largest = std::fmax(largest, logit(c) - logit(reference));
    for (int64_t c = 0; c < channels(); ++c)
      sum += std::exp(logit(c) - logit(reference) - largest);
    return largest + std::log(sum);
  }
  double probability(int64_t c) const { return binary() ? sigmoid(logit(0)) : std::exp(logit(c) - logSum); }
};

template <typename PixelT>
void forEachPixel(const LossFields &fields, const Tensor &x, const Tensor &target, const Tensor *weights,
                  PixelT pixel) {
  for (int64_t n = 0; n < x.shape[0]; ++n)
    forEachBand(x.shape[2], [&](int64_t band, int64_t row) {
      for (int64_t i = row * x.shape[3]; i < (row + 1) * x.shape[3]; ++i) {
        Pixel each{fields, x, target, n, i, weights ? weights->plane(n, 0)[i] : 1};
        if (hg::isLabelLoss(fields.kind) && !each.binary() && each.counts(0)) {
          each.logSum = each.logit(0) + each.logRatioSum(0);
          each.surprise = each.logRatioSum(static_cast<int64_t>(each.label()));
        }
        pixel(each, band);
      }
    });
}

//===-- sums --===//

/// What a focal pixel is made of: alpha, -log of the probability of what is right, that of what is wrong.
struct Focus {
  double alpha, surprise, wrong;

  explicit Focus(const Pixel &pixel) {
    auto label = static_cast<int64_t>(pixel.label());
    if (pixel.binary()) {
      bool positive = pixel.label() == 1;
      double towards = positive ? pixel.logit(0) : -pixel.logit(0);
      alpha = positive ? pixel.fields.alphaOf(0) : 1 - pixel.fields.alphaOf(0);
      surprise = softplus(-towards);
      wrong = sigmoid(-towards);
    } else {
      alpha = pixel.fields.alphaOf(label);
      surprise = pixel.surprise;
      wrong = -std::expm1(-surprise);
    }
  }
};

/// The term of channel c for the losses with the sums (w * term, w).
double term(const Pixel &pixel, int64_t c) {
  StringRef kind = pixel.fields.kind;
  if (kind == "cross_entropy")
    return pixel.surprise;
  if (kind == "focal") {
    Focus focus(pixel);
    return focus.alpha * std::pow(focus.wrong, pixel.fields.gamma) * focus.surprise;
  }
  if (kind == "score")
    return -pixel.logit(c) * pixel.targetOf(c);
  double distance = std::fabs(pixel.logit(c) - pixel.targetOf(c));
  if (kind == "mse")
    return distance * distance;
  double beta = pixel.fields.beta;
  return kind == "l1" ? distance : distance < beta ? distance * distance / (2 * beta) : distance - beta / 2;
}

/// Adds what one pixel gives to the columns of its band.
void addPixel(const Pixel &pixel, Tensor &sums, int64_t band) {
  auto columns = [&](int64_t channel) { return sums.plane(pixel.n, channel) + band * sums.shape[3]; };
  double w = pixel.weight;
  if (pixel.fields.kind == "cross_entropy" || pixel.fields.kind == "focal") {
    if (!pixel.counts(0))
      return;
    if (pixel.fields.kind == "cross_entropy")
      w *= pixel.fields.classWeight(static_cast<int64_t>(pixel.label()));
    columns(0)[0] += w * term(pixel, 0);
    columns(0)[1] += w;
    return;
  }
  for (int64_t c = 0; c < pixel.channels(); ++c) {
    if (!pixel.counts(c))
      continue;
    double y = pixel.targetOf(c);
    if (pixel.fields.kind == "bce") {
      double values[] = {w * y * softplus(-pixel.logit(c)), w * (1 - y) * softplus(pixel.logit(c)), w, y,
                         1 - y};
      for (int column = 0; column < 5; ++column)
        columns(0)[column] += values[column];
    } else if (pixel.fields.kind == "dice" || pixel.fields.kind == "soft_iou") {
      double p = pixel.probability(c);
      columns(c)[0] += w * p * y;
      columns(c)[1] += w * p;
      columns(c)[2] += w * y;
    } else {
      columns(0)[0] += w * term(pixel, c);
      columns(0)[1] += w;
    }
  }
}

//===-- finish --===//

/// The sum of a column over the bands of images [first, last).
double total(const Tensor &sums, int64_t first, int64_t last, int64_t channel, int64_t column) {
  double sum = 0;
  for (int64_t n = first; n < last; ++n)
    for (int64_t band = 0; band < sums.shape[2]; ++band)
      sum += sums.plane(n, channel)[band * sums.shape[3] + column];
  return sum;
}

/// dice = 2I / (P + Y), soft_iou = I / (P + Y - I) with I = sum p*y, P = sum p, Y = sum y and eps added above
/// and below: the loss of images [first, last), and its derivatives by I and by P of each class.
double finishOverlap(const LossFields &fields, const Tensor &sums, int64_t first, int64_t last,
                     double *byBoth, double *byPredicted) {
  int64_t classes = sums.shape[1];
  bool dice = fields.kind == "dice";
  double ratios = 0, share = 1 / static_cast<double>(classes);
  for (int64_t c = 0; c < classes; ++c) {
    double both = total(sums, first, last, c, 0), predicted = total(sums, first, last, c, 1),
           wanted = total(sums, first, last, c, 2);
    double above = (dice ? 2 : 1) * both + fields.eps, below = predicted + wanted + fields.eps;
    if (!dice)
      below -= both;
    if (below == 0) { // only for eps = 0: nothing there, nothing found
      ratios += 1;
      byBoth[c] = byPredicted[c] = 0;
      continue;
    }
    ratios += above / below;
    byPredicted[c] = share * above / (below * below);
    byBoth[c] = dice ? -2 * share / below : -share / below - byPredicted[c];
  }
  return 1 - ratios / static_cast<double>(classes);
}

void finishOverlap(const LossFields &fields, const Tensor &sums, double weight, double &loss,
                   Tensor &coefficients) {
  int64_t parts = coefficients.shape[0], images = sums.shape[0] / parts, classes = sums.shape[1];
  double share = fields.mean ? 1 / static_cast<double>(parts) : 1;
  for (int64_t part = 0; part < parts; ++part)
    loss += share * finishOverlap(fields, sums, part * images, (part + 1) * images,
                                  coefficients.plane(part, 0), coefficients.plane(part, classes));
  for (double &coefficient : coefficients.data)
    coefficient *= share * weight;
}

} // namespace

static LogicalResult evaluateLossSums(hg::LossSumsOp op, ArrayRef<Tensor> operands,
                                      MutableArrayRef<Tensor> results) {
  LossFields fields(op);
  if (failed(checkLabels(op, fields, operands[0], operands[1])))
    return failure();
  forEachPixel(fields, operands[0], operands[1], op.getPixelWeight() ? &operands[2] : nullptr,
               [&](const Pixel &pixel, int64_t band) { addPixel(pixel, results[0], band); });
  return success();
}

static LogicalResult evaluateFinishLoss(hg::FinishLossOp op, ArrayRef<Tensor> operands,
                                        MutableArrayRef<Tensor> results) {
  LossFields fields(op);
  const Tensor &sums = operands[0];
  if (sums.shape[3] != hg::lossColumns(fields.kind))
    return op.emitOpError("needs sums of ") << hg::lossColumns(fields.kind) << " columns";
  double weight = op.getWeight().convertToDouble(), &loss = results[0].data[0];
  Tensor &coefficients = results[1];
  if (fields.kind == "dice" || fields.kind == "soft_iou") {
    finishOverlap(fields, sums, weight, loss, coefficients);
    return success();
  }
  auto sum = [&](int64_t column) { return total(sums, 0, sums.shape[0], 0, column); };
  bool binary = fields.kind == "bce";
  double count = sum(binary ? 2 : 1), scale = !fields.mean ? 1 : count == 0 ? 0 : 1 / count;
  if (!binary) {
    loss = scale * sum(0);
    coefficients.data[0] = weight * scale;
    return success();
  }
  double factor = fields.balanced ? std::fmax(1, sum(4)) / std::fmax(1, sum(3)) : fields.posWeight;
  loss = scale * (factor * sum(0) + sum(1));
  coefficients.data[0] = weight * scale * factor;
  coefficients.data[1] = weight * scale;
  return success();
}

//===-- gradients --===//

/// d term / dx[c] for the losses with the sums (w * term, w).
static double derivative(const Pixel &pixel, int64_t c) {
  StringRef kind = pixel.fields.kind;
  if (kind == "cross_entropy")
    return pixel.fields.classWeight(static_cast<int64_t>(pixel.label())) *
           (pixel.probability(c) - pixel.targetOf(c));
  if (kind == "focal") {
    // With q = 1 - p of the right class, L = -alpha q^gamma log p and
    // dL/dp p = alpha (gamma q^(gamma-1) p log p - q^gamma); dp/dx[c] = p ([c is right] - p[c]).
    Focus focus(pixel);
    double gamma = pixel.fields.gamma, right = std::exp(-focus.surprise);
    double slope = focus.wrong == 0 ? 0 : gamma * std::pow(focus.wrong, gamma - 1) * right * focus.surprise;
    double byLogit = -focus.alpha * (slope + std::pow(focus.wrong, gamma));
    if (pixel.binary())
      return byLogit * (pixel.targetOf(0) == 1 ? focus.wrong : -focus.wrong);
    return byLogit * (pixel.targetOf(c) == 1 ? focus.wrong : -pixel.probability(c));
  }
  if (kind == "score")
    return -pixel.targetOf(c);
  double distance = pixel.logit(c) - pixel.targetOf(c), beta = pixel.fields.beta;
  if (kind == "mse")
    return 2 * distance;
  if (kind == "smooth_l1" && std::fabs(distance) < beta)
    return distance / beta;
  return distance > 0 ? 1 : distance < 0 ? -1 : distance; // 0 at 0, NaN stays
}

/// dx of all channels of a pixel for dice and soft_iou: through the softmax, or the sigmoid of one channel.
static void overlapGradient(const Pixel &pixel, const double *byBoth, const double *byPredicted, Tensor &dx) {
  if (!pixel.counts(0))
    return;
  auto byProbability = [&](int64_t c) {
    return pixel.weight * (byBoth[c] * pixel.targetOf(c) + byPredicted[c]);
  };
  if (pixel.binary()) {
    dx.plane(pixel.n, 0)[pixel.i] = byProbability(0) * sigmoid(pixel.logit(0)) * sigmoid(-pixel.logit(0));
    return;
  }
  double mean = 0;
  for (int64_t c = 0; c < pixel.channels(); ++c)
    mean += pixel.probability(c) * byProbability(c);
  for (int64_t c = 0; c < pixel.channels(); ++c)
    dx.plane(pixel.n, c)[pixel.i] = pixel.probability(c) * (byProbability(c) - mean);
}

static LogicalResult evaluateLossGrad(hg::LossGradOp op, ArrayRef<Tensor> operands,
                                      MutableArrayRef<Tensor> results) {
  LossFields fields(op);
  if (failed(checkLabels(op, fields, operands[0], operands[1])))
    return failure();
  const Tensor &coefficients = operands.back();
  Tensor &dx = results[0];
  bool overlap = fields.kind == "dice" || fields.kind == "soft_iou";
  if (coefficients.shape[1] != (overlap                ? 2 * dx.shape[1]
                                : fields.kind == "bce" ? 2
                                                       : 1) ||
      coefficients.shape[0] != (fields.perImage ? dx.shape[0] : 1))
    return op.emitOpError("the coefficients are none of this loss");
  forEachPixel(fields, operands[0], operands[1], op.getPixelWeight() ? &operands[2] : nullptr,
               [&](const Pixel &pixel, int64_t) {
                 const double *given = coefficients.plane(fields.perImage ? pixel.n : 0, 0);
                 if (overlap)
                   return overlapGradient(pixel, given, given + dx.shape[1], dx);
                 for (int64_t c = 0; c < pixel.channels(); ++c) {
                   if (!pixel.counts(c))
                     continue;
                   double y = pixel.targetOf(c), x = pixel.logit(c);
                   dx.plane(pixel.n, c)[pixel.i] =
                       pixel.weight * (fields.kind == "bce"
                                           ? given[1] * (1 - y) * sigmoid(x) - given[0] * y * sigmoid(-x)
                                           : given[0] * derivative(pixel, c));
                 }
               });
  return success();
}

void enterLossGradientOps(EvaluatorTable &table) {
  enter<evaluateLossSums>(table);
  enter<evaluateFinishLoss>(table);
  enter<evaluateLossGrad>(table);
}

} // namespace segc::reference
