/// \file Means over windows and bins, and their transposes, against plain loops in double.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_training_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Pixels [first, last) of an axis and what their sum is divided by.
struct Range {
  int first, last, divisor;
};
using Ranges = std::vector<Range>;

struct Window {
  int r, s, before, after;
  bool ceil, padded;
  int count(int in) const {
    const int padding = in + before + after - r;
    return padding < 0 ? 0
           : ceil      ? std::min((padding + s - 1) / s + 1, (in + before - 1) / s + 1)
                       : padding / s + 1;
  }
  Ranges ranges(int in) const {
    Ranges all;
    for (int o = 0; o < count(in); o++) {
      const int start = o * s - before, first = std::max(start, 0), last = std::min(start + r, in);
      all.push_back({first, last, padded ? std::min(start + r, in + after) - start : last - first});
    }
    return all;
  }
};

Ranges bins(int in, int out) {
  Ranges all;
  for (int i = 0; i < out; i++) {
    const int first = i * in / out, last = ((i + 1) * in + out - 1) / out;
    all.push_back({first, last, last - first});
  }
  return all;
}

/// Runs the mean or its transpose; `large` is the side of the pixels, whose coordinates start at minX, minY.
void checkRun(MemoryKernel &kernel, bool transposed, const Ranges &rows, const Ranges &columns, Extents large,
              int minX, int minY, Isa isa, std::mt19937 &random) {
  const int in = kernel.spec.get("in"), out = kernel.spec.get("out");
  const Extents small{large.c, int(columns.size()), int(rows.size()), large.n};
  const Extents from = transposed ? small : large, to = transposed ? large : small;
  Activation<float> x(from, in, NAN, transposed ? 0 : minX, transposed ? 0 : minY);
  Activation<float> y(to, out, 77.f, transposed ? minX : 0, transposed ? minY : 0);
  // Far from 0: what rounding loses adds up.
  x.fill([&] { return uniform(random, transposed ? -1 : 9, transposed ? 1 : 11); });
  TestEpilogues steps(kernel.spec, to, random);
  Buffer<double> want(std::vector<int>{to.c, to.w, to.h, to.n});
  want.fill(0.);
  for (int n = 0; n < large.n; n++)
    for (int i = 0; i < small.h; i++)
      for (int j = 0; j < small.w; j++)
        for (int py = rows[i].first; py < rows[i].last; py++)
          for (int px = columns[j].first; px < columns[j].last; px++)
            for (int c = 0; c < large.c; c++) {
              const double divisor = double(rows[i].divisor) * columns[j].divisor;
              if (transposed)
                want(c, px, py, n) += x.view(c, j, i, n) / divisor;
              else
                want(c, j, i, n) += x.view(c, px + minX, py + minY, n) / divisor;
            }
  std::vector<Buffer<>> inputs = {x.view};
  inputs.insert(inputs.end(), steps.operands.begin(), steps.operands.end());
  kernel.run(inputs, {y.view});
  Worst worst;
  want.for_each_element([&](int c, int px, int py, int n) {
    worst.add(y.view(c, px + (transposed ? minX : 0), py + (transposed ? minY : 0), n),
              steps.apply(float(want(c, px, py, n)), c, px, py, n));
  });
  EXPECT_LE(worst.relative(), 1e-6) << kernel.spec.print() << " " << name(isa) << " " << from.h << "x"
                                    << from.w << " to " << to.h << "x" << to.w;
  EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
}

void checkWindow(int c, Window v, Window h, bool transposed, const std::string &epilogues, Isa isa,
                 std::mt19937 &random) {
  if (skipped(isa, random))
    return;
  const int in = c + random() % 3, out = c + random() % 3;
  const bool padded = v.padded;
  h.padded = padded;
  MemoryKernel kernel(std::string(transposed ? "avgpool_transpose" : "avgpool") + field("c", c) +
                          field("r", v.r, h.r) + field("s", v.s, h.s) + field("in", in) + field("out", out) +
                          " count=" + (padded ? "padded" : "valid") +
                          (padded ? field("after", v.after, h.after) : field("after", 0, 0)) + epilogues +
                          " : f32",
                      isa);
  if (!kernel)
    return;
  for (int run = 0; run < 4; run++) {
    const Extents large{c, 1 + int(random() % 40), 1 + int(random() % 20), 1 + int(random() % 2)};
    const Ranges rows = v.ranges(large.h), columns = h.ranges(large.w);
    if (!rows.empty() && !columns.empty())
      checkRun(kernel, transposed, rows, columns, large, h.before, v.before, isa, random);
  }
}

// r, s, before, after, ceil, padded
const Window kWindows[] = {{2, 2, 0, 0, false, false}, {3, 2, 1, 1, true, false},  {3, 2, 1, 1, true, true},
                           {3, 1, 1, 1, false, true},  {4, 3, 2, 0, true, true},   {1, 2, 0, 0, false, false},
                           {2, 1, 0, 1, false, false}, {9, 8, 4, 3, false, false}, {5, 2, 0, 2, true, true}};

TEST(Means, Windows) {
  std::mt19937 random(91);
  for (Isa isa : isasHere())
    for (bool transposed : {false, true}) {
      for (int c : {1, 3, 21, 64})
        for (const Window &w : kWindows)
          if (c == 21 || random() % 3 == 0)
            checkWindow(c, w, kWindows[random() % 9], transposed, "", isa, random);
      checkWindow(130, kWindows[1], kWindows[0], transposed, " +bias +relu", isa, random);
      checkWindow(64, kWindows[3], kWindows[3], transposed, " +add(65)", isa, random);
      checkWindow(21, kWindows[2], kWindows[4], transposed, " +relu +add(21)", isa, random);
    }
}

TEST(Means, Bins) {
  std::mt19937 random(92);
  for (Isa isa : isasHere())
    for (bool transposed : {false, true})
      for (int c : {1, 3, 21, 64, 200}) {
        if (skipped(isa, random))
          continue;
        MemoryKernel kernel(std::string("adaptive_avgpool") + (transposed ? "_transpose" : "") +
                                field("c", c) + field("in", c + 1) + field("out", c + 2) +
                                (c == 3 ? " +relu" : "") + " : f32",
                            isa);
        if (!kernel)
          continue;
        const int sizes[][4] = {{1, 1, 9, 7},   {2, 3, 17, 5}, {6, 6, 60, 61},
                                {7, 40, 3, 20}, {5, 1, 5, 30}, {1, 1, 1, 1}};
        for (const auto &[rows, columns, height, width] : sizes)
          checkRun(kernel, transposed, bins(height, rows), bins(width, columns), {c, width, height, 2}, 0, 0,
                   isa, random);
      }
}

TEST(Means, OfManyPixelsAreExact) {
  std::mt19937 random(93);
  for (Isa isa : isasHere())
    for (int c : {2, 16}) {
      MemoryKernel kernel("adaptive_avgpool" + field("c", c) + field("in", c) + field("out", c) + " : f32",
                          isa);
      if (kernel)
        checkRun(kernel, false, bins(512, 1), bins(512, 1), {c, 512, 512, 1}, 0, 0, isa, random);
    }
}

TEST(Means, SameBitsForAnyThreads) {
  std::mt19937 random(94);
  MemoryKernel kernel("adaptive_avgpool c200 in200 out200 : f32", isasHere().front());
  ASSERT_TRUE(bool(kernel));
  Activation<float> x({200, 33, 20, 2}, 200, NAN), y({200, 2, 3, 2}, 200, 77.f);
  x.fill([&] { return uniform(random, -1, 1); });
  EXPECT_TRUE(sameForAnyThreads(kernel, {x.view}, {y.view}));
}

} // namespace
} // namespace segc::schedules
