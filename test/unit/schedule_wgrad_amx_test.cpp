/// \file Weight gradients on AMX against plain loops: filters, strides and dilations, ragged extents, bands.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_bf16_support.h"
#include <atomic>

using namespace Halide;

namespace segc::schedules {
namespace {

const Family &wgradAmx() { return *findFamily("wgrad_amx"); }

KernelSpec specOf(const std::string &filter, int c, int k) {
  return parseSpec("conv_wgrad c" + std::to_string(c) + " k" + std::to_string(k) + " " + filter + " g1 in" +
                   std::to_string(c + 3) + " dy" + std::to_string(k + 5) + " : bf16");
}

/// Single pixels, fewer rows than bands, rows of odd length, rows longer than a strip of 256 pixels has, and
/// what lies outside the operands is NaN.
TEST(WgradAmx, AgreesWithPlainLoops) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(1);
  const std::pair<int, int> channels[] = {{32, 64}, {48, 16}, {16, 32}};
  int number = 0;
  for (const char *filter : {"r3x3 s1x1 d1x1", "r2x2 s2x2 d1x1", "r1x1 s1x1 d1x1", "r3x3 s1x1 d2x2",
                             "r3x3 s2x2 d1x1", "r1x1 s2x2 d1x1", "r5x3 s2x1 d1x3", "r3x3 s1x1 d12x12"}) {
    const auto [c, k] = channels[number % 3];
    const KernelSpec spec = specOf(filter, c, k);
    Schedule chosen = wgradAmx().choose(spec, Isa::Amx),
             other = randomPoint(wgradAmx(), spec, Isa::Amx, random);
    EXPECT_EQ(checkSchedule(spec, chosen, Isa::Amx), "");
    other.params["px"] = 256;
    for (const Schedule &point : {chosen, other})
      if (point.params == other.params || number < 2) { // compiling takes most of the time
        EXPECT_LE(wgradError(spec, point, Isa::Amx,
                             {{1, 1, 1}, {3, 2, 5}, {2, 9, 16}, {1, 7, 33}, {1, 5, 131}}, random),
                  1e-5);
      }
    number++;
  }
}

std::atomic<int> firstTask{0};

TEST(WgradAmx, OrderOfTasksDoesNotMatter) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(2);
  const KernelSpec spec = specOf("r3x3 s1x1 d1x1", 64, 32);
  const Schedule point{"wgrad_amx", {{"ct", 2}, {"kt", 1}, {"cb", 1}, {"kb", 2}, {"px", 256}, {"parts", 4}}};
  JitKernel kernel(spec, point, Isa::Amx);
  ASSERT_EQ(kernel.error, "");
  kernel.build.pipeline.jit_handlers().custom_do_par_for = [](JITUserContext *context,
                                                              int (*task)(JITUserContext *, int, uint8_t *),
                                                              int min, int size, uint8_t *closure) {
    for (int i = 0; i < size; i++)
      task(context, min + (i * 5 + firstTask) % size, closure);
    return 0;
  };
  Activation<uint16_t> x({64, 23, 19, 2}, spec.get("in"), kOutside);
  Activation<uint16_t> dy({32, 21, 17, 2}, spec.get("dy"), kOutside);
  for (auto *each : {&x, &dy})
    each->fill([&] { return narrow(std::uniform_real_distribution<float>(-1.f, 1.f)(random)); });
  kernel.build.inputs[0].set(shownAs(BFloat(16), x.view));
  kernel.build.inputs[1].set(shownAs(BFloat(16), dy.view));
  std::vector<Buffer<float>> results;
  for (int first : {0, 3}) {
    firstTask = first;
    results.emplace_back(wgradAmx().packing(spec, point, Isa::Amx).extents);
    results.back().fill(NAN);
    kernel.build.pipeline.realize(Realization({results.back()}), kernel.target);
  }
  EXPECT_EQ(std::memcmp(results[0].data(), results[1].data(), results[0].size_in_bytes()), 0);
}

/// Bands cost memory: 16 tasks where 10 MB of partial sums give them.
TEST(WgradAmx, Rule) {
  auto chosen = [](int c, int k) {
    const auto schedule = chooseSchedule(specOf("r3x3 s1x1 d1x1", c, k), Isa::Amx);
    return std::get<Schedule>(schedule);
  };
  EXPECT_EQ(chosen(64, 64).family, "wgrad_amx");
  EXPECT_EQ(chosen(64, 64).params.at("parts"), 16);
  EXPECT_EQ(chosen(256, 256).params.at("parts"), 4);
  EXPECT_EQ(chosen(1024, 1024).params.at("parts"), 1);
  EXPECT_EQ(chosen(48, 40).family, "wgrad_direct");
}

TEST(WgradAmx, RefusesWhatItsTilesCannotHold) {
  auto whyNot = [](const char *problem, Isa isa = Isa::Amx) {
    return wgradAmx().whyNot(parseSpec(problem), isa);
  };
  EXPECT_EQ(whyNot("conv_wgrad c64 k64 r3x3 s1x1 d1x1 g1 in64 dy64 : bf16"), "");
  EXPECT_NE(whyNot("conv_wgrad c64 k64 r3x3 s1x1 d1x1 g1 in64 dy64 : bf16", Isa::Avx512Bf16), "");
  EXPECT_NE(whyNot("conv_wgrad c64 k64 r3x3 s1x1 d1x1 g1 in64 dy64 : f32"), "");
  EXPECT_NE(whyNot("conv_wgrad c64 k64 r3x3 s1x1 d1x1 g2 in64 dy64 : bf16"), "");
  EXPECT_NE(whyNot("conv_wgrad c3 k64 r3x3 s1x1 d1x1 g1 in3 dy64 : bf16"), "");
  EXPECT_NE(whyNot("conv_wgrad c64 k2 r1x1 s1x1 d1x1 g1 in64 dy2 : bf16"), "");
  EXPECT_NE(whyNot("conv_wgrad c64 k64 r3x3 s1x1 d1x40 g1 in64 dy64 : bf16"), "");
}

} // namespace
} // namespace segc::schedules
