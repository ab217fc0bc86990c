/// \file Terms and derivatives of the losses.
///
/// log p, 1 - p and their products stay exact for logits of any size. With s the logit of what is right less
/// that of what is wrong and e = exp(-|s|): p = 1 / (1 + e) or e / (1 + e), 1 - p the other one, log p =
/// min(s, 0) - log1p(e).
///
/// The focal loss L = -alpha q^gamma log p, q = 1 - p of what is right (Lin et al. 2017). With dp/dx_c = p
/// (y_c - p_c):
///   dL/dx_c = dL/dp p (y_c - p_c), dL/dp p = alpha (gamma q^(gamma-1) p log p - q^gamma)
///           = -alpha q^gamma (1 + gamma r), r = -p log p / q.
/// r goes from 0 (p -> 0) to 1 (q -> 0), so that no power of q below gamma is ever needed.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Loss.h"
#include "schedules/Arithmetic.h"
#include <cmath>

using namespace Halide;

namespace segc::schedules {
namespace {

bool isLabelLoss(const std::string &kind) {
  return kind == "cross_entropy" || kind == "focal" || kind == "dice" || kind == "soft_iou";
}

/// q^gamma for 0 <= q <= 1; 0^0 = 1.
Expr power(const Expr &q, double gamma) {
  if (gamma == std::floor(gamma) && gamma <= 4) {
    Expr product = 1.f;
    for (int i = 0; i < int(gamma); i++)
      product *= q;
    return product;
  }
  const Expr positive = max(q, 1e-38f); // a normal number for the logarithm
  return select(q > 0.f, expNegative(float(gamma) * Internal::halide_log(positive)), 0.f);
}

/// gamma q^(gamma-1) p log p / q^gamma + ... of the file's comment: q^gamma (1 + gamma r). Beyond exp(-88) p
/// is 0, and infinite logarithms must not reach the product.
Expr focalSlope(const Expr &logP, const Expr &p, const Expr &q, double gamma) {
  const Expr r = select(q > 0.f, -p * max(logP, -128.f) / max(q, 1e-38f), 1.f);
  return power(q, gamma) * (1.f + float(gamma) * r);
}

/// The logit of one channel, exp(-|x|), and both probabilities; NaN stays.
struct Sigmoid {
  Expr x, e;
  explicit Sigmoid(const Expr &x) : x(x), e(expNegative(-abs(x))) {}
  Expr p() const { return keepNan(x, select(x < 0.f, e, 1.f) / (1.f + e)); }
  Expr q() const { return keepNan(x, select(x < 0.f, 1.f, e) / (1.f + e)); }
};

/// max(v, 0); NaN stays.
Expr positivePart(const Expr &v) { return selectBelow(v, 0.f, 0.f, v); }

/// weight * term in f64, 0 for weight 0 whatever the term is.
Expr weighted(const Expr &weight, const Expr &term) {
  return select(strict_float(weight == Expr(0.0)), Expr(0.0), weight * term);
}

} // namespace

Loss::Loss(const KernelSpec &spec)
    : kind(spec.word("kind")), channels(spec.get("c")), overlap(kind == "dice" || kind == "soft_iou"),
      softmax(isLabelLoss(kind) && channels > 1),
      inputs{activation("x", channels, spec.get("in")),
             activation("target", isLabelLoss(kind) ? 1 : channels, spec.get("t"))},
      gamma(spec.number("gamma", 2)), beta(spec.number("beta", 1)), ignored(spec.numbers("ignore")),
      weights(table("classWeights", spec.numbers("cw"))),
      alpha(table("alphas",
                  {spec.numbers("alpha").empty() ? std::vector<double>{0.25} : spec.numbers("alpha")})) {
  if (spec.get("pw"))
    inputs.push_back(activation("pixelWeight", 1, spec.get("pw")));
}

int Loss::columns() const { return kind == "bce" ? 5 : overlap ? 3 : 2; }

Expr Loss::value(const Expr &c, const Pixel &pixel) const { return inputs[0](c, pixel.x, pixel.y, pixel.n); }
Expr Loss::target(const Expr &c, const Pixel &pixel) const {
  return inputs[1](isLabelLoss(kind) ? Expr(0) : c, pixel.x, pixel.y, pixel.n);
}
Expr Loss::counts(const Expr &c, const Pixel &pixel) const {
  return ignored.empty() ? Internal::const_true() : strict_float(target(c, pixel) != float(ignored[0]));
}
Expr Loss::pixelWeight(const Pixel &pixel) const {
  return inputs.size() > 2 ? inputs[2](0, pixel.x, pixel.y, pixel.n) : Expr(1.f);
}

Loss::Table Loss::table(const std::string &name, const std::vector<double> &values) {
  Table result{values, Func(name)};
  if (values.size() < 2)
    return result;
  const Var i("i");
  std::vector<Expr> numbers;
  for (double v : values)
    numbers.push_back(float(v));
  result.func(i) = mux(i, numbers);
  result.func.compute_root().store_in(MemoryType::Stack).bound(i, 0, int(values.size())).unroll(i);
  return result;
}
Expr Loss::lookUp(const Table &table, const Expr &label) {
  return table.values.empty()       ? Expr(1.f)
         : table.values.size() == 1 ? Expr(float(table.values[0]))
                                    : Expr(table.func(label));
}

std::vector<Expr> Loss::elementColumns(const Expr &c, const Pixel &pixel) const {
  const Expr x = value(c, pixel), t = target(c, pixel);
  const Expr w = select(counts(c, pixel), cast<double>(pixelWeight(pixel)), Expr(0.0));
  if (kind == "bce") {
    const Expr tail = log1p(expNegative(-abs(x))), y = cast<double>(t), no = Expr(1.0) - y;
    const Expr one = select(counts(c, pixel), y, Expr(0.0)), other = select(counts(c, pixel), no, Expr(0.0));
    return {weighted(w * one, cast<double>(positivePart(-x) + tail)),
            weighted(w * other, cast<double>(positivePart(x) + tail)), w, one, other};
  }
  const Expr positive = strict_float(t == 1.f);
  if (kind == "focal") {
    const Sigmoid sigmoid(select(positive, x, -x));
    const Expr surprise = positivePart(-sigmoid.x) + log1p(sigmoid.e);
    const float a = float(alpha.values[0]);
    const Expr term = select(positive, a, 1.f - a) * power(sigmoid.q(), gamma) * surprise;
    return {weighted(w, cast<double>(term)), w};
  }
  if (overlap) {
    const Expr p = weighted(w, cast<double>(Sigmoid(x).p()));
    return {select(positive, p, Expr(0.0)), p, select(positive, w, Expr(0.0))};
  }
  if (kind == "score")
    return {weighted(w, -cast<double>(x) * cast<double>(t)), w};
  const Expr d = cast<double>(x) - cast<double>(t), distance = abs(d);
  if (kind == "mse")
    return {weighted(w, d * d), w};
  if (kind == "l1" || beta == 0)
    return {weighted(w, distance), w};
  return {weighted(w, select(strict_float(distance < Expr(beta)), d * d * Expr(0.5 / beta),
                             distance - Expr(0.5 * beta))),
          w};
}

Expr Loss::elementGradient(const Expr &c, const Pixel &pixel, const std::vector<Expr> &k) const {
  const Expr x = value(c, pixel), t = target(c, pixel), w = pixelWeight(pixel);
  const Expr positive = strict_float(t == 1.f);
  Expr dx;
  if (kind == "bce") {
    const Sigmoid sigmoid(x);
    dx = w * (k[1] * (1.f - t) * sigmoid.p() - k[0] * t * sigmoid.q());
  } else if (kind == "focal") {
    const Sigmoid sigmoid(select(positive, x, -x));
    const float a = float(alpha.values[0]);
    const Expr q = sigmoid.q(), logP = -(positivePart(-sigmoid.x) + log1p(sigmoid.e));
    dx = k[0] * w * select(positive, -a, 1.f - a) * focalSlope(logP, sigmoid.p(), q, gamma) * q;
  } else if (overlap) {
    const Sigmoid sigmoid(x);
    dx = w * sigmoid.p() * sigmoid.q() * (select(positive, k[0], 0.f) + k[1]);
  } else if (kind == "score") {
    dx = k[0] * w * -t;
  } else {
    const Expr d = x - t;
    const Expr sign = selectBelow(0.f, d, 1.f, selectBelow(d, 0.f, -1.f, d)); // 0 at 0, NaN stays
    dx =
        k[0] * w *
        (kind == "mse"               ? 2.f * d
         : kind == "l1" || beta == 0 ? sign
                                     : select(strict_float(abs(d) < float(beta)), d * float(1 / beta), sign));
  }
  return selectBits(counts(c, pixel), dx, 0.f);
}

Loss::LabelTerm Loss::labelTerm(const PixelSoftmax &soft, const Pixel &pixel) const {
  LabelTerm term;
  const std::vector<Expr> at(pixel.at.begin(), pixel.at.end());
  // log p = d - log(sum), and sum - 1 is exact where it is small: then the label's own term is 1. The
  // difference has to be strict, or LLVM takes log(sum) off the logit before d is formed.
  term.argument(pixel.at) = strict_float(soft.rest() + strict_float(soft.labelExponential() - 1.f));
  term.logSum(pixel.at) = log1p(term.argument(at));
  term.parts(pixel.at) = Tuple(strict_float(soft.labelLogit() - term.logSum(at)), soft.rest() / soft.sum());
  return term;
}

Expr Loss::labelLoss(const LabelTerm &term, const PixelSoftmax &soft, const Pixel &pixel) const {
  const std::vector<Expr> at(pixel.at.begin(), pixel.at.end());
  const Expr logP = term.parts(at)[0], q = term.parts(at)[1];
  return kind == "focal" ? -lookUp(alpha, soft.labelIndex()) * power(q, gamma) * logP : -logP;
}

Expr Loss::labelSlope(const LabelTerm &term, const PixelSoftmax &soft, const Pixel &pixel) const {
  const std::vector<Expr> at(pixel.at.begin(), pixel.at.end());
  if (kind != "focal")
    return 1.f;
  const Expr p = soft.labelExponential() / soft.sum();
  return lookUp(alpha, soft.labelIndex()) * focalSlope(term.parts(at)[0], p, term.parts(at)[1], gamma);
}

std::string whyNotLoss(const KernelSpec &spec) {
  const std::string kind = spec.word("kind");
  const size_t channels = size_t(spec.get("c")), cw = spec.numbers("cw").size(),
               alpha = spec.numbers("alpha").size();
  if (cw && (kind != "cross_entropy" || cw != channels))
    return "class weights go with cross_entropy, one for each channel";
  if (alpha > 1 && (kind != "focal" || alpha != channels))
    return "a list of alpha goes with focal, one for each channel";
  if (kind == "cross_entropy" && channels < 2)
    return "cross_entropy needs at least two channels";
  if (spec.number("gamma", 2) < 0 || spec.number("beta", 1) < 0)
    return "gamma and beta must not be negative";
  return "";
}

} // namespace segc::schedules
