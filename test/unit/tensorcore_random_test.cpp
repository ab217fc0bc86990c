/// \file Random problems on random tiles: what the tests of single features do not combine.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/TileChoice.h"
#include "test/unit/tensorcore_support.h"
#include <cstdlib>
#include <gtest/gtest.h>

using namespace segc::tensorcore;
using namespace segc::tensorcore::test;

namespace {

class Draw {
public:
  explicit Draw(unsigned seed) : random(seed) {}
  int below(int n) { return int(random() % unsigned(n)); }
  bool chance(int percent) { return below(100) < percent; }
  template <class T> T of(std::initializer_list<T> list) { return list.begin()[below(int(list.size()))]; }

private:
  std::mt19937 random;
};

Case drawCase(unsigned seed) {
  Draw draw(seed);
  Case c;
  Problem &p = c.problem;
  p.element = draw.of({Element::BF16, Element::BF16, Element::F16, Element::TF32});
  p.kind = draw.chance(30) ? Kind::WeightGradient : Kind::Convolution;
  const bool gradient = p.kind == Kind::WeightGradient;
  p.resultF32 = p.element == Element::TF32 || gradient || draw.chance(15);
  p.c0 = 8 * (1 + draw.below(8)), p.c1 = draw.chance(30) ? 8 * (1 + draw.below(8)) : 0,
  p.k = 8 * (1 + draw.below(12));
  p.rh = 1 + draw.below(4), p.rw = draw.chance(80) ? p.rh : 1 + draw.below(4);
  p.sy = draw.chance(70) ? 1 : 2, p.sx = draw.chance(90) ? p.sy : 3;
  p.dy = draw.chance(75) ? 1 : 2, p.dx = draw.chance(90) ? p.dy : 3;
  c.n = 1 + draw.below(3), c.h = 12 + draw.below(10), c.w = 12 + draw.below(14);
  c.padY = draw.below(p.rh * p.dy + 1), c.padX = draw.below(p.rw * p.dx + 1);
  c.constantExtents = draw.chance(30);
  c.pixelGap = draw.chance(30) ? 8 : 0;
  if (!gradient) {
    if (draw.chance(50))
      p.epilogues.push_back({draw.of<const char *>({"bias", "affine"})});
    if (draw.chance(30))
      p.epilogues.push_back({"add", p.k + c.pixelGap});
    if (draw.chance(20)) {
      p.epilogues.push_back({draw.of<const char *>({"mul", "add"}), draw.chance(50) ? 0 : p.k + c.pixelGap});
      p.epilogues.back().wide = draw.chance(70);
    }
    if (draw.chance(60))
      p.epilogues.push_back({draw.of<const char *>({"relu", "prelu", "silu", "tanh"})});
    p.pool = draw.chance(30), p.poolIndex = p.pool && draw.chance(50);
    p.keep = !p.pool || draw.chance(60);
  }
  std::vector<Tile> all = tiles(p);
  for (const Tile &tile : groupTiles(p))
    all.push_back(tile);
  c.tile = all[size_t(draw.below(int(all.size())))];
  c.tile.stages = 2 + draw.below(4) + c.tile.wgmma;
  c.tile.parts = draw.chance(60) ? 1 : 1 + draw.below(9);
  if (!gradient && draw.chance(40))
    c.tile.width = draw.of({4, 8, 16});
  while (sharedBytes(p, c.tile) > 227 * 1024)
    c.tile.stages--;
  return c;
}

TEST(TensorCoreRandom, AsPlainLoops) {
  const int count = std::getenv("SEGC_LONG") ? 200 : 40;
  for (int seed = 0; seed < count; seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Case c = drawCase(unsigned(seed));
    const auto counts = c.problem.kind == Kind::WeightGradient ? runWeightGradient(c) : runConvolution(c);
    EXPECT_EQ(counts.conflicts, 0);
    if (HasFailure())
      return;
  }
}

} // namespace
