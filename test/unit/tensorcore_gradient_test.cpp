/// \file Gradients and deconvolutions of the tensor-core family on the emulated warp, beside plain loops in
/// double.
// SPDX-License-Identifier: MIT
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
                         testing::Values(Element::BF16, Element::F16, Element::TF32));

TEST(WeightGradientParts, NoneAndMany) {
  for (int parts : {1, 5, 40}) {
    Case c;
    c.problem = gradient(32, 32, 3);
    c.tile = {64, 64, 32, 32, 32, 4, parts, 0};
    c.h = 12, c.w = 10, c.padY = c.padX = 1;
    runWeightGradient(c);
  }
}

/// y(o) = sum over the taps t with (o + pad - t) divisible by the stride of x((o + pad - t) / stride) * w(t):
/// the transpose of a convolution. The pixels o = phase (mod stride) are a convolution with the taps t =
/// first, first + stride, ... in reverse, first = (phase + pad) mod stride, into a view with that stride.
void runTransposed(int c, int k, int r, int stride, int pad, int outH, int outW) {
  SCOPED_TRACE("r" + std::to_string(r) + " s" + std::to_string(stride));
  std::mt19937 random(3);
  const int inH = (outH + 2 * pad - r) / stride + 1, inW = (outW + 2 * pad - r) / stride + 1;
  Tensor x(Element::BF16, false, 2, inH, inW, c), y(Element::BF16, false, 2, outH, outW, k);
  Tensor w(Element::BF16, false, r, r, c, k);
  x.randomise(random);
  w.randomise(random);
  for (int phaseY = 0; phaseY < stride; phaseY++)
    for (int phaseX = 0; phaseX < stride; phaseX++) {
      const int firstY = (phaseY + pad) % stride, firstX = (phaseX + pad) % stride;
      Problem p;
      p.c0 = c, p.k = k;
      p.rh = (r - firstY + stride - 1) / stride, p.rw = (r - firstX + stride - 1) / stride;
      const int height = (outH - phaseY + stride - 1) / stride, width = (outW - phaseX + stride - 1) / stride;
      Tensor packed(Element::BF16, false, 1, k, p.taps(), c);
      for (int o = 0; o < k; o++)
        for (int i = 0; i < c; i++)
          for (int ty = 0; ty < p.rh; ty++)
            for (int tx = 0; tx < p.rw; tx++)
              packed.set(
                  0, o, ty * p.rw + tx, i,
                  float(w.get(firstY + (p.rh - 1 - ty) * stride, firstX + (p.rw - 1 - tx) * stride, i, o)));
      Arguments a = {};
      a.x[0] = x.view();
      a.weights = packed.view().data;
      a.y = y.view();
      a.y.data += 2 * (phaseY * outW + phaseX) * k;
      a.y.row *= stride, a.y.pixel *= stride;
      a.images = 2, a.height = height, a.width = width, a.inHeight = inH, a.inWidth = inW;
      a.originY = (phaseY + pad - firstY) / stride - (p.rh - 1);
      a.originX = (phaseX + pad - firstX) / stride - (p.rw - 1);
      EXPECT_EQ(launch(p, {64, 32, 32, 32, 16, 3, 1, 0}, {2, height, width, inH, inW}, a,
                       {x.range(false), packed.range(false), y.range(true)}),
                "");
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
                sum += x.get(n, iy / stride, ix / stride, i) * w.get(ty, tx, i, o);
            }
          const double error = std::fabs(y.get(n, oy, ox, o) - sum) / (0x1p-8 * std::fabs(sum) + 1e-4);
          worst = error <= worst ? worst : std::isnan(error) ? INFINITY : error;
        }
  EXPECT_LE(worst, 1.01);
}

TEST(TensorCoreTransposed, DataGradient) { runTransposed(32, 24, 3, 1, 1, 9, 11); }
TEST(TensorCoreTransposed, StridedDataGradient) { runTransposed(16, 24, 3, 2, 1, 9, 11); }
TEST(TensorCoreTransposed, UpConvolutionOfUNet) { runTransposed(32, 16, 2, 2, 0, 10, 12); }
TEST(TensorCoreTransposed, FourByFourDeconvolution) { runTransposed(16, 16, 4, 2, 1, 10, 8); }

} // namespace
