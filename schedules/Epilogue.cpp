/// \file Expressions of the epilogues and the operands they take.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"

using Halide::CompileError;
using Halide::Expr;

namespace segc::schedules {
namespace {

/// `a < b ? yes : no`, false when unordered. Halide lets LLVM assume that no float is NaN; the strict
/// comparison takes that back, and `below(v, 0) ? 0 : v` still becomes one vmaxps whose second operand is v.
Expr selectBelow(const Expr &a, const Expr &b, const Expr &yes, const Expr &no) {
  return Halide::select(Halide::strict_float(a < b), yes, no);
}
Expr atLeast(const Expr &v, float low) { return selectBelow(v, low, low, v); }
Expr atMost(const Expr &v, float high) { return selectBelow(high, v, high, v); }

/// exp, for arguments clamped to where the result is a normal number: Halide's polynomial (1.6e-7 relative)
/// gives 0 for infinities of both signs and for NaN.
Expr expNormal(const Expr &v) { return Halide::exp(Halide::clamp(v, -87.f, 88.f)); }

/// `result`, or v where v is NaN: by its bits, because LLVM removes is_nan() of anything but a load.
Expr keepNan(const Expr &v, const Expr &result) {
  const Expr magnitude = Halide::reinterpret<uint32_t>(v) & Expr(uint32_t(0x7fffffff));
  return Halide::select(magnitude > Expr(uint32_t(0x7f800000)), v, result);
}

Expr sigmoid(const Expr &v) { return keepNan(v, 1.f / (1.f + expNormal(-v))); }

/// Cephes' tanhf: below 0.625 an odd polynomial (no cancellation), above (1 - e) / (1 + e), e = exp(-2|v|).
Expr hyperbolicTangent(const Expr &v) {
  const Expr z = v * v, magnitude = Halide::abs(v);
  Expr p = -5.70498872745e-3f * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const Expr e = expNormal(-2.f * magnitude), far = (1.f - e) / (1.f + e);
  return keepNan(v, Halide::select(magnitude < 0.625f, p * z * v + v, Halide::select(v < 0.f, -far, far)));
}

/// erfc(z) for z >= 0 with a relative error of 1.2e-7: Press et al., Numerical Recipes in C, section 6.2, erfcc.
Expr complementaryErf(const Expr &z) {
  const float coefficients[] = {0.17087277f,  -0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f,
                                -0.18628806f, 0.09678418f,  0.37409196f, 1.00002368f,  -1.26551223f};
  const Expr t = 1.f / (1.f + 0.5f * z);
  Expr p = 0.f;
  for (float coefficient : coefficients)
    p = p * t + coefficient;
  return t * Halide::exp(p - z * z);
}

/// v/2 * (1 + erf(v / sqrt 2)) = max(v, 0) - |v|/2 * erfc(|v| / sqrt 2), in which nothing cancels for negative v. Beyond 12
/// the second term is nothing to f32, and infinities must not reach it.
Expr gelu(const Expr &v) {
  const Expr magnitude = Halide::min(Halide::abs(v), 12.f);
  return atLeast(v, 0.f) - 0.5f * magnitude * complementaryErf(magnitude * 0.70710678118654752f);
}

Expr elu(const Expr &v, float alpha) { return selectBelow(v, 0.f, alpha * (expNormal(v) - 1.f), v); }

Expr hardsigmoid(const Expr &v) { return atMost(atLeast(v * (1.f / 6.f) + 0.5f, 0.f), 1.f); }

} // namespace

Expr activate(const std::string &op, Expr v, double alpha) {
  const float a = float(alpha);
  if (op == "relu")
    return atLeast(v, 0.f);
  if (op == "relu6")
    return atMost(atLeast(v, 0.f), 6.f);
  if (op == "leaky_relu")
    return selectBelow(v, 0.f, a * v, v);
  if (op == "elu")
    return elu(v, a);
  if (op == "selu") // Klambauer et al. 2017: scale and alpha of the fixed point
    return 1.0507009873554805f * elu(v, 1.6732632423543772f);
  if (op == "gelu")
    return gelu(v);
  if (op == "silu")
    return v * sigmoid(v);
  if (op == "sigmoid")
    return sigmoid(v);
  if (op == "tanh")
    return hyperbolicTangent(v);
  if (op == "hardsigmoid")
    return hardsigmoid(v);
  if (op == "hardswish")
    return v * hardsigmoid(v);
  throw CompileError("unknown activation '" + op + "'");
}

Epilogues::Epilogues(const KernelSpec &spec, int channels) : steps(spec.epilogues), channels(channels) {
  for (size_t i = 0; i < steps.size(); i++)
    for (int j = 0; j < steps[i].operands(); j++) {
      const std::string name = steps[i].op + std::to_string(i) + (j ? "b" : "a");
      params.push_back(steps[i].isTensor() ? activation(name, channels, steps[i].stride)
                                           : denseParam(name, {paddedChannels(channels)}));
    }
}

Expr Epilogues::initial(Expr c) const {
  return !steps.empty() && steps[0].op == "bias" ? params[0](c) : Expr(0.f);
}

Expr Epilogues::apply(Expr v, Expr c, Expr x, Expr y, Expr n, bool fromInitial, bool clamped) const {
  size_t next = 0;
  const Expr inside = clamped ? Halide::min(c, channels - 1) : c;
  for (size_t i = 0; i < steps.size(); i++) {
    const Epilogue &e = steps[i];
    const size_t operand = next;
    next += e.operands();
    if (e.op == "bias") {
      if (i > 0 || !fromInitial)
        v = v + params[operand](c);
    } else if (e.op == "affine")
      v = v * params[operand](c) + params[operand + 1](c);
    else if (e.op == "add")
      v = v + params[operand](inside, x, y, n);
    else if (e.op == "mul")
      v = v * params[operand](inside, x, y, n);
    else if (e.op == "sub")
      v = v - params[operand](inside, x, y, n);
    else if (e.op == "prelu")
      v = selectBelow(v, 0.f, params[operand](c) * v, v);
    else
      v = activate(e.op, v, e.value);
  }
  return v;
}

} // namespace segc::schedules
