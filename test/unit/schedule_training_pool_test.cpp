/// \file Take, unpooling that adds, and the gradients of softmax against plain loops.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_training_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

struct Window {
  int rh, rw, sh, sw, dh, dw, top, left;
  std::string text() const { return field("r", rh, rw) + field("s", sh, sw) + field("d", dh, dw); }
};
const Window kWindows[] = {{2, 2, 2, 2, 1, 1, 0, 0}, {3, 3, 2, 2, 1, 1, 1, 1}, {3, 3, 1, 1, 2, 1, 0, 1}};

/// Values at windows and at pixels, and which pixel each window points at: as a pool leaves them, inside the
/// image.
struct Pooled {
  Extents small, large;
  Activation<float> windows, pixels;
  Activation<uint8_t> index;

  Pooled(const Window &w, int c, int inWindows, int inPixels, std::mt19937 &random)
      : small{c, 1 + int(random() % 20), 1 + int(random() % 9), 1 + int(random() % 2)},
        large{c, (small.w - 1) * w.sw + (w.rw - 1) * w.dw + 1 - w.left,
              (small.h - 1) * w.sh + (w.rh - 1) * w.dh + 1 - w.top, small.n},
        windows(small, inWindows, 77.f), pixels(large, inPixels, 77.f, w.left, w.top),
        index(small, c + 1, 0xee) {
    index.view.for_each_element([&](int ch, int x, int y, int n) {
      do
        index.view(ch, x, y, n) = random() % (w.rh * w.rw);
      while (column(w, ch, x, y, n) < w.left || row(w, ch, x, y, n) < w.top);
    });
  }
  /// In coordinates of the padded image.
  int column(const Window &w, int ch, int x, int y, int n) const {
    return x * w.sw + index.view(ch, x, y, n) % w.rw * w.dw;
  }
  int row(const Window &w, int ch, int x, int y, int n) const {
    return y * w.sh + index.view(ch, x, y, n) / w.rw * w.dh;
  }
};

void checkTake(const Window &w, int c, bool sum, Isa isa, std::mt19937 &random) {
  MemoryKernel kernel("take" + field("c", c) + w.text() + field("in", c + 2) + field("idx", c + 1) +
                          field("out", c) + " overlap=" + (sum ? "sum" : "last") + " : f32",
                      isa);
  if (!kernel)
    return;
  for (int run = 0; run < 3; run++) {
    Pooled p(w, c, c, c + 2, random);
    if (p.large.w < 1 || p.large.h < 1)
      continue;
    p.pixels.fill([&] { return uniform(random, 1, 2); });
    EXPECT_TRUE(sameForAnyThreads(kernel, {p.pixels.view, p.index.view}, {p.windows.view}));
    // The last window that points at a pixel, in row-major order.
    Buffer<int> owner(std::vector<int>{c, p.large.w, p.large.h, p.large.n});
    owner.set_min(0, w.left, w.top, 0);
    auto at = [&](int ch, int x, int y, int n) -> int & {
      return owner(ch, p.column(w, ch, x, y, n), p.row(w, ch, x, y, n), n);
    };
    p.windows.view.for_each_element([&](int ch, int x, int y, int n) { at(ch, x, y, n) = -1; });
    p.windows.view.for_each_element(
        [&](int ch, int x, int y, int n) { at(ch, x, y, n) = std::max(at(ch, x, y, n), y * p.small.w + x); });
    int wrong = 0;
    p.windows.view.for_each_element([&](int ch, int x, int y, int n) {
      const bool taken = sum || at(ch, x, y, n) == y * p.small.w + x;
      const float want = taken ? p.pixels.view(ch, p.column(w, ch, x, y, n), p.row(w, ch, x, y, n), n) : 0.f;
      wrong += p.windows.view(ch, x, y, n) != want;
    });
    EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa) << " " << p.small.h << "x" << p.small.w;
    EXPECT_EQ(p.windows.damaged(), 0) << kernel.spec.print();
  }
}

void checkUnpoolSum(const Window &w, int c, Isa isa, std::mt19937 &random) {
  MemoryKernel kernel("unpool" + field("c", c) + w.text() + field("in", c) + field("idx", c + 1) +
                          field("out", c + 2) + " overlap=sum : f32",
                      isa);
  if (!kernel)
    return;
  for (int run = 0; run < 3; run++) {
    Pooled p(w, c, c, c + 2, random);
    if (p.large.w < 1 || p.large.h < 1)
      continue;
    p.windows.fill([&] { return uniform(random, 1, 2); });
    EXPECT_TRUE(sameForAnyThreads(kernel, {p.windows.view, p.index.view}, {p.pixels.view}));
    Buffer<double> want(std::vector<int>{c, p.large.w, p.large.h, p.large.n});
    want.set_min(0, w.left, w.top, 0);
    want.fill(0.0);
    p.windows.view.for_each_element([&](int ch, int x, int y, int n) {
      want(ch, p.column(w, ch, x, y, n), p.row(w, ch, x, y, n), n) += p.windows.view(ch, x, y, n);
    });
    Worst worst;
    want.for_each_element(
        [&](int ch, int x, int y, int n) { worst.add(p.pixels.view(ch, x, y, n), want(ch, x, y, n)); });
    EXPECT_LE(worst.relative(), 1e-6) << kernel.spec.print() << " " << name(isa);
    EXPECT_EQ(p.pixels.damaged(), 0) << kernel.spec.print();
  }
}

/// With +add the result may be the added tensor's memory.
TEST(Transposes, PoolingInPlace) {
  std::mt19937 random(85);
  const Window w{3, 3, 2, 2, 1, 1, 0, 0};
  for (Isa isa : isasHere())
    for (int c : {1, 2, 21}) {
      const std::string add = " +add(" + std::to_string(c) + ") : f32",
                        fields = field("c", c) + w.text() + field("in", c);
      MemoryKernel take("take" + fields + field("idx", c) + field("out", c) + " overlap=sum" + add, isa),
          pool("maxpool" + fields + field("out", c) + " idx0" + add, isa);
      if (!take || !pool)
        continue;
      const Extents small{c, 19, 5, 2}, large{c, 39, 11, 2};
      Activation<float> x(large, c, 77.f), y(small, c, 77.f), sum(small, c, 77.f);
      Activation<uint8_t> index(small, c, 0);
      for (auto *t : {&x, &y})
        t->fill([&] { return uniform(random, -1, 1); });
      index.fill([&] { return random() % 9; });
      for (MemoryKernel *kernel : {&take, &pool}) {
        const std::vector<Buffer<>> operands =
            kernel == &take ? std::vector<Buffer<>>{x.view, index.view} : std::vector<Buffer<>>{x.view};
        std::vector<Buffer<>> apart = operands, within = operands;
        sum.view.copy_from(y.view);
        Activation<float> result(small, c, 77.f);
        apart.push_back(y.view);
        within.push_back(sum.view);
        kernel->run(apart, {result.view});
        kernel->run(within, {sum.view});
        int wrong = 0;
        result.view.for_each_element([&](int i, int px, int py, int n) {
          wrong += sum.view(i, px, py, n) != result.view(i, px, py, n);
        });
        EXPECT_EQ(wrong, 0) << kernel->spec.print() << " " << name(isa);
      }
    }
}

TEST(Transposes, Pooling) {
  std::mt19937 random(83);
  for (Isa isa : isasHere())
    for (int c : {2, 21, 64})
      for (const Window &w : kWindows) {
        if (skipped(isa, random))
          continue;
        checkTake(w, c, true, isa, random);
        checkTake(w, c, false, isa, random);
        checkUnpoolSum(w, c, isa, random);
      }
}

TEST(SoftmaxGradient, AgainstLoops) {
  std::mt19937 random(84);
  for (Isa isa : isasHere())
    for (int c : {1, 2, 7, 21, 64, 150})
      for (bool logarithm : {false, true}) {
        if (skipped(isa, random))
          continue;
        MemoryKernel kernel((logarithm ? "log_softmax_grad" : "softmax_grad") + field("c", c) +
                                field("in", c + 1) + field("y", c + 2) + field("out", c) + " : f32",
                            isa);
        if (!kernel)
          continue;
        for (Extents e : {Extents{c, 1, 1, 1}, Extents{c, 37, 3, 2}}) {
          Activation<float> dy(e, c + 1, NAN), y(e, c + 2, NAN), dx(e, c, 77.f);
          dy.fill([&] { return uniform(random, -1, 1); });
          y.fill([&] { return logarithm ? uniform(random, -20, 0) : uniform(random, 0, 1); });
          EXPECT_TRUE(sameForAnyThreads(kernel, {dy.view, y.view}, {dx.view}));
          Worst worst;
          dx.view.for_each_element([&](int i, int px, int py, int n) {
            double sum = 0;
            for (int j = 0; j < c; j++)
              sum += double(dy.view(j, px, py, n)) * (logarithm ? 1 : y.view(j, px, py, n));
            const double g = dy.view(i, px, py, n), v = y.view(i, px, py, n);
            worst.add(dx.view(i, px, py, n), logarithm ? g - std::exp(v) * sum : v * (g - sum));
          });
          EXPECT_LE(worst.relative(), 5e-6) << kernel.spec.print() << " " << name(isa) << " " << e.w;
          EXPECT_EQ(dx.damaged(), 0) << kernel.spec.print();
        }
      }
}

} // namespace
} // namespace segc::schedules
