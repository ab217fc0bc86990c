/// \file The tiny network's kernels in plain C++; the optimisers take the arguments of docs/kernels.md.
// SPDX-License-Identifier: MIT
#include "runtime_training_kernels.h"
#include "runtime_training_support.h"
#include <cmath>

namespace segc::test {

int TinyModel::prepareCalls = 0;

namespace {

using namespace rt;

const halide_buffer_t *buffer(void **args, int i) { return static_cast<const halide_buffer_t *>(args[i]); }
template <typename T = float> T *data(void **args, int i) {
  return reinterpret_cast<T *>(buffer(args, i)->host);
}
template <typename F> void each(const halide_buffer_t *b, F f) {
  for (int n = 0; n < b->dim[3].extent; ++n)
    for (int y = 0; y < b->dim[2].extent; ++y)
      for (int x = 0; x < b->dim[1].extent; ++x)
        f(x, y, n);
}

/// (x, y): every element, all channels
int copy(void **args) {
  each(buffer(args, 2), [&](int x, int y, int n) {
    for (int c = 0; c < buffer(args, 2)->dim[0].extent; ++c)
      at(buffer(args, 2), c, x, y, n) = at(buffer(args, 1), c, x, y, n);
  });
  return 0;
}

/// (labels i32, y f32)
int importLabels(void **args) {
  each(buffer(args, 2), [&](int x, int y, int n) {
    at(buffer(args, 2), 0, x, y, n) = float(reinterpret_cast<int32_t &>(at(buffer(args, 1), 0, x, y, n)));
  });
  return 0;
}

/// (gain, y): training's @prepare
int copyGain(void **args) {
  ++TinyModel::prepareCalls;
  data(args, 2)[0] = data(args, 1)[0];
  return 0;
}

/// A row of (x, t, w, b, gain, e): e = prediction - t, 0 where t is ignored; scratch holds the sums
int errorRow(void *context, int row, uint8_t *closure) {
  void **args = reinterpret_cast<void **>(closure);
  const halide_buffer_t *x = buffer(args, 1), *t = buffer(args, 2), *e = buffer(args, 6);
  const float *w = data(args, 3), b = data(args, 4)[0], gain = data(args, 5)[0];
  float *sums = static_cast<float *>(halide_malloc(context, size_t(e->dim[1].extent) * sizeof(float)));
  if (!sums)
    return halide_error_out_of_memory(context);
  for (int n = 0; n < e->dim[3].extent; ++n)
    for (int i = 0; i < e->dim[1].extent; ++i) {
      const float label = at(t, 0, i, row, n);
      sums[i] = 0;
      for (int c = 0; c < TinyModel::channels; ++c)
        sums[i] += w[c] * at(x, c, i, row, n);
      at(e, 0, i, row, n) = label == TinyModel::ignore ? 0 : gain * sums[i] + b - label;
    }
  halide_free(context, sums);
  return 0;
}
int errors(void **args) {
  return halide_do_par_for(*static_cast<void **>(args[0]), errorRow, 0, buffer(args, 6)->dim[2].extent,
                           reinterpret_cast<uint8_t *>(args));
}

/// (x, e, t, sums f64)
int sums(void **args) {
  double *s = data<double>(args, 4);
  for (int i = 0; i < kSums; ++i)
    s[i] = 0;
  double pixels = 0;
  each(buffer(args, 2), [&](int x, int y, int n) {
    const double e = at(buffer(args, 2), 0, x, y, n);
    s[kSquares] += e * e;
    s[kErrors] += e;
    s[kCount] += at(buffer(args, 3), 0, x, y, n) != TinyModel::ignore;
    for (int c = 0; c < TinyModel::channels; ++c) {
      s[kProducts + c] += e * at(buffer(args, 1), c, x, y, n);
      s[kTotal] += at(buffer(args, 1), c, x, y, n);
    }
    ++pixels;
  });
  s[kTotal] /= pixels * TinyModel::channels;
  return 0;
}

/// (sums, gain, dw)
int gradW(void **args) {
  const double *s = data<double>(args, 1);
  for (int c = 0; c < TinyModel::channels; ++c)
    data(args, 3)[c] = float(2 * data(args, 2)[0] * s[kProducts + c] / s[kCount]);
  return 0;
}

/// (sums, db)
int gradB(void **args) {
  const double *s = data<double>(args, 1);
  data(args, 2)[0] = float(2 * s[kErrors] / s[kCount]);
  return 0;
}

/// (sums, seed, loss)
int losses(void **args) {
  const double *s = data<double>(args, 1);
  const int32_t *seed = data<int32_t>(args, 2);
  float *loss = data(args, 3);
  loss[0] = loss[1] = float(s[kSquares] / s[kCount]);
  loss[2] = float(1000 * seed[0] + seed[1]);
  return 0;
}

/// (running, sums, updated)
int runningMean(void **args) {
  data(args, 3)[0] = float(0.9 * data(args, 1)[0] + 0.1 * data<double>(args, 2)[kTotal]);
  return 0;
}

/// (e, sums, w, gain, dx)
int gradX(void **args) {
  each(buffer(args, 5), [&](int x, int y, int n) {
    for (int c = 0; c < TinyModel::channels; ++c)
      at(buffer(args, 5), c, x, y, n) = float(2 * at(buffer(args, 1), 0, x, y, n) * data(args, 3)[c] *
                                              data(args, 4)[0] / data<double>(args, 2)[kCount]);
  });
  return 0;
}

/// inference's @prepare: (w, gain, y) and (b, running, y); then (x, y0, y1, y)
int pack(void **args) {
  for (int c = 0; c < TinyModel::channels; ++c)
    data(args, 3)[c] = data(args, 1)[c] * data(args, 2)[0];
  return 0;
}
int shift(void **args) {
  data(args, 3)[0] = data(args, 1)[0] - data(args, 2)[0];
  return 0;
}
int predict(void **args) {
  each(buffer(args, 4), [&](int x, int y, int n) {
    float sum = data(args, 3)[0];
    for (int c = 0; c < TinyModel::channels; ++c)
      sum += data(args, 2)[c] * at(buffer(args, 1), c, x, y, n);
    at(buffer(args, 4), 0, x, y, n) = sum;
  });
  return 0;
}

/// (g, partial): part i covers elements floor(i*n/256)..
int sumSquares(void **args) {
  const int64_t n = buffer(args, 1)->dim[0].extent;
  for (int64_t i = 0; i < 256; ++i) {
    double sum = 0;
    for (int64_t k = i * n / 256; k < (i + 1) * n / 256; ++k)
      sum += double(data(args, 1)[k]) * data(args, 1)[k];
    data<double>(args, 2)[i] = sum;
  }
  return 0;
}

/// (hyper, p, g, [m], p', [m'])
template <bool momentum, bool nesterov> int sgd(void **args) {
  const float *h = data(args, 1), *p = data(args, 2), *g = data(args, 3);
  const int n = buffer(args, 2)->dim[0].extent;
  for (int i = 0; i < n; ++i) {
    float d = h[kHyperFactor] * g[i] + h[kHyperDecay] * p[i];
    if (momentum) {
      const float m = h[kHyperMomentum] * data(args, 4)[i] + d;
      data(args, 6)[i] = m;
      d = nesterov ? d + h[kHyperMomentum] * m : m;
    }
    data(args, momentum ? 5 : 4)[i] = p[i] - h[kHyperRate] * d;
  }
  return 0;
}

/// (hyper, p, g, m, v, p', m', v')
template <bool decoupled> int adam(void **args) {
  const float *h = data(args, 1);
  float *p = data(args, 2), *m = data(args, 4), *v = data(args, 5);
  for (int i = 0; i < buffer(args, 2)->dim[0].extent; ++i) {
    float g = h[kHyperFactor] * data(args, 3)[i], old = p[i];
    if (decoupled)
      old -= h[kHyperRate] * h[kHyperDecay] * old;
    else
      g += h[kHyperDecay] * old;
    data(args, 7)[i] = h[kHyperMomentum] * m[i] + (1 - h[kHyperMomentum]) * g;
    data(args, 8)[i] = h[kHyperBeta2] * v[i] + (1 - h[kHyperBeta2]) * g * g;
    const float size = std::sqrt(data(args, 8)[i]) / h[kHyperCorrection2] + h[kHyperEps];
    data(args, 6)[i] = old - h[kHyperRate] / h[kHyperCorrection1] * data(args, 7)[i] / size;
  }
  return 0;
}

/// (hyper, e, p, e')
int ema(void **args) {
  const float d = data(args, 1)[kHyperAverage];
  for (int i = 0; i < buffer(args, 2)->dim[0].extent; ++i)
    data(args, 4)[i] = d * data(args, 2)[i] + (1 - d) * data(args, 3)[i];
  return 0;
}

/// (a, g, a')
int accumulate(void **args) {
  for (int i = 0; i < buffer(args, 1)->dim[0].extent; ++i)
    data(args, 3)[i] = data(args, 1)[i] + data(args, 2)[i];
  return 0;
}

/// (hyper, g, g'): what scaled losses do to the gradients, and the way back
int scale(void **args) {
  for (int i = 0; i < buffer(args, 2)->dim[0].extent; ++i)
    data(args, 3)[i] = data(args, 2)[i] * data(args, 1)[kHyperLossScale];
  return 0;
}
int unscale(void **args) {
  for (int i = 0; i < buffer(args, 2)->dim[0].extent; ++i)
    data(args, 3)[i] = data(args, 2)[i] / data(args, 1)[kHyperLossScale];
  return 0;
}

} // namespace

const KernelFn tinyKernels[] = {copy,
                                importLabels,
                                copyGain,
                                errors,
                                sums,
                                gradW,
                                gradB,
                                losses,
                                runningMean,
                                gradX,
                                pack,
                                shift,
                                predict,
                                sumSquares,
                                sgd<false, false>,
                                sgd<true, false>,
                                sgd<true, true>,
                                adam<false>,
                                adam<true>,
                                ema,
                                accumulate,
                                scale,
                                unscale};

} // namespace segc::test
