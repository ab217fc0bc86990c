/// \file Convolutions on AMX from a copy of their pixels: points and random shapes against plain loops.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_bf16_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

const Family &amxCopy() { return *findFamily("amx_copy"); }

/// A legal point by chance.
Schedule anyPoint(const KernelSpec &spec, std::mt19937 &random) {
  Schedule point{"amx_copy", {}};
  for (const Parameter &parameter : amxCopy().parameters(spec, Isa::Amx))
    point.params[parameter.name] = parameter.legal[random() % parameter.legal.size()];
  return point;
}

/// Activations end before a page that cannot be touched, and NaN lie around what a kernel may read.
TEST(AmxCopy, AgreesWithPlainLoops) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(11);
  struct Case {
    int c, k, r, s, d;
  };
  // Whole rows of the filter, some of its columns, one column, a part of one; zeros of one to seven channels.
  for (const Case &t : {Case{3, 64, 3, 1, 1},
                        {3, 24, 7, 2, 1},
                        {1, 5, 1, 1, 1},
                        {4, 40, 3, 2, 1},
                        {5, 33, 4, 1, 1},
                        {7, 16, 1, 3, 2},
                        {9, 16, 5, 1, 1},
                        {21, 21, 2, 1, 1},
                        {33, 17, 3, 1, 1},
                        {67, 40, 1, 2, 1}}) {
    const KernelSpec spec = narrowConv(t.c, t.k, t.r, t.s, t.d, 1);
    for (RunSize size : {RunSize{2, 3, 5}, {1, 5, 101}})
      EXPECT_LE(dotError(spec, anyPoint(spec, random), Isa::Amx, {size}, random), 1e-6);
  }
}

TEST(AmxCopy, RandomShapesAgreeWithPlainLoops) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(12);
  auto between = [&](int low, int high) { return low + int(random() % (high - low + 1)); };
  const char *all = std::getenv("SEGC_LONG");
  for (int i = 0; i < (all && std::string(all) == "1" ? 60 : 6); i++) {
    KernelSpec spec = narrowConv(between(1, 40), between(1, 70), 1, 1, 1, 1);
    spec.fields["r"] = {between(1, 5), between(1, 5)};
    spec.fields["s"] = {between(1, 2), between(1, 2)};
    spec.fields["d"] = {between(1, 3), 1};
    const RunSize size{between(1, 2), between(1, 12), between(1, 90)};
    EXPECT_LE(dotError(spec, anyPoint(spec, random), Isa::Amx, {size}, random), 1e-6);
  }
}

/// Infinite ones would make NaN of the zeros behind the pixels.
TEST(AmxCopy, WeightsEndInZeros) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  const KernelSpec spec = narrowConv(3, 16, 1, 1, 1, 1);
  const Packing packing = amxCopy().packing(spec, amxCopy().choose(spec, Isa::Amx), Isa::Amx);
  ASSERT_EQ(packing.extents, (std::vector<int>{32, 2, 1, 1, 1}));
  JitKernel pack(parseSpec(packing.problem), {"pack", {}}, Isa::Amx);
  ASSERT_EQ(pack.error, "");
  Buffer<float> w(std::vector<int>{1, 1, 3, 16});
  w.fill(INFINITY);
  Buffer<uint16_t> bits(packing.extents);
  bits.fill(1);
  halide_dimension_t dims[5];
  for (int d = 0; d < 5; d++)
    dims[d] = {0, bits.dim(d).extent(), bits.dim(d).stride(), 0};
  pack.build.inputs[0].set(w);
  pack.build.pipeline.realize(Realization({Buffer<>(BFloat(16), bits.data(), 5, dims)}), pack.target);
  for (int i = 0; i < 16; i++) {
    EXPECT_EQ(bits(2 * i, 1, 0, 0, 0), narrow(INFINITY));
    EXPECT_EQ(bits(2 * i + 1, 1, 0, 0, 0), 0);
  }
}

/// What has few channels, and what `amx` refuses.
TEST(AmxCopy, IsTakenWhereItPays) {
  auto chosen = [](const char *problem, int side = 64) {
    KernelSpec spec = parseSpec(problem);
    spec.likelyWidth = spec.likelyHeight = side;
    return std::get<Schedule>(chooseSchedule(spec, Isa::Amx)).family;
  };
  EXPECT_EQ(chosen("conv c3 k64 r3x3 s1x1 d1x1 g1 in3 out64 +bias +relu : bf16"), "amx_copy");
  EXPECT_EQ(chosen("conv c3 k64 r7x7 s2x2 d1x1 g1 in3 out64 +bias +relu : bf16"), "amx_copy");
  EXPECT_EQ(chosen("conv c8 k64 r3x3 s1x1 d1x1 g1 in8 out64 +bias +relu : bf16"), "amx_copy");
  EXPECT_EQ(chosen("conv c12 k64 r3x3 s1x1 d1x1 g1 in12 out64 +bias +relu : bf16"), "amx");
  EXPECT_EQ(chosen("conv c8 k64 r1x1 s1x1 d1x1 g1 in8 out64 +bias +relu : bf16"), "amx");
  EXPECT_EQ(chosen("conv c21 k21 r2x2 s1x1 d1x1 g1 in21 out168 : bf16"), "amx_copy");
  EXPECT_EQ(chosen("conv c35 k64 r1x1 s1x1 d1x1 g1 in35 out64 : bf16"), "amx_copy");
  EXPECT_EQ(chosen("conv c34 k64 r1x1 s1x1 d1x1 g1 in34 out64 : bf16"), "amx") << "an overlapping step";
  EXPECT_EQ(chosen("conv c34 k64 r1x1 s1x1 d1x1 g1 in34 out64 : bf16", 1), "direct");
  EXPECT_EQ(chosen("conv c3 k64 r3x3 s1x1 d1x1 g1 in3 out64 +bias : f32"), "direct");
}

TEST(AmxCopy, RuleByChannelsAndHeight) {
  KernelSpec spec = narrowConv(3, 64, 3, 1, 1, 1);
  auto chosen = [&](const char *name) { return amxCopy().choose(spec, Isa::Amx).params.at(name); };
  for (auto [height, rows] : {std::pair{0, 8}, {224, 8}, {57, 8}, {33, 4}, {9, 2}}) {
    spec.likelyHeight = height;
    EXPECT_EQ(chosen("rows"), rows) << height;
  }
  for (auto [channels, pixels] : {std::pair{1, 256}, {4, 256}, {8, 128}, {21, 64}, {99, 32}}) {
    spec.fields["c"] = {channels};
    EXPECT_EQ(chosen("px"), pixels) << channels;
  }
}

TEST(AmxCopy, RefusesWhatIsNoRow) {
  auto whyNot = [](const char *problem) { return amxCopy().whyNot(parseSpec(problem), Isa::Amx); };
  EXPECT_EQ(whyNot("conv c3 k64 r3x1 s1x1 d2x2 g1 in3 out64 +bias : bf16"), "");
  EXPECT_NE(whyNot("conv c3 k64 r3x3 s1x1 d2x2 g1 in3 out64 +bias : bf16"), "");
  EXPECT_NE(whyNot("conv c6 k64 r3x3 s1x1 d1x1 g2 in6 out64 +bias : bf16"), "");
  EXPECT_NE(whyNot("conv c3 k64 r3x3 s1x1 d1x1 g1 in3 out64 +bias +pool : bf16"), "");
  EXPECT_NE(whyNot("conv c3 k64 r1x1 s1x1 d1x1 g1 in3 out64 read=scaled +bias : bf16"), "");
}

} // namespace
} // namespace segc::schedules
