/// \file The elementwise functions and their derivatives, in double; definitions as in the model format.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Activation.h"
#include <cmath>

namespace segc::hg {

// Comparisons are written so that NaN takes the branch that returns x.
static double relu(double x, double) { return x <= 0 ? 0 : x; }
static double reluD(double x, double) { return x <= 0 ? 0 : 1; }
static double relu6(double x, double) { return x <= 0 ? 0 : x >= 6 ? 6 : x; }
static double relu6D(double x, double) { return x <= 0 || x >= 6 ? 0 : 1; }
static double leaky(double x, double a) { return x <= 0 ? a * x : x; }
static double leakyD(double x, double a) { return x <= 0 ? a : 1; }
static double elu(double x, double a) { return x <= 0 ? a * std::expm1(x) : x; }
static double eluD(double x, double a) { return x <= 0 ? a * std::exp(x) : 1; }
// Klambauer et al. 2017, constants as in ONNX Selu.
constexpr double kSeluAlpha = 1.67326319217681884765625, kSeluGamma = 1.05070102214813232421875;
static double selu(double x, double) { return kSeluGamma * elu(x, kSeluAlpha); }
static double seluD(double x, double) { return kSeluGamma * eluD(x, kSeluAlpha); }
static double gelu(double x, double) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
static double geluD(double x, double) {
  return 0.5 * (1 + std::erf(x / std::sqrt(2.0))) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI);
}
static double sigmoid(double x, double) { return 1 / (1 + std::exp(-x)); }
static double sigmoidD(double x, double) {
  double s = sigmoid(x, 0);
  return s * (1 - s);
}
static double silu(double x, double) { return x * sigmoid(x, 0); }
static double siluD(double x, double) {
  double s = sigmoid(x, 0);
  return s + x * s * (1 - s);
}
static double tanhV(double x, double) { return std::tanh(x); }
static double tanhD(double x, double) {
  double t = std::tanh(x);
  return 1 - t * t;
}
static double hardsigmoid(double x, double) {
  double v = x / 6 + 0.5;
  return v <= 0 ? 0 : v >= 1 ? 1 : v;
}
static double hardsigmoidD(double x, double) { return x <= -3 || x >= 3 ? 0 : 1.0 / 6; }
static double hardswish(double x, double) { return x * hardsigmoid(x, 0); }
static double hardswishD(double x, double) { return hardsigmoid(x, 0) + x * hardsigmoidD(x, 0); }

static double sigmoidOfValue(double y, double) { return y * (1 - y); }
static double tanhOfValue(double y, double) { return 1 - y * y; }
static double hardsigmoidOfValue(double y, double) { return y <= 0 || y >= 1 ? 0 : 1.0 / 6; }

static const ActivationFunction kTable[] = {
    {"relu", false, 0, relu, reluD, reluD},
    {"relu6", false, 0, relu6, relu6D, relu6D},
    {"leaky_relu", true, 0.01, leaky, leakyD, leakyD},
    {"prelu", false, 0.25, leaky, leakyD},
    {"elu", true, 1, elu, eluD},
    {"selu", false, 0, selu, seluD},
    {"gelu", false, 0, gelu, geluD},
    {"silu", false, 0, silu, siluD},
    {"sigmoid", false, 0, sigmoid, sigmoidD, sigmoidOfValue},
    {"tanh", false, 0, tanhV, tanhD, tanhOfValue},
    {"hardsigmoid", false, 0, hardsigmoid, hardsigmoidD, hardsigmoidOfValue},
    {"hardswish", false, 0, hardswish, hardswishD},
};

llvm::ArrayRef<ActivationFunction> activationFunctions() { return kTable; }

const ActivationFunction *findActivation(llvm::StringRef name) {
  for (const ActivationFunction &row : kTable)
    if (row.name == name)
      return &row;
  return nullptr;
}

} // namespace segc::hg
