/// \file Numbers of bf16 for tests, and convolutions of them against plain loops.
// SPDX-License-Identifier: MIT
#pragma once
#include "test/unit/schedule_memory_support.h"

namespace segc::schedules {

constexpr uint16_t kNan = 0x7fc0, kOutside = 0x7fe1; // a NaN that no kernel makes

inline float widen(uint16_t bits) {
  const uint32_t all = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &all, 4);
  return value;
}
/// To the nearest, ties to even; by the distance of the two neighbours, not by the kernels' carry.
inline uint16_t narrow(float value) {
  uint32_t all;
  std::memcpy(&all, &value, 4);
  const uint16_t low = uint16_t(all >> 16);
  if (std::isnan(value))
    return low | 0x40;
  const uint32_t rest = all & 0xffff;
  return rest > 0x8000 || (rest == 0x8000 && low % 2) ? low + 1 : low;
}

/// The same memory as the kernel's parameter wants to see it: one of a bf16 kernel may be declared f32.
inline Halide::Buffer<> shownAs(Halide::Type type, const Halide::Buffer<uint16_t> &memory) {
  halide_dimension_t dims[4];
  for (int d = 0; d < 4; d++)
    dims[d] = memory.raw_buffer()->dim[d];
  return Halide::Buffer<>(type, memory.raw_buffer()->host, 4, dims);
}

/// The largest error of a convolution of bf16 over the largest value of the same run, after taking away what
/// rounding the result to bf16 may cost; a run for each size.
inline double dotError(const KernelSpec &spec, const Schedule &schedule, Isa isa,
                       const std::vector<RunSize> &sizes, std::mt19937 &random) {
  using namespace Halide;
  SCOPED_TRACE(spec.print() + " | " + schedule.print());
  JitKernel kernel(spec, schedule, isa);
  EXPECT_EQ(kernel.error, "");
  const Packing packing = findFamily(schedule.family)->packing(spec, schedule, isa);
  const KernelSpec packSpec = parseSpec(packing.problem);
  EXPECT_EQ(packSpec.dtype, "bf16");
  JitKernel pack(packSpec, {"pack", {}}, isa);
  EXPECT_EQ(pack.error, "");
  if (!kernel.error.empty() || !pack.error.empty())
    return INFINITY;
  const int c = spec.get("c"), k = spec.get("k"), g = spec.get("g"), rh = spec.get("r"),
            rw = spec.get("r", 1);
  auto uniform = [&] { return widen(narrow(std::uniform_real_distribution<float>(-1.f, 1.f)(random))); };
  Buffer<float> w(std::vector<int>{rw, rh, c / g, k}), bias(std::vector<int>{paddedChannels(k)});
  w.for_each_value([&](float &v) { v = uniform(); });
  bias.fill(0.f);
  for (int i = 0; i < k; i++)
    bias(i) = uniform();
  Buffer<> packed(BFloat(16), packing.extents);
  pack.build.inputs[0].set(w);
  pack.build.pipeline.realize(Realization({packed}), pack.target);
  auto window = [&](int extent, int axis) {
    return (extent - 1) * spec.get("s", axis) + (spec.get("r", axis) - 1) * spec.get("d", axis) + 1;
  };
  double ratio = 0;
  for (RunSize size : sizes) {
    Activation<uint16_t> x({c, window(size.w, 1), window(size.h, 0), size.n}, spec.get("in"), kOutside);
    Activation<uint16_t> y({k, size.w, size.h, size.n}, spec.get("out"), kOutside);
    x.fill([&] { return narrow(uniform()); });
    y.view.fill(kNan);
    std::vector<uint16_t> factors(c * size.n, narrow(1));
    kernel.build.inputs[0].set(shownAs(kernel.build.inputs[0].type(), x.view));
    kernel.build.inputs[1].set(packed);
    if (spec.word("read") == "scaled") {
      for (uint16_t &factor : factors)
        factor = narrow(uniform());
      const auto &dims = *x.view.raw_buffer();
      halide_dimension_t repeated[] = {
          {0, c, 1, 0}, {0, dims.dim[1].extent, 0, 0}, {0, dims.dim[2].extent, 0, 0}, {0, size.n, c, 0}};
      kernel.build.inputs[2].set(Buffer<>(Float(32), factors.data(), 4, repeated));
    }
    kernel.build.inputs.back().set(bias);
    kernel.build.pipeline.realize(Realization({shownAs(Float(32), y.view)}), kernel.target);
    EXPECT_EQ(y.damaged(), 0);
    double worst = 0, largest = 1e-30;
    y.view.for_each_element([&](int o, int px, int py, int n) {
      double want = bias(o);
      for (int ry = 0; ry < rh; ry++)
        for (int rx = 0; rx < rw; rx++)
          for (int i = 0; i < c / g; i++)
            want += double(w(rx, ry, i, o)) * // what is scaled is rounded as if it had been stored
                    widen(narrow(
                        widen(factors[n * c + i]) *
                        widen(x.view(o / (k / g) * (c / g) + i, px * spec.get("s", 1) + rx * spec.get("d", 1),
                                     py * spec.get("s") + ry * spec.get("d"), n))));
      want = std::max(want, 0.0);
      const double off = std::fabs(want - widen(y.view(o, px, py, n))) - want / 256;
      largest = std::max(largest, want);
      worst = off <= worst ? worst : std::isnan(off) ? INFINITY : off;
    });
    ratio = std::max(ratio, worst / largest);
  }
  return ratio;
}

/// The largest error of a weight gradient of bf16 operands over its largest value in the same run; a run for
/// each size.
inline double wgradError(const KernelSpec &spec, const Schedule &schedule, Isa isa,
                         const std::vector<RunSize> &sizes, std::mt19937 &random) {
  using namespace Halide;
  SCOPED_TRACE(spec.print() + " | " + schedule.print() + " | " + name(isa));
  JitKernel kernel(spec, schedule, isa);
  const Packing packing = findFamily(schedule.family)->packing(spec, schedule, isa);
  const bool isPacked = !packing.problem.empty(); // or the kernel stores the file's layout
  JitKernel unpack(parseSpec(isPacked ? packing.problem : "unpack_wgrad panel16 lanes=k : f32"),
                   {"unpack_wgrad", {}}, isa);
  EXPECT_EQ(kernel.error + unpack.error, "");
  if (!kernel.error.empty() || !unpack.error.empty())
    return INFINITY;
  const int c = spec.get("c"), k = spec.get("k");
  auto window = [&](int extent, int axis) {
    return (extent - 1) * spec.get("s", axis) + (spec.get("r", axis) - 1) * spec.get("d", axis) + 1;
  };
  double ratio = 0;
  for (RunSize size : sizes) {
    Activation<uint16_t> x({c, window(size.w, 1), window(size.h, 0), size.n}, spec.get("in"), kOutside);
    Activation<uint16_t> dy({k, size.w, size.h, size.n}, spec.get("dy"), kOutside);
    for (auto *each : {&x, &dy})
      each->fill([&] { return narrow(std::uniform_real_distribution<float>(-1.f, 1.f)(random)); });
    Buffer<float> sums(packing.extents);
    Buffer<float> dw(std::vector<int>{spec.get("r", 1), spec.get("r"), c, k});
    kernel.build.inputs[0].set(shownAs(kernel.build.inputs[0].type(), x.view));
    kernel.build.inputs[1].set(shownAs(kernel.build.inputs[1].type(), dy.view));
    kernel.build.pipeline.realize(Realization({sums}), kernel.target);
    if (isPacked)
      unpack.run({sums}, dw);
    else
      dw.copy_from(sums);
    double worst = 0, largest = 1e-30;
    dw.for_each_element([&](int rx, int ry, int i, int o) {
      double want = 0;
      for (int n = 0; n < size.n; n++)
        for (int py = 0; py < size.h; py++)
          for (int px = 0; px < size.w; px++)
            want += double(widen(dy.view(o, px, py, n))) *
                    widen(x.view(i, px * spec.get("s", 1) + rx * spec.get("d", 1),
                                 py * spec.get("s") + ry * spec.get("d"), n));
      const double off = std::fabs(want - dw(rx, ry, i, o));
      largest = std::max(largest, std::fabs(want));
      worst = off <= worst ? worst : std::isnan(off) ? INFINITY : off;
    });
    ratio = std::max(ratio, worst / largest);
  }
  return ratio;
}

inline KernelSpec narrowConv(int c, int k, int r, int s, int d, int g) {
  KernelSpec spec = convSpec(c, k, r, s, d, g, " +bias +relu");
  spec.fields["in"] = {c + 2};
  spec.fields["out"] = {k + 3};
  spec.dtype = "bf16";
  return spec;
}

} // namespace segc::schedules
