/// \file Gradients and deconvolutions of the tensor-core family on the emulated warp, beside plain loops in
/// double.
// SPDX-License-Identifier: MIT
#include "compiler/emulate/Primitives.h"
#include "schedules/tensorcore/TileChoice.h"
#include "test/unit/tensorcore_support.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace segc::tensorcore;
using namespace segc::tensorcore::test;

namespace {

Problem gradient(int c, int k, int r, Element element = Element::BF16) {
  Problem p;
  p.kind = Kind::WeightGradient;
  p.resultF32 = true;
  p.element = element;
  p.c0 = c, p.k = k, p.rh = p.rw = r;
  return p;
}

class WeightGradient : public testing::TestWithParam<Element> {};

TEST_P(WeightGradient, EveryTile) {
  const Problem p = gradient(24, 40, 3, GetParam());
  for (Tile tile : tiles(p)) {
    if (!isTested(p.element, tile))
      continue;
    tile.parts = 3;
    Case c;
    c.problem = p;
    c.tile = tile;
    c.n = 2, c.h = 9, c.w = 7, c.padY = c.padX = 1;
    EXPECT_EQ(runWeightGradient(c).conflicts, 0);
  }
}

TEST_P(WeightGradient, StridesDilationsTwoInputs) {
  struct {
    int r, s, d, pad, c1;
  } const list[] = {{3, 2, 1, 1, 0}, {3, 1, 2, 2, 0},  {1, 1, 1, 0, 0},
                    {2, 2, 1, 0, 0}, {3, 1, 1, 1, 32}, {1, 1, 1, 0, 8}};
  for (const auto &l : list) {
    Case c;
    c.problem = gradient(16, 24, l.r, GetParam());
    c.problem.sy = c.problem.sx = l.s, c.problem.dy = c.problem.dx = l.d, c.problem.c1 = l.c1;
    c.tile = {64, 64, 32, 32, 32, 3, 2, 0};
    c.n = 2, c.h = 8, c.w = 10, c.padY = c.padX = l.pad, c.pixelGap = 8;
    runWeightGradient(c);
  }
}

INSTANTIATE_TEST_SUITE_P(Elements, WeightGradient,
                         testing::Values(Element::BF16, Element::F16, Element::TF32),
                         [](const auto &info) { return nameOf(info.param); });

TEST(WeightGradientParts, NoneAndMany) {
  for (int parts : {1, 5, 40}) {
    Case c;
    c.problem = gradient(32, 32, 3);
    c.h = 12, c.w = 10, c.padY = c.padX = 1;
    for (const Tile &tile :
         {Tile{64, 64, 32, 32, 32, 4, parts, 0}, Tile{64, 64, 64, 64, 64, 4, parts, 0, true}}) {
      c.tile = tile;
      runWeightGradient(c);
    }
  }
}

/// By warpgroups, which take 64 pixels a step and 64 channels and columns at least.
class GroupGradient : public testing::TestWithParam<Element> {};

/// Ragged pixels, channels and columns: 126 pixels are two steps, 216 columns end inside of a panel of 64.
TEST_P(GroupGradient, EveryTile) {
  const Problem p = gradient(24, 40, 3, GetParam());
  for (Tile tile : groupTiles(p)) {
    tile.parts = 3;
    Case c;
    c.problem = p;
    c.tile = tile;
    c.n = 2, c.h = 9, c.w = 7, c.padY = c.padX = 1;
    const auto counts = runWeightGradient(c);
    // Of both steps in all blocks, by each warpgroup; one of the three parts is empty.
    const int64_t blocks = (p.k + tile.m - 1) / tile.m * ((9 * 24 + tile.n - 1) / tile.n);
    EXPECT_EQ(counts.wgmma, blocks * 2 * (tile.warps() / 4) * mmaCount(p, tile));
    EXPECT_EQ(counts.mma + counts.ldmatrix, 0);
  }
}

TEST_P(GroupGradient, StridesDilationsTwoInputs) {
  struct {
    int r, s, d, pad, c1;
  } const list[] = {{3, 2, 1, 1, 0},  {3, 1, 2, 2, 0}, {1, 1, 1, 0, 0}, {2, 2, 1, 0, 0},
                    {3, 1, 1, 1, 32}, {1, 1, 1, 0, 8}, {1, 2, 1, 0, 0}, {4, 2, 1, 1, 0}};
  for (const auto &l : list)
    for (const int parts : {1, 2}) {
      Case c;
      c.problem = gradient(16, 24, l.r, GetParam());
      c.problem.sy = c.problem.sx = l.s, c.problem.dy = c.problem.dx = l.d, c.problem.c1 = l.c1;
      c.tile = {128, 128, 64, 64, 128, 3, parts, 0, true};
      c.n = 2, c.h = 13, c.w = 10, c.padY = c.padX = l.pad, c.pixelGap = 8;
      runWeightGradient(c);
    }
}

/// More channels and columns than a block has: every panel of both operands, all blocks.
TEST_P(GroupGradient, ManyBlocks) {
  for (const Tile &tile :
       {Tile{256, 64, 64, 128, 64, 3, 2, 0, true}, Tile{64, 256, 64, 64, 256, 4, 2, 0, true}}) {
    Case c;
    c.problem = gradient(64, 264, 3, GetParam());
    c.tile = tile;
    c.h = 11, c.w = 7, c.padY = c.padX = 1;
    c.constantExtents = true;
    runWeightGradient(c);
  }
}

INSTANTIATE_TEST_SUITE_P(Elements, GroupGradient, testing::Values(Element::BF16, Element::F16),
                         [](const auto &info) { return nameOf(info.param); });

/// y(o) = sum over the taps t with (o + pad - t) divisible by the stride of x((o + pad - t) / stride) * w(t):
/// the transpose of a convolution. The pixels o = phase (mod stride) are a convolution with the taps t =
/// first, first + stride, ... in reverse, first = (phase + pad) mod stride, into a view with that stride.
/// Phases with equal numbers of taps share a launch. Weights are packed by the family's kernel from (c, k, y,
/// x).
void runTransposedBy(const Tile &tile, int c, int k, int r, int stride, int pad, int outH, int outW) {
  SCOPED_TRACE("r" + std::to_string(r) + " s" + std::to_string(stride) + ", tile " + tile.print());
  std::mt19937 random(3);
  const int inH = (outH + 2 * pad - r) / stride + 1, inW = (outW + 2 * pad - r) / stride + 1;
  Tensor x(Element::BF16, false, 2, inH, inW, c), y(Element::BF16, false, 2, outH, outW, k);
  Tensor w(Element::TF32, true, c, k, r, r);
  x.randomise(random);
  w.randomise(random);
  const bool together = r % stride == 0 && outH % stride == 0 && outW % stride == 0;
  Arguments a = {};
  a.x[0] = x.view();
  a.y = y.view();
  a.y.row *= stride, a.y.pixel *= stride;
  a.images = 2, a.inHeight = inH, a.inWidth = inW;
  std::vector<Tensor> packed(size_t(stride * stride));
  std::vector<uint32_t> all;
  Problem p;
  p.c0 = c, p.k = k;
  for (int phase = 0; phase < stride * stride; phase++) {
    const int phaseY = phase / stride, phaseX = phase % stride;
    const int firstY = (phaseY + pad) % stride, firstX = (phaseX + pad) % stride;
    p.rh = (r - firstY + stride - 1) / stride, p.rw = (r - firstX + stride - 1) / stride;
    Problem pack = p;
    pack.kind = Kind::Pack, pack.phases = 1;
    packed[size_t(phase)] = Tensor(Element::BF16, false, 1, k, p.taps(), c);
    Arguments b = {};
    b.from = reinterpret_cast<float *>(w.bytes.data()) +
             w.at(0, 0, firstY + (p.rh - 1) * stride, firstX + (p.rw - 1) * stride);
    b.fromK = r * r, b.fromC = k * r * r, b.fromTapY = -stride * r, b.fromTapX = -stride;
    b.y = packed[size_t(phase)].view();
    ASSERT_EQ(launch(pack, {}, {}, b, {w.range(false), packed[size_t(phase)].range(true)}), "");

    a.height = (outH - phaseY + stride - 1) / stride, a.width = (outW - phaseX + stride - 1) / stride;
    const Phase place = {int(all.size() / 4), (phaseY * outW + phaseX) * k / 8,
                         (phaseY + pad - firstY) / stride - (p.rh - 1),
                         (phaseX + pad - firstX) / stride - (p.rw - 1)};
    const Extents extents = {2, a.height, a.width, inH, inW};
    if (together) {
      a.phases[phase] = place;
      all.insert(all.end(), packed[size_t(phase)].bytes.begin(), packed[size_t(phase)].bytes.end());
      p.phases = phase + 1;
      if (p.phases < stride * stride)
        continue;
      a.weights = reinterpret_cast<char *>(all.data());
      EXPECT_EQ(
          launch(p, tile, extents, a, {x.range(false), {all.data(), all.size() * 4, false}, y.range(true)}),
          "");
    } else {
      a.phases[0] = place;
      a.weights = packed[size_t(phase)].view().data;
      EXPECT_EQ(
          launch(p, tile, extents, a, {x.range(false), packed[size_t(phase)].range(false), y.range(true)}),
          "");
    }
  }
  double worst = 0;
  for (int n = 0; n < 2; n++)
    for (int oy = 0; oy < outH; oy++)
      for (int ox = 0; ox < outW; ox++)
        for (int o = 0; o < k; o++) {
          double sum = 0;
          for (int ty = 0; ty < r; ty++)
            for (int tx = 0; tx < r; tx++) {
              const int iy = oy + pad - ty, ix = ox + pad - tx;
              if (iy % stride || ix % stride || iy < 0 || ix < 0 || iy / stride >= inH || ix / stride >= inW)
                continue;
              for (int i = 0; i < c; i++)
                sum += x.get(n, iy / stride, ix / stride, i) *
                       segc::emulate::bf16ToFloat(segc::emulate::floatToBf16(float(w.get(i, o, ty, tx))));
            }
          const double error = std::fabs(y.get(n, oy, ox, o) - sum) / (0x1p-8 * std::fabs(sum) + 1e-4);
          worst = error <= worst ? worst : std::isnan(error) ? INFINITY : error;
        }
  EXPECT_LE(worst, 1.01);
}

/// By warps and by a warpgroup.
void runTransposed(int c, int k, int r, int stride, int pad, int outH, int outW, int parts = 1) {
  runTransposedBy({64, 32, 32, 32, 16, 3, parts, 0}, c, k, r, stride, pad, outH, outW);
  runTransposedBy({64, 32, 64, 64, 32, 3, parts, 0, true}, c, k, r, stride, pad, outH, outW);
}

TEST(TensorCoreTransposed, DataGradient) { runTransposed(32, 24, 3, 1, 1, 9, 11); }
TEST(TensorCoreTransposed, StridedDataGradient) { runTransposed(16, 24, 3, 2, 1, 9, 11); }
TEST(TensorCoreTransposed, UpConvolutionOfUNet) { runTransposed(32, 16, 2, 2, 0, 10, 12); }
TEST(TensorCoreTransposed, FourByFourDeconvolution) { runTransposed(16, 16, 4, 2, 1, 10, 8); }
TEST(TensorCoreTransposed, PhasesInParts) { runTransposed(32, 24, 4, 2, 1, 10, 8, 3); }

/// A convolution's weights from their file's order k, c, y, x, in each element, times a vector.
TEST(TensorCorePack, ElementsAndScale) {
  for (const Element element : {Element::BF16, Element::F16, Element::TF32})
    for (const bool scaled : {false, true}) {
      std::mt19937 random(4);
      Tensor file(Element::TF32, true, 24, 16, 3, 5), scales(Element::TF32, true, 1, 1, 1, 24);
      file.randomise(random);
      scales.randomise(random);
      Problem p;
      p.kind = Kind::Pack;
      p.element = element, p.resultF32 = element == Element::TF32, p.scaled = scaled;
      p.c0 = 16, p.k = 24, p.rh = 3, p.rw = 5;
      Tensor packed(element, p.resultF32, 1, 24, 15, 16);
      Arguments a = {};
      a.from = reinterpret_cast<float *>(file.bytes.data());
      a.fromK = 16 * 15, a.fromC = 15, a.fromTapY = 5, a.fromTapX = 1;
      a.vectors[0] = reinterpret_cast<float *>(scales.bytes.data());
      a.y = packed.view();
      ASSERT_EQ(launch(p, {}, {}, a, {file.range(false), scales.range(false), packed.range(true)}), "");
      Tensor expected = packed;
      for (int k = 0; k < 24; k++)
        for (int tap = 0; tap < 15; tap++)
          for (int c = 0; c < 16; c++)
            expected.set(0, k, tap, c,
                         float(file.get(k, c, tap / 5, tap % 5)) *
                             (scaled ? float(scales.get(0, 0, 0, k)) : 1));
      EXPECT_EQ(packed.bytes, expected.bytes);
    }
}

} // namespace
