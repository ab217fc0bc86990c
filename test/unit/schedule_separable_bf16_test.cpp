/// \file A depthwise and a 1x1 convolution in bf16 at once are what they are one after the other.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_memory_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

constexpr Isa kIsa = Isa::Avx512Bf16;

/// bf16 as kernels see it: its bits behind the type that the parameter has.
Buffer<> shown(const ImageParam &param, Buffer<uint16_t> &bits) {
  return Buffer<>(param.type(), bits.data(), 4, bits.raw_buffer()->dim);
}

/// A convolution's weights as its kernel takes them.
Buffer<> packed(const KernelSpec &spec, const Schedule &point, Buffer<float> w) {
  const Packing packing = findFamily(point.family)->packing(spec, point, kIsa);
  const KernelSpec problem = parseSpec(packing.problem);
  JitKernel pack(problem, std::get<Schedule>(chooseSchedule(problem, kIsa)), kIsa);
  EXPECT_EQ(pack.error, "");
  Buffer<> result(problem.dtype == "bf16" ? BFloat(16) : Float(32), packing.extents);
  pack.build.inputs[0].set(w);
  pack.build.pipeline.realize(Realization({result}), pack.target);
  return result;
}

struct Case {
  int c, k, r, s, d;
  const char *mid;
};

TEST(SeparableBf16, IsTheTwoConvolutionsOneAfterTheOther) {
  if (!canRun(kIsa))
    GTEST_SKIP() << "this processor has no AVX512_BF16";
  std::mt19937 random(1);
  auto uniform = [&] { return std::uniform_real_distribution<float>(-1.f, 1.f)(random); };
  for (const Case &t :
       {Case{72, 24, 3, 1, 1, "relu"}, {64, 70, 3, 2, 1, "relu6"}, {18, 40, 5, 1, 2, "hardswish"}}) {
    auto number = [](const char *name, int value) { return std::string(" ") + name + std::to_string(value); };
    auto pair = [&](const char *name, int value) {
      return number(name, value) + "x" + std::to_string(value);
    };
    const std::string window = pair("r", t.r) + pair("s", t.s) + pair("d", t.d);
    const KernelSpec whole =
        parseSpec("separable" + number("c", t.c) + number("k", t.k) + window + number("in", t.c) +
                  number("out", t.k) + " mid=" + t.mid + " +bias +relu : bf16");
    const KernelSpec first =
        parseSpec("conv" + number("c", t.c) + number("k", t.c) + window + number("g", t.c) +
                  number("in", t.c) + number("out", t.c) + " +bias +" + t.mid + " : bf16");
    const KernelSpec second = parseSpec("conv" + number("c", t.c) + number("k", t.k) + " r1x1 s1x1 d1x1 g1" +
                                        number("in", t.c) + number("out", t.k) + " +bias +relu : bf16");
    const Schedule points[] = {std::get<Schedule>(chooseSchedule(whole, kIsa)),
                               std::get<Schedule>(chooseSchedule(first, kIsa)),
                               std::get<Schedule>(chooseSchedule(second, kIsa))};
    EXPECT_EQ(points[0].family, "separable");
    JitKernel both(whole, points[0], kIsa), depthwise(first, points[1], kIsa),
        pointwise(second, points[2], kIsa);
    ASSERT_EQ(both.error + depthwise.error + pointwise.error, "");
    const std::vector<KernelSpec> parts = weightParts(whole);

    Buffer<float> filter(std::vector<int>{t.r, t.r, 1, t.c}), matrix(std::vector<int>{1, 1, t.c, t.k});
    Buffer<float> b1(std::vector<int>{paddedChannels(t.c)}), b2(std::vector<int>{paddedChannels(t.k)});
    for (Buffer<float> *each : {&filter, &matrix, &b1, &b2})
      each->for_each_value([&](float &v) { v = uniform(); });
    const int w = 21, h = 6, n = 2, reach = (t.r - 1) * t.d + 1;
    Buffer<uint16_t> x(std::vector<int>{t.c, (w - 1) * t.s + reach, (h - 1) * t.s + reach, n});
    x.for_each_value([&](uint16_t &v) {
      const float value = uniform();
      uint32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      v = uint16_t(bits >> 16);
    });
    Buffer<uint16_t> mid(std::vector<int>{t.c, w, h, n}), want(std::vector<int>{t.k, w, h, n}),
        got(std::vector<int>{t.k, w, h, n});
    auto asFloat = [](Buffer<uint16_t> &bits) {
      return Buffer<>(Float(32), bits.data(), 4, bits.raw_buffer()->dim);
    };
    auto run = [&](JitKernel &kernel, Buffer<uint16_t> &from, const std::vector<Buffer<>> &rest,
                   Buffer<uint16_t> &to) {
      kernel.build.inputs[0].set(shown(kernel.build.inputs[0], from));
      for (size_t i = 0; i < rest.size(); i++)
        kernel.build.inputs[i + 1].set(rest[i]);
      kernel.build.pipeline.realize(Realization({asFloat(to)}), kernel.target);
    };
    run(depthwise, x, {packed(first, points[1], filter), b1}, mid);
    run(pointwise, mid, {packed(second, points[2], matrix), b2}, want);
    run(both, x, {packed(parts[0], points[0], filter), b1, packed(parts[1], points[0], matrix), b2}, got);
    int off = 0;
    got.for_each_element([&](int c, int px, int py, int image) {
      const int distance = std::abs(int(got(c, px, py, image)) - int(want(c, px, py, image)));
      off += distance > 0; // what the compiler contracts may differ in the last place
      EXPECT_LE(distance, 1) << whole.print();
    });
    EXPECT_LE(off, int(got.number_of_elements()) / 50) << whole.print();
  }
}

} // namespace
} // namespace segc::schedules
