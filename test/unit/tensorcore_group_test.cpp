/// \file Convolutions by warpgroups (wgmma, sm_90a): on the emulated warpgroup beside a plain loop in double,
/// their PTX, and what ptxas says of it.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/Assemble.h"
#include "schedules/tensorcore/TileChoice.h"
#include "test/unit/tensorcore_support.h"
#include <gtest/gtest.h>

using namespace segc::tensorcore;
using namespace segc::tensorcore::test;

namespace {

const Tile small = {64, 32, 64, 64, 32, 3, 1, 0, true}, // one warpgroup
    two = {128, 64, 64, 64, 64, 4, 1, 0, true}, beside = {64, 64, 64, 64, 32, 3, 1, 0, true},
           tall = {128, 32, 64, 128, 32, 5, 1, 0, true};

Case caseOf(const Problem &problem, const Tile &tile) {
  Case c;
  c.problem = problem;
  c.tile = tile;
  c.padY = c.padX = problem.rh / 2;
  return c;
}

TEST(TensorCoreGroup, ThreeByThree) {
  Case c = caseOf(conv(64, 64, 3), two);
  c.h = 13, c.w = 17;
  const auto counts = runConvolution(c);
  // Two tiles of pixels, 576 / 64 steps, of two warpgroups.
  EXPECT_EQ(counts.wgmma, 2 * 9 * 2 * mmaCount(c.problem, c.tile));
  EXPECT_EQ(counts.mma, 0);
  EXPECT_EQ(counts.ldmatrix, 0);
}

class EveryGroupTile : public testing::TestWithParam<Element> {};

/// Ragged pixels, ragged channels, a ragged last step: 40 channels of 9 taps are 5.6 steps.
TEST_P(EveryGroupTile, RaggedEverywhere) {
  const Problem p = conv(40, 72, 3, GetParam());
  for (const Tile &tile : groupTiles(p)) {
    Case c = caseOf(p, tile);
    c.n = 2, c.h = 9, c.w = 11;
    runConvolution(c);
  }
}

INSTANTIATE_TEST_SUITE_P(Elements, EveryGroupTile, testing::Values(Element::BF16, Element::F16),
                         [](const auto &info) { return nameOf(info.param); });

/// Few steps and many stages: prologues that copy nothing, and one step alone.
TEST(TensorCoreGroup, FewSteps) {
  for (const Tile &tile : {small, two, beside, tall})
    for (const int channels : {8, 72, 136, 200}) {
      Case c = caseOf(conv(channels, 24, 1), tile);
      runConvolution(c);
    }
}

TEST(TensorCoreGroup, OneKernelServesAllExtents) {
  Case c = caseOf(conv(16, 24, 3), beside);
  for (auto [n, h, w] : {std::tuple{1, 1, 1}, {1, 3, 3}, {3, 5, 2}, {2, 7, 31}, {1, 64, 1}})
    c.n = n, c.h = h, c.w = w, runConvolution(c);
  c.constantExtents = true;
  c.h = 10, c.w = 12;
  runConvolution(c);
}

TEST(TensorCoreGroup, StridesDilationsFilters) {
  struct {
    int rh, rw, sy, sx, dy, dx, padY, padX;
  } const list[] = {{1, 1, 1, 1, 1, 1, 0, 0}, {3, 3, 2, 2, 1, 1, 1, 1}, {3, 3, 1, 1, 2, 2, 2, 2},
                    {1, 1, 2, 2, 1, 1, 0, 0}, {5, 3, 1, 2, 1, 3, 2, 3}, {2, 2, 1, 1, 1, 1, 0, 0},
                    {7, 7, 2, 2, 1, 1, 3, 3}};
  for (const auto &l : list) {
    Case c = caseOf(conv(16, 16, 1), small);
    c.problem.rh = l.rh, c.problem.rw = l.rw, c.problem.sy = l.sy, c.problem.sx = l.sx;
    c.problem.dy = l.dy, c.problem.dx = l.dx;
    c.padY = l.padY, c.padX = l.padX;
    c.n = 2, c.h = 11, c.w = 13;
    runConvolution(c);
  }
}

TEST(TensorCoreGroup, TwoInputs) {
  for (auto [c0, c1] : {std::pair{32, 32}, {8, 40}, {48, 16}}) {
    Case c = caseOf(conv(c0, 32, 3), beside);
    c.problem.c1 = c1;
    c.h = 7, c.w = 9, c.pixelGap = 8;
    runConvolution(c);
  }
}

TEST(TensorCoreGroup, PartsOfTheReduction) {
  Case c = caseOf(conv(64, 40, 3), small);
  c.problem.epilogues = {{"bias"}, {"relu"}};
  c.h = 6, c.w = 5;
  // 9 steps in up to 16 parts: some of them empty. A launch may take fewer than the tile has.
  for (int parts : {2, 3, 16}) {
    c.tile.parts = parts;
    c.parts = 0;
    runConvolution(c);
    c.parts = 1;
    runConvolution(c);
  }
}

TEST(TensorCoreGroup, Pools) {
  for (const bool keep : {false, true})
    for (const int parts : {1, 3})
      for (Tile tile : {small, two}) {
        tile.parts = parts, tile.width = tile.m == 64 ? 8 : 16;
        Case c = caseOf(conv(16, 40, 3), tile);
        c.problem.epilogues = {{"bias"}, {"relu"}};
        c.problem.pool = c.problem.poolIndex = true, c.problem.keep = keep;
        for (auto [h, w] : {std::pair{8, 8}, {13, 17}})
          c.n = 2, c.h = h, c.w = w, runConvolution(c);
      }
}

TEST(TensorCoreGroup, Epilogues) {
  segc::schedules::Epilogue factor{"mul", 0};
  factor.wide = true;
  for (const bool f32 : {false, true}) {
    Case c = caseOf(conv(32, 32, 3), two);
    c.problem.resultF32 = f32;
    c.problem.epilogues = {{"affine"}, {"add", 40}, {"gelu"}, factor, {"scale"}};
    c.h = 9, c.w = 9, c.pixelGap = 8;
    runConvolution(c);
  }
}

/// What wgmma or its layout in shared memory does not allow.
TEST(TensorCoreGroup, TilesThatAreNone) {
  auto says = [](const Problem &p, const Tile &tile, const char *what) {
    const std::string text = llvm::toString(check(p, tile));
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  Problem p = conv(64, 64, 3);
  says(p, {64, 64, 32, 64, 64, 3, 1, 0, true}, "64 terms of the reduction, rows of 128 bytes");
  says(p, {64, 64, 64, 32, 64, 3, 1, 0, true}, "64 or 128 rows and 16 to 256 columns");
  says(p, {128, 256, 64, 128, 256, 3, 1, 0, true}, "at most 16384 results");
  says(p, {64, 64, 64, 64, 64, 2, 1, 0, true}, "the pipeline has 3 to 6 stages");
  says(p, {256, 128, 64, 64, 64, 3, 1, 0, true}, "a block has 1 to 8 warps, not 32");
  p.element = Element::TF32, p.resultF32 = true;
  says(p, small, "warpgroups multiply convolutions in bf16 and f16 only");
  p = conv(64, 64, 3);
  p.kind = Kind::WeightGradient, p.resultF32 = true;
  says(p, small, "64 columns of a weight gradient are a row of 128 bytes");
  EXPECT_EQ(llvm::toString(check(p, {64, 64, 64, 64, 64, 3, 1, 0, true})), "");
  p.element = Element::TF32;
  says(p, {64, 64, 64, 64, 64, 3, 1, 0, true}, "warpgroups multiply convolutions in bf16 and f16 only");
  EXPECT_TRUE(groupTiles(p).empty());
  EXPECT_EQ(llvm::cantFail(Tile::parse("128x256x64 g64x256 s4 p3 x16")).print(),
            "128x256x64 g64x256 s4 p3 x16");
}

TEST(TensorCoreGroup, EveryTileIsValid) {
  for (const bool pool : {false, true}) {
    Problem p = conv(64, 64, 3);
    p.pool = pool;
    for (const Tile &tile : groupTiles(p))
      EXPECT_EQ(llvm::toString(check(p, tile)), "");
  }
  Problem p = conv(64, 64, 3);
  p.kind = Kind::WeightGradient, p.resultF32 = true;
  for (const Tile &tile : groupTiles(p))
    EXPECT_EQ(llvm::toString(check(p, tile)), "");
}

/// One number of parts for both kernels of a weight gradient, at next to no cost for warpgroups.
TEST(TensorCoreGroup, BothTilesOfAWeightGradient) {
  for (const int channels : {64, 256, 1024})
    for (const int extent : {1, 32, 256}) {
      Problem p = conv(channels, channels, 3);
      p.kind = Kind::WeightGradient, p.resultF32 = true;
      const Extents extents = {4, extent, extent, extent, extent};
      const Both both = llvm::cantFail(chooseBoth(p, extents));
      const Choice alone = llvm::cantFail(chooseGroupTile(p, extents));
      EXPECT_TRUE(both.groups.tile.wgmma && !both.all.tile.wgmma);
      EXPECT_EQ(both.groups.tile.parts, both.all.tile.parts) << channels << " " << extent;
      EXPECT_LE(both.groups.estimate.microseconds, 1.02 * alone.estimate.microseconds);
      EXPECT_LE(both.all.estimate.microseconds,
                llvm::cantFail(chooseTile(p, extents, {}, alone.tile.parts)).estimate.microseconds);
      EXPECT_LE(partialBytes(p, both.all.tile, extents),
                std::max(Device().partialBytes, partialBytes(p, {}, extents)));
    }
  const Extents extents = {16, 64, 64, 64, 64};
  const Both both = llvm::cantFail(chooseBoth(conv(512, 512, 3), extents));
  EXPECT_EQ(both.all.tile.print(), llvm::cantFail(chooseTile(conv(512, 512, 3), extents)).tile.print());
}

/// ptxas' figures for every tile: no spills, and products that run on while the next copies are started,
/// which it would say otherwise.
TEST(TensorCoreGroup, RegistersOfEveryTile) {
  const auto ptxas = findPtxas();
  if (!ptxas)
    GTEST_SKIP() << "no ptxas";
  Problem p = conv(64, 64, 3);
  p.c1 = 64;
  p.epilogues = {{"bias"}, {"relu"}};
  Problem pooled = p, gradient = p;
  pooled.pool = pooled.poolIndex = true;
  gradient.kind = Kind::WeightGradient, gradient.resultF32 = true, gradient.epilogues.clear();
  for (const Problem &problem : {p, pooled, gradient})
    for (const Tile &tile : groupTiles(problem)) {
      SCOPED_TRACE(problem.print() + " " + tile.print());
      llvm::Expected<Specialised> code = specialise(problem, tile, "kernel");
      ASSERT_TRUE(bool(code)) << llvm::toString(code.takeError());
      llvm::Expected<Cubin> cubin = assemble(code->ptx, "sm_90a", *ptxas);
      ASSERT_TRUE(bool(cubin)) << llvm::toString(cubin.takeError());
      EXPECT_EQ(cubin->spillBytes, 0);
      EXPECT_EQ(cubin->losses, "");
      EXPECT_LE(cubin->registers, estimate(problem, tile, {1, 64, 64, 64, 64}, {}).registers + 40);
      EXPECT_LE(cubin->registers * tile.threads(), 65536);
    }
}

/// The words that RegistersOfEveryTile looks for are ptxas' own: a sum is read while it is computed, between
/// two products, or in the next step's; a fence is missing.
TEST(TensorCoreGroup, PtxasSaysThatProductsWait) {
  const auto ptxas = findPtxas();
  if (!ptxas)
    GTEST_SKIP() << "no ptxas";
  const std::string ptx = llvm::cantFail(specialise(conv(64, 64, 3), small, "kernel")).ptx;
  const size_t product = ptx.find("wgmma.mma_async"), sum = ptx.find("{%r", product) + 1,
               next = ptx.find("wgmma.mma_async", product + 1);
  const std::string name = ptx.substr(sum, ptx.find(',', sum) - sum),
                    add = "add.rn.f32 " + name + ", " + name + ", " + name + ";\n\t";
  auto losses = [&](const std::string &code) {
    return llvm::cantFail(assemble(code, "sm_90a", *ptxas)).losses;
  };
  auto with = [&](size_t at) { return ptx.substr(0, at) + add + ptx.substr(at); };
  EXPECT_EQ(losses(ptx), "");
  EXPECT_NE(losses(with(ptx.find("wgmma.commit_group"))), "");
  EXPECT_NE(losses(with(next)), "");
  EXPECT_NE(losses(with(ptx.find("setp", ptx.find("wgmma.wait_group")))), "");
  const std::string fence = "wgmma.fence.sync.aligned;";
  EXPECT_NE(losses(std::string(ptx).erase(ptx.find(fence), fence.size())), "");
}

} // namespace
