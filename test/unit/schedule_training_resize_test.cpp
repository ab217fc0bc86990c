/// \file Transposes of resizing and padding: scattered by what the forward formulas read.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_training_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

void checkUpsampleTranspose(int c, const std::string &mode, bool align, bool add, Isa isa,
                            std::mt19937 &random) {
  const int in = c + random() % 3, out = c + random() % 3;
  MemoryKernel kernel("upsample_transpose" + field("c", c) + field("in", in) + field("out", out) +
                          " mode=" + mode + field("align", align) +
                          (add ? " +add(" + std::to_string(out) + ")" : "") + " : f32",
                      isa);
  if (!kernel)
    return;
  const int sizes[][4] = {{1, 1, 1, 1}, {5, 3, 10, 6}, {7, 4, 30, 13}, {9, 8, 4, 3},
                          {1, 2, 5, 9}, {6, 5, 1, 1},  {1, 1, 60, 60}, {6, 2, 60, 61}};
  for (const auto &[w, height, largeW, largeH] : sizes) {
    const int images = 1 + random() % 2;
    Activation<float> x({c, largeW, largeH, images}, in, NAN), y({c, w, height, images}, out, 77.f);
    x.fill([&] { return uniform(random, -1, 1); });
    y.fill([&] { return uniform(random, -1, 1); });
    Buffer<double> want(std::vector<int>{c, w, height, images});
    want.for_each_element(
        [&](int ch, int px, int py, int n) { want(ch, px, py, n) = add ? y.view(ch, px, py, n) : 0; });
    x.view.for_each_element([&](int ch, int px, int py, int n) {
      for (const auto &[i, h] : resizeReads(px, w, largeW, mode, align))
        for (const auto &[j, v] : resizeReads(py, height, largeH, mode, align))
          want(ch, i, j, n) += h * v * x.view(ch, px, py, n);
    });
    // In place with `add`.
    kernel.run(add ? std::vector<Buffer<>>{x.view, y.view} : std::vector<Buffer<>>{x.view}, {y.view});
    Worst worst;
    want.for_each_element(
        [&](int ch, int px, int py, int n) { worst.add(y.view(ch, px, py, n), want(ch, px, py, n)); });
    EXPECT_LE(worst.relative(), 3e-6) << kernel.spec.print() << " " << name(isa) << " " << largeH << "x"
                                      << largeW << " to " << height << "x" << w;
    EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
    if (!add)
      EXPECT_TRUE(sameForAnyThreads(kernel, {x.view}, {y.view}));
  }
}

TEST(Transposes, Upsampling) {
  std::mt19937 random(81);
  for (Isa isa : isasHere())
    for (int c : {1, 3, 21, 64}) {
      if (skipped(isa, random))
        continue;
      checkUpsampleTranspose(c, "nearest", false, c == 21, isa, random);
      checkUpsampleTranspose(c, "bilinear", false, c == 3 || c == 21, isa, random);
      checkUpsampleTranspose(c, "bilinear", true, false, isa, random);
      checkUpsampleTranspose(c, "bicubic", c % 2, c == 3, isa, random);
      checkUpsampleTranspose(c, "zeros", false, false, isa, random);
    }
}

void checkPadTranspose(int c, const std::string &mode, int top, int left, int bottom, int right, bool add,
                       Isa isa, std::mt19937 &random) {
  const int in = c + random() % 3, out = c + random() % 3;
  MemoryKernel kernel("pad_transpose" + field("c", c) + field("in", in) + field("out", out) +
                          " mode=" + mode + field("before", top, left) + field("after", bottom, right) +
                          (add ? " +add(" + std::to_string(out) + ")" : "") + " : f32",
                      isa);
  if (!kernel)
    return;
  const bool reflect = mode == "reflect";
  for (int run = 0; run < 3; run++) {
    const int w = (reflect ? std::max(left, right) : 0) + 1 + random() % 20,
              h = (reflect ? std::max(top, bottom) : 0) + 1 + run * 3;
    Activation<float> x({c, w + left + right, h + top + bottom, 2}, in, NAN), y({c, w, h, 2}, out, 77.f);
    x.fill([&] { return uniform(random, -1, 1); });
    auto source = [&](int p, int size) {
      return reflect ? (p < 0 ? -p : p >= size ? 2 * size - 2 - p : p) : std::min(std::max(p, 0), size - 1);
    };
    Buffer<double> want(std::vector<int>{c, w, h, 2});
    y.fill([&] { return uniform(random, -1, 1); });
    want.for_each_element(
        [&](int ch, int px, int py, int n) { want(ch, px, py, n) = add ? y.view(ch, px, py, n) : 0; });
    x.view.for_each_element([&](int ch, int px, int py, int n) {
      want(ch, source(px - left, w), source(py - top, h), n) += x.view(ch, px, py, n);
    });
    if (add)
      kernel.run({x.view, y.view}, {y.view}); // in place
    else
      EXPECT_TRUE(sameForAnyThreads(kernel, {x.view}, {y.view}));
    Worst worst;
    want.for_each_element(
        [&](int ch, int px, int py, int n) { worst.add(y.view(ch, px, py, n), want(ch, px, py, n)); });
    EXPECT_LE(worst.relative(), 2e-6) << kernel.spec.print() << " " << name(isa) << " " << h << "x" << w;
    EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
  }
}

TEST(Transposes, Padding) {
  std::mt19937 random(82);
  for (Isa isa : isasHere())
    for (int c : {1, 3, 21, 64})
      for (const char *mode : {"reflect", "replicate"})
        for (bool add : {false, true})
          if (!skipped(isa, random))
            checkPadTranspose(c, mode, 2, 1, c % 2, 4, add, isa, random);
}

} // namespace
} // namespace segc::schedules
