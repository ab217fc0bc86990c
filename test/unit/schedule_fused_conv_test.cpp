/// \file Convolutions fused with what stands before them, against plain loops: a factor for each channel and
/// image, a depthwise convolution.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_fused_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Runs the kernel of `spec` and compares with `want` after the epilogues; numbers are exact unless there is
/// a tolerance, relative to values of about 1.
void checkResult(JitKernel &kernel, std::vector<Buffer<>> inputs, const TestEpilogues &epilogues,
                 const Buffer<double> &want, double tolerance) {
  const KernelSpec &spec = kernel.spec;
  const Extents e{want.dim(0).extent(), want.dim(1).extent(), want.dim(2).extent(), want.dim(3).extent()};
  const std::string where = spec.print() + " | " + kernel.schedule.print() + " width " + std::to_string(e.w);
  inputs.insert(inputs.end(), epilogues.operands.begin(), epilogues.operands.end());
  ASSERT_EQ(inputs.size(), kernel.build.inputs.size()) << where;
  for (size_t i = 0; i < inputs.size(); i++)
    kernel.build.inputs[i].set(inputs[i]);
  Activation<float> y(e, spec.get("out"), 77.f);
  y.view.fill(55.f);
  kernel.build.pipeline.realize(y.view, kernel.target);
  int wrong = 0;
  y.view.for_each_element([&](int c, int px, int py, int n) {
    const float got = y.view(c, px, py, n),
                expected = epilogues.apply(float(want(c, px, py, n)), c, px, py, n);
    wrong += !(same(got, expected) || std::fabs(got - expected) <= tolerance * (1 + std::fabs(expected)));
  });
  EXPECT_EQ(wrong, 0) << where;
  EXPECT_EQ(y.damaged(), 0) << where;
}

const Extents kSizes[] = {{0, 1, 1, 1}, {0, 5, 3, 2}, {0, 24, 2, 1}, {0, 37, 5, 2}};

void checkScaled(int c, int k, int s, const std::string &epilogueText, const Schedule *point, Isa isa,
                 std::mt19937 &random) {
  KernelSpec spec = convSpec(c, k, 1, s, 1, 1, " read=scaled" + epilogueText);
  spec.fields["in"] = {c + int(random() % 3)};
  spec.fields["out"] = {k + int(random() % 3)};
  const Family *direct = findFamily("direct");
  const Schedule schedule = point ? *point : direct->choose(spec, isa);
  JitKernel kernel(spec, schedule, isa);
  ASSERT_EQ(kernel.error, "") << spec.print();
  const Buffer<float> w = exactWeights({1, 1, c, k}, random);
  const Buffer<float> panels = packed(direct->packing(spec, schedule, isa), w, isa);
  for (Extents e : kSizes) {
    const int wide = windowOf(spec, e.w, 1), high = windowOf(spec, e.h, 0);
    Activation<float> x({c, wide, high, e.n}, spec.get("in"), NAN);
    x.fill([&] { return Values{random, random() % (64 * c) == 0}(); });
    Guarded<float> factors({c, 1, 1, e.n}, {1, c, c, c + 3}, NAN);
    factors.fill(Values{random});
    halide_dimension_t dims[] = {{0, c, 1, 0}, {0, wide, 0, 0}, {0, high, 0, 0}, {0, e.n, c + 3, 0}};
    const Buffer<float> repeated(factors.view.data(), 4, dims);
    Buffer<double> want(std::vector<int>{k, e.w, e.h, e.n});
    want.for_each_element([&](int o, int px, int py, int n) {
      want(o, px, py, n) = convolved(
          spec, w,
          [&](int i, int ix, int iy, int in) { return x.view(i, ix, iy, in) * repeated(i, ix, iy, in); }, o,
          px, py, n);
    });
    const TestEpilogues epilogues(spec, {k, e.w, e.h, e.n}, random);
    checkResult(kernel, {x.view, panels, repeated}, epilogues, want, 0);
  }
}

TEST(ScaledRead, OneFactorForEachChannelAndImage) {
  std::mt19937 random(95);
  const std::pair<int, int> channels[] = {{1, 16}, {3, 21}, {5, 64}, {16, 24}, {30, 70}, {72, 40}};
  for (Isa isa : isasHere())
    for (const auto &[c, k] : channels)
      for (int s : {1, 2}) {
        if (skipped(isa, random))
          continue;
        checkScaled(c, k, s, k == 64 ? "" : " +bias +relu +add(" + std::to_string(k + 1) + ")", nullptr, isa,
                    random);
        KernelSpec spec = convSpec(c, k, 1, s, 1, 1, "");
        const Schedule point = randomPoint(*findFamily("direct"), spec, isa, random);
        checkScaled(c, k, s, " +bias", &point, isa, random);
      }
}

TEST(ScaledRead, OthersRefuseIt) {
  const char *text = "conv c16 k16 r1x1 s1x1 d1x1 g1 in16 out16 read=scaled +bias : f32";
  EXPECT_EQ(parseSpec(text).print(), text);
  EXPECT_EQ(parseSpec("conv c16 k16 r1x1 s1x1 d1x1 g1 in16 out16 read=plain : f32").print(),
            "conv c16 k16 r1x1 s1x1 d1x1 g1 in16 out16 : f32");
  for (const Family &family : families())
    EXPECT_EQ(!family.onGpu && family.whyNot(parseSpec(text), Isa::Avx2).empty(), family.name == "direct")
        << family.name;
  for (const char *window : {"k16 r3x3 s1x1 d1x1 g1", "k16 r1x1 s1x1 d1x1 g4"})
    for (const Family &family : families())
      EXPECT_TRUE(family.onGpu ||
                  !family
                       .whyNot(parseSpec(std::string("conv c16 ") + window + " in16 out16 read=scaled : f32"),
                               Isa::Avx2)
                       .empty())
          << family.name;
}

float activated(const std::string &op, float v) {
  return op == "none" ? v : float(activateReference(op, v, 0));
}

void checkSeparable(int c, int k, int r, int s, int d, const std::string &mid,
                    const std::string &epilogueText, bool chosen, Isa isa, std::mt19937 &random) {
  const KernelSpec like = convSpec(c, k, r, s, d, 1);
  const std::string window = like.print().substr(5, like.print().find(" g1") - 5);
  const KernelSpec spec =
      parseSpec("separable " + window + " in" + std::to_string(c + random() % 3) + " out" +
                std::to_string(k + random() % 3) + " mid=" + mid + epilogueText + " : f32");
  const Family *family = findFamily("separable");
  const Schedule schedule = chosen ? family->choose(spec, isa) : randomPoint(*family, spec, isa, random);
  JitKernel kernel(spec, schedule, isa);
  ASSERT_EQ(kernel.error, "") << spec.print();
  const std::vector<KernelSpec> parts = weightParts(spec);
  ASSERT_EQ(parts.size(), 2u);
  const Buffer<float> dw = exactWeights({r, r, 1, c}, random), pw = exactWeights({1, 1, c, k}, random);
  const Buffer<float> packedDw = packed(family->packing(parts[0], schedule, isa), dw, isa),
                      packedPw = packed(family->packing(parts[1], schedule, isa), pw, isa);
  Buffer<float> bias(std::vector<int>{paddedChannels(c)});
  bias.for_each_element([&](int i) { bias(i) = i < c ? Values{random}() : 0.f; });
  const bool exact = mid != "hardswish";
  for (Extents e : kSizes) {
    Activation<float> x({c, windowOf(spec, e.w, 1), windowOf(spec, e.h, 0), e.n}, spec.get("in"), NAN);
    x.fill([&] { return Values{random, exact && random() % (64 * c) == 0}(); });
    Buffer<float> between(std::vector<int>{c, e.w, e.h, e.n});
    between.for_each_element([&](int i, int px, int py, int n) {
      between(i, px, py, n) = activated(mid, float(convolved(parts[0], dw, x.view, i, px, py, n) + bias(i)));
    });
    Buffer<double> want(std::vector<int>{k, e.w, e.h, e.n});
    want.for_each_element([&](int o, int px, int py, int n) {
      want(o, px, py, n) = convolved(parts[1], pw, between, o, px, py, n);
    });
    const TestEpilogues epilogues(spec, {k, e.w, e.h, e.n}, random);
    checkResult(kernel, {x.view, packedDw, bias, packedPw}, epilogues, want, exact ? 0 : 1e-4);
  }
}

TEST(Separable, DepthwiseThenPointwise) {
  std::mt19937 random(96);
  const std::pair<int, int> channels[] = {{2, 16}, {3, 21}, {16, 24}, {21, 64}, {40, 70}, {64, 7}};
  for (Isa isa : isasHere())
    for (const auto &[c, k] : channels)
      for (const std::string mid : {"none", "relu", "relu6", "hardswish"}) {
        if (skipped(isa, random))
          continue;
        const int r = k % 3 == 0 ? 5 : 3, s = mid == "relu6" ? 2 : 1, d = mid == "relu" ? 2 : 1;
        checkSeparable(c, k, r, s, d, mid, k == 64 ? "" : " +bias +add(" + std::to_string(k + 1) + ") +relu",
                       c != 40, isa, random);
      }
}

TEST(Separable, IsOneFamilysOnly) {
  const char *text = "separable c32 k64 r3x3 s2x2 d1x1 in32 out64 mid=relu6 +bias : f32";
  EXPECT_EQ(parseSpec(text).print(), text);
  for (const Family &family : families())
    EXPECT_EQ(!family.onGpu && family.whyNot(parseSpec(text), Isa::Avx2).empty(), family.name == "separable")
        << family.name;
  EXPECT_NE(findFamily("separable")
                ->whyNot(parseSpec("separable c1 k64 r3x3 s2x2 d1x1 in1 out64 mid=none : f32"), Isa::Avx2),
            "");
  EXPECT_EQ(flops(parseSpec(text), 1, 1, 1), 2 * (32 * 9 + 32 * 64));
}

} // namespace
} // namespace segc::schedules
