/// \file Convolutions of the tensor-core family on the emulated warp, beside a plain loop in double.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/TileChoice.h"
#include "test/unit/tensorcore_device.h"
#include "test/unit/tensorcore_support.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace segc::tensorcore;
using namespace segc::tensorcore::test;

namespace {

const Tile small = {64, 64, 32, 32, 32, 3, 1, 0};

/// A mark in the list of tests: all launches here go to a GPU too, if there is one.
TEST(TensorCoreDevice, RunsTheSameTests) {
  if (!Gpu::find())
    GTEST_SKIP() << "no CUDA device of sm_80 or later: launches ran on the emulated warp alone";
}

TEST(TensorCoreConv, ThreeByThree) {
  Case c;
  c.problem = conv(64, 64, 3);
  c.tile = {128, 64, 32, 64, 32, 3, 1, 0};
  c.h = 13, c.w = 17, c.padY = c.padX = 1;
  const auto counts = runConvolution(c);
  EXPECT_EQ(counts.conflicts, 0);
  // Two tiles of pixels, 576 / 32 steps, and what 4 warps do in a step.
  EXPECT_EQ(counts.mma, 2 * 18 * 4 * mmaCount(c.problem, c.tile));
}

/// Every tile of the family in every element: ragged pixels, ragged channels, a ragged last step.
class EveryTile : public testing::TestWithParam<Element> {};

TEST_P(EveryTile, RaggedEverywhere) {
  Problem p = conv(40, 72, 3, GetParam());
  for (const Tile &tile : tiles(p)) {
    if (!isTested(p.element, tile))
      continue;
    Case c;
    c.problem = p;
    c.tile = tile;
    c.n = 2, c.h = 9, c.w = 11, c.padY = c.padX = 1;
    EXPECT_EQ(runConvolution(c).conflicts, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Elements, EveryTile, testing::Values(Element::BF16, Element::F16, Element::TF32),
                         [](const auto &info) { return nameOf(info.param); });

TEST(TensorCoreConv, OneKernelServesAllExtents) {
  Case c;
  c.problem = conv(16, 24, 3);
  c.tile = small;
  c.padY = c.padX = 1;
  for (auto [n, h, w] : {std::tuple{1, 1, 1}, {1, 3, 3}, {3, 5, 2}, {1, 8, 8}, {2, 7, 31}, {1, 64, 1}})
    c.n = n, c.h = h, c.w = w, runConvolution(c);
}

TEST(TensorCoreConv, ConstantExtents) {
  Case c;
  c.problem = conv(16, 24, 3);
  c.tile = small;
  c.h = 10, c.w = 12, c.padY = c.padX = 1;
  c.constantExtents = true;
  runConvolution(c);
}

TEST(TensorCoreConv, FewChannels) {
  for (int channels : {8, 24}) {
    Case c;
    c.problem = conv(channels, 8, 3);
    c.tile = small;
    c.padY = c.padX = 1;
    runConvolution(c);
  }
}

TEST(TensorCoreConv, StridesDilationsFilters) {
  struct {
    int rh, rw, sy, sx, dy, dx, padY, padX;
  } const list[] = {{1, 1, 1, 1, 1, 1, 0, 0}, {3, 3, 2, 2, 1, 1, 1, 1}, {3, 3, 1, 1, 2, 2, 2, 2},
                    {3, 3, 1, 1, 4, 4, 4, 4}, {1, 1, 2, 2, 1, 1, 0, 0}, {5, 3, 1, 2, 1, 3, 2, 3},
                    {2, 2, 1, 1, 1, 1, 0, 0}, {7, 7, 2, 2, 1, 1, 3, 3}, {3, 3, 1, 1, 1, 1, 0, 0}};
  for (const auto &l : list) {
    Case c;
    c.problem = conv(16, 16, 1);
    c.problem.rh = l.rh, c.problem.rw = l.rw, c.problem.sy = l.sy, c.problem.sx = l.sx;
    c.problem.dy = l.dy, c.problem.dx = l.dx;
    c.padY = l.padY, c.padX = l.padX;
    c.tile = small;
    c.n = 2, c.h = 11, c.w = 13;
    runConvolution(c);
  }
}

/// A skip-concat: the reduction runs over two tensors, each with its own pixel stride.
TEST(TensorCoreConv, TwoInputs) {
  for (auto [c0, c1] : {std::pair{32, 32}, {8, 40}, {48, 16}}) {
    Case c;
    c.problem = conv(c0, 32, 3);
    c.problem.c1 = c1;
    c.tile = small;
    c.h = 7, c.w = 9, c.padY = c.padX = 1, c.pixelGap = 8;
    runConvolution(c);
  }
}

TEST(TensorCoreConv, PartsOfTheReduction) {
  Case c;
  c.problem = conv(64, 40, 3);
  c.problem.epilogues = {{"bias"}, {"relu"}};
  c.h = 6, c.w = 5, c.padY = c.padX = 1;
  // 18 steps in up to 32 parts: some of them empty.
  for (int parts : {2, 3, 7, 32}) {
    c.tile = small;
    c.tile.parts = parts;
    runConvolution(c);
  }
}

/// Deep layers of U-Net: 8x8 pixels, thousands of products each.
TEST(TensorCoreConv, DeepSmallLayer) {
  Case c;
  c.problem = conv(256, 64, 3);
  c.tile = {32, 64, 64, 16, 32, 3, 4, 0};
  c.h = 4, c.w = 4, c.padY = c.padX = 1;
  runConvolution(c);
}

TEST(TensorCoreConv, Rectangles) {
  for (int width : {2, 4, 8, 16, 32}) {
    Case c;
    c.problem = conv(16, 16, 3);
    c.tile = small;
    c.tile.width = width;
    c.n = 2, c.h = 11, c.w = 21, c.padY = c.padX = 1;
    runConvolution(c);
  }
}

TEST(TensorCoreConv, PoolBesideTheResult) {
  for (const Element element : {Element::BF16, Element::F16, Element::TF32})
    for (int parts : {1, 3}) {
      Case c;
      c.problem = conv(16, 40, 3, element);
      c.problem.epilogues = {{"bias"}, {"relu"}};
      c.problem.pool = c.problem.poolIndex = true;
      c.tile = {64, 64, 64 / bytesOf(element), 32, 32, 3, parts, 8};
      c.padY = c.padX = 1;
      for (auto [h, w] : {std::pair{8, 8}, {13, 17}, {2, 2}, {1, 9}})
        c.n = 2, c.h = h, c.w = w, runConvolution(c);
    }
}

/// A launch takes fewer parts than the tile has where there is no room for their sums.
TEST(TensorCoreConv, FewerPartsThanTheTileHas) {
  for (const bool pool : {false, true})
    for (int parts : {1, 2, 5}) {
      Case c;
      c.problem = conv(64, 24, 3);
      c.problem.epilogues = {{"bias"}, {"relu"}};
      c.problem.pool = c.problem.poolIndex = pool;
      c.tile = {64, 32, 32, 32, 16, 3, 5, pool ? 8 : 0};
      c.parts = parts;
      c.padY = c.padX = 1, c.n = 2, c.h = 7, c.w = 9;
      runConvolution(c);
    }
}

/// Where nobody else reads the pixels, they are not written.
TEST(TensorCoreConv, PoolInPlaceOfTheResult) {
  for (const Element element : {Element::BF16, Element::TF32})
    for (const bool index : {false, true})
      for (int parts : {1, 3}) {
        Case c;
        c.problem = conv(16, 40, 3, element);
        c.problem.epilogues = {{"bias"}, {"relu"}};
        c.problem.pool = true, c.problem.keep = false, c.problem.poolIndex = index;
        c.tile = {64, 64, 64 / bytesOf(element), 32, 32, 3, parts, 8};
        c.padY = c.padX = 1;
        for (auto [h, w] : {std::pair{8, 8}, {13, 17}})
          c.n = 2, c.h = h, c.w = w, runConvolution(c);
      }
}

TEST(TensorCoreConv, F32ResultOfBf16) {
  Case c;
  c.problem = conv(32, 16, 3);
  c.problem.resultF32 = true;
  c.tile = small;
  c.padY = c.padX = 1;
  runConvolution(c);
}

/// NaN passes through relu and wins in a pool; the first of equal values has the index; infinities stay.
TEST(TensorCoreConv, NanAndTies) {
  Problem p = conv(8, 8, 1);
  p.epilogues = {{"relu"}};
  p.pool = p.poolIndex = true;
  Tensor x(Element::BF16, false, 1, 4, 4, 8), w(Element::BF16, false, 1, 8, 1, 8), y = x;
  Tensor pooled(Element::BF16, false, 1, 2, 2, 8);
  std::vector<uint64_t> index(4, ~0ull);
  for (int i = 0; i < 16; i++)
    for (int k = 0; k < 8; k++)
      x.set(0, i / 4, i % 4, k, 1);
  for (int k = 0; k < 8; k++)
    for (int c = 0; c < 8; c++)
      w.set(0, k, 0, c, k == c);
  x.set(0, 1, 0, 0, NAN); // its pixel's channels are all NaN: NaN * 0
  x.set(0, 1, 1, 0, NAN);
  x.set(0, 2, 3, 5, 3);
  Arguments a = {};
  a.x[0] = x.view(), a.y = y.view(), a.pooled = pooled.view(), a.weights = w.view().data;
  a.index = {reinterpret_cast<char *>(index.data()), 4, 2, 1};
  a.images = 1, a.height = a.width = a.inHeight = a.inWidth = 4;
  ASSERT_EQ(
      launch(p, {32, 64, 64, 16, 32, 3, 1, 8}, {1, 4, 4, 4, 4}, a,
             {x.range(false), w.range(false), y.range(true), pooled.range(true), {index.data(), 32, true}}),
      "");
  EXPECT_TRUE(std::isnan(y.get(0, 1, 0, 0)) && std::isnan(pooled.get(0, 0, 0, 3)));
  EXPECT_EQ(index[0], 0x0202020202020202ull); // the first NaN
  EXPECT_EQ(index[1], 0);                     // ties
  EXPECT_EQ(pooled.get(0, 1, 1, 5), 3);
  EXPECT_EQ(index[3], 0x0000010000000000ull);
}

/// Activations one by one, in few kernels: each with a tensor that a later step needs.
class EveryEpilogue : public testing::TestWithParam<segc::schedules::Epilogue> {};

TEST_P(EveryEpilogue, AsInDouble) {
  Case c;
  c.problem = conv(16, 24, 1);
  c.problem.resultF32 = true;
  c.problem.epilogues = {{"bias"}, GetParam()};
  c.tile = small;
  c.h = 5, c.w = 7, c.pixelGap = 8;
  runConvolution(c);
}

INSTANTIATE_TEST_SUITE_P(
    Steps, EveryEpilogue,
    testing::Values(segc::schedules::Epilogue{"scale"}, segc::schedules::Epilogue{"affine"},
                    segc::schedules::Epilogue{"add", 24}, segc::schedules::Epilogue{"mul", 24},
                    segc::schedules::Epilogue{"sub", 24}, segc::schedules::Epilogue{"times", 0, -1.5},
                    segc::schedules::Epilogue{"norm_grad", 24}, segc::schedules::Epilogue{"relu"},
                    segc::schedules::Epilogue{"relu6"}, segc::schedules::Epilogue{"leaky_relu", 0, 0.1},
                    segc::schedules::Epilogue{"prelu"}, segc::schedules::Epilogue{"elu", 0, 0.7},
                    segc::schedules::Epilogue{"selu"}, segc::schedules::Epilogue{"gelu"},
                    segc::schedules::Epilogue{"silu"}, segc::schedules::Epilogue{"sigmoid"},
                    segc::schedules::Epilogue{"tanh"}, segc::schedules::Epilogue{"hardsigmoid"},
                    segc::schedules::Epilogue{"hardswish"}, segc::schedules::Epilogue{"d_relu", 24},
                    segc::schedules::Epilogue{"d_relu6", 24},
                    segc::schedules::Epilogue{"d_leaky_relu", 24, 0.1},
                    segc::schedules::Epilogue{"dx_leaky_relu", 24, -0.1},
                    segc::schedules::Epilogue{"d_prelu", 24}, segc::schedules::Epilogue{"d_elu", 24, 0.7},
                    segc::schedules::Epilogue{"d_selu", 24}, segc::schedules::Epilogue{"d_gelu", 24},
                    segc::schedules::Epilogue{"d_silu", 24}, segc::schedules::Epilogue{"d_sigmoid", 24},
                    segc::schedules::Epilogue{"d_tanh", 24}, segc::schedules::Epilogue{"d_hardsigmoid", 24},
                    segc::schedules::Epilogue{"d_hardswish", 24}),
    [](const auto &info) { return info.param.op; });

/// Statistics of norms and means stay f32 in 16 bits: one pixel an image, repeated, or all of them.
TEST(TensorCoreConv, WideOperands) {
  for (const Element element : {Element::BF16, Element::F16, Element::TF32})
    for (const int parts : {1, 3}) {
      segc::schedules::Epilogue factor{"mul", 0}, addend{"add", 48}, statistic{"norm_grad", 0};
      factor.wide = addend.wide = statistic.wide = true;
      Case c;
      c.problem = conv(16, 40, 3, element);
      c.problem.epilogues = {{"bias"}, factor, {"add", 48}, addend, statistic};
      c.tile = {64, 64, 64 / bytesOf(element), 32, 32, 3, parts, 0};
      c.n = 3, c.h = 5, c.w = 7, c.padY = c.padX = 1, c.pixelGap = 8;
      runConvolution(c);
    }
}

TEST(TensorCoreConv, ResidualBlock) {
  Case c;
  c.problem = conv(32, 32, 3);
  c.problem.epilogues = {{"affine"}, {"add", 40}, {"relu"}, {"add", 40}, {"scale"}};
  c.tile = small;
  c.h = 9, c.w = 9, c.padY = c.padX = 1, c.pixelGap = 8;
  runConvolution(c);
}

} // namespace
