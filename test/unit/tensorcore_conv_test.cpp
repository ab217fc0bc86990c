/// \file Convolutions of the tensor-core family on the emulated warp, beside a plain loop in double.
// SPDX-License-Identifier: MIT
#include "test/unit/tensorcore_support.h"
#include <gtest/gtest.h>

using namespace segc::tensorcore;
using namespace segc::tensorcore::test;

namespace {

Problem conv(int c, int k, int r) {
  Problem p;
  p.c0 = c, p.k = k, p.rh = p.rw = r;
  return p;
}

TEST(TensorCoreConv, ThreeByThree) {
  Case c;
  c.problem = conv(64, 64, 3);
  c.tile = {128, 64, 32, 64, 32, 3, 1, 0};
  c.h = 13, c.w = 17, c.padY = c.padX = 1;
  const auto counts = runConvolution(c);
  EXPECT_EQ(counts.conflicts, 0);
  EXPECT_EQ(counts.mma % mmaCount(c.problem, c.tile), 0);
}

} // namespace
