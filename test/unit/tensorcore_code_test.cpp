/// \file What ptxas and the cost model say of the family's kernels. Without a CUDA toolkit the former is
/// skipped.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/Assemble.h"
#include "schedules/tensorcore/Specialise.h"
#include "schedules/tensorcore/TileChoice.h"
#include "schedules/tensorcore/device/Divisor.h"
#include <gtest/gtest.h>
#include <random>

using namespace segc::tensorcore;

namespace {

Problem conv(int c, int k, int r) {
  Problem p;
  p.c0 = c, p.k = k, p.rh = p.rw = r;
  p.epilogues = {{"bias"}, {"relu"}};
  return p;
}

struct Golden {
  const char *name;
  Problem problem;
  Tile tile;
  int shared;
  int registers[4]; ///< for sm_80, sm_90, sm_100, sm_120, by ptxas 13.0
};

std::vector<Golden> goldens() {
  Problem plain = conv(64, 64, 3), wide = conv(128, 128, 3), deep = conv(512, 512, 3),
          pooled = conv(64, 64, 3);
  pooled.pool = true;
  Problem maxima = pooled, indexed = pooled;
  maxima.keep = indexed.keep = false, indexed.poolIndex = true;
  Problem concat = conv(64, 64, 3), tf32 = conv(64, 64, 3), weights = conv(64, 64, 3);
  concat.c1 = 64;
  tf32.element = Element::TF32, tf32.resultF32 = true;
  weights.kind = Kind::WeightGradient, weights.resultF32 = true, weights.epilogues.clear();
  return {{"plain", plain, {128, 64, 32, 64, 32, 4, 1, 0}, 49152, {128, 128, 128, 142}},
          {"wide", wide, {128, 128, 32, 64, 32, 4, 1, 0}, 65536, {126, 126, 126, 154}},
          {"deep", deep, {64, 64, 32, 32, 32, 4, 8, 0}, 32768, {90, 90, 94, 89}},
          {"pooled", pooled, {128, 64, 32, 64, 32, 4, 1, 16}, 49152, {146, 150, 148, 142}},
          {"maxima", maxima, {128, 64, 32, 64, 32, 4, 1, 16}, 49152, {146, 150, 148, 142}},
          {"indexed", indexed, {128, 64, 32, 64, 32, 4, 1, 16}, 49152, {146, 150, 148, 142}},
          {"concat", concat, {128, 64, 32, 64, 32, 4, 1, 0}, 49152, {128, 128, 128, 146}},
          {"tf32", tf32, {64, 64, 16, 32, 32, 4, 1, 0}, 32768, {78, 80, 80, 88}},
          {"weights", weights, {128, 64, 32, 64, 32, 4, 16, 0}, 49152, {123, 128, 128, 125}}};
}

/// Registers may be fewer, or a few more by another toolkit's ptxas; spills and stack never.
TEST(TensorCoreCode, RegistersAndSharedMemory) {
  const auto ptxas = findPtxas();
  if (!ptxas)
    GTEST_SKIP() << "no ptxas";
  const char *architectures[] = {"sm_80", "sm_90", "sm_100", "sm_120"};
  for (const Golden &golden : goldens()) {
    SCOPED_TRACE(golden.name);
    EXPECT_EQ(sharedBytes(golden.problem, golden.tile), golden.shared);
    llvm::Expected<Specialised> code = specialise(golden.problem, golden.tile, "kernel");
    ASSERT_TRUE(bool(code)) << llvm::toString(code.takeError());
    for (int i = 0; i < 4; i++) {
      llvm::Expected<Cubin> cubin = assemble(code->ptx, architectures[i], *ptxas);
      ASSERT_TRUE(bool(cubin)) << llvm::toString(cubin.takeError());
      EXPECT_EQ(cubin->spillBytes, 0) << architectures[i];
      EXPECT_LE(cubin->registers, golden.registers[i] + 8) << architectures[i];
      EXPECT_EQ(cubin->bytes.substr(1, 3), "ELF");
    }
  }
}

TEST(TensorCoreCode, PtxasErrorsComeBack) {
  const auto ptxas = findPtxas();
  if (!ptxas)
    GTEST_SKIP() << "no ptxas";
  EXPECT_NE(
      llvm::toString(assemble("this is no PTX", "sm_80", *ptxas).takeError()).find("-arch=sm_80 failed"),
      std::string::npos);
  EXPECT_NE(llvm::toString(assemble("", "sm_1", "/no/such/ptxas").takeError()).find("/no/such/ptxas"),
            std::string::npos);
}

/// Equal calls give equal text, whatever was specialised before.
TEST(TensorCoreCode, Reproducible) {
  const Tile tile = {64, 64, 32, 32, 32, 3, 1, 0};
  const std::string first = llvm::cantFail(specialise(conv(64, 64, 3), tile, "a")).ptx;
  llvm::cantFail(specialise(conv(32, 64, 1), tile, "b"));
  EXPECT_EQ(llvm::cantFail(specialise(conv(64, 64, 3), tile, "a")).ptx, first);
}

/// specialise() refuses code with local memory; no tile of the family needs any.
TEST(TensorCoreCode, AllInRegisters) {
  for (const bool gradient : {false, true})
    for (const Element element : {Element::BF16, Element::TF32}) {
      Problem p = conv(64, 64, 3);
      p.c1 = 32, p.element = element, p.resultF32 = gradient || element == Element::TF32;
      if (gradient)
        p.kind = Kind::WeightGradient, p.epilogues.clear();
      else
        p.pool = p.poolIndex = true;
      for (const Tile &tile : tiles(p))
        if (tile.k * bytesOf(element) == (tile.m == 64 ? 128 : 64)) {
          EXPECT_EQ(llvm::toString(specialise(p, tile, "kernel").takeError()), "");
        }
    }
}

/// Around multiples of the divisor, where a multiplier that is too small or too large shows.
TEST(TensorCoreCode, DivisorsDivide) {
  std::mt19937 random(5);
  for (int i = 0; i < 20000; i++) {
    const int d = i < 5000 ? i + 1 : i < 5031 ? 1 << (i - 5000) : int(random() >> (1 + random() % 31)) | 1;
    const Divisor divisor(d);
    for (int64_t p : {int64_t(0), int64_t(d), int64_t(0x7fffffff), int64_t(random() >> 1)})
      for (int64_t near = p / d * d - 1; near <= p / d * d + 1; near++)
        if (near >= 0 && near <= 0x7fffffff) {
          ASSERT_EQ(divisor.of(int(near)), near / d) << near << " / " << d;
        }
  }
}

TEST(TensorCoreTiles, PrintAndParse) {
  for (const char *text : {"128x64x32 w64x32 s3", "32x64x16 w16x32 s4 p8", "128x128x64 w64x32 s2 p3 x16",
                           "64x64x32 w32x32 s6 x8"})
    EXPECT_EQ(llvm::cantFail(Tile::parse(text)).print(), text);
  for (const char *text : {"", "128x64x32", "128x64x32 w64x32 s3 y", "128x64x32 w64x32 s3 x16 p2"})
    EXPECT_NE(llvm::toString(Tile::parse(text).takeError()).find("expected MxNxK"), std::string::npos);
}

TEST(TensorCoreTiles, ProblemsThatAreNone) {
  auto says = [](const Problem &p, const char *what) {
    const std::string text = llvm::toString(check(p, {64, 64, 32, 32, 32, 3, 1, 0}));
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  Problem p = conv(64, 64, 3);
  p.element = Element::TF32;
  says(p, "its results are f32");
  p = conv(64, 64, 3);
  p.kind = Kind::Pack;
  says(p, "without epilogues");
  p.epilogues.clear(), p.resultF32 = true;
  says(p, "packed weights have the element's type");
  p = conv(64, 64, 3);
  p.phases = 17;
  says(p, "17 phases; one launch computes at most 16");
  p.phases = 4, p.epilogues = {{"add", 64}};
  says(p, "phases go with convolutions without a pool and without tensors");
  p = conv(64, 64, 3);
  p.epilogues = {{"drop"}};
  says(p, "epilogue +drop is none of a tensor-core kernel");
  p.epilogues.assign(5, {"add", 64});
  says(p, "0 vectors and 5 tensors, at most 12 and 4");
  p = conv(64, 64, 3);
  p.poolIndex = true;
  says(p, "an index without a pool");
  p.poolIndex = p.keep = false;
  says(p, "neither the result nor a pool of it");
  p = conv(64, 64, 3);
  p.kind = Kind::WeightGradient;
  says(p, "neither epilogues nor a pool");
  p = conv(64, 64, 0);
  says(p, "must be at least 1");
  p = conv(1 << 15, 1 << 14, 3);
  says(p, "more than 2^31 weights");
}

/// 31 bits count pixels and octets.
TEST(TensorCoreTiles, TooManyPixels) {
  EXPECT_EQ(llvm::toString(checkExtents(conv(64, 64, 3), {16, 1024, 1024, 1024, 1024})), "");
  EXPECT_NE(
      llvm::toString(checkExtents(conv(64, 64, 3), {16, 4096, 4096, 4096, 4096})).find("split the batch"),
      std::string::npos);
  EXPECT_NE(llvm::toString(chooseTile(conv(64, 64, 3), {16, 4096, 4096, 4096, 4096}).takeError())
                .find("split the batch"),
            std::string::npos);
}

TEST(TensorCoreTiles, EveryOneIsValid) {
  for (const Element element : {Element::BF16, Element::F16, Element::TF32})
    for (const bool pool : {false, true}) {
      Problem p = conv(64, 64, 3);
      p.element = element, p.resultF32 = element == Element::TF32;
      p.pool = pool;
      for (const Tile &tile : tiles(p)) {
        EXPECT_EQ(llvm::toString(check(p, tile)), "");
        EXPECT_EQ(tile.k * bytesOf(element) % 64, 0);
      }
    }
}

TEST(TensorCoreTiles, FitTheShape) {
  const Device device;
  auto choose = [&](const Problem &p, int n, int h, const Device &d = Device()) {
    return llvm::cantFail(chooseTile(p, {n, h, h, h, h}, d));
  };
  // Large layers take tiles of a warp with the fewest bytes a product and no parts; 64 channels no tile that
  // is wider.
  EXPECT_EQ(choose(conv(256, 256, 3), 16, 128).tile.warpM * choose(conv(256, 256, 3), 16, 128).tile.warpN,
            64 * 64);
  EXPECT_EQ(choose(conv(256, 256, 3), 16, 128).tile.parts, 1);
  EXPECT_EQ(choose(conv(64, 64, 3), 16, 512).tile.n, 64);
  // 16x16 pixels alone would keep two SMs in three idle.
  EXPECT_GT(choose(conv(1024, 1024, 3), 1, 16).tile.parts, 1);
  EXPECT_GE(choose(conv(1024, 1024, 3), 1, 16).estimate.blocks, device.sms / 2);
  // A weight gradient of few channels lives from its parts, of which 64 MB at most are kept.
  Problem weights = conv(64, 64, 3);
  weights.kind = Kind::WeightGradient, weights.resultF32 = true, weights.epilogues.clear();
  const Choice many = choose(weights, 16, 512);
  EXPECT_GE(many.estimate.blocks, 2 * device.sms);
  EXPECT_LE(partialBytes(weights, many.tile, {16, 512, 512, 512, 512}), device.partialBytes);
  Device frugal;
  frugal.partialBytes = 1 << 20;
  EXPECT_LE(partialBytes(weights, choose(weights, 16, 512, frugal).tile, {16, 512, 512, 512, 512}), 1 << 20);
  // Where a launch gets 48 KB only, smaller tiles are left.
  Device old;
  old.sharedPerBlock = 48 * 1024;
  for (int c : {64, 256, 1024})
    EXPECT_LE(sharedBytes(conv(c, c, 3), choose(conv(c, c, 3), 1, 64, old).tile), 48 * 1024);
  EXPECT_NE(
      llvm::toString(chooseTile(conv(12, 64, 3), {1, 8, 8, 8, 8}).takeError()).find("not a multiple of 8"),
      std::string::npos);
  EXPECT_NE(llvm::toString(chooseTile(conv(64, 64, 3), {}).takeError()).find("known extents"),
            std::string::npos);
}

/// Too little shared memory for any tile is an error that names the need.
TEST(TensorCoreTiles, NoneFits) {
  Device tiny;
  tiny.sharedPerBlock = 8 * 1024;
  EXPECT_NE(llvm::toString(chooseTile(conv(64, 64, 3), {1, 8, 8, 8, 8}, tiny).takeError())
                .find("bytes of shared memory"),
            std::string::npos);
}

} // namespace
