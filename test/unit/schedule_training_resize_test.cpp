/// \file Transposes of resizing and padding: scattered by what the forward formulas read.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_training_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// What a pixel of the large side reads of an axis of the small one: two pixels and the second one's share.
struct Read {
  int low, high;
  double share;
};
Read readOf(int o, int in, int out, const std::string &mode, bool align) {
  if (mode == "nearest")
    return {int(int64_t(o) * in / out), 0, 0};
  double at = align ? (out > 1 ? double(o) * (in - 1) / (out - 1) : 0) : (o + 0.5) * in / out - 0.5;
  at = std::min(std::max(at, 0.), in - 1.);
  const int low = int(at);
  return {low, std::min(low + 1, in - 1), at - low};
}

void checkUpsampleTranspose(int c, const std::string &mode, bool align, bool add, Isa isa,
                            std::mt19937 &random) {
  const int in = c + random() % 3, out = c + random() % 3;
  MemoryKernel kernel("upsample_transpose" + field("c", c) + field("in", in) + field("out", out) +
                          " mode=" + mode + field("align", align) +
                          (add ? " +add(" + std::to_string(out) + ")" : "") + " : f32",
                      isa);
  if (!kernel)
    return;
  const int sizes[][4] = {{1, 1, 1, 1}, {5, 3, 10, 6}, {7, 4, 30, 13},
                          {9, 8, 4, 3}, {1, 2, 5, 9},  {6, 5, 1, 1}};
  for (const auto &[w, h, largeW, largeH] : sizes) {
    const int images = 1 + random() % 2;
    Activation<float> x({c, largeW, largeH, images}, in, NAN), y({c, w, h, images}, out, 77.f);
    x.fill([&] { return uniform(random, -1, 1); });
    y.fill([&] { return uniform(random, -1, 1); });
    Buffer<double> want(std::vector<int>{c, w, h, images});
    want.for_each_element(
        [&](int ch, int px, int py, int n) { want(ch, px, py, n) = add ? y.view(ch, px, py, n) : 0; });
    x.view.for_each_element([&](int ch, int px, int py, int n) {
      const Read a = readOf(px, w, largeW, mode, align), b = readOf(py, h, largeH, mode, align);
      for (int i : {0, 1})
        for (int j : {0, 1})
          if (const double weight = (i ? a.share : 1 - a.share) * (j ? b.share : 1 - b.share); weight != 0)
            want(ch, i ? a.high : a.low, j ? b.high : b.low, n) += weight * x.view(ch, px, py, n);
    });
    // In place with `add`.
    kernel.run(add ? std::vector<Buffer<>>{x.view, y.view} : std::vector<Buffer<>>{x.view}, {y.view});
    Worst worst;
    want.for_each_element(
        [&](int ch, int px, int py, int n) { worst.add(y.view(ch, px, py, n), want(ch, px, py, n)); });
    EXPECT_LE(worst.relative(), 3e-6) << kernel.spec.print() << " " << name(isa) << " " << largeH << "x"
                                      << largeW << " to " << h << "x" << w;
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
