/// \file Softmax, its logarithm and argmax against double-precision loops, with NaN, infinities and ties.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_scores_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

std::string problem(const std::string &op, int c, int in, int out) {
  return op + " c" + std::to_string(c) + " in" + std::to_string(in) + " out" + std::to_string(out) + " : f32";
}

const Extents kSizes[] = {{0, 1, 1, 1}, {0, 5, 3, 2}, {0, 37, 2, 1}};

TEST(MemoryKernels, Softmax) {
  std::mt19937 random(6);
  for (Isa isa : isasHere())
    for (int c : {1, 2, 3, 7, 8, 13, 16, 21, 37, 64, 100, 1000, 2048})
      for (bool logarithm : {false, true}) {
        if (skipped(isa, random))
          continue;
        const int in = c + random() % 3, out = c + random() % 3;
        MemoryKernel kernel(problem(logarithm ? "log_softmax" : "softmax", c, in, out), isa);
        if (!kernel)
          continue;
        for (Extents e : kSizes)
          for (float range : {1.f, 30.f, 300.f, -1.f}) { // below 0: with NaN and infinities
            e.c = c;
            Activation<float> x(e, in, NAN), y(e, out, 77.f);
            if (range < 0)
              x.fill([&] { return random() % 16 ? Values{random}() : Values{random, true}(); });
            else
              x.fill([&] { return std::uniform_real_distribution<float>(-range, range)(random); });
            kernel.run({x.view}, {y.view});
            EXPECT_LE(softmaxError(x.view, y.view, logarithm), 1)
                << kernel.spec.print() << " " << name(isa) << " range " << range << " width " << e.w;
            EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
          }
      }
}

TEST(MemoryKernels, SoftmaxOfEqualAndExtremeValues) {
  for (Isa isa : isasHere())
    for (int c : {2, 21}) {
      MemoryKernel kernel(problem("softmax", c, c, c), isa);
      if (!kernel)
        continue;
      Activation<float> x({c, 5, 1, 1}, c, NAN), y({c, 5, 1, 1}, c, 0.f);
      x.view.fill(3e38f);
      x.view(0, 1, 0, 0) = -3e38f;        // pixel 1: one vanishes
      x.view(1, 2, 0, 0) = NAN;           // pixel 2: all NaN
      x.view(c - 1, 3, 0, 0) = -INFINITY; // pixel 3: an exact zero
      for (int ch = 0; ch < c; ch++)
        x.view(ch, 4, 0, 0) = -INFINITY; // pixel 4: -inf - -inf
      kernel.run({x.view}, {y.view});
      EXPECT_FLOAT_EQ(y.view(c - 1, 0, 0, 0), 1.f / c);
      EXPECT_EQ(y.view(0, 1, 0, 0), 0.f);
      EXPECT_FLOAT_EQ(y.view(1, 1, 0, 0), 1.f / (c - 1));
      for (int ch = 0; ch < c; ch++)
        EXPECT_TRUE(std::isnan(y.view(ch, 2, 0, 0)) && std::isnan(y.view(ch, 4, 0, 0)));
      EXPECT_EQ(y.view(c - 1, 3, 0, 0), 0.f);
      EXPECT_FLOAT_EQ(y.view(0, 3, 0, 0), 1.f / (c - 1));
    }
}

TEST(MemoryKernels, Argmax) {
  std::mt19937 random(7);
  for (Isa isa : isasHere())
    for (int c : {1, 2, 3, 8, 21, 63, 64, 65, 100, 1000}) {
      const int in = c + random() % 3, out = 1 + random() % 2;
      MemoryKernel kernel(problem("argmax", c, in, out), isa);
      if (!kernel)
        continue;
      for (Extents e : kSizes)
        for (int kind = 0; kind < 4; kind++) { // ties, special values, different values, zeros
          e.c = c;
          Activation<float> x(e, in, NAN);
          Activation<int32_t> y({1, e.w, e.h, e.n}, out, 77);
          if (kind == 2)
            x.fill([&] { return std::uniform_real_distribution<float>(-1, 1)(random); });
          else if (kind == 3) // zeros of both signs tie
            x.fill([&] { return random() % 3 ? -1.f : random() % 2 ? -0.f : 0.f; });
          else
            x.fill([&] { return Values{random, kind == 1 && random() % 8 == 0}(); });
          kernel.run({x.view}, {y.view});
          EXPECT_EQ(wrongClasses(x.view, y.view), 0)
              << kernel.spec.print() << " " << name(isa) << " kind " << kind << " width " << e.w;
          EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa);
        }
    }
}

} // namespace
} // namespace segc::schedules
