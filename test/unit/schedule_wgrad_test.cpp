/// \file Weight gradients against plain loops: families at random legal points and at their rules' points,
/// ragged extents, guarded memory, equal bits for any number of threads, and the kernel that unpacks.
// SPDX-License-Identifier: MIT
#include "schedules/Compile.h"
#include "test/unit/schedule_conv_support.h"
#include <atomic>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <thread>

using namespace Halide;

namespace segc::schedules {
namespace {

constexpr Isa kIsas[] = {Isa::Avx512, Isa::Avx2, Isa::Portable};
constexpr double kDirectTolerance = 1e-5, kWinogradTolerance = 1e-4;
constexpr float kOutside = 12345.f;

/// A dense tensor with guarded memory around it, all NaN.
struct DenseTensor {
  explicit DenseTensor(const std::vector<int> &extents)
      : memory(product(extents), 1, 1, 1, product(extents), kOutside), view(memory.view.data(), extents) {
    view.fill(NAN);
  }
  static int product(const std::vector<int> &extents) {
    int count = 1;
    for (int e : extents)
      count *= e;
    return count;
  }
  GuardedTensor memory;
  Buffer<float> view;
};

/// The operands of one run: x with the window that `size` results need, and dy.
struct Operands {
  static int window(const KernelSpec &spec, int extent, int axis) {
    return (extent - 1) * spec.get("s", axis) + (spec.get("r", axis) - 1) * spec.get("d", axis) + 1;
  }
  Operands(const KernelSpec &spec, const RunSize &size, std::mt19937 &random)
      : x(spec.get("c"), window(spec, size.w, 1), window(spec, size.h, 0), size.n, spec.get("in"), NAN),
        dy(spec.get("k"), size.w, size.h, size.n, spec.get("dy"), NAN) {
    x.fill(random);
    dy.fill(random);
  }
  GuardedTensor x, dy;
};

KernelSpec wgradSpec(int c, int k, int r, int s, int d, int g) {
  KernelSpec spec = convSpec(c, k, r, s, d, g);
  spec.op = "conv_wgrad";
  spec.fields["dy"] = {k};
  spec.fields.erase("out");
  return parseSpec(spec.print());
}

std::atomic<int> threadsOfLoops{1};

/// A parallel loop whose tasks are dealt to threads of their own, last ones first.
int dealTasks(JITUserContext *context, int (*task)(JITUserContext *, int, uint8_t *), int min, int size,
              uint8_t *closure) {
  std::vector<std::thread> threads;
  const int count = threadsOfLoops;
  for (int t = 0; t < count; t++)
    threads.emplace_back([=] {
      for (int i = size - 1 - t; i >= 0; i -= count)
        task(context, min + i, closure);
    });
  for (std::thread &thread : threads)
    thread.join();
  return 0;
}

/// The kernel that unpacks, compiled once for all gradients that share it.
JitKernel &unpackKernel(const std::string &problem, Isa isa) {
  static std::map<std::string, std::unique_ptr<JitKernel>> kernels;
  std::unique_ptr<JitKernel> &kernel = kernels[problem + name(isa)];
  if (!kernel)
    kernel = std::make_unique<JitKernel>(parseSpec(problem), Schedule{"unpack_wgrad", {}}, isa);
  return *kernel;
}

/// A gradient's kernel, and the one that unpacks what it stores if that is not the file's layout. Adds a
/// failure if one does not compile.
struct WgradKernels {
  WgradKernels(const KernelSpec &spec, const Schedule &schedule, Isa isa)
      : spec(spec), sum(spec, schedule, isa),
        packing(findFamily(schedule.family)->packing(spec, schedule, isa)),
        unpack(packing.problem.empty() ? nullptr : &unpackKernel(packing.problem, isa)) {
    for (JitKernel *kernel : {&sum, unpack})
      if (kernel) {
        EXPECT_EQ(kernel->error, "");
        kernel->build.pipeline.jit_handlers().custom_do_par_for = dealTasks;
      }
  }
  explicit operator bool() const { return sum.error.empty() && (!unpack || unpack->error.empty()); }

  std::vector<int> extents() const {
    return {spec.get("r", 1), spec.get("r"), spec.get("c") / spec.get("g"), spec.get("k")};
  }
  /// The gradient of one run. Adds failures for writes outside the results and values left out.
  Buffer<float> run(const Operands &operands) {
    DenseTensor packed(packing.extents), dw(extents());
    sum.run({operands.x.view, operands.dy.view}, packed.view);
    int unwritten = 0;
    packed.view.for_each_value([&](float v) { unwritten += std::isnan(v); });
    EXPECT_EQ(unwritten, 0) << "elements of the packed gradient are NaN";
    EXPECT_EQ(packed.memory.damaged(), 0) << "written outside the packed gradient";
    if (!unpack) {
      EXPECT_EQ(packing.extents, extents());
      return packed.view.copy();
    }
    unpack->run({packed.view}, dw.view);
    EXPECT_EQ(dw.memory.damaged(), 0) << "written outside the gradient";
    return dw.view.copy();
  }

  const KernelSpec spec;
  JitKernel sum;
  const Packing packing;
  JitKernel *const unpack;
};

/// The largest difference from a sum in double over the largest value.
double wgradError(const KernelSpec &spec, const Schedule &schedule, Isa isa,
                  const std::vector<RunSize> &sizes, std::mt19937 &random) {
  SCOPED_TRACE(spec.print() + " | " + schedule.print() + " | " + name(isa));
  WgradKernels kernels(spec, schedule, isa);
  if (!kernels)
    return INFINITY;
  double worst = 0;
  for (const RunSize &size : sizes) {
    SCOPED_TRACE(std::to_string(size.n) + "x" + std::to_string(size.h) + "x" + std::to_string(size.w));
    Operands operands(spec, size, random);
    const Buffer<float> dw = kernels.run(operands);
    double largest = 1e-30, difference = 0;
    const KernelLoop loop(spec, {operands.x.view.raw_buffer(), operands.dy.view.raw_buffer()},
                          {dw.raw_buffer()});
    dw.for_each_element([&](int rx, int ry, int i, int o) {
      const int at[] = {rx, ry, i, o};
      const double sum = loop.at(0, at);
      largest = std::max(largest, std::fabs(sum));
      const double off = std::fabs(sum - dw(rx, ry, i, o));
      difference = std::isnan(off) ? INFINITY : std::max(difference, off);
    });
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

int pick(std::mt19937 &random, const std::vector<int> &from) { return from[random() % from.size()]; }

/// A single pixel, several images with fewer rows than bands, and ragged extents.
std::vector<RunSize> randomSizes(std::mt19937 &random, int most) {
  auto upTo = [&](int n) { return int(1 + random() % n); };
  return {{1, 1, 1}, {2 + upTo(2), upTo(3), upTo(5)}, {1, upTo(most), upTo(most)}};
}

KernelSpec randomWgrad(std::mt19937 &random, int groups) {
  const int limit = groups > 1 ? 10 : 40;
  const int c = groups * (1 + random() % limit), k = groups * (1 + random() % limit);
  KernelSpec spec = wgradSpec(c, k, 1, 1, 1, groups);
  spec.fields["r"] = {pick(random, {1, 1, 2, 3, 3, 5}), pick(random, {1, 2, 3, 3, 4})};
  spec.fields["s"] = {pick(random, {1, 1, 2, 3}), pick(random, {1, 1, 2, 3})};
  spec.fields["d"] = {pick(random, {1, 1, 2, 4}), pick(random, {1, 1, 2, 3})};
  spec.fields["in"] = {c + int(random() % 7)};
  spec.fields["dy"] = {k + int(random() % 7)};
  return spec;
}

TEST(WgradDirect, RandomShapesAndPoints) {
  std::mt19937 random(1);
  const Family *direct = findFamily("wgrad_direct");
  for (int i = 0; i < 30; i++) {
    const Isa isa = kIsas[i % 3];
    const KernelSpec spec = randomWgrad(random, i % 4 == 3 ? pick(random, {2, 3, 4, 8}) : 1);
    if (canRun(isa)) {
      EXPECT_LE(
          wgradError(spec, randomPoint(*direct, spec, isa, random), isa, randomSizes(random, 13), random),
          kDirectTolerance);
    }
  }
}

TEST(WgradDirect, ChosenPoints) {
  std::mt19937 random(2);
  struct Case {
    int c, k, r, s, d, g;
  };
  for (const Case &t : {Case{3, 64, 3, 1, 1, 1},
                        {64, 2, 1, 1, 1, 1},
                        {21, 21, 3, 1, 2, 1},
                        {32, 70, 2, 2, 1, 1},
                        {40, 40, 3, 1, 1, 40},
                        {32, 64, 3, 2, 1, 4},
                        {1, 1, 7, 1, 1, 1}})
    for (Isa isa : kIsas)
      if (canRun(isa)) {
        KernelSpec spec = wgradSpec(t.c, t.k, t.r, t.s, t.d, t.g);
        spec.fields["in"] = {t.c + int(random() % 5)};
        const auto schedule = chooseSchedule(spec, isa);
        ASSERT_EQ(schedule.index(), 0u) << std::get<std::string>(schedule);
        EXPECT_EQ(std::get<Schedule>(schedule).family, "wgrad_direct");
        EXPECT_LE(wgradError(spec, std::get<Schedule>(schedule), isa, {{2, 9, 7}, {1, 5, 23}}, random),
                  kDirectTolerance);
      }
}

TEST(WgradWinograd, RandomShapesAndPoints) {
  std::mt19937 random(3);
  const Family *winograd = findFamily("wgrad_winograd");
  for (int i = 0; i < 12; i++) {
    const Isa isa = kIsas[i % 3];
    KernelSpec spec = wgradSpec(pick(random, {16, 48, 80}), pick(random, {16, 32, 48, 64}), 3, 1, 1, 1);
    spec.fields["in"] = {spec.get("c") + int(random() % 7)};
    spec.fields["dy"] = {spec.get("k") + int(random() % 7)};
    if (canRun(isa)) {
      const Schedule point = i < 3 ? winograd->choose(spec, isa) : randomPoint(*winograd, spec, isa, random);
      EXPECT_LE(wgradError(spec, point, isa, randomSizes(random, 17), random), kWinogradTolerance);
    }
  }
}

/// One band: the kernel stores the file's layout; several: another one adds them. The same sums either way.
TEST(WgradWinograd, StoresTheFilterOfOneBand) {
  std::mt19937 random(6);
  const Family *winograd = findFamily("wgrad_winograd");
  for (Isa isa : kIsas)
    for (int c : {48, 80})
      if (canRun(isa)) {
        KernelSpec spec = wgradSpec(c, 64, 3, 1, 1, 1);
        Schedule point = winograd->choose(spec, isa);
        for (int parts : {1, 2}) {
          point.params["parts"] = parts;
          EXPECT_EQ(winograd->packing(spec, point, isa).problem.empty(), parts == 1);
          EXPECT_LE(wgradError(spec, point, isa, randomSizes(random, 17), random), kWinogradTolerance);
        }
        point.params["parts"] = 1;
        point.params["tiles"] = 8; // several pieces, of which the first one needs no sums
        EXPECT_LE(wgradError(spec, point, isa, {{1, 23, 17}}, random), kWinogradTolerance);
      }
}

/// The rules' points are legal, and name no more bands than some MB of partial sums.
TEST(Wgrad, RulesGiveLegalPoints) {
  for (int c : {1, 2, 3, 7, 16, 21, 24, 48, 64, 112, 256, 1024})
    for (int k : {1, 2, 3, 12, 16, 21, 40, 64, 96, 512, 1024})
      for (int r : {1, 2, 3, 5, 7})
        for (Isa isa : kIsas) {
          const KernelSpec spec = wgradSpec(c, k, r, 1, 1, 1);
          const auto schedule = chooseSchedule(spec, isa);
          ASSERT_EQ(schedule.index(), 0u) << std::get<std::string>(schedule);
          const Schedule &point = std::get<Schedule>(schedule);
          EXPECT_EQ(checkSchedule(spec, point, isa), "") << spec.print() << " " << name(isa);
          const bool vectors = r == 3 && c >= 16 && k >= 16 && c % lanes(isa) == 0 && k % lanes(isa) == 0;
          EXPECT_EQ(point.family, vectors ? "wgrad_winograd" : "wgrad_direct") << spec.print();
          const double bytes = 4.0 * c * k * r * r;
          EXPECT_LE(bytes * point.params.at("parts"), std::max(bytes, 11e6)) << spec.print();
        }
}

TEST(Wgrad, SameBitsForAnyNumberOfThreads) {
  std::mt19937 random(4);
  const Isa isa = canRun(Isa::Avx512) ? Isa::Avx512 : canRun(Isa::Avx2) ? Isa::Avx2 : Isa::Portable;
  for (const KernelSpec &spec : {wgradSpec(3, 40, 3, 1, 1, 1), wgradSpec(32, 48, 3, 1, 1, 1),
                                 wgradSpec(70, 5, 2, 2, 1, 1), wgradSpec(24, 24, 3, 1, 1, 24)}) {
    const auto schedule = std::get<Schedule>(chooseSchedule(spec, isa));
    SCOPED_TRACE(spec.print() + " | " + schedule.print());
    WgradKernels kernels(spec, schedule, isa);
    ASSERT_TRUE(bool(kernels));
    Operands operands(spec, {2, 37, 23}, random);
    Buffer<float> first;
    for (int threads : {1, 2, 3, 8}) {
      threadsOfLoops = threads;
      const Buffer<float> dw = kernels.run(operands);
      if (!first.defined())
        first = dw;
      EXPECT_EQ(std::memcmp(first.data(), dw.data(), dw.size_in_bytes()), 0) << threads << " threads";
    }
    threadsOfLoops = 1;
  }
}

/// Scratch of constant size: the planes of a block and the transforms of a piece; the sums of a block.
TEST(Wgrad, ScratchIsAConstant) {
  for (const char *problem : {"conv_wgrad c64 k64 r3x3 s1x1 d1x1 g1 in64 dy64 : f32",
                              "conv_wgrad c64 k128 r2x2 s2x2 d1x1 g1 in64 dy128 : f32"})
    for (Isa isa : kIsas) {
      const auto schedule = chooseSchedule(parseSpec(problem), isa);
      ASSERT_EQ(schedule.index(), 0u);
      auto result = compileKernel({"kernel0", problem, std::get<Schedule>(schedule).print(), isa});
      ASSERT_EQ(result.index(), 0u) << std::get<std::string>(result);
      const uint64_t scratch = std::get<KernelArtifact>(result).scratchBytes;
      EXPECT_GT(scratch, 64u << 10) << problem << " " << name(isa);
      EXPECT_LT(scratch, 3u << 20) << problem << " " << name(isa);
    }
}

/// The bands are added in order, starting from zero, so each value has only one right result.
TEST(UnpackWgrad, AddsBandsInOrder) {
  std::mt19937 random(5);
  for (Isa isa : kIsas) {
    if (!canRun(isa))
      continue;
    for (int panel : {lanes(isa), lanes(isa) / 2})
      for (const char *side : {"k", "c"}) {
        const KernelSpec spec =
            parseSpec("unpack_wgrad panel" + std::to_string(panel) + " lanes=" + side + " : f32");
        SCOPED_TRACE(spec.print() + " " + name(isa));
        JitKernel &kernel = unpackKernel(spec.print(), isa);
        ASSERT_EQ(kernel.error, "");
        for (int taps : {1, 2, 3})
          for (int channels : {panel, panel + 5, 3 * panel})
            for (int others : {1, 7, 40}) {
              const int parts = 1 + int(random() % 3), vectors = ceilDiv(channels, panel),
                        spare = random() % 3;
              const bool inputs = *side == 'c';
              DenseTensor packed({panel, taps * taps, others + spare, vectors, parts});
              DenseTensor dw({taps, taps, inputs ? channels : others, inputs ? others : channels});
              packed.memory.fill(random);
              packed.view.for_each_element([&](int lane, int tap, int row, int v, int p) {
                const int channel = std::min(v * panel, channels - panel) + lane; // channels of two vectors
                if (channel < v * panel)
                  packed.view(lane, tap, row, v, p) =
                      packed.view(channel - (v - 1) * panel, tap, row, v - 1, p);
              });
              kernel.run({packed.view}, dw.view);
              int wrong = 0;
              dw.view.for_each_element([&](int rx, int ry, int ci, int co) {
                const int channel = inputs ? ci : co, v = channel / panel;
                const int lane = channel - std::min(v * panel, channels - panel);
                float sum = 0;
                for (int p = 0; p < parts; p++)
                  sum += packed.view(lane, rx + taps * ry, inputs ? co : ci, v, p);
                wrong += sum != dw.view(rx, ry, ci, co);
              });
              EXPECT_EQ(wrong, 0) << taps << " " << channels << " " << others << " " << parts;
              EXPECT_EQ(dw.memory.damaged(), 0);
            }
      }
  }
}

} // namespace
} // namespace segc::schedules
