/// \file The kernels that move elements, against plain loops over logical coordinates.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_memory_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

std::string number(const char *name, int value) { return std::string(" ") + name + std::to_string(value); }
std::string two(const char *name, int h, int w) { return number(name, h) + "x" + std::to_string(w); }

using Source = std::function<float(int c, int x, int y, int n)>;

/// Runs the kernel on numbered elements and compares every element of the result.
void check(const std::string &problem, Isa isa, Extents in, int inPixel, Extents out, int outPixel,
           const std::function<Source(const Buffer<float> &)> &expected) {
  MemoryKernel kernel(problem, isa);
  if (!kernel)
    return;
  Activation<float> x(in, inPixel, NAN), y(out, outPixel, 77.f);
  float next = 0;
  x.fill([&] { return next++; });
  kernel.run({x.view}, {y.view});
  const Source source = expected(x.view);
  int wrong = 0;
  y.view.for_each_element(
      [&](int c, int px, int py, int n) { wrong += !same(y.view(c, px, py, n), source(c, px, py, n)); });
  EXPECT_EQ(wrong, 0) << problem << " " << name(isa);
  EXPECT_EQ(y.damaged(), 0) << problem << " " << name(isa);
}

TEST(Relayout, Reshape) {
  std::mt19937 random(5);
  const Extents cases[][2] = {{{3, 4, 5, 2}, {60, 1, 1, 2}},
                              {{60, 1, 1, 2}, {3, 4, 5, 2}},
                              {{16, 3, 2, 2}, {8, 6, 4, 1}},
                              {{1, 7, 3, 1}, {7, 3, 1, 1}}};
  for (Isa isa : isasHere())
    for (const auto &[in, out] : cases) {
      if (skipped(isa, random))
        continue;
      const Extents from = in, to = out;
      check("reshape" + number("c", in.c) + number("k", out.c) + number("in", in.c + 1) +
                number("out", out.c + 2) + " : f32",
            isa, in, in.c + 1, out, out.c + 2, [&](const Buffer<float> &x) {
              return [&x, from, to](int c, int px, int py, int n) {
                const int i = ((n * to.c + c) * to.h + py) * to.w + px;
                return x(i / (from.w * from.h) % from.c, i % from.w, i / from.w % from.h,
                         i / (from.w * from.h * from.c));
              };
            });
    }
}

TEST(Relayout, Transpose) {
  std::mt19937 random(6);
  for (Isa isa : isasHere())
    for (const std::string perm : {"0231", "1032", "3210", "0132"}) {
      if (skipped(isa, random))
        continue;
      const Extents in{9, 4, 3, 2};
      const int logical[] = {in.n, in.c, in.h, in.w};
      const Extents out{logical[perm[1] - '0'], logical[perm[3] - '0'], logical[perm[2] - '0'],
                        logical[perm[0] - '0']};
      check("transpose" + number("c", in.c) + number("k", out.c) + number("in", in.c) +
                number("out", out.c + 1) + " perm=" + perm + " : f32",
            isa, in, in.c, out, out.c + 1, [&](const Buffer<float> &x) {
              return [&x, perm](int c, int px, int py, int n) {
                const int at[] = {n, c, py, px};
                int from[4];
                for (int k = 0; k < 4; k++)
                  from[perm[k] - '0'] = at[k];
                return x(from[1], from[3], from[2], from[0]);
              };
            });
    }
}

struct WindowCase {
  int c, w, h, n, rh, rw, sh, sw, before, after;
  int rows() const { return (h + before + after - rh) / sh + 1; }
  int columns() const { return (w + before + after - rw) / sw + 1; }
  std::string fields(int in, int out) const {
    return number("c", c) + number("k", c) + two("r", rh, rw) + two("s", sh, sw) + number("in", in) +
           number("out", out) + two("before", before, before) + two("after", after, after) + " : f32";
  }
};
const WindowCase kWindowCases[] = {{3, 9, 7, 2, 3, 4, 2, 1, 0, 0},
                                   {8, 6, 6, 1, 3, 3, 1, 1, 1, 1},
                                   {19, 5, 8, 2, 2, 5, 3, 2, 0, 1},
                                   {1, 20, 3, 1, 3, 20, 1, 1, 0, 0},
                                   {5, 4, 3, 2, 1, 1, 1, 1, 0, 0}};

TEST(Relayout, Windows) {
  std::mt19937 random(7);
  for (Isa isa : isasHere())
    for (const WindowCase &t : kWindowCases) {
      if (skipped(isa, random))
        continue;
      check("windows" + t.fields(t.c + 1, t.c), isa, {t.c, t.w, t.h, t.n}, t.c + 1,
            {t.c, t.rw, t.rh, t.n * t.rows() * t.columns()}, t.c, [&](const Buffer<float> &x) {
              return [&x, &t](int c, int px, int py, int m) {
                const int q = m % t.columns(), p = m / t.columns() % t.rows(), n = m / t.columns() / t.rows();
                const int ix = q * t.sw - t.before + px, iy = p * t.sh - t.before + py;
                return ix >= 0 && ix < t.w && iy >= 0 && iy < t.h ? x(c, ix, iy, n) : 0.f;
              };
            });
    }
}

TEST(Relayout, WindowsTranspose) {
  std::mt19937 random(8);
  for (Isa isa : isasHere())
    for (const WindowCase &t : kWindowCases) {
      if (skipped(isa, random))
        continue;
      check("windows_transpose" + t.fields(t.c, t.c + 3), isa,
            {t.c, t.rw, t.rh, t.n * t.rows() * t.columns()}, t.c, {t.c, t.w, t.h, t.n}, t.c + 3,
            [&](const Buffer<float> &x) {
              return [&x, &t](int c, int px, int py, int n) {
                float sum = 0;
                for (int p = 0; p < t.rows(); p++)
                  for (int q = 0; q < t.columns(); q++) {
                    const int i = py + t.before - p * t.sh, j = px + t.before - q * t.sw;
                    if (i >= 0 && i < t.rh && j >= 0 && j < t.rw)
                      sum += x(c, j, i, (n * t.rows() + p) * t.columns() + q);
                  }
                return sum;
              };
            });
    }
}

TEST(Relayout, Embed) {
  std::mt19937 random(9);
  for (Isa isa : isasHere())
    for (const auto &[c, offset, k] : {std::array<int, 3>{3, 2, 7}, {16, 16, 48}, {5, 0, 5}, {9, 1, 21}}) {
      if (skipped(isa, random))
        continue;
      const int channels = c, first = offset;
      check("embed" + number("c", c) + number("k", k) + number("in", c + 2) + number("out", k) +
                number("offset", offset) + " : f32",
            isa, {c, 5, 3, 2}, c + 2, {k, 5, 3, 2}, k, [&](const Buffer<float> &x) {
              return [&x, channels, first](int ch, int px, int py, int n) {
                return ch >= first && ch < first + channels ? x(ch - first, px, py, n) : 0.f;
              };
            });
    }
}

TEST(Relayout, RefusesWhatItCannotCompute) {
  for (const auto &[problem, why] :
       {std::pair<std::string, std::string>{"transpose c2 k2 in2 out2 perm=0012 : f32",
                                            "perm must hold each of 0, 1, 2, 3 once"},
        {"windows c2 k3 r1x1 s1x1 in2 out3 before0x0 after0x0 : f32",
         "windows keep the number of channels"}}) {
    const auto choice = chooseSchedule(parseSpec(problem), Isa::Portable);
    ASSERT_TRUE(std::holds_alternative<std::string>(choice)) << problem;
    EXPECT_NE(std::get<std::string>(choice).find(why), std::string::npos) << std::get<std::string>(choice);
  }
}

} // namespace
} // namespace segc::schedules
