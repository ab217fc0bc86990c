/// \file Convolution families against plain loops: random shapes, every epilogue, all instruction sets of
/// this machine.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_conv_support.h"
#include <array>
#include <cmath>
#include <gtest/gtest.h>

using namespace Halide;

namespace segc::schedules {
namespace {

constexpr Isa kIsas[] = {Isa::Avx512, Isa::Avx2, Isa::Portable};

int pick(std::mt19937 &random, const std::vector<int> &from) { return from[random() % from.size()]; }

/// Result sizes for one compiled kernel: a single pixel, rows shorter than any tile, and ragged ones.
std::vector<RunSize> randomSizes(std::mt19937 &random, int most) {
  auto upTo = [&](int n) { return int(1 + random() % n); };
  return {{1, 1, 1}, {upTo(3), upTo(4), upTo(5)}, {1, upTo(most), upTo(most)}};
}

std::string randomEpilogues(std::mt19937 &random, int k) {
  static const char *const simple[] = {" +bias",  " +affine",    " +relu",
                                       " +prelu", " +hardswish", " +leaky_relu(0.1)"};
  std::string text;
  for (int i = random() % 3; i > 0; i--)
    text += simple[random() % 6];
  if (random() % 3 == 0)
    text += " +" + std::string(random() % 2 ? "add" : "mul") + "(" + std::to_string(k + random() % 5) + ")";
  return text;
}

KernelSpec randomConv(std::mt19937 &random, int groups) {
  const int limit = groups > 1 ? 12 : 70;
  const int c = groups * (1 + random() % limit), k = groups * (1 + random() % limit);
  KernelSpec spec = convSpec(c, k, 1, 1, 1, groups, randomEpilogues(random, k));
  spec.fields["r"] = {pick(random, {1, 1, 2, 3, 3, 5}), pick(random, {1, 2, 3, 3, 4})};
  spec.fields["s"] = {pick(random, {1, 1, 2, 3}), pick(random, {1, 1, 2, 3})};
  spec.fields["d"] = {pick(random, {1, 1, 2, 4}), pick(random, {1, 1, 2, 3})};
  spec.fields["in"] = {c + int(random() % 7)};
  spec.fields["out"] = {k + int(random() % 7)};
  return spec;
}

void checkConv(const KernelSpec &spec, const Schedule &schedule, Isa isa, std::mt19937 &random,
               double tolerance) {
  SCOPED_TRACE(spec.print() + " | " + schedule.print() + " | " + name(isa));
  EXPECT_LE(convError(spec, schedule, isa, randomSizes(random, 19), unsigned(random())), tolerance);
}

TEST(DirectConv, RandomShapesAndPoints) {
  std::mt19937 random(1);
  const Family *direct = findFamily("direct");
  for (int i = 0; i < 45; i++) {
    const Isa isa = kIsas[i % 3];
    const KernelSpec spec = randomConv(random, i % 5 == 4 ? pick(random, {2, 3, 4, 8}) : 1);
    if (canRun(isa))
      checkConv(spec, randomPoint(*direct, spec, isa, random), isa, random, kDirectTolerance);
  }
}

TEST(DirectConv, ChosenPoints) {
  std::mt19937 random(2);
  struct Case {
    int c, k, r, s, d, g;
  };
  for (const Case &t : {Case{3, 64, 3, 1, 1, 1},
                        {64, 2, 1, 1, 1, 1},
                        {21, 21, 3, 1, 2, 1},
                        {32, 70, 1, 2, 1, 1},
                        {16, 100, 1, 1, 1, 1},
                        {32, 32, 3, 1, 1, 4},
                        {7, 1, 7, 1, 1, 1}})
    for (Isa isa : kIsas) {
      const KernelSpec spec = convSpec(t.c, t.k, t.r, t.s, t.d, t.g, " +bias +relu");
      if (canRun(isa))
        checkConv(spec, findFamily("direct")->choose(spec, isa), isa, random, kDirectTolerance);
    }
}

TEST(Depthwise, RandomShapesAndPoints) {
  std::mt19937 random(3);
  const Family *depthwise = findFamily("depthwise");
  for (int i = 0; i < 18; i++) {
    const Isa isa = kIsas[i % 3];
    KernelSpec spec = randomConv(random, 1);
    const int c = spec.get("c");
    for (const char *field : {"k", "g"})
      spec.fields[field] = {c};
    spec.fields["out"] = {c + int(random() % 7)};
    for (Epilogue &e : spec.epilogues)
      e.stride = e.isTensor() ? c + int(random() % 7) : 0;
    if (canRun(isa))
      checkConv(spec, randomPoint(*depthwise, spec, isa, random), isa, random, kDirectTolerance);
  }
}

TEST(DeepConv, RandomShapesAndPoints) {
  std::mt19937 random(5);
  const Family *deep = findFamily("deep");
  for (int i = 0; i < 15; i++) {
    const Isa isa = kIsas[i % 3];
    KernelSpec spec = randomConv(random, 1);
    spec.fields["c"] = {pick(random, {16, 32, 48, 64, 128})};
    spec.fields["in"] = {spec.get("c") + int(random() % 7)};
    if (canRun(isa))
      checkConv(spec, randomPoint(*deep, spec, isa, random), isa, random, kDirectTolerance);
  }
}

/// Rows of a task, or none where the weights of a panel stay near the core.
TEST(DeepConv, PaysByWeightsAndHeight) {
  auto rows = [](int c, int r, int height, int k = 4096) {
    KernelSpec spec = convSpec(c, k, r, 1, 1, 1, "");
    spec.likelyWidth = spec.likelyHeight = height;
    const Family *deep = findFamily("deep");
    return deep->pays(spec, Isa::Avx512) ? deep->choose(spec, Isa::Avx512).params.at("rows") : 0;
  };
  EXPECT_EQ(rows(512, 7, 9), 9);
  EXPECT_EQ(rows(4096, 1, 9), 9);
  EXPECT_EQ(rows(4096, 1, 20), 10) << "two tasks of equal height";
  EXPECT_EQ(rows(512, 1, 9), 0) << "64 KB a panel";
  EXPECT_EQ(rows(512, 7, 1), 0) << "one row reads them once anyway";
  EXPECT_EQ(rows(512, 7, 0), 0) << "nothing known";
  EXPECT_EQ(rows(4096, 1, 9, 64), 0) << "two tasks";
  const KernelSpec large = convSpec(4096, 4096, 1, 1, 1, 1, "");
  EXPECT_EQ(findFamily("deep")->whyNot(large, Isa::Avx512), "");
  EXPECT_NE(findFamily("deep")->whyNot(large, Isa::Cuda), "") << "kernels of GPUs borrow a processor's build";
}

TEST(Winograd, RandomShapesAndPoints) {
  std::mt19937 random(4);
  const Family *winograd = findFamily("winograd");
  for (int i = 0; i < 18; i++) {
    const Isa isa = kIsas[i % 3];
    const int c = pick(random, {16, 21, 48, 80}), k = pick(random, {11, 16, 21, 42, 48, 64, 96});
    KernelSpec spec = convSpec(c, k, 3, 1, 1, 1, randomEpilogues(random, k));
    if (i >= 9)
      spec.fields["d"] = {pick(random, {1, 2, 3, 8, 16}), pick(random, {1, 2, 4, 6})};
    spec.fields["in"] = {c + int(random() % 7)};
    spec.fields["out"] = {k + int(random() % 7)};
    if (!canRun(isa))
      continue;
    Schedule point = i < 3 ? winograd->choose(spec, isa) : randomPoint(*winograd, spec, isa, random);
    if (i >= 3) { // all nine tiles, and every tx on every instruction set
      point.params["tx"] = 2 + 2 * (i / 3 % 3);
      point.params["ty"] = 2 + 2 * ((i / 3 + i + i / 9) % 3);
    }
    checkConv(spec, point, isa, random, winogradTolerance(point));
  }
}

/// Filters as they lie in the file, also those of the convolution whose data gradient the kernel computes.
TEST(WinogradFresh, RandomShapesAndPoints) {
  std::mt19937 random(5);
  const Family *fresh = findFamily("winograd_fresh");
  for (int i = 0; i < 12; i++) {
    const Isa isa = kIsas[i % 3];
    const int c = pick(random, {16, 48, 64, 128}), k = pick(random, {32, 64, 96});
    KernelSpec spec = convSpec(c, k, 3, 1, 1, 1, randomEpilogues(random, k));
    spec.fields["in"] = {c + int(random() % 7)};
    spec.fields["out"] = {k + int(random() % 7)};
    if (!canRun(isa))
      continue;
    spec.fresh = i / 3 % 2 ? "deconv" : "conv";
    Schedule point = i < 6 ? fresh->choose(spec, isa) : randomPoint(*fresh, spec, isa, random);
    point.params["from"] = i / 3 % 2;
    checkConv(spec, point, isa, random, 3e-5);
  }
}

/// Only filters that change in every run, are large, and serve one block of tiles.
TEST(WinogradFresh, WhereItPays) {
  auto family = [](int c, int k, int side, int images, const std::string &fresh) {
    KernelSpec spec = convSpec(c, k, 3, 1, 1, 1, "");
    spec.likelyWidth = spec.likelyHeight = side;
    spec.likelyImages = images;
    spec.fresh = fresh;
    return std::get<Schedule>(chooseSchedule(spec, Isa::Avx512)).print().substr(0, 21);
  };
  EXPECT_EQ(family(1024, 1024, 16, 1, "conv"), "winograd_fresh bx=4 b");
  EXPECT_EQ(family(512, 512, 32, 1, "deconv"), "winograd_fresh bx=8 b");
  for (const std::string &other :
       {family(1024, 1024, 16, 1, ""), family(512, 512, 32, 2, "conv"), family(512, 512, 33, 1, "conv"),
        family(512, 512, 8, 1, "conv"), family(512, 496, 32, 1, "conv")})
    EXPECT_NE(other.substr(0, 14), "winograd_fresh");
  for (Isa isa : kIsas) // chunks of 32 channels leave an L2 cache room for what they are made from
    EXPECT_EQ(findFamily("winograd_fresh")->choose(convSpec(512, 512, 3, 1, 1, 1, ""), isa).params.at("cc"),
              isa == Isa::Avx512 ? 2 : 4);
}

/// Results along y and x of the tiles that the rule takes.
TEST(Winograd, TilesByWidthAndChannels) {
  auto tile = [](int channels, int width, Isa isa, int height = 0) {
    KernelSpec spec = convSpec(channels, channels, 3, 1, 1, 1, "");
    spec.likelyWidth = width;
    spec.likelyHeight = height;
    const Schedule point = findFamily("winograd")->choose(spec, isa);
    return std::pair(point.params.at("ty"), point.params.at("tx"));
  };
  for (Isa isa : kIsas) {
    SCOPED_TRACE(name(isa));
    EXPECT_EQ(tile(64, 0, isa), std::pair(4, 4)) << "nothing known";
    EXPECT_EQ(tile(64, 256, isa), std::pair(6, 6)) << "large";
    EXPECT_EQ(tile(256, 256, isa), std::pair(4, 4)) << "filters of 17 MB";
    EXPECT_EQ(tile(1024, 16, isa), std::pair(4, 2)) << "filters read from memory";
    EXPECT_EQ(tile(256, 16, isa), std::pair(4, 4));
  }
  EXPECT_EQ(tile(1024, 32, Isa::Avx512), std::pair(4, 2)) << "as fast with 1024 channels";
  EXPECT_EQ(tile(512, 16, Isa::Avx512, 64), std::pair(4, 4)) << "enough tiles share the filters";
  EXPECT_EQ(tile(1024, 16, Isa::Avx512, 96), std::pair(4, 4)) << "enough tiles share the filters";
  EXPECT_EQ(tile(1024, 32, Isa::Avx512, 8), std::pair(4, 2)) << "few tiles, though it is wide";
  EXPECT_EQ(tile(64, 256, Isa::Avx512, 4), std::pair(4, 4)) << "tiles of six rows would be a third empty";
  EXPECT_EQ(tile(512, 8, Isa::Avx512), std::pair(4, 2)) << "a micro-tile is four tiles wide";
}

/// Filters that are packed in each step, or that few blocks of tiles share, pay less for few multiplications.
TEST(Winograd, SmallerTilesWhereFiltersServeFew) {
  auto tile = [](int channels, int width, const std::string &fresh) {
    KernelSpec spec = convSpec(channels, 128, 3, 1, 1, 1, "");
    spec.likelyWidth = spec.likelyHeight = width;
    spec.fresh = fresh;
    return findFamily("winograd")->choose(spec, Isa::Avx512).params.at("tx");
  };
  EXPECT_EQ(tile(128, 256, ""), 6);
  EXPECT_EQ(tile(128, 256, "conv"), 4);
  EXPECT_EQ(tile(128, 256, "deconv"), 4);
  EXPECT_EQ(tile(64, 256, "conv"), 6);
  EXPECT_EQ(tile(128, 128, ""), 4);
  EXPECT_EQ(tile(64, 128, ""), 4);
  EXPECT_EQ(tile(32, 128, ""), 6);
}

/// Rows of tiles of a block of 6x6 results.
TEST(Winograd, BlocksGrowWhereFiltersPassTheCache) {
  auto rows = [](int channels) {
    KernelSpec spec = convSpec(channels, channels, 3, 1, 1, 1, "");
    spec.likelyWidth = 256;
    const Schedule point = findFamily("winograd")->choose(spec, Isa::Avx512);
    EXPECT_EQ(point.params.at("tx"), 6);
    return point.params.at("by");
  };
  EXPECT_EQ(rows(64), 2) << "filters of 1 MB";
  EXPECT_EQ(rows(128), 4) << "of 4 MB";
}

/// Blocks of output channels of a task, at most.
TEST(Winograd, TasksOfManyChannels) {
  auto chunk = [](int k, int width) {
    KernelSpec spec = convSpec(168, k, 3, 1, 1, 1, "");
    spec.likelyWidth = width;
    return findFamily("winograd")->choose(spec, Isa::Avx512).params.at("kc");
  };
  EXPECT_EQ(chunk(512, 32), 4) << "256 channels";
  EXPECT_EQ(chunk(512, 64), 8) << "eight blocks of tiles are tasks enough";
  EXPECT_EQ(chunk(336, 32), 12) << "11 blocks of 32 are not divided";
  EXPECT_EQ(chunk(48, 32), 4) << "one task has them all";
}

TEST(Winograd, PaysByWidthAndHeight) {
  auto pays = [](int width, int height) {
    KernelSpec spec = convSpec(64, 64, 3, 1, 1, 1, "");
    spec.likelyWidth = width;
    spec.likelyHeight = height;
    return findFamily("winograd")->pays(spec, Isa::Avx512);
  };
  EXPECT_TRUE(pays(64, 64));
  EXPECT_TRUE(pays(64, 0)) << "a height that is not known is the width";
  EXPECT_FALSE(pays(64, 1)) << "one row of a tile's four";
  EXPECT_FALSE(pays(4, 4)) << "one tile";
}

/// The values an epilogue gets: finite ones over its whole range of interest, then infinities and NaN.
TEST(Epilogues, MatchTheCLibraryAndKeepNan) {
  for (const char *text : {"relu", "relu6", "leaky_relu(0.01)", "elu(1)", "elu(0.5)", "selu", "gelu", "silu",
                           "sigmoid", "tanh", "hardsigmoid", "hardswish"})
    for (Isa isa : kIsas) {
      if (!canRun(isa))
        continue;
      SCOPED_TRACE(std::string(text) + " " + name(isa));
      const KernelSpec spec = convSpec(1, 1, 1, 1, 1, 1, std::string(" +") + text);
      JitKernel kernel(spec, findFamily("direct")->choose(spec, isa), isa);
      ASSERT_EQ(kernel.error, "");
      const int count = 400, specials = 3;
      GuardedTensor x(1, count, 1, 1, 1, NAN), y(1, count, 1, 1, 1, 0.f);
      for (int i = 0; i < count; i++)
        x.view(0, i, 0, 0) = (i - 200) * (i - 200) * (i < 200 ? -1 : 1) * 3e-3f;
      x.view(0, 0, 0, 0) = NAN;
      x.view(0, 1, 0, 0) = INFINITY;
      x.view(0, 2, 0, 0) = -INFINITY;
      Buffer<float> w(findFamily("direct")->packing(spec, kernel.schedule, isa).extents);
      w.fill(0.f);
      w(0, 0, 0, 0, 0) = 1.f;
      kernel.run({x.view, w}, y.view);
      const Epilogue &e = spec.epilogues[0];
      EXPECT_TRUE(std::isnan(y.view(0, 0, 0, 0)));
      for (int i = specials; i < count; i++) {
        const double want = activateReference(e.op, x.view(0, i, 0, 0), e.value);
        EXPECT_NEAR(y.view(0, i, 0, 0), want, 3e-7 * std::max(1.0, std::fabs(want)))
            << "at " << x.view(0, i, 0, 0);
      }
      const double high = activateReference(e.op, 80, e.value), highest = y.view(0, 1, 0, 0);
      EXPECT_TRUE(high > 7 ? std::isinf(highest) : std::fabs(highest - high) < 1e-6) << highest;
    }
}

/// A filter of kw x kh taps, of groups of kg x cg channels. Packed are every step-th tap from tap (first, 0)
/// on, `taps` x `tapsY` of them, some of which may lie beyond the filter.
struct PackedFilter {
  bool deconv;
  int groups, kg, cg, kw, kh, step, first, taps, tapsY;
};

TEST(PackConv, FilterLayoutsPhasesAndScale) {
  std::mt19937 random(5);
  for (const PackedFilter &f : {PackedFilter{false, 1, 21, 5, 5, 4, 1, 0, 5, 4},
                                {false, 3, 21, 5, 5, 4, 1, 0, 5, 4},
                                {true, 1, 21, 5, 5, 4, 2, 1, 3, 2},
                                {true, 3, 21, 5, 5, 4, 2, 1, 3, 2},
                                // panels that the channels fill, with any number of taps
                                {false, 1, 48, 70, 3, 3, 1, 0, 3, 3},
                                {false, 2, 32, 3, 2, 1, 1, 0, 2, 1},
                                {false, 1, 16, 3, 2, 3, 1, 0, 3, 3},
                                {true, 1, 32, 70, 1, 1, 1, 0, 1, 1},
                                {true, 1, 32, 65, 2, 2, 2, 1, 1, 1},
                                {true, 2, 16, 4, 2, 2, 2, 1, 1, 1},
                                {true, 1, 32, 3, 3, 3, 1, 0, 3, 3},
                                {true, 1, 32, 3, 3, 3, 2, 0, 2, 2},
                                {true, 2, 16, 3, 4, 4, 2, 1, 2, 2},
                                {true, 1, 16, 3, 4, 4, 2, 1, 2, 3}}) {
    const int panel = 16, k = f.groups * f.kg, c = f.groups * f.cg, panels = (f.kg + panel - 1) / panel;
    const std::string step = std::to_string(f.step);
    const KernelSpec spec =
        parseSpec("pack_conv panel16 g" + std::to_string(f.groups) +
                  " scale1 from=" + (f.deconv ? "deconv" : "conv") + " step" + step + "x" + step + " : f32");
    SCOPED_TRACE(spec.print() + " " + std::to_string(f.kw) + "x" + std::to_string(f.kh));
    JitKernel kernel(spec, {"pack", {}}, Isa::Portable);
    ASSERT_EQ(kernel.error, "");
    Buffer<float> w = f.deconv ? Buffer<float>(f.kw, f.kh, f.kg, c) : Buffer<float>(f.kw, f.kh, f.cg, k);
    Buffer<float> scale(k), y(panel, f.cg, f.taps, f.tapsY, panels * f.groups);
    w.for_each_value([&](float &v) { v = float(random() % 1000); });
    scale.for_each_value([&](float &v) { v = float(1 + random() % 4); });
    y.fill(NAN);
    w.translate(0, -f.first); // coordinate 0 is the phase's first tap
    kernel.run({w, scale}, y);
    int wrong = 0;
    y.for_each_element([&](int p, int ci, int rx, int ry, int q) {
      const int group = q / panels, inGroup = q % panels * panel + p, o = group * f.kg + inGroup;
      const int tx = f.step * (f.deconv ? f.taps - 1 - rx : rx),
                ty = f.step * (f.deconv ? f.tapsY - 1 - ry : ry);
      const bool exists = inGroup < f.kg && f.first + tx < f.kw && ty < f.kh;
      const float want =
          !exists ? 0.f : scale(o) * (f.deconv ? w(tx, ty, inGroup, group * f.cg + ci) : w(tx, ty, ci, o));
      wrong += y(p, ci, rx, ry, q) != want;
    });
    EXPECT_EQ(wrong, 0);
  }
}

/// G of F(m, 3): the row of point p is (1, p, p^2) over the product of its differences to the other points.
std::vector<std::array<double, 3>> filterMatrix(int m) {
  const std::vector<double> all = {0, 1, -1, 2, -2, 0.5, -0.5}, points(all.begin(), all.begin() + m + 1);
  std::vector<std::array<double, 3>> rows;
  for (double p : points) {
    double product = 1;
    for (double other : points)
      product *= other == p ? 1 : p - other;
    rows.push_back({1 / product, p / product, p * p / product});
  }
  rows.push_back({0, 0, 1});
  return rows;
}

TEST(PackConv, WinogradFilters) {
  std::mt19937 random(6);
  struct Filters {
    int ty, tx, c, k;
    bool deconv;
  };
  for (const Filters &f : {Filters{2, 4, 3, 11, false},
                           {4, 6, 3, 11, false},
                           {6, 2, 3, 11, false},
                           {4, 4, 3, 11, true},
                           {4, 4, 70, 16, false}, // panels that the channels fill
                           {4, 2, 70, 16, true}}) {
    const int panel = 8, planesX = f.tx + 2, planesY = f.ty + 2;
    const KernelSpec spec =
        parseSpec("pack_winograd panel8 tile" + std::to_string(f.ty) + "x" + std::to_string(f.tx) +
                  " scale1 from=" + (f.deconv ? "deconv" : "conv") + " step1x1 : f32");
    SCOPED_TRACE(spec.print());
    JitKernel kernel(spec, {"pack", {}}, Isa::Portable);
    ASSERT_EQ(kernel.error, "");
    Buffer<float> w(3, 3, f.deconv ? f.k : f.c, f.deconv ? f.c : f.k), scale(f.k);
    Buffer<float> y(panel, f.c, planesX * planesY, 2);
    w.for_each_value([&](float &v) { v = float(random() % 1000) / 1000; });
    scale.for_each_value([&](float &v) { v = float(1 + random() % 2); });
    y.fill(NAN);
    kernel.run({w, scale}, y);
    const auto gx = filterMatrix(f.tx), gy = filterMatrix(f.ty);
    double worst = 0;
    y.for_each_element([&](int p, int ci, int plane, int q) {
      const int o = q * panel + p;
      double want = 0;
      for (int i = 0; i < 9 && o < f.k; i++)
        want += gy[plane / planesX][i / 3] * gx[plane % planesX][i % 3] * scale(o) *
                (f.deconv ? w(2 - i % 3, 2 - i / 3, o, ci) : w(i % 3, i / 3, ci, o));
      const double off = std::fabs(y(p, ci, plane, q) - want);
      worst = off <= worst ? worst : off;
    });
    EXPECT_LE(worst, 1e-6);
  }
  const Family *pack = findFamily("pack");
  EXPECT_NE(pack->whyNot(parseSpec("pack_winograd panel8 tile3x4 scale0 from=conv step1x1 : f32"), Isa::Avx2),
            "");
  EXPECT_NE(pack->whyNot(parseSpec("pack_winograd panel9 tile4x4 scale0 from=conv step1x1 : f32"), Isa::Avx2),
            "");
}

} // namespace
} // namespace segc::schedules
