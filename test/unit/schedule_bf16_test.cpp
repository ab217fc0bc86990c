/// \file Kernels of dtype bf16 and f16: rounding of stores, every op against its f32 kernel, dot products
/// against plain loops.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_bf16_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

constexpr Isa kIsas[] = {Isa::Avx512Bf16, Isa::Avx512, Isa::Avx2, Isa::Portable};
float widenHalf(uint16_t bits) {
  _Float16 half;
  std::memcpy(&half, &bits, 2);
  return float(half);
}
uint16_t narrowHalf(float value) { // by the compiler's own library
  const _Float16 half = _Float16(value);
  uint16_t bits;
  std::memcpy(&bits, &half, 2);
  return bits;
}

/// A type of 16 bits: what its bits stand for, and how far apart neighbours are, relative and at least.
struct Format {
  const char *dtype;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);
  float relative, least;

  bool same(uint16_t a, uint16_t b) const { return a == b || (std::isnan(widen(a)) && std::isnan(widen(b))); }
};
constexpr Format kBf16 = {"bf16", widen, narrow, 1.f / 128, 1e-6f},
                 kF16 = {"f16", widenHalf, narrowHalf, 1.f / 1024, 6e-8f};

/// A kernel of either dtype at its rule's point and its operands: the same numbers, all of them bf16.
struct Twin {
  const std::string problem;
  Extents in, out;
  Isa isa;
  Format format;

  std::vector<uint16_t> run(bool narrowed) const {
    const KernelSpec spec = parseSpec(problem + " : " + (narrowed ? format.dtype : "f32"));
    const auto chosen = chooseSchedule(spec, Isa::Avx512);
    EXPECT_EQ(chosen.index(), 0u) << problem;
    JitKernel kernel(spec, std::get<Schedule>(chosen), isa);
    EXPECT_EQ(kernel.error, "") << problem;
    if (!kernel.error.empty())
      return {};
    std::mt19937 random(7);
    std::vector<std::unique_ptr<Activation<uint16_t>>> tensors;
    std::vector<std::unique_ptr<Activation<float>>> wide;
    for (ImageParam &param : kernel.build.inputs) {
      auto constraint = [&](const Expr &e, int otherwise) {
        const auto *value = e.defined() ? e.as<Internal::IntImm>() : nullptr;
        return value ? int(value->value) : otherwise;
      };
      const Halide::Parameter &p = param.parameter();
      if (param.dimensions() != 4 || p.extent_constraint(3).defined()) { // weights and vectors: f32 in both
        std::vector<int> extents;
        for (int d = 0; d < param.dimensions(); d++)
          extents.push_back(constraint(p.extent_constraint(d), 1));
        Buffer<float> dense(extents);
        for (size_t i = 0; i < dense.number_of_elements(); i++)
          dense.data()[i] = float(int(random() % 17) - 8) / 8;
        param.set(dense);
        continue;
      }
      // The first operand has its own extents, those of epilogues the result's.
      Extents e = &param == &kernel.build.inputs[0] || param.name() == "index" ? in : out;
      e.c = constraint(p.extent_constraint(0), e.c);
      const int pixel = constraint(p.stride_constraint(1), e.c);
      if (param.type() == UInt(8)) {
        Buffer<uint8_t> index(std::vector<int>{e.c, e.w, e.h, e.n});
        index.for_each_element([&](int c, int x, int y, int n) { index(c, x, y, n) = random() % 4; });
        param.set(index);
        continue;
      }
      auto value = [&] { return format.widen(format.narrow(Values{random}() + float(random() % 64) / 64)); };
      if (narrowed) {
        tensors.push_back(std::make_unique<Activation<uint16_t>>(e, pixel, kOutside));
        tensors.back()->fill([&] { return format.narrow(value()); });
        param.set(shownAs(param.type(), tensors.back()->view));
      } else {
        wide.push_back(std::make_unique<Activation<float>>(e, pixel, NAN));
        wide.back()->fill(value);
        param.set(wide.back()->view);
      }
    }
    const int pixel = spec.get("out");
    std::vector<Buffer<>> results;
    Activation<uint16_t> y(out, pixel, kOutside);
    Activation<float> wideY(out, pixel, 77.f);
    results.push_back(narrowed ? shownAs(Float(32), y.view) : Buffer<>(wideY.view));
    Buffer<uint8_t> index(std::vector<int>{out.c, out.w, out.h, out.n});
    if (spec.get("idx") && spec.op == "maxpool")
      results.push_back(index);
    kernel.build.pipeline.realize(Realization(results), kernel.target);
    EXPECT_EQ(narrowed ? y.damaged() : wideY.damaged(), 0) << problem;
    std::vector<uint16_t> bits;
    y.view.for_each_element([&](int c, int x, int py, int n) {
      bits.push_back(narrowed ? y.view(c, x, py, n) : format.narrow(wideY.view(c, x, py, n)));
    });
    return bits;
  }

  /// Sums may be contracted differently: a result is the f32 kernel's, rounded, or a neighbour of that.
  void check() const {
    SCOPED_TRACE(problem + " " + name(isa) + " " + format.dtype);
    const std::vector<uint16_t> got = run(true), want = run(false);
    ASSERT_EQ(got.size(), want.size());
    size_t off = 0;
    for (size_t i = 0; i < got.size(); i++) {
      if (format.same(got[i], want[i]))
        continue;
      ++off;
      const float value = format.widen(want[i]);
      EXPECT_LE(std::fabs(format.widen(got[i]) - value), std::fabs(value) * format.relative + format.least);
    }
    EXPECT_LE(off, got.size() / 50);
  }
};

void checkEveryOp(const Format &format, unsigned seed) {
  const Extents small{0, 9, 7, 2}, half{0, 4, 3, 2}, twice{0, 18, 14, 2};
  struct Case {
    const char *problem;
    int c, k;
    Extents in, out;
  };
  const Case cases[] = {
      {"conv c5 k7 r3x3 s1x1 d1x1 g1 in6 out9 +bias +add(8) +relu", 5, 7, {0, 11, 9, 2}, small},
      {"conv c3 k20 r3x3 s2x2 d1x1 g1 in3 out24 +bias +gelu", 3, 20, {0, 19, 15, 2}, small},
      {"conv c18 k18 r3x3 s1x1 d1x1 g18 in18 out20 +bias +relu6", 18, 18, {0, 11, 9, 2}, small},
      {"conv c8 k4 r1x1 s1x1 d1x1 g1 in8 out4 +softmax", 8, 4, small, small},
      {"separable c19 k20 r3x3 s1x1 d1x1 in19 out20 mid=relu +bias", 19, 20, {0, 11, 9, 2}, small},
      {"maxpool c19 r2x2 s2x2 d1x1 in20 out19 idx0 +relu", 19, 19, small, half},
      {"maxpool c3 r2x2 s2x2 d1x1 in3 out3 idx3", 3, 3, small, half},
      {"avgpool c19 r2x2 s2x2 in20 out19 count=valid after0x0", 19, 19, small, half},
      {"adaptive_avgpool c19 in20 out19", 19, 19, small, half},
      {"unpool c19 r2x2 s2x2 d1x1 in19 idx19 out21", 19, 19, half, {0, 8, 6, 2}},
      {"upsample c19 in19 out20 mode=bilinear align0", 19, 19, small, twice},
      {"upsample c3 in3 out5 mode=bilinear align1 +add(3)", 3, 3, small, twice},
      {"upsample c19 in19 out19 mode=bicubic align0", 19, 19, small, twice},
      {"upsample c3 in3 out3 mode=nearest align0", 3, 3, small, twice},
      {"upsample c6 in6 out6 mode=bilinear align0 +softmax", 6, 6, small, twice},
      {"pointwise c19 in20 out21 +affine +mul(24) +silu", 19, 19, small, small},
      {"pointwise c3 in3 out3 +leaky_relu(0.1)", 3, 3, small, small},
      {"repeat c19 in2 out19", 1, 19, small, small},
      {"reduce_sum c19 in20 out19 axes=hw", 19, 19, small, {0, 1, 1, 2}},
      {"reduce_sum c19 in20 out1 axes=c", 19, 1, small, small},
      {"softmax c3 in3 out4", 3, 3, small, small},
      {"softmax c19 in20 out19", 19, 19, small, small},
      {"log_softmax c19 in20 out19", 19, 19, small, small},
      {"pad c19 in20 out19 mode=reflect", 19, 19, small, small},
      {"reshape c4 k2 in4 out2", 4, 2, small, {0, 18, 7, 2}},
      {"transpose c4 k4 in4 out5 perm=0132", 4, 4, small, {0, 7, 9, 2}},
      {"windows c3 k3 r3x3 s2x2 in3 out3 before0x0 after0x0", 3, 3, small, {0, 3, 3, 24}},
  };
  std::mt19937 random(seed);
  for (const Case &t : cases)
    for (Isa isa : kIsas) {
      if (canRun(Isa::Avx512) && isa != Isa::Avx512 && random() % 3)
        continue; // compiling takes most of the time
      Twin twin{t.problem, t.in, t.out, isa, format};
      twin.in.c = t.c;
      twin.out.c = t.k;
      // Dot products have a test of their own.
      if (canRun(isa) && !(isa == Isa::Avx512Bf16 && twin.problem.rfind("conv c8", 0) == 0))
        twin.check();
    }
}

TEST(Bf16, EveryOpIsItsF32KernelRounded) { checkEveryOp(kBf16, 1); }
TEST(F16, EveryOpIsItsF32KernelRounded) { checkEveryOp(kF16, 2); }

void checkStores(const Format &format) {
  std::vector<float> values = {0.f,      -0.f,     INFINITY,  -INFINITY, NAN,       -NAN,    3.4e38f,
                               -3.4e38f, 1e-40f,   -1e-45f,   65504.f,   65519.99f, 65520.f, -7e4f,
                               6.1e-5f,  6.09e-5f, -5.96e-8f, 2.98e-8f,  2.99e-8f};
  std::mt19937 random(3);
  for (int i = 0; i < 600; i++) { // ties to both sides, their neighbours, anything
    uint32_t bits = random();
    if (i % 3)
      bits = (bits & 0xffff0000) | (0x7fff + i % 3);
    if (i % 2) // of f16's range, its subnormal numbers too; ties lie 13 bits from the end
      bits = (bits & 0x8000f000) | ((0x32000000 + random() % 0x16000000) & 0x7fffe000) | (0xfff + i % 3);
    float value;
    std::memcpy(&value, &bits, 4);
    values.push_back(value);
  }
  // A signalling NaN whose payload lies in the lower half must not become infinity.
  const uint32_t low = 0x7f800001;
  values.push_back(0);
  std::memcpy(&values.back(), &low, 4);
  for (Isa isa : kIsas) {
    if (!canRun(isa))
      continue;
    const Extents e{1, int(values.size()), 1, 1};
    MemoryKernel kernel(std::string("import c1 out1 from=f32 : ") + format.dtype, isa);
    ASSERT_TRUE(kernel);
    Activation<float> x(e, 1, NAN);
    Activation<uint16_t> y(e, 1, kOutside);
    for (int i = 0; i < e.w; i++)
      x.view(0, i, 0, 0) = values[i];
    kernel.run({x.view}, {shownAs(Float(32), y.view)});
    for (int i = 0; i < e.w; i++) {
      const uint16_t stored = y.view(0, i, 0, 0);
      // AVX512_BF16's instruction takes subnormal numbers for zeros.
      const bool isFlushed = (isa == Isa::Amx || isa == Isa::Avx512Bf16) && format.dtype == kBf16.dtype &&
                             std::fpclassify(values[i]) == FP_SUBNORMAL && (stored & 0x7fff) == 0;
      EXPECT_TRUE(isFlushed || format.same(stored, format.narrow(values[i])))
          << values[i] << " " << name(isa);
    }
    EXPECT_EQ(y.damaged(), 0);
  }
}

/// All of them, out of memory and into it.
void checkLoads(const Format &format) {
  for (Isa isa : kIsas) {
    if (!canRun(isa))
      continue;
    const Extents e{1, 1 << 16, 1, 1};
    MemoryKernel kernel(std::string("export c1 in1 to=f32 : ") + format.dtype, isa);
    ASSERT_TRUE(kernel);
    Activation<uint16_t> x(e, 1, kOutside);
    Activation<float> y(e, 1, 77.f);
    for (int i = 0; i < e.w; i++)
      x.view(0, i, 0, 0) = uint16_t(i);
    kernel.run({shownAs(Float(32), x.view)}, {y.view});
    int wrong = 0;
    for (int i = 0; i < e.w; i++) {
      const float got = y.view(0, i, 0, 0), want = format.widen(uint16_t(i));
      wrong += std::isnan(want) ? !std::isnan(got) : std::memcmp(&got, &want, 4) != 0;
    }
    EXPECT_EQ(wrong, 0) << name(isa);
  }
}

TEST(Bf16, StoresRoundToNearestEvenAndKeepNan) { checkStores(kBf16); }
TEST(F16, StoresRoundToNearestEvenAndKeepNan) { checkStores(kF16); }
TEST(Bf16, LoadsAreExact) { checkLoads(kBf16); }
TEST(F16, LoadsAreExact) { checkLoads(kF16); }

TEST(Bf16, DirectConvolutionByDotProducts) {
  if (!canRun(Isa::Avx512Bf16))
    GTEST_SKIP() << "this processor has no AVX512_BF16";
  std::mt19937 random(4);
  const Family *direct = findFamily("direct");
  struct Case {
    int c, k, r, s, d, g;
  };
  for (const Case &t : {Case{2, 1, 3, 1, 1, 1},
                        {16, 16, 1, 1, 1, 1},
                        {34, 70, 3, 1, 2, 1},
                        {64, 100, 1, 2, 1, 1},
                        {32, 32, 3, 1, 1, 4},
                        {8, 48, 2, 2, 1, 1}}) {
    const KernelSpec spec = narrowConv(t.c, t.k, t.r, t.s, t.d, t.g);
    for (const Schedule &point :
         {direct->choose(spec, Isa::Avx512Bf16), randomPoint(*direct, spec, Isa::Avx512Bf16, random)})
      EXPECT_LE(dotError(spec, point, Isa::Avx512Bf16, {{1, 1, 1}, {2, 3, 5}, {1, 9, 21}}, random), 1e-6);
  }
  for (auto [c, k] : {std::pair{24, 40}, {72, 16}, {30, 70}}) {
    KernelSpec spec = narrowConv(c, k, 1, 1, 1, 1);
    spec.words["read"] = "scaled";
    for (const Schedule &point :
         {direct->choose(spec, Isa::Avx512Bf16), randomPoint(*direct, spec, Isa::Avx512Bf16, random)})
      EXPECT_LE(dotError(spec, point, Isa::Avx512Bf16, {{1, 1, 1}, {2, 3, 5}, {1, 9, 21}}, random), 1e-6);
  }
  EXPECT_EQ(direct
                ->packing(narrowConv(3, 16, 3, 1, 1, 1),
                          direct->choose(narrowConv(3, 16, 3, 1, 1, 1), Isa::Avx512Bf16), Isa::Avx512Bf16)
                .problem,
            "pack_conv panel16 g1 scale0 from=conv step1x1 : f32")
      << "pairs need an even number of channels";
}

TEST(Bf16, WinogradByDotProducts) {
  if (!canRun(Isa::Avx512Bf16))
    GTEST_SKIP() << "this processor has no AVX512_BF16";
  std::mt19937 random(5);
  const Family *winograd = findFamily("winograd_bf16");
  for (auto [c, k] : {std::pair(64, 64), {80, 48}, {256, 96}}) { // the last one fetches filters ahead
    const KernelSpec spec = narrowConv(c, k, 3, 1, 1, 1);
    for (const Schedule &point :
         {winograd->choose(spec, Isa::Avx512Bf16), randomPoint(*winograd, spec, Isa::Avx512Bf16, random)})
      EXPECT_LE(dotError(spec, point, Isa::Avx512Bf16, {{1, 1, 1}, {2, 3, 5}, {1, 7, 25}}, random), 1e-2);
  }
  EXPECT_NE(winograd->whyNot(narrowConv(64, 64, 3, 1, 1, 1), Isa::Avx512), "");
  EXPECT_NE(winograd->whyNot(convSpec(64, 64, 3, 1, 1, 1, ""), Isa::Avx512Bf16), "");
}

/// What lies outside the operands is NaN; numbers of tiles are odd too, so that words are half empty.
TEST(Bf16, WeightGradients) {
  std::mt19937 random(6);
  const KernelSpec spec = parseSpec("conv_wgrad c16 k32 r3x3 s1x1 d1x1 g1 in19 dy35 : bf16");
  for (Isa isa : kIsas) {
    if (!canRun(isa))
      continue;
    for (const char *family : {"wgrad_winograd", "wgrad_direct"}) {
      const Family *wgrad = findFamily(family);
      ASSERT_EQ(wgrad->whyNot(spec, isa), "");
      const bool dots = isa == Isa::Avx512Bf16 && wgrad->name == std::string("wgrad_winograd");
      for (const Schedule &point : {wgrad->choose(spec, isa), randomPoint(*wgrad, spec, isa, random)})
        EXPECT_LE(wgradError(spec, point, isa, {{1, 1, 1}, {3, 2, 5}, {1, 9, 11}}, random),
                  dots ? 3e-2 : 1e-4);
    }
  }
}

TEST(F16, WeightsArePackedInItForGpusOnly) {
  KernelSpec pack = parseSpec("pack_conv panel16 g1 scale0 from=conv step1x1 : f16");
  const auto choice = chooseSchedule(pack, Isa::Avx512);
  ASSERT_EQ(choice.index(), 1u);
  EXPECT_NE(std::get<1>(choice).find("weights of f16 are for GPUs only"), std::string::npos);
}

} // namespace
} // namespace segc::schedules
