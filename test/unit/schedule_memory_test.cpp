/// \file Pooling, unpooling, resizing, padding and pointwise kernels against plain loops.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_memory_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

std::string pair(const char *name, int h, int w) {
  return " " + std::string(name) + std::to_string(h) + "x" + std::to_string(w);
}
std::string field(const char *name, int value) { return " " + std::string(name) + std::to_string(value); }

struct Window {
  int rh, rw, sh, sw, dh, dw, top, left;
  std::string text() const { return pair("r", rh, rw) + pair("s", sh, sw) + pair("d", dh, dw); }
};

const Window kWindows[] = {{2, 2, 2, 2, 1, 1, 0, 0}, {3, 3, 2, 2, 1, 1, 1, 1}, {3, 2, 1, 2, 1, 1, 2, 1},
                           {3, 3, 1, 1, 2, 1, 0, 1}, {1, 5, 3, 2, 1, 1, 0, 4}, {2, 3, 3, 4, 1, 2, 1, 0}};

/// The value and the position of one window's maximum; position -1 if none of its pixels exists.
std::pair<float, int> windowMaximum(const Buffer<float> &in, const Window &w, int c, int x, int y, int n) {
  std::pair<float, int> best(-INFINITY, -1);
  for (int ry = 0; ry < w.rh; ry++)
    for (int rx = 0; rx < w.rw; rx++) {
      const int px = x * w.sw + rx * w.dw, py = y * w.sh + ry * w.dh;
      if (px < in.dim(1).min() || px > in.dim(1).max() || py < in.dim(2).min() || py > in.dim(2).max())
        continue;
      const float v = in(c, px, py, n);
      if (best.second < 0 || v > best.first || (std::isnan(v) && !std::isnan(best.first)))
        best = {v, ry * w.rw + rx};
    }
  return best;
}

void checkPool(int c, const Window &w, bool index, const std::string &epilogues, Isa isa,
               std::mt19937 &random) {
  if (skipped(isa, random))
    return;
  const int in = c + random() % 3, out = c + random() % 3, indexPixel = c + random() % 3;
  MemoryKernel kernel("maxpool" + field("c", c) + w.text() + field("in", in) + field("out", out) +
                          field("idx", index ? indexPixel : 0) + epilogues + " : f32",
                      isa);
  if (!kernel)
    return;
  for (int run = 0; run < 3; run++) {
    const int width = 1 + random() % 40, height = 1 + random() % 20, n = 1 + random() % 2;
    auto results = [&](int size, int pad, int r, int s, int d) {
      return (size + pad + int(random() % (pad + 1)) - (r - 1) * d - 1) / s + 1;
    };
    const int outW = results(width, w.left, w.rw, w.sw, w.dw),
              outH = results(height, w.top, w.rh, w.sh, w.dh);
    if (outW < 1 || outH < 1 || (width + w.left < (w.rw - 1) * w.dw + 1) ||
        height + w.top < (w.rh - 1) * w.dh + 1)
      continue;
    Activation<float> x({c, width, height, n}, in, NAN, w.left, w.top);
    x.fill(Values{random, run % 2 == 1});
    Activation<float> y({c, outW, outH, n}, out, 77.f);
    Activation<uint8_t> position({c, outW, outH, n}, indexPixel, 0xee);
    TestEpilogues steps(kernel.spec, {c, outW, outH, n}, random);
    std::vector<Buffer<>> inputs = {x.view};
    inputs.insert(inputs.end(), steps.operands.begin(), steps.operands.end());
    kernel.run(inputs, index ? std::vector<Buffer<>>{y.view, position.view} : std::vector<Buffer<>>{y.view});
    int wrong = 0;
    y.view.for_each_element([&](int ch, int px, int py, int image) {
      const auto [value, at] = windowMaximum(x.view, w, ch, px, py, image);
      ASSERT_GE(at, 0);
      wrong += !same(y.view(ch, px, py, image), steps.apply(value, ch, px, py, image));
      wrong += index && position.view(ch, px, py, image) != at;
    });
    EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa) << " " << n << "x" << height << "x"
                        << width;
    EXPECT_EQ(y.damaged() + position.damaged(), 0) << kernel.spec.print() << " " << name(isa);
  }
}

TEST(MemoryKernels, MaximumPooling) {
  std::mt19937 random(1);
  for (Isa isa : isasHere()) {
    for (int c : {1, 3, 21, 64})
      for (const Window &w : kWindows)
        if (c == 21 || random() % 3 == 0)
          checkPool(c, w, random() % 2, "", isa, random);
    checkPool(64, kWindows[0], true, "", isa, random);
    checkPool(130, kWindows[1], false, " +bias +relu", isa, random);
    checkPool(21, kWindows[1], true, " +add(23)", isa, random);
    checkPool(2, kWindows[0], true, " +relu +add(2)", isa, random);
  }
}

void checkUnpool(int c, const Window &w, const std::string &epilogues, Isa isa, std::mt19937 &random) {
  if (skipped(isa, random))
    return;
  const int in = c + random() % 3, out = c + random() % 3, indexPixel = c + random() % 3;
  MemoryKernel kernel("unpool" + field("c", c) + w.text() + field("in", in) + field("idx", indexPixel) +
                          field("out", out) + epilogues + " : f32",
                      isa);
  if (!kernel)
    return;
  for (int run = 0; run < 3; run++) {
    const Extents pooled{c, 1 + int(random() % 20), 1 + int(random() % 10), 1 + int(random() % 2)};
    const int width =
        std::max(1, (pooled.w - 1) * w.sw + (w.rw - 1) * w.dw + 1 - w.left - 1 + int(random() % 3));
    const int height =
        std::max(1, (pooled.h - 1) * w.sh + (w.rh - 1) * w.dh + 1 - w.top - 1 + int(random() % 3));
    Activation<float> v(pooled, in, NAN), y({c, width, height, pooled.n}, out, 77.f, w.left, w.top);
    Activation<uint8_t> index(pooled, indexPixel, 0);
    v.fill(Values{random, run % 2 == 1});
    index.fill([&] { return random() % (w.rh * w.rw); });
    TestEpilogues steps(kernel.spec, {c, width, height, pooled.n}, random);
    std::vector<Buffer<>> inputs = {v.view, index.view};
    inputs.insert(inputs.end(), steps.operands.begin(), steps.operands.end());
    kernel.run(inputs, {y.view});

    Buffer<float> want(std::vector<int>{c, width, height, pooled.n});
    want.fill(0.f);
    for (int n = 0; n < pooled.n; n++)
      for (int wy = 0; wy < pooled.h; wy++)
        for (int wx = 0; wx < pooled.w; wx++)
          for (int ch = 0; ch < c; ch++) {
            const int at = index.view(ch, wx, wy, n);
            const int px = wx * w.sw + at % w.rw * w.dw - w.left, py = wy * w.sh + at / w.rw * w.dh - w.top;
            if (px >= 0 && px < width && py >= 0 && py < height)
              want(ch, px, py, n) = v.view(ch, wx, wy, n);
          }
    int wrong = 0;
    want.for_each_element([&](int ch, int px, int py, int n) {
      wrong += !same(y.view(ch, px + w.left, py + w.top, n), steps.apply(want(ch, px, py, n), ch, px, py, n));
    });
    EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa) << " " << height << "x" << width;
    EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
  }
}

TEST(MemoryKernels, Unpooling) {
  std::mt19937 random(2);
  for (Isa isa : isasHere()) {
    for (int c : {1, 2, 21, 64})
      for (const Window &w : kWindows)
        if (c == 64 || (random() % 4 == 0 && w.rh * w.rw / w.sh / w.sw < 4))
          checkUnpool(c, w, "", isa, random);
    checkUnpool(21, kWindows[1], " +add(22) +relu", isa, random);
    checkUnpool(3, kWindows[0], " +bias +add(3)", isa, random);
  }
}

double resized(const Buffer<float> &in, int c, int x, int y, int n, int outW, int outH,
               const std::string &mode, bool align) {
  double sum = 0;
  for (const auto &[py, v] : resizeReads(y, in.dim(2).extent(), outH, mode, align))
    for (const auto &[px, h] : resizeReads(x, in.dim(1).extent(), outW, mode, align))
      sum += v * h * in(c, px, py, n);
  return sum;
}

void checkUpsample(int c, const std::string &mode, bool align, const std::string &epilogues, Isa isa,
                   const std::vector<Extents> &sizes, std::mt19937 &random) {
  if (skipped(isa, random))
    return;
  const int in = c + random() % 3, out = c + random() % 3;
  MemoryKernel kernel("upsample" + field("c", c) + field("in", in) + field("out", out) + " mode=" + mode +
                          field("align", align) + epilogues + " : f32",
                      isa);
  if (!kernel)
    return;
  for (const Extents &e : sizes) { // e: the input; the result is of any size
    const bool long_ = e.w > 1000;
    const int outW = long_ ? 70001 : 1 + random() % 60, outH = 1 + random() % (long_ ? 2 : 30);
    Activation<float> x({c, e.w, e.h, e.n}, in, NAN), y({c, outW, outH, e.n}, out, 77.f);
    x.fill([&] { return std::uniform_real_distribution<float>(-1, 1)(random); });
    TestEpilogues steps(kernel.spec, {c, outW, outH, e.n}, random);
    std::vector<Buffer<>> inputs = {x.view};
    inputs.insert(inputs.end(), steps.operands.begin(), steps.operands.end());
    kernel.run(inputs, {y.view});
    double worst = 0;
    y.view.for_each_element([&](int ch, int px, int py, int n) {
      const float value = float(resized(x.view, ch, px, py, n, outW, outH, mode, align));
      const double off = std::fabs(y.view(ch, px, py, n) - steps.apply(value, ch, px, py, n));
      worst = off <= worst ? worst : std::isnan(off) ? INFINITY : off;
    });
    EXPECT_LE(worst, mode == "nearest" || mode == "zeros" ? 1e-6 : 2e-5)
        << kernel.spec.print() << " " << name(isa) << " " << e.h << "x" << e.w << " to " << outH << "x"
        << outW;
    EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
  }
}

TEST(MemoryKernels, Upsampling) {
  std::mt19937 random(3);
  for (Isa isa : isasHere()) {
    for (int c : {1, 2, 5, 16, 21, 64}) {
      const std::vector<Extents> sizes = {{c, 1, 1, 1}, {c, 7, 5, 2}, {c, 30, 17, 1}};
      checkUpsample(c, "nearest", false, "", isa, sizes, random);
      checkUpsample(c, "zeros", false, c == 2 ? " +bias" : "", isa, sizes, random);
      checkUpsample(c, "bicubic", c % 2, c == 5 ? " +relu" : "", isa, sizes, random);
      checkUpsample(c, "bilinear", c % 2, "", isa, sizes, random);
      checkUpsample(c, "bilinear", c % 2 == 0, c > 5 ? " +add(70) +relu" : " +bias", isa, sizes, random);
    }
    // i * in no longer fits 32 bits
    checkUpsample(1, "nearest", false, "", isa, {{1, 50021, 1, 1}}, random);
    checkUpsample(8, "nearest", false, "", isa, {{8, 50021, 1, 1}}, random);
  }
}

TEST(MemoryKernels, Padding) {
  std::mt19937 random(4);
  for (Isa isa : isasHere())
    for (int c : {1, 3, 21, 64})
      for (const char *mode : {"zero", "reflect", "replicate"}) {
        if (skipped(isa, random))
          continue;
        const int in = c + random() % 3, out = c + random() % 3;
        MemoryKernel kernel(
            "pad" + field("c", c) + field("in", in) + field("out", out) + " mode=" + mode + " : f32", isa);
        if (!kernel)
          continue;
        for (int run = 0; run < 3; run++) {
          const int w = 1 + random() % 20, h = 1 + random() % 20, n = 1 + random() % 2;
          // Reflection needs more pixels than it adds.
          const int left = random() % w, right = random() % w, top = random() % h, bottom = random() % h;
          Activation<float> x({c, w, h, n}, in, NAN, left, top);
          Activation<float> y({c, w + left + right, h + top + bottom, n}, out, 77.f);
          x.fill(Values{random});
          kernel.run({x.view}, {y.view});
          auto source = [&](int p, int size) {
            if (std::string(mode) == "reflect")
              return p < 0 ? -p : p >= size ? 2 * size - 2 - p : p;
            return std::min(std::max(p, 0), size - 1);
          };
          int wrong = 0;
          y.view.for_each_element([&](int ch, int px, int py, int image) {
            const bool outside = px < left || px >= left + w || py < top || py >= top + h;
            const float want =
                std::string(mode) == "zero" && outside
                    ? 0.f
                    : x.view(ch, source(px - left, w) + left, source(py - top, h) + top, image);
            wrong += y.view(ch, px, py, image) != want;
          });
          EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa) << " " << h << "x" << w;
          EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
        }
      }
}

/// In place the result is the input's memory (`alias` 1) or that of the last operand tensor (2).
void checkPointwise(int c, int in, int out, const std::string &epilogues, int alias, Isa isa,
                    std::mt19937 &random) {
  MemoryKernel kernel(
      "pointwise" + field("c", c) + field("in", in) + field("out", out) + epilogues + " : f32", isa);
  if (!kernel)
    return;
  for (const Extents &e : {Extents{c, 1, 1, 1}, Extents{c, 17, 3, 2}, Extents{c, 64, 9, 1}}) {
    Activation<float> x(e, in, NAN), y(e, out, 77.f);
    x.fill(Values{random, true});
    TestEpilogues steps(kernel.spec, e, random);
    Buffer<float> result = alias == 1 ? x.view : alias == 2 ? steps.operands.back() : y.view;
    Buffer<float> want(std::vector<int>{e.c, e.w, e.h, e.n});
    want.for_each_element([&](int ch, int px, int py, int n) {
      want(ch, px, py, n) = steps.apply(x.view(ch, px, py, n), ch, px, py, n);
    });
    std::vector<Buffer<>> inputs = {x.view};
    inputs.insert(inputs.end(), steps.operands.begin(), steps.operands.end());
    kernel.run(inputs, {result});
    int wrong = 0;
    want.for_each_element(
        [&](int ch, int px, int py, int n) { wrong += !same(result(ch, px, py, n), want(ch, px, py, n)); });
    EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa) << " alias " << alias << " " << e.w;
    EXPECT_EQ(x.damaged() + y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
  }
}

TEST(MemoryKernels, Pointwise) {
  std::mt19937 random(5);
  for (Isa isa : isasHere())
    for (int c : {1, 2, 3, 5, 12, 16, 21, 64, 130}) {
      checkPointwise(c, c, c, "", 0, isa, random);
      checkPointwise(c, c + 1, c + 2, " +relu", 0, isa, random);
      checkPointwise(c, c, c, " +bias +add(" + std::to_string(c) + ")", 1, isa, random);
      checkPointwise(c, c, c, " +relu +add(" + std::to_string(c) + ")", 2, isa, random);
      checkPointwise(c, c + 3, c + 3, " +prelu +add(" + std::to_string(c + 1) + ")", 1, isa, random);
    }
}

/// y = v * s + b with one pixel of s for each image and one row of b for all.
TEST(MemoryKernels, RepeatedOperands) {
  std::mt19937 random(6);
  for (Isa isa : isasHere())
    for (int c : {1, 3, 16, 21, 64}) {
      if (skipped(isa, random))
        continue;
      MemoryKernel kernel("pointwise" + field("c", c) + field("in", c) + field("out", c) + " +mul(0) +add(" +
                              std::to_string(c) + ") +times(-2) : f32",
                          isa);
      if (!kernel)
        continue;
      const Extents e{c, 19, 3, 2};
      Activation<float> x(e, c, NAN), y(e, c, 77.f);
      Guarded<float> s({c, 1, 1, 2}, {1, c, c, c + 3}, NAN), b({c, 19, 1, 1}, {1, c, 19 * c, 19 * c}, NAN);
      for (Guarded<float> *each : std::initializer_list<Guarded<float> *>{&x, &s, &b})
        each->fill(Values{random});
      auto repeated = [&](Guarded<float> &of, int strideX, int strideN) {
        halide_dimension_t dims[] = {{0, c, 1, 0}, {0, 19, strideX, 0}, {0, 3, 0, 0}, {0, 2, strideN, 0}};
        return Buffer<float>(of.view.data(), 4, dims);
      };
      kernel.run({x.view, repeated(s, 0, c + 3), repeated(b, c, 0)}, {y.view});
      int wrong = 0;
      y.view.for_each_element([&](int ch, int px, int py, int n) {
        wrong += y.view(ch, px, py, n) !=
                 (x.view(ch, px, py, n) * s.view(ch, 0, 0, n) + b.view(ch, px, 0, 0)) * -2;
      });
      EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa);
      EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
    }
}

TEST(MemoryKernels, SumsOverAxes) {
  std::mt19937 random(7);
  for (Isa isa : isasHere())
    for (int c : {1, 3, 16, 21, 70})
      for (const std::string axes : {"n", "c", "hw", "chw", "nch", "nchw"}) {
        if (skipped(isa, random))
          continue;
        auto sums = [&](char axis) { return axes.find(axis) != std::string::npos; };
        const Extents e{c, 13, 6, 2},
            r{sums('c') ? 1 : c, sums('w') ? 1 : 13, sums('h') ? 1 : 6, sums('n') ? 1 : 2};
        MemoryKernel kernel("reduce_sum" + field("c", c) + field("in", c + 1) + field("out", r.c + 2) +
                                " axes=" + axes + " : f32",
                            isa);
        if (!kernel)
          continue;
        Activation<float> x(e, c + 1, NAN), y(r, r.c + 2, 77.f);
        x.fill(Values{random});
        kernel.run({x.view}, {y.view});
        Buffer<double> want(std::vector<int>{r.c, r.w, r.h, r.n});
        want.fill(0);
        x.view.for_each_element([&](int ch, int px, int py, int n) {
          want(sums('c') ? 0 : ch, sums('w') ? 0 : px, sums('h') ? 0 : py, sums('n') ? 0 : n) +=
              x.view(ch, px, py, n);
        });
        int wrong = 0;
        want.for_each_element(
            [&](int ch, int px, int py, int n) { wrong += y.view(ch, px, py, n) != want(ch, px, py, n); });
        EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa);
        EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
      }
}

TEST(MemoryKernels, RepeatedChannel) {
  std::mt19937 random(8);
  for (Isa isa : isasHere())
    for (int c : {2, 16, 21}) {
      MemoryKernel kernel("repeat" + field("c", c) + field("in", 3) + field("out", c + 1) + " : f32", isa);
      if (!kernel)
        continue;
      Activation<float> x({1, 9, 4, 2}, 3, NAN), y({c, 9, 4, 2}, c + 1, 77.f);
      x.fill(Values{random, true});
      kernel.run({x.view}, {y.view});
      int wrong = 0;
      y.view.for_each_element([&](int ch, int px, int py, int n) {
        wrong += !same(y.view(ch, px, py, n), x.view(0, px, py, n));
      });
      EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa);
      EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
    }
}

} // namespace
} // namespace segc::schedules
