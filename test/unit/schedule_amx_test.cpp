/// \file Convolutions on AMX: all points against plain loops, pools against the maxima of the same pixels.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_bf16_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

const Family &amx() { return *findFamily("amx"); }
const Family &parts() { return *findFamily("amx_parts"); }

/// Every legal point, of tasks and fetches the smallest and the largest; two of them but with SEGC_LONG=1.
std::vector<Schedule> pointsOf(const KernelSpec &spec, std::mt19937 &random, const Family &family = amx()) {
  std::vector<Schedule> points = {{family.name, {}}};
  for (const Parameter &parameter : family.parameters(spec, Isa::Amx)) {
    std::vector<Schedule> more;
    for (const Schedule &point : points)
      for (int value : parameter.legal) {
        if ((parameter.name == "rows" || parameter.name == "ahead") && value != parameter.legal.front() &&
            value != parameter.legal.back())
          continue;
        more.push_back(point);
        more.back().params[parameter.name] = value;
      }
    points = more;
  }
  if (const char *all = std::getenv("SEGC_LONG"); !all || std::string(all) != "1") {
    std::shuffle(points.begin(), points.end(), random);
    points.resize(std::min<size_t>(points.size(), 2));
  }
  return points;
}

struct Case {
  int c, k, r, s, d;
};

TEST(Amx, AllPointsAgreeWithPlainLoops) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(6);
  // Steps of 4, 8, 12 and 16 pairs, last ones that overlap by 15, 11 and 8; one panel and several, ragged
  // ones; strides, dilation, large filters.
  for (const Case &t : {Case{8, 1, 3, 1, 1},
                        {16, 16, 1, 1, 1},
                        {24, 70, 3, 1, 2},
                        {64, 100, 1, 2, 1},
                        {96, 32, 3, 2, 1},
                        {32, 40, 5, 1, 3},
                        {4, 20, 7, 2, 1},
                        {34, 33, 3, 1, 2},
                        {42, 21, 3, 2, 1},
                        {168 * 2, 20, 1, 1, 1},
                        {128, 32, 3, 1, 1}}) {
    const KernelSpec spec = narrowConv(t.c, t.k, t.r, t.s, t.d, 1);
    for (const Schedule &point : pointsOf(spec, random))
      EXPECT_LE(dotError(spec, point, Isa::Amx, {{2, 3, 5}, {1, 8, 1}, {1, 35, 17}}, random), 1e-6);
  }
}

TEST(Amx, PartsOfFiltersAddUpToPlainLoops) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(9);
  // One part of a tap and several; images narrower and lower than a block, blocks that overlap, several tasks
  // along rows and columns.
  for (const Case &t : {Case{16, 16, 1, 1, 1},
                        {64, 100, 3, 1, 2},
                        {96, 32, 3, 2, 1},
                        {256, 40, 1, 1, 1},
                        {50, 20, 3, 1, 1},
                        {64, 33, 5, 1, 1}}) {
    const KernelSpec spec = narrowConv(t.c, t.k, t.r, t.s, t.d, 1);
    for (const Schedule &point : pointsOf(spec, random, parts()))
      EXPECT_LE(dotError(spec, point, Isa::Amx, {{2, 3, 5}, {1, 8, 1}, {1, 9, 9}, {1, 35, 17}}, random),
                1e-6);
  }
}

TEST(Amx, ScalesWhatItReads) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(8);
  for (auto [c, k] : {std::pair{24, 40}, {80, 16}, {32, 70}, {72, 16}}) {
    KernelSpec spec = narrowConv(c, k, 1, 1, 1, 1);
    spec.words["read"] = "scaled";
    for (const Schedule &point : pointsOf(spec, random))
      EXPECT_LE(dotError(spec, point, Isa::Amx, {{1, 1, 1}, {2, 3, 5}, {1, 9, 35}}, random), 1e-6);
  }
}

/// One convolution, with or without a pool, on given memory.
void run(const KernelSpec &spec, const Schedule &point, const Buffer<uint16_t> &x, const Buffer<> &w,
         const Buffer<float> &bias, const std::vector<Buffer<>> &results) {
  JitKernel kernel(spec, point, Isa::Amx);
  ASSERT_EQ(kernel.error, "") << spec.print();
  kernel.build.inputs[0].set(shownAs(kernel.build.inputs[0].type(), x));
  kernel.build.inputs[1].set(w);
  kernel.build.inputs[2].set(bias);
  kernel.build.pipeline.realize(Realization(results), kernel.target);
}

TEST(Amx, PoolsAreThoseOfItsPixels) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(7);
  for (auto [c, k, px, all] : {std::tuple(16, 21, 8, 0), {32, 64, 16, 0}, {32, 40, 16, 1}})
    for (RunSize size : {RunSize{1, 1, 2}, {1, 5, 7}, {1, 9, 18}}) { // of the maxima
      const KernelSpec spec = narrowConv(c, k, 3, 1, 1, 1);
      const Schedule point{
          "amx", {{"cv", k > 16 ? 2 : 1}, {"px", px}, {"rows", 4}, {"all", all}, {"st", 1}, {"stream", 0}}};
      SCOPED_TRACE(spec.print() + " | " + point.print());
      auto uniform = [&] { return std::uniform_real_distribution<float>(-1.f, 1.f)(random); };
      Activation<uint16_t> x({c, 2 * size.w + 2, 2 * size.h + 2, size.n}, c + 2, kOutside);
      x.fill([&] { return random() % 400 ? narrow(uniform()) : kNan; });
      Buffer<uint16_t> bits(amx().packing(spec, point, Isa::Amx).extents);
      bits.for_each_value([&](uint16_t &v) { v = narrow(uniform()); });
      std::vector<halide_dimension_t> dims;
      for (int d = 0; d < bits.dimensions(); d++)
        dims.push_back({0, bits.dim(d).extent(), bits.dim(d).stride(), 0});
      const Buffer<> w(BFloat(16), bits.data(), int(dims.size()), dims.data());
      Buffer<float> bias(std::vector<int>{paddedChannels(k)});
      bias.fill(0.25f);

      const Extents all{k, 2 * size.w, 2 * size.h, size.n}, half{k, size.w, size.h, size.n};
      Activation<uint16_t> whole(all, spec.get("out"), kOutside), kept(all, spec.get("out"), kOutside);
      Activation<uint16_t> maxima(half, k, kOutside), alone(half, k + 1, kOutside),
          indexed(half, k, kOutside);
      Activation<uint8_t> index(half, k + 5, 99);
      auto pooled = [&](const char *op, int stride, int out) {
        KernelSpec with = spec;
        with.epilogues.push_back({op});
        with.epilogues.back().stride = stride;
        with.fields["out"] = {out};
        return with;
      };
      run(spec, point, x.view, w, bias, {shownAs(Float(32), whole.view)});
      run(pooled("pool", 0, k + 1), point, x.view, w, bias, {shownAs(Float(32), alone.view)});
      run(pooled("pool_index", k + 5, k), point, x.view, w, bias,
          {shownAs(Float(32), indexed.view), index.view});
      std::vector<Buffer<>> results;
      for (int tap = 0; tap < 4; tap++) {
        halide_dimension_t phase[4];
        for (int d = 0; d < 4; d++)
          phase[d] = {0, kept.view.dim(d).extent() / (d == 1 || d == 2 ? 2 : 1),
                      kept.view.dim(d).stride() * (d == 1 || d == 2 ? 2 : 1), 0};
        results.push_back(Buffer<>(Float(32), &kept.view(0, tap % 2, tap / 2, 0), 4, phase));
      }
      results.push_back(shownAs(Float(32), maxima.view));
      run(pooled("keep_pool", k, 2 * spec.get("out")), point, x.view, w, bias, results);

      auto same = [](uint16_t a, uint16_t b) {
        return a == b || (std::isnan(widen(a)) && std::isnan(widen(b)));
      };
      int wrong = 0;
      whole.view.for_each_element([&](int o, int px, int py, int n) {
        wrong += !same(kept.view(o, px, py, n), whole.view(o, px, py, n));
      });
      alone.view.for_each_element([&](int o, int px, int py, int n) {
        auto pixel = [&](int tap) { return whole.view(o, 2 * px + tap % 2, 2 * py + tap / 2, n); };
        float best = widen(pixel(0));
        for (int tap = 1; tap < 4; tap++)
          best = widen(pixel(tap)) > best || std::isnan(widen(pixel(tap))) ? widen(pixel(tap)) : best;
        const uint16_t want = narrow(best);
        wrong += !same(alone.view(o, px, py, n), want) + !same(maxima.view(o, px, py, n), want) +
                 !same(indexed.view(o, px, py, n), want) +
                 (index.view(o, px, py, n) > 3 || !same(pixel(index.view(o, px, py, n) & 3), want));
      });
      EXPECT_EQ(wrong, 0) << size.w << "x" << size.h;
      EXPECT_EQ(whole.damaged() + kept.damaged() + maxima.damaged() + alone.damaged() + indexed.damaged() +
                    index.damaged(),
                0);
    }
}

/// Few blocks of short rows; parts of the sums that nine taps share only where they share pixels.
TEST(Amx, RuleForShortRowsAndManyChannels) {
  KernelSpec spec = narrowConv(512, 64, 3, 1, 1, 1);
  auto chosen = [&](const char *name) { return amx().choose(spec, Isa::Amx).params.at(name); };
  for (auto [width, px] :
       {std::pair{1, 2}, {5, 5}, {9, 9}, {16, 16}, {17, 9}, {20, 10}, {31, 16}, {32, 32}, {200, 32}}) {
    spec.likelyWidth = spec.likelyHeight = width;
    EXPECT_EQ(chosen("px"), px) << width;
  }
  EXPECT_EQ(chosen("st"), 4);
  spec = narrowConv(512, 64, 3, 1, 2, 1);
  EXPECT_EQ(chosen("st"), 128);
  spec = narrowConv(256, 64, 3, 1, 1, 1);
  EXPECT_EQ(chosen("st"), 128);
  // Half as many rows where the L2 cache then holds what a dilated filter reads.
  for (auto [c, d, rows] : {std::tuple(336, 16, 4), {336, 1, 8}, {168, 16, 8}, {1024, 16, 8}}) {
    spec = narrowConv(c, 64, 3, 1, d, 1);
    spec.likelyWidth = spec.likelyHeight = 64;
    EXPECT_EQ(chosen("rows"), rows) << c << " " << d;
  }
}

/// All panels of a block where their filter is small and the images are not.
TEST(Amx, RuleForAllPanels) {
  auto all = [&](int c, int k, int pixels) {
    KernelSpec spec = narrowConv(c, k, 3, 1, 1, 1);
    spec.likelyWidth = spec.likelyHeight = pixels;
    return amx().choose(spec, Isa::Amx).params.at("all");
  };
  EXPECT_EQ(all(64, 64, 256), 1);
  EXPECT_EQ(all(64, 64, 64), 0) << "small images";
  EXPECT_EQ(all(64, 32, 256), 0) << "one panel";
  EXPECT_EQ(all(256, 128, 256), 0) << "a large filter";
}

/// Weights in parts where the L2 cache holds no panel, and where there is much to read for few pixels.
TEST(Amx, RuleForPartsOfLargeFilters) {
  auto chosen = [](int c, int k, int r, int side) {
    KernelSpec spec = narrowConv(c, k, r, 1, 1, 1);
    spec.likelyWidth = spec.likelyHeight = side;
    return std::get<Schedule>(chooseSchedule(spec, Isa::Amx)).print();
  };
  EXPECT_EQ(chosen(512, 4096, 7, 9), "amx_parts ahead=7 cv=2 px=9 rows=16 st=8");
  EXPECT_EQ(chosen(512, 4096, 7, 20), "amx_parts ahead=2 cv=2 px=10 rows=16 st=8");
  EXPECT_EQ(chosen(4096, 4096, 1, 9), "amx_parts ahead=7 cv=2 px=9 rows=16 st=8");
  for (auto [c, k, r, side] : {std::tuple(4096, 4096, 1, 20), {1024, 1024, 3, 16}, {512, 512, 3, 8}})
    EXPECT_EQ(chosen(c, k, r, side).rfind("amx ", 0), 0u) << c;
  EXPECT_NE(chosen(512, 4096, 7, 1).rfind("amx", 0), 0u) << "single pixels are not rounded";
  // A kernel that makes maxima has no sums but those of its blocks.
  EXPECT_EQ(parts().whyNot(parseSpec("conv c512 k64 r7x7 s1x1 d1x1 g1 in512 out64 +bias : bf16"), Isa::Amx),
            "");
  EXPECT_NE(
      parts().whyNot(parseSpec("conv c512 k64 r7x7 s1x1 d1x1 g1 in512 out64 +bias +pool : bf16"), Isa::Amx),
      "");
}

TEST(Amx, RefusesWhatItsTilesCannotHold) {
  auto whyNot = [](const char *problem, Isa isa = Isa::Amx) { return amx().whyNot(parseSpec(problem), isa); };
  EXPECT_EQ(whyNot("conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +bias : bf16"), "");
  EXPECT_NE(whyNot("conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +bias : bf16", Isa::Avx512Bf16), "");
  EXPECT_NE(whyNot("conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +bias : f32"), "");
  EXPECT_NE(whyNot("conv c64 k64 r3x3 s1x1 d1x1 g2 in64 out64 +bias : bf16"), "");
  EXPECT_NE(whyNot("conv c3 k64 r3x3 s1x1 d1x1 g1 in3 out64 +bias : bf16"), "");
  EXPECT_NE(whyNot("conv c2 k64 r3x3 s1x1 d1x1 g1 in2 out64 +bias : bf16"), "");
  EXPECT_EQ(whyNot("conv c34 k64 r3x3 s1x1 d1x1 g1 in34 out64 +bias : bf16"), "") << "17 pairs";
  EXPECT_NE(whyNot("conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 read=scaled +bias : bf16"), "");
  EXPECT_NE(whyNot("conv c64 k16 r1x1 s1x1 d1x1 g1 in64 out1 +bias +argmax : bf16"), "");
}

} // namespace
} // namespace segc::schedules
