/// \file Tensors in GPU formats, plain loops in double, and a run of a specialised kernel on the emulated
/// warp.
// SPDX-License-Identifier: MIT
#include "test/unit/tensorcore_support.h"
#include "compiler/emulate/Primitives.h"
#include "compiler/tools/BenchKernelLoops.h"
#include "test/unit/tensorcore_device.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

namespace segc::tensorcore::test {

Tensor::Tensor(Element element, bool f32, int n, int h, int w, int c, int pixel)
    : n(n), h(h), w(w), c(c), pixel(pixel ? pixel : c), size(f32 ? 4 : 2), element(element),
      bytes(size_t(n) * size_t(h) * size_t(w) * size_t(this->pixel) * size_t(size) / 4, 0xffffffffu) {}

void Tensor::randomise(std::mt19937 &random, float scale) {
  std::uniform_real_distribution<float> uniform(-scale, scale);
  for (int i = 0; i < n; i++)
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++)
        for (int k = 0; k < c; k++)
          set(i, y, x, k, uniform(random));
}

double Tensor::get(int i, int y, int x, int k) const {
  const int64_t index = at(i, y, x, k);
  if (size == 4) {
    float v;
    std::memcpy(&v, &bytes[size_t(index)], 4);
    return v;
  }
  const uint16_t half = uint16_t(bytes[size_t(index / 2)] >> (index % 2 * 16));
  return element == Element::F16 ? emulate::f16ToFloat(half) : emulate::bf16ToFloat(half);
}

void Tensor::set(int i, int y, int x, int k, float value) {
  const int64_t index = at(i, y, x, k);
  if (size == 4) {
    std::memcpy(&bytes[size_t(index)], &value, 4);
    return;
  }
  const uint16_t half = element == Element::F16 ? emulate::floatToF16(value) : emulate::floatToBf16(value);
  std::memcpy(reinterpret_cast<char *>(bytes.data()) + 2 * index, &half, 2);
}

View Tensor::view() {
  return {reinterpret_cast<char *>(bytes.data()), h * w * pixel / 8, w * pixel / 8, pixel / 8};
}

double rounded(Element element, float value) {
  if (element != Element::TF32)
    return value; // tensors of 2 bytes hold rounded values
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x1000u) & ~0x1fffu;
  std::memcpy(&value, &bits, 4);
  return value;
}

const emulate::Kernels &compiled(const Problem &problem, const Tile &tile) {
  static std::map<std::string, emulate::Kernels> cache;
  std::string key = problem.print() + "|" + tile.print() + "|" + std::to_string(problem.resultF32);
  const Extents &e = problem.extents;
  for (int v : {e.images, e.height, e.width, e.inHeight, e.inWidth})
    key += "," + std::to_string(v);
  for (const schedules::Epilogue &step : problem.epilogues)
    key += "," + std::to_string(step.value);
  auto found = cache.find(key);
  if (found != cache.end())
    return found->second;
  auto context = std::make_unique<llvm::LLVMContext>();
  const llvm::ExitOnError orExit; // also where assertions are off
  auto module = orExit(specialiseModule(problem, tile, "kernel", Warp::External, *context));
  return cache.emplace(key, orExit(emulate::Kernels::compile(std::move(module), std::move(context))))
      .first->second;
}

bool isLaunched(const Kernel &kernel, const Problem &problem, const Arguments &a) {
  return !kernel.adds || problem.kind == Kind::WeightGradient || a.parts > 1;
}

std::string launch(const Problem &problem, const Tile &tile, const Extents &extents, Arguments a,
                   std::vector<emulate::Range> memory, emulate::Counts *counts) {
  const emulate::Kernels &kernels = compiled(problem, tile);
  std::vector<float> partial(size_t(partialBytes(problem, tile, extents)) / 4, NAN);
  a.partial = partial.data();
  a.parts = a.parts ? a.parts : tile.parts;
  memory.push_back({partial.data(), partial.size() * 4, true});
  // What a GPU starts from too.
  std::vector<std::vector<char>> before;
  for (const emulate::Range &range : memory)
    before.emplace_back(static_cast<char *>(range.begin), static_cast<char *>(range.begin) + range.bytes);
  for (const Kernel &kernel : kernelsOf(problem, tile, "kernel")) {
    if (!isLaunched(kernel, problem, a))
      continue;
    const emulate::Launch grid = {blocks(kernel, problem, tile, extents), kernel.phases,
                                  kernel.adds ? 1 : a.parts, kernel.threads, kernel.sharedBytes};
    llvm::Expected<emulate::Counts> result = kernels.run(kernel.symbol, grid, &a, memory);
    if (!result)
      return llvm::toString(result.takeError());
    if (counts && !kernel.adds)
      *counts = *result;
  }
  if (!Gpu::find() || !Gpu::find()->runs(tile))
    return "";
  for (size_t i = 0; i < memory.size(); i++)
    if (memory[i].writable)
      std::copy(before[i].begin(), before[i].end(), static_cast<char *>(memory[i].begin));
  return Gpu::find()->run(problem, tile, extents, a, memory);
}

namespace {

/// Of f32 sums against sums in double; tensor cores cut bits off that the emulated warp rounds.
double sumTolerance() { return Gpu::find() ? 1e-4 : 1e-5; }

int resultExtent(int in, int pad, int r, int s, int d) { return (in + 2 * pad - (r - 1) * d - 1) / s + 1; }

/// An epilogue's operands, and what the steps make of v.
struct Operands {
  std::vector<std::vector<float>> vectors;
  std::vector<Tensor> tensors;

  Operands(const Problem &p, std::mt19937 &random, int n, int h, int w, int gap) {
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (const schedules::Epilogue &step : p.epilogues)
      for (char kind : step.signature())
        if (kind == 't') {
          const bool f32 = p.element == Element::TF32 || step.wide, repeats = step.stride == 0;
          tensors.emplace_back(p.element, f32, n, repeats ? 1 : h, repeats ? 1 : w, p.k, p.k + gap);
          tensors.back().randomise(random, 2);
        } else {
          vectors.emplace_back((p.k + 63) / 64 * 64, 0.f);
          for (int k = 0; k < p.k; k++)
            vectors.back()[size_t(k)] = uniform(random);
        }
  }

  double apply(const Problem &p, double v, int n, int y, int x, int k) const {
    size_t vector = 0, tensor = 0;
    for (const schedules::Epilogue &step : p.epilogues) {
      double saved = 0, values[3] = {};
      int count = 0;
      for (char kind : step.signature())
        if (kind == 't')
          saved = tensors[tensor++].get(n, step.stride ? y : 0, step.stride ? x : 0, k);
        else
          values[count++] = vectors[vector++][size_t(k)];
      v = epilogueStep(step, v, saved, values);
    }
    return v;
  }

  void bind(Arguments &a, std::vector<emulate::Range> &memory) {
    for (size_t i = 0; i < vectors.size(); i++) {
      a.vectors[i] = vectors[i].data();
      memory.push_back({vectors[i].data(), vectors[i].size() * 4, false});
    }
    for (size_t i = 0; i < tensors.size(); i++) {
      a.tensors[i] = tensors[i].view();
      if (tensors[i].h * tensors[i].w == 1) // repeated, or all there is
        a.tensors[i].row = a.tensors[i].pixel = 0;
      memory.push_back(tensors[i].range(false));
    }
  }
};

struct Inputs {
  Tensor x[2];
  double get(const Problem &p, int n, int y, int xx, int c) const {
    if (y < 0 || y >= x[0].h || xx < 0 || xx >= x[0].w)
      return 0;
    return rounded(p.element, float(c < p.c0 ? x[0].get(n, y, xx, c) : x[1].get(n, y, xx, c - p.c0)));
  }
};

Inputs makeInputs(const Case &c, std::mt19937 &random, Arguments &a, std::vector<emulate::Range> &memory) {
  const Problem &p = c.problem;
  Inputs inputs;
  for (int i = 0; i < (p.c1 ? 2 : 1); i++) {
    const int channels = i ? p.c1 : p.c0;
    inputs.x[i] = Tensor(p.element, p.element == Element::TF32, c.n, c.h, c.w, channels,
                         channels + c.pixelGap * (i + 1));
    inputs.x[i].randomise(random);
  }
  return inputs;
}

} // namespace

emulate::Counts runConvolution(const Case &c, unsigned seed) {
  Problem p = c.problem;
  SCOPED_TRACE(p.print() + ", tile " + c.tile.print());
  std::mt19937 random(seed);
  const int height = resultExtent(c.h, c.padY, p.rh, p.sy, p.dy) + c.extraH;
  const int width = resultExtent(c.w, c.padX, p.rw, p.sx, p.dx);
  const Extents extents = {c.n, height, width, c.h, c.w};
  if (c.constantExtents)
    p.extents = extents;

  Arguments a = {};
  std::vector<emulate::Range> memory;
  Inputs inputs = makeInputs(c, random, a, memory);
  for (int i = 0; i < (p.c1 ? 2 : 1); i++) {
    a.x[i] = inputs.x[i].view();
    memory.push_back(inputs.x[i].range(false));
  }
  const bool f32 = p.element == Element::TF32;
  Tensor weights(p.element, f32, 1, p.k, p.taps(), p.channels());
  weights.randomise(random, 0.5f);
  a.weights = weights.view().data;
  memory.push_back(weights.range(false));
  Operands operands(p, random, c.n, height, width, c.pixelGap);
  operands.bind(a, memory);

  Tensor y(p.element, p.resultF32, c.n, height, width, p.k, p.k + c.pixelGap);
  Tensor pooled(p.element, p.resultF32, c.n, height / 2, width / 2, p.k);
  std::vector<uint8_t> index(size_t(c.n) * size_t(height / 2) * size_t(width / 2) * size_t(p.k), 0xff);
  a.y = y.view();
  a.pooled = pooled.view();
  a.index = {reinterpret_cast<char *>(index.data()), pooled.view().image, pooled.view().row,
             pooled.view().pixel};
  memory.push_back(y.range(true));
  memory.push_back(pooled.range(true));
  memory.push_back({index.data(), index.size(), true});
  if (!c.constantExtents)
    a.images = c.n, a.height = height, a.width = width, a.inHeight = c.h, a.inWidth = c.w;
  a.phases[0] = {0, 0, -c.padY, -c.padX};
  a.parts = c.parts;

  emulate::Counts counts;
  EXPECT_EQ(launch(p, c.tile, extents, a, memory, &counts), "");

  // Half a unit in the last place of the result, and f32 sums.
  const double unit = p.resultF32 ? 0 : p.element == Element::F16 ? 0x1p-10 : 0x1p-7;
  double largest = 1e-6, worst = 0;
  std::vector<double> expected;
  for (int n = 0; n < c.n; n++)
    for (int oy = 0; oy < height; oy++)
      for (int ox = 0; ox < width; ox++)
        for (int k = 0; k < p.k; k++) {
          double sum = 0;
          for (int ry = 0; ry < p.rh; ry++)
            for (int rx = 0; rx < p.rw; rx++)
              for (int ch = 0; ch < p.channels(); ch++)
                sum += inputs.get(p, n, oy * p.sy + ry * p.dy - c.padY, ox * p.sx + rx * p.dx - c.padX, ch) *
                       rounded(p.element, float(weights.get(0, k, ry * p.rw + rx, ch)));
          expected.push_back(operands.apply(p, sum, n, oy, ox, k));
          largest = std::max(largest, std::fabs(expected.back()));
        }
  size_t next = 0;
  std::string where;
  for (int n = 0; n < c.n && p.keep; n++)
    for (int oy = 0; oy < height; oy++)
      for (int ox = 0; ox < width; ox++)
        for (int k = 0; k < p.k; k++) {
          const double want = expected[next++], is = y.get(n, oy, ox, k);
          const double allowed = 0.505 * unit * std::fabs(want) + sumTolerance() * largest,
                       error = std::fabs(is - want) / allowed;
          if (!(error <= worst)) {
            worst = std::isnan(error) ? INFINITY : error;
            where = "(" + std::to_string(n) + "," + std::to_string(oy) + "," + std::to_string(ox) + "," +
                    std::to_string(k) + "): " + std::to_string(is) + ", expected " + std::to_string(want);
          }
        }
  EXPECT_LE(worst, 1) << where;

  if (!p.keep) {
    EXPECT_EQ(std::count(y.bytes.begin(), y.bytes.end(), 0xffffffffu), int64_t(y.bytes.size()))
        << "pixels that nobody reads are written";
  }
  // The pool sees what is stored; where that is the maxima alone, it can be told up to its rounding.
  auto pixel = [&](int n, int oy, int ox, int k) {
    return p.keep ? y.get(n, oy, ox, k) : expected[size_t(((n * height + oy) * width + ox) * p.k + k)];
  };
  if (p.pool)
    for (int n = 0; n < c.n; n++)
      for (int oy = 0; oy < height / 2; oy++)
        for (int ox = 0; ox < width / 2; ox++)
          for (int k = 0; k < p.k; k++) {
            auto at = [&](int i) { return pixel(n, 2 * oy + i / 2, 2 * ox + i % 2, k); };
            int best = 0;
            for (int i = 1; i < 4; i++)
              if (at(i) > at(best))
                best = i;
            const double slack = p.keep ? 0 : 0.505 * unit * std::fabs(at(best)) + sumTolerance() * largest;
            EXPECT_NEAR(pooled.get(n, oy, ox, k), at(best), slack);
            if (p.poolIndex) {
              const int position = index[size_t(pooled.at(n, oy, ox, k))];
              EXPECT_TRUE(position == best ||
                          (!p.keep && position < 4 && at(position) >= at(best) - 2 * slack))
                  << position << ", expected " << best;
            }
            if (testing::Test::HasFailure())
              return counts;
          }
  return counts;
}

emulate::Counts runWeightGradient(const Case &c, unsigned seed) {
  Problem p = c.problem;
  SCOPED_TRACE(p.print() + ", tile " + c.tile.print());
  std::mt19937 random(seed);
  const int height = resultExtent(c.h, c.padY, p.rh, p.sy, p.dy),
            width = resultExtent(c.w, c.padX, p.rw, p.sx, p.dx);
  const Extents extents = {c.n, height, width, c.h, c.w};
  if (c.constantExtents)
    p.extents = extents;
  Arguments a = {};
  std::vector<emulate::Range> memory;
  Inputs inputs = makeInputs(c, random, a, memory);
  for (int i = 0; i < (p.c1 ? 2 : 1); i++) {
    a.x[i] = inputs.x[i].view();
    memory.push_back(inputs.x[i].range(false));
  }
  Tensor dy(p.element, p.element == Element::TF32, c.n, height, width, p.k, p.k + c.pixelGap);
  dy.randomise(random);
  a.y = dy.view();
  memory.push_back(dy.range(false));
  if (!c.constantExtents)
    a.images = c.n, a.height = height, a.width = width, a.inHeight = c.h, a.inWidth = c.w;
  a.phases[0] = {0, 0, -c.padY, -c.padX};
  // The file's layout of a convolution: k, c, tap with the tap innermost.
  std::vector<float> gradient(size_t(p.k) * size_t(p.channels()) * size_t(p.taps()), NAN);
  a.gradient = gradient.data();
  a.gradientTap = 1, a.gradientC = p.taps(), a.gradientK = p.taps() * p.channels();
  memory.push_back({gradient.data(), gradient.size() * 4, true});

  emulate::Counts counts;
  EXPECT_EQ(launch(p, c.tile, extents, a, memory, &counts), "");
  double largest = 1e-6, worst = 0;
  for (int k = 0; k < p.k; k++)
    for (int ry = 0; ry < p.rh; ry++)
      for (int rx = 0; rx < p.rw; rx++)
        for (int ch = 0; ch < p.channels(); ch++) {
          double sum = 0;
          for (int n = 0; n < c.n; n++)
            for (int oy = 0; oy < height; oy++)
              for (int ox = 0; ox < width; ox++)
                sum += rounded(p.element, float(dy.get(n, oy, ox, k))) *
                       inputs.get(p, n, oy * p.sy + ry * p.dy - c.padY, ox * p.sx + rx * p.dx - c.padX, ch);
          largest = std::max(largest, std::fabs(sum));
          const double error =
              std::fabs(gradient[size_t((k * p.channels() + ch) * p.taps() + ry * p.rw + rx)] - sum);
          worst = error <= worst ? worst : std::isnan(error) ? INFINITY : error;
        }
  EXPECT_LE(worst, sumTolerance() * largest);
  return counts;
}

} // namespace segc::tensorcore::test
