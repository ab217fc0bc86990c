/// \file The steps of epilogues (docs/kernels.md), each a function of the value, a saved tensor's value, up
/// to three vectors' and a number; the generated epilogue calls segc_step_<name>. Formulae as in
/// schedules/Epilogue.cpp.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/device/Result.h"

namespace segc::tensorcore {
namespace {

constexpr float log2e = 1.44269504088896341f;

inline bool isNan(float v) { return v != v; }
inline float magnitude(float v) { return __builtin_fabsf(v); }
inline float exp(float v) { return segc_warp_exp2(v * log2e); }
inline float sigmoid(float v) { return 1 / (1 + exp(-v)); }
/// NaN fails the comparison and stays.
inline float atLeast(float v, float low) { return v < low ? low : v; }
inline float atMost(float v, float high) { return v > high ? high : v; }
/// exp(v) - 1 for v < 0; near 0 the series, in which nothing cancels.
inline float expm1(float v) {
  if (v > -0.25f)
    return v * (1 + v * (0.5f + v * (1.f / 6 + v * (1.f / 24 + v * (1.f / 120 + v * (1.f / 720))))));
  return exp(v) - 1;
}

/// Cephes' tanhf.
inline float tanh(float v) {
  const float z = v * v, m = magnitude(v);
  float p = -5.70498872745e-3f * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  if (m < 0.625f)
    return p * z * v + v;
  const float e = exp(-2 * m), far = (1 - e) / (1 + e);
  return v < 0 ? -far : far;
}

/// erfc(z) for z >= 0: Press et al., Numerical Recipes in C, section 6.2.
inline float erfc(float z) {
  const float t = 1 / (1 + 0.5f * z);
  float p = 0.17087277f;
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  return t * exp(p - z * z);
}

/// max(v, 0) - |v|/2 * erfc(|v| / sqrt 2): nothing cancels for negative v.
inline float gelu(float v) {
  const float m = atMost(magnitude(v), 12);
  return atLeast(v, 0) - 0.5f * m * erfc(m * 0.70710678118654752f);
}

inline float geluDerivative(float v) {
  const float m = atMost(magnitude(v), 12), density = m * 0.39894228040143268f * exp(-0.5f * m * m);
  const float tail = 0.5f * erfc(m * 0.70710678118654752f) - density;
  return v < 0 ? tail : 1 - tail;
}

inline float siluDerivative(float v) {
  const float in = atMost(atLeast(v, -88), 88), s = sigmoid(in);
  return s * (1 + in * (1 - s));
}

inline float elu(float v, float alpha) { return v < 0 ? alpha * expm1(v) : v; }
inline float hardsigmoid(float v) { return atMost(atLeast(v * (1.f / 6) + 0.5f, 0), 1); }

} // namespace

#define STEP(name, ...)                                                                                      \
  extern "C" float segc_step_##name(float v, float t, float a, float b, float c, float value) {              \
    return __VA_ARGS__;                                                                                      \
  }
STEP(bias, v + a)
STEP(scale, v *a)
STEP(affine, v *a + b)
STEP(add, v + t)
STEP(sub, v - t)
STEP(mul, v *t)
STEP(times, v *value)
STEP(norm_grad, v *a + (t * b + c))
STEP(relu, atLeast(v, 0))
STEP(relu6, atMost(atLeast(v, 0), 6))
STEP(leaky_relu, v < 0 ? value * v : v)
STEP(prelu, v < 0 ? a * v : v)
STEP(elu, elu(v, value))
STEP(selu, 1.0507009873554805f * elu(v, 1.6732632423543772f))
STEP(gelu, gelu(v))
STEP(silu, v *sigmoid(v))
STEP(sigmoid, sigmoid(v))
STEP(tanh, tanh(v))
STEP(hardsigmoid, hardsigmoid(v))
STEP(hardswish, v *hardsigmoid(v))
STEP(d_relu, t <= 0 ? 0 : v)
STEP(d_relu6, t <= 0 || t >= 6 ? 0 : v)
STEP(d_leaky_relu, t <= 0 ? value * v : v)
STEP(dx_leaky_relu, t <= 0 ? value * v : v)
STEP(d_prelu, t <= 0 ? a * v : v)
STEP(d_elu, t <= 0 ? value * exp(t) * v : v)
STEP(d_selu, 1.0507009873554805f * v * (t <= 0 ? 1.6732632423543772f * exp(t) : 1))
STEP(d_gelu, v *geluDerivative(t))
STEP(d_silu, v *siluDerivative(t))
STEP(d_sigmoid, v *(t * (1 - t)))
STEP(d_tanh, v * (1 - t * t))
STEP(d_hardsigmoid, t <= 0 || t >= 1 ? 0 : v * (1.f / 6))
STEP(d_hardswish, v *(t < -3 ? 0 : t > 3 ? 1 : t * (1.f / 3) + 0.5f))
#undef STEP

/// Operands of the steps for channels k to k + 7.
extern "C" void segc_load_vector(float *to, const Arguments *a, int which, int k) {
  loadFloats(to, (const char *)(a->vectors[which] + k));
}

/// The tensor's elements have so many bytes: 4 of f32, 2 of the problem's element.
extern "C" void segc_load_tensor(float *to, const Arguments *a, int which, int bytes, int k, int n, int y,
                                 int x) {
  const View &v = a->tensors[which];
  const Pixel p = {n, y, x, true};
  const char *at = octetOf(v, offset(v, p), k, bytes);
  if (bytes == 4) {
    loadFloats(to, at);
    return;
  }
  unsigned packed[4];
  segc_warp_load16(packed, at);
#pragma unroll
  for (int i = 0; i < 8; i++)
    to[i] = unpack(packed[i / 2] >> (i % 2 * 16));
}

} // namespace segc::tensorcore
