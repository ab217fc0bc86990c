/// \file Expressions of the epilogues and the operands they take.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/Arithmetic.h"
#include <cmath>

using Halide::CompileError;
using Halide::Expr;

namespace segc::schedules {
namespace {

Expr atLeast(const Expr &v, float low) { return selectBelow(v, low, low, v); }
Expr atMost(const Expr &v, float high) { return selectBelow(high, v, high, v); }

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

/// erfc(z) for z >= 0 with a relative error of 1.2e-7: Press et al., Numerical Recipes in C, section 6.2,
/// erfcc.
Expr complementaryErf(const Expr &z) {
  const float coefficients[] = {0.17087277f,  -0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f,
                                -0.18628806f, 0.09678418f,  0.37409196f, 1.00002368f,  -1.26551223f};
  const Expr t = 1.f / (1.f + 0.5f * z);
  Expr p = 0.f;
  for (float coefficient : coefficients)
    p = p * t + coefficient;
  return t * Halide::exp(p - z * z);
}

/// v/2 * (1 + erf(v / sqrt 2)) = max(v, 0) - |v|/2 * erfc(|v| / sqrt 2), in which nothing cancels for
/// negative v. Beyond 12 the second term is nothing to f32, and infinities must not reach it.
Expr gelu(const Expr &v) {
  const Expr magnitude = Halide::min(Halide::abs(v), 12.f);
  return atLeast(v, 0.f) - 0.5f * magnitude * complementaryErf(magnitude * 0.70710678118654752f);
}

Expr elu(const Expr &v, float alpha) { return selectBelow(v, 0.f, alpha * (expNormal(v) - 1.f), v); }

/// d/dv gelu = Phi(v) + v * phi(v), Phi and phi the normal distribution and its density: with the tail
/// t = Phi(-|v|) - |v| * phi(v) it is t for v < 0 and 1 - t else, so that nothing cancels. The tail is used
/// once: Halide expressions are trees.
Expr geluDerivative(const Expr &v) {
  const Expr magnitude = Halide::min(Halide::abs(v), 12.f);
  const Expr density = magnitude * 0.39894228040143268f * expNormal(-0.5f * magnitude * magnitude);
  const Expr tail = 0.5f * complementaryErf(magnitude * 0.70710678118654752f) - density;
  return keepNan(v, Halide::select(v < 0.f, 0.f, 1.f) + Halide::select(v < 0.f, 1.f, -1.f) * tail);
}

/// d/dv (v * s) = s * (1 + v * (1 - s)), s = sigmoid(v); infinities must not reach the product.
Expr siluDerivative(const Expr &v) {
  const Expr in = Halide::clamp(v, -88.f, 88.f), s = 1.f / (1.f + expNormal(-in));
  return keepNan(v, s * (1.f + in * (1.f - s)));
}

/// 32 random bits from 32: the finaliser of dialects/hourglass/Random.h.
Expr mix(Expr h) {
  h = h ^ (h >> 16);
  h = h * Expr(0x85ebca6bu);
  h = h ^ (h >> 13);
  h = h * Expr(0xc2b2ae35u);
  return h ^ (h >> 16);
}

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

/// Where a comparison decides, an unordered one means 1 and f' = 0 means 0 whatever v is (PyTorch's
/// threshold_backward).
Expr derive(const std::string &op, Expr v, Expr saved, Expr alpha) {
  const Expr low = Halide::strict_float(saved <= 0.f);
  auto notBelow = [&](float high) { return Halide::strict_float(saved >= high); };
  if (op == "d_relu")
    return Halide::select(low, 0.f, v);
  if (op == "d_relu6")
    return Halide::select(low || notBelow(6.f), 0.f, v);
  if (op == "d_leaky_relu" || op == "dx_leaky_relu" || op == "d_prelu")
    return Halide::select(low, alpha * v, v);
  if (op == "d_elu")
    return Halide::select(low, alpha * expNormal(saved) * v, v);
  if (op == "d_selu")
    return 1.0507009873554805f * v * Halide::select(low, 1.6732632423543772f * expNormal(saved), 1.f);
  if (op == "d_gelu")
    return v * geluDerivative(saved);
  if (op == "d_silu")
    return v * siluDerivative(saved);
  if (op == "d_sigmoid")
    return v * (saved * (1.f - saved));
  if (op == "d_tanh")
    return v * (1.f - saved * saved);
  if (op == "d_hardsigmoid")
    return Halide::select(low || notBelow(1.f), 0.f, v * (1.f / 6.f));
  if (op == "d_hardswish") // clip(x/6 + 1/2, 0, 1) + x/6 inside
    return v * selectBelow(saved, -3.f, 0.f, selectBelow(3.f, saved, 1.f, saved * (1.f / 3.f) + 0.5f));
  throw CompileError("unknown derivative '" + op + "'");
}

static std::string operandName(const std::vector<Epilogue> &steps, size_t i, char letter) {
  return steps[i].op + std::to_string(i) + letter;
}

std::vector<std::string> wideOperands(const KernelSpec &spec) {
  std::vector<std::string> names;
  for (size_t i = 0; i < spec.epilogues.size(); i++)
    if (spec.epilogues[i].wide)
      names.push_back(operandName(spec.epilogues, i, 'a'));
  return names;
}

Epilogues::Epilogues(const KernelSpec &spec, int channels, Expr width, Expr height)
    : steps(spec.epilogues), channels(channels), width(width), height(height) {
  for (size_t i = 0; i < steps.size(); i++) {
    char letter = 'a';
    for (char kind : steps[i].signature()) {
      const std::string name = operandName(steps, i, letter++);
      params.push_back(kind == 't'   ? activation(name, channels, steps[i].stride)
                       : kind == 's' ? denseParam(name, {2}, Halide::Int(32))
                                     : denseParam(name, {paddedChannels(channels)}));
    }
  }
}

Expr Epilogues::initial(Expr c) const {
  return !steps.empty() && steps[0].op == "bias" ? params[0](c) : Expr(0.f);
}

/// As in dialects/hourglass/Random.h. That a number of 24 bits times 2^-24 is below the rate is decided in
/// integers.
Expr Epilogues::drop(const Epilogue &step, const Halide::ImageParam &seed, Expr v, Expr c, Expr x, Expr y,
                     Expr n) const {
  if (!width.defined())
    throw CompileError("+drop goes with pointwise only: it counts the elements of the whole result");
  auto bits = [](const Expr &e) { return Halide::cast<uint32_t>(e); };
  const Expr row = bits(n) * bits(height) + bits(y);
  const Expr index = (row * bits(width) + bits(x)) * Expr(uint32_t(channels)) + bits(c);
  const Expr key = mix(Expr(step.site) ^ mix(bits(seed(1)) ^ mix(bits(seed(0)))));
  const uint32_t below = uint32_t(std::ceil(double(float(step.value)) * 0x1p24));
  return Halide::select((mix(index ^ key) >> 8) < Expr(below), 0.f, v * float(1 / (1 - step.value)));
}

Expr Epilogues::apply(Expr v, Expr c, Expr x, Expr y, Expr n, bool fromInitial, bool clamped) const {
  size_t next = 0;
  const Expr inside = clamped ? Halide::min(c, channels - 1) : c;
  for (size_t i = 0; i < steps.size(); i++) {
    const Epilogue &e = steps[i];
    const Halide::ImageParam *operand = params.data() + next;
    next += e.operands();
    const Expr tensor = e.isTensor() ? operand[0](inside, x, y, n) : Expr();
    if (e.op == "bias") {
      if (i > 0 || !fromInitial)
        v = v + operand[0](c);
    } else if (e.op == "scale")
      v = v * operand[0](c);
    else if (e.op == "affine")
      v = v * operand[0](c) + operand[1](c);
    else if (e.op == "add")
      v = v + tensor;
    else if (e.op == "mul")
      v = v * tensor;
    else if (e.op == "sub")
      v = v - tensor;
    else if (e.op == "times")
      v = v * float(e.value);
    else if (e.op == "norm_grad")
      v = v * operand[1](c) + (tensor * operand[2](c) + operand[3](c));
    else if (e.op == "drop")
      v = drop(e, operand[0], v, c, x, y, n);
    else if (e.op == "prelu")
      v = selectBelow(v, 0.f, operand[0](c) * v, v);
    else if (e.isTensor())
      v = derive(e.op, v, tensor, e.op == "d_prelu" ? operand[1](c) : Expr(float(e.value)));
    else
      v = activate(e.op, v, e.value);
  }
  return v;
}

} // namespace segc::schedules
