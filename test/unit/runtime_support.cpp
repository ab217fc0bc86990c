/// \file The toy model's table, kernels and reference.
// SPDX-License-Identifier: MIT
#include "runtime_support.h"

// The core declares these const; here tests install one model after another.
extern "C" {
segc::rt::Variant segc_model_variants[1];
uint32_t segc_model_variant_count = 1;
}

namespace segc::test {
namespace {

const halide_buffer_t *buffer(void **args, int i) { return static_cast<const halide_buffer_t *>(args[i]); }
void *userContext(void **args) { return *static_cast<void **>(args[0]); }

template <typename F> void each(const halide_buffer_t *b, F f) {
  for (int n = 0; n < b->dim[3].extent; ++n)
    for (int y = 0; y < b->dim[2].extent; ++y)
      for (int x = 0; x < b->dim[1].extent; ++x)
        for (int c = 0; c < b->dim[0].extent; ++c)
          f(c, x, y, n);
}

/// import, export: (x, y)
int copy(void **args) {
  each(buffer(args, 2), [&](int c, int x, int y, int n) {
    at(buffer(args, 2), c, x, y, n) = at(buffer(args, 1), c, x, y, n);
  });
  return 0;
}

/// prepare: (w, y), y = 2 w over all elements
int doubled(void **args) {
  const float *w = reinterpret_cast<const float *>(buffer(args, 1)->host);
  float *y = reinterpret_cast<float *>(buffer(args, 2)->host);
  for (int i = 0; i < buffer(args, 1)->dim[0].extent; ++i)
    y[i] = 2 * w[i];
  return 0;
}

/// One row of the box kernel (x, 2w, bias, y); scratch holds the sums over c.
int boxRow(void *context, int row, uint8_t *closure) {
  void **args = reinterpret_cast<void **>(closure);
  const halide_buffer_t *x = buffer(args, 1), *y = buffer(args, 4);
  const float *w = reinterpret_cast<const float *>(buffer(args, 2)->host);
  const float *bias = reinterpret_cast<const float *>(buffer(args, 3)->host);
  const int width = y->dim[1].extent;
  float *sums = static_cast<float *>(halide_malloc(context, size_t(width) * sizeof(float)));
  if (!sums)
    return halide_error_out_of_memory(context);
  for (int n = 0; n < y->dim[3].extent; ++n) {
    for (int px = 0; px < width; ++px) {
      sums[px] = 0;
      for (int dy = 0; dy < 3; ++dy)
        for (int dx = 0; dx < 3; ++dx)
          for (int c = 0; c < ToyModel::channels; ++c)
            sums[px] += at(x, c, px + dx, row + dy, n);
    }
    for (int px = 0; px < width; ++px)
      for (int k = 0; k < ToyModel::results; ++k)
        at(y, k, px, row, n) = sums[px] * (w[k] / 2) + bias[k];
  }
  halide_free(context, sums);
  return 0;
}

int box(void **args) {
  return halide_do_par_for(userContext(args), boxRow, 0, buffer(args, 4)->dim[2].extent,
                           reinterpret_cast<uint8_t *>(args));
}

const rt::KernelFn kernels[] = {copy, doubled, box};

} // namespace

ToyModel::ToyModel(int height, int width, uint64_t scratch) {
  using namespace rt;
  TableBuilder t;
  t.laneScratchBytes = scratch;
  const uint32_t zero = t.constant(0), c = t.constant(channels), k = t.constant(results), one = t.constant(1);
  const uint32_t n = t.symbol(0, 0, 1), h = t.symbol(0, 2, height), w = t.symbol(0, 3, width);
  const uint32_t back = t.node(SizeOp::Sub, zero, one, 0);
  t.checks.push_back({CheckKind::AtLeast, h, 0, t.str("'box' needs a height of at least 2"), 2});
  t.inputs.push_back({t.str("image"), DType::F32, 4, {n, c, h, w}});
  t.outputs.push_back({t.str("scores"), DType::F32, 4, {n, k, h, w}});
  t.weights.push_back({t.str("box.weight"), DType::F32, 1, 0, {results}});
  t.weights.push_back({t.str("box.bias"), DType::F32, 1, 0, {results}});
  t.prepared.push_back({0, 64});
  t.buffers.push_back({t.str("image.padded"), DType::F32, n, h, w, channels, 1, 1, 1, 1, 0, 2});
  t.buffers.push_back({t.str("box"), DType::F32, n, h, w, results, 0, 0, 0, 0, 2, 3});
  const auto view = [&](Space space, uint32_t index, uint32_t extentC, uint32_t origin) {
    return t.view({space, index, DType::F32, 4, {extentC, w, h, n}, 0, origin, origin, 1, 1, 0});
  };
  const auto vector = [&](Space space, uint32_t index) {
    return t.view({space, index, DType::F32, 1, {k}, 0, zero, zero, 1, 1, 0});
  };
  t.launch(t.prepareSteps, 1, {vector(Space::Weight, 0), vector(Space::Prepared, 0)}, "pack");
  t.border(0);
  t.launch(t.runSteps, 0, {view(Space::Input, 0, c, zero), view(Space::Arena, 0, c, zero)}, "image");
  t.launch(t.runSteps, 2,
           {view(Space::Arena, 0, c, back), vector(Space::Prepared, 0), vector(Space::Weight, 1),
            view(Space::Arena, 1, k, zero)},
           "box");
  t.launch(t.runSteps, 0, {view(Space::Arena, 1, k, zero), view(Space::Output, 0, k, zero)}, "scores");
  table = t.build();
  weights.entries = {{"box.bias", {results}, {0.5f, -1}}, {"box.weight", {results}, {1, -3}}};
}

void ToyModel::install() const {
  segc_model_variants[0] = {reinterpret_cast<const rt::Header *>(table.data()), kernels};
}

float ToyModel::expected(const std::vector<float> &x, int height, int width, int k, int n, int y, int px) {
  float sum = 0;
  for (int dy = -1; dy <= 1; ++dy)
    for (int dx = -1; dx <= 1; ++dx)
      for (int c = 0; c < channels; ++c)
        if (y + dy >= 0 && y + dy < height && px + dx >= 0 && px + dx < width)
          sum += x[size_t((n * channels + c) * height + y + dy) * width + px + dx];
  return k == 0 ? sum + 0.5f : -3 * sum - 1;
}

} // namespace segc::test
