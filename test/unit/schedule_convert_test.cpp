/// \file Import and export for all element types and layouts, and the vectors of @prepare.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_memory_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// What one element type is: its storage, and both conversions by other means than the kernel's.
struct U8 {
  using Storage = uint8_t;
  static constexpr const char *name = "u8";
};
struct I8 {
  using Storage = int8_t;
  static constexpr const char *name = "i8";
};
struct I32 {
  using Storage = int32_t;
  static constexpr const char *name = "i32";
};
struct F32 {
  using Storage = float;
  static constexpr const char *name = "f32";
};
struct F16 {
  using Storage = uint16_t;
  static constexpr const char *name = "f16";
};
struct BF16 {
  using Storage = uint16_t;
  static constexpr const char *name = "bf16";
};

template <typename T> float decode(typename T::Storage v) {
  if constexpr (std::is_same_v<T, F16>)
    return float(float16_t::make_from_bits(v));
  else if constexpr (std::is_same_v<T, BF16>)
    return float(bfloat16_t::make_from_bits(v));
  else
    return float(v);
}
template <typename T> typename T::Storage encode(float v) {
  using S = typename T::Storage;
  if constexpr (std::is_same_v<T, F16>)
    return float16_t(v).to_bits();
  else if constexpr (std::is_same_v<T, BF16>)
    return std::isnan(v) ? 0x7fc0 : bfloat16_t(v).to_bits(); // Halide's rounds some NaNs to infinity
  else if constexpr (std::is_same_v<T, F32>)
    return v;
  else if (std::isnan(v))
    return 0;
  else
    return S(std::min<double>(std::max<double>(std::nearbyint(double(v)), std::numeric_limits<S>::min()),
                              std::numeric_limits<S>::max()));
}
/// Equal, or NaN on both sides (16-bit floats: any NaN).
template <typename T> bool equal(typename T::Storage a, typename T::Storage b) {
  if constexpr (std::is_same_v<T, F16> || std::is_same_v<T, BF16> || std::is_same_v<T, F32>)
    return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(decode<T>(a)) && std::isnan(decode<T>(b)));
  else
    return a == b;
}

/// Floats near everything that rounds, saturates or overflows somewhere.
float interesting(std::mt19937 &random) {
  switch (random() % 6) {
  case 0:
    return float(int(random() % 1200) - 600) * 0.5f; // halves: ties of integers
  case 1: {                                          // any bits: NaN, infinities, subnormals
    const uint32_t bits = random();
    float v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
  }
  case 2: { // ties of 16-bit floats
    const uint32_t half = (random() & 1 ? 0x1000 : 0x8000), bits = (random() & ~0x1fffu & 0xffff0000u) | half;
    const uint32_t around = bits + (random() % 3) - 1;
    float v;
    std::memcpy(&v, &around, sizeof v);
    return v;
  }
  case 3:
    return std::ldexp(std::uniform_real_distribution<float>(-2, 2)(random), int(random() % 50) - 28);
  case 4: {
    static const float edges[] = {65504.f,       65519.99f,     65520.f,    65536.f,    2147483648.f,
                                  2147483520.f,  -2147483648.f, -3e9f,      8388607.5f, 4194304.5f,
                                  127.5f,        -128.5f,       255.5f,     -0.5f,      5.9604645e-8f,
                                  2.9802322e-8f, -0.f,          0.49999997f};
    return edges[random() % (sizeof edges / sizeof *edges)];
  }
  default:
    return std::uniform_real_distribution<float>(-300, 300)(random);
  }
}

const Extents kSizes[] = {{0, 1, 1, 1}, {0, 7, 3, 2}, {0, 50, 6, 1}};

template <typename T> class Conversion : public testing::Test {};
using Types = testing::Types<F32, F16, BF16, U8, I8, I32>;
TYPED_TEST_SUITE(Conversion, Types);

TYPED_TEST(Conversion, Import) {
  using Storage = typename TypeParam::Storage;
  std::mt19937 random(8);
  for (Isa isa : isasHere())
    for (int c : {1, 2, 3, 9, 32}) {
      if (skipped(isa, random))
        continue;
      const int pixel = c + (c % 2 ? 0 : random() % 3);
      MemoryKernel kernel("import c" + std::to_string(c) + " out" + std::to_string(pixel) +
                              " from=" + TypeParam::name + " : f32",
                          isa);
      if (!kernel)
        continue;
      for (int layout = 0; layout < 4; layout++)
        for (Extents e : kSizes) {
          e.c = c;
          Guarded<Storage> x({e.c, e.w, e.h, e.n}, callerStrides(layout, e), Storage(123));
          Activation<float> y(e, pixel, 77.f);
          x.fill([&] {
            return std::is_same_v<TypeParam, F32> ? Storage(interesting(random)) : Storage(random());
          });
          kernel.run({x.view}, {y.view});
          int wrong = 0;
          y.view.for_each_element([&](int ch, int px, int py, int n) {
            wrong += !same(y.view(ch, px, py, n), decode<TypeParam>(x.view(ch, px, py, n)));
          });
          EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa) << " layout " << layout << " "
                              << e.w;
          EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa) << " layout " << layout;
        }
    }
}

TYPED_TEST(Conversion, Export) {
  using Storage = typename TypeParam::Storage;
  std::mt19937 random(9);
  for (Isa isa : isasHere())
    for (int c : {1, 2, 5, 21, 32}) {
      if (skipped(isa, random))
        continue;
      const int pixel = c + (c % 2 ? 0 : random() % 3);
      MemoryKernel kernel("export c" + std::to_string(c) + " in" + std::to_string(pixel) +
                              " to=" + TypeParam::name + " : f32",
                          isa);
      if (!kernel)
        continue;
      for (int layout = 0; layout < 4; layout++)
        for (Extents e : kSizes) {
          e.c = c;
          Activation<float> x(e, pixel, NAN);
          Guarded<Storage> y({e.c, e.w, e.h, e.n}, callerStrides(layout, e), Storage(123));
          x.fill([&] { return interesting(random); });
          kernel.run({x.view}, {y.view});
          int wrong = 0;
          float example = 0;
          y.view.for_each_element([&](int ch, int px, int py, int n) {
            const bool ok = equal<TypeParam>(y.view(ch, px, py, n), encode<TypeParam>(x.view(ch, px, py, n)));
            wrong += !ok;
            example = ok ? example : x.view(ch, px, py, n);
          });
          EXPECT_EQ(wrong, 0) << kernel.spec.print() << " " << name(isa) << " layout " << layout << " " << e.w
                              << ", for example " << example;
          EXPECT_EQ(y.damaged(), 0) << kernel.spec.print() << " " << name(isa) << " layout " << layout;
        }
    }
}

TEST(MemoryKernels, EveryHalfThereAndBack) {
  for (Isa isa : isasHere()) {
    MemoryKernel import("import c4 out4 from=f16 : f32", isa), back("export c4 in4 to=f16 : f32", isa);
    if (!import || !back)
      continue;
    const Extents e{4, 128, 128, 1};
    Guarded<uint16_t> all({4, 128, 128, 1}, callerStrides(1, e), 0),
        again({4, 128, 128, 1}, callerStrides(1, e), 0);
    Activation<float> values(e, 4, 0.f);
    int next = 0;
    all.fill([&] { return next++; });
    import.run({all.view}, {values.view});
    back.run({values.view}, {again.view});
    int wrong = 0;
    all.view.for_each_element([&](int c, int x, int y, int n) {
      wrong += !same(values.view(c, x, y, n), decode<F16>(all.view(c, x, y, n)));
      wrong += !equal<F16>(again.view(c, x, y, n), all.view(c, x, y, n));
    });
    EXPECT_EQ(wrong, 0) << name(isa);
  }
}

TEST(MemoryKernels, VectorsOfWeights) {
  std::mt19937 random(10);
  auto uniform = [&] { return std::uniform_real_distribution<float>(0.1f, 2)(random); };
  for (Isa isa : isasHere())
    for (int flags = 0; flags < 4; flags++) {
      const std::string first = std::to_string(flags & 1), second = std::to_string(flags >> 1);
      MemoryKernel scale("norm_scale gamma" + first + " eps=0.001 : f32", isa);
      MemoryKernel shift("norm_shift beta" + first + " bias" + second + " : f32", isa);
      MemoryKernel pack("pack_vector : f32", isa);
      if (!scale || !shift || !pack)
        continue;
      for (int length : {1, 5, 16, 21, 64, 100}) {
        auto vector = [&](int count) {
          return std::make_unique<Guarded<float>>(std::array<int, 4>{count, 1, 1, 1},
                                                  std::array<int, 4>{1, 9, 9, 9}, NAN);
        };
        std::vector<std::unique_ptr<Guarded<float>>> v;
        for (int i = 0; i < 5; i++) {
          v.push_back(vector(length));
          v.back()->fill(uniform);
        }
        auto flat = [](Guarded<float> &g) {
          halide_dimension_t dim = {0, g.view.dim(0).extent(), 1, 0};
          return Buffer<float>(g.view.data(), 1, &dim);
        };
        const Buffer<float> gamma = flat(*v[0]), variance = flat(*v[1]), mean = flat(*v[2]),
                            bias = flat(*v[3]), scaled = flat(*v[4]);
        auto outA = vector(length), outB = vector(length), outC = vector(length + 43);
        std::vector<Buffer<>> operands = {variance};
        if (flags & 1)
          operands.insert(operands.begin(), gamma);
        scale.run(operands, {flat(*outA)});
        operands = {mean, scaled};
        if (flags & 1)
          operands.insert(operands.begin(), gamma);
        if (flags >> 1)
          operands.push_back(bias);
        shift.run(operands, {flat(*outB)});
        pack.run({gamma}, {flat(*outC)});
        for (int i = 0; i < length + 43; i++) {
          EXPECT_EQ(outC->view(i, 0, 0, 0), i < length ? gamma(i) : 0.f) << i << " of " << length;
          if (i >= length)
            continue;
          const double s = (flags & 1 ? gamma(i) : 1.0) / std::sqrt(double(variance(i)) + 0.001);
          const double t =
              (flags & 1 ? gamma(i) : 0.0) + ((flags >> 1 ? bias(i) : 0.0) - mean(i)) * scaled(i);
          EXPECT_NEAR(outA->view(i, 0, 0, 0), s, 1e-6 * s);
          EXPECT_NEAR(outB->view(i, 0, 0, 0), t, 2e-6);
        }
        EXPECT_EQ(outA->damaged() + outB->damaged() + outC->damaged(), 0);
      }
    }
}

} // namespace
} // namespace segc::schedules
