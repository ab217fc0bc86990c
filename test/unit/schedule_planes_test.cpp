/// \file Resizing straight into the caller's tensor: every layout and direction, every point of the schedule.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchKernelLoops.h"
#include "test/unit/schedule_memory_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Extents of the operand and of the result.
struct Sizes {
  int w, h, outW, outH, images;
};

KernelSpec problem(int c, int pixel, const std::string &mode, bool align) {
  return parseSpec("export_upsample c" + std::to_string(c) + " in" + std::to_string(pixel) + " mode=" + mode +
                   " align" + std::to_string(align) + " : f32");
}

/// A result of the kernel with every element compared. Coordinates are computed in f32: half a unit in the
/// last place of 1000 pixels shifts a weight by 3e-5.
void check(JitKernel &kernel, const KernelSpec &spec, int layout, const Sizes &s, std::mt19937 &random) {
  SCOPED_TRACE("layout " + std::to_string(layout) + ", " + std::to_string(s.h) + "x" + std::to_string(s.w) +
               " to " + std::to_string(s.outH) + "x" + std::to_string(s.outW));
  const int c = spec.get("c");
  Activation<float> x({c, s.w, s.h, s.images}, spec.get("in"), NAN);
  const Extents out{c, s.outW, s.outH, s.images};
  Guarded<float> y({c, s.outW, s.outH, s.images}, callerStrides(layout, out), 77.f);
  x.fill([&] { return std::uniform_real_distribution<float>(-1, 1)(random); });
  kernel.build.inputs[0].set(x.view);
  kernel.build.pipeline.realize(Realization({Buffer<>(y.view)}), kernel.target);
  const std::string mode = spec.word("mode");
  const bool align = spec.get("align") != 0;
  std::vector<std::vector<std::pair<int, double>>> across, down;
  for (int i = 0; i < s.outW; i++)
    across.push_back(resizeReads(i, s.w, s.outW, mode, align));
  for (int i = 0; i < s.outH; i++)
    down.push_back(resizeReads(i, s.h, s.outH, mode, align));
  double worst = 0;
  y.view.for_each_element([&](int ch, int px, int py, int n) {
    double want = 0;
    for (const auto &[row, v] : down[py])
      for (const auto &[column, h] : across[px])
        want += v * h * x.view(ch, column, row, n);
    const double off = std::fabs(y.view(ch, px, py, n) - want);
    worst = off <= worst ? worst : std::isnan(off) ? INFINITY : off;
  });
  EXPECT_LE(worst, mode == "nearest" ? 1e-6 : 2e-4);
  EXPECT_EQ(y.damaged(), 0);
}

/// Wider and higher than a tile, of a factor that is none, of equal size, smaller, of a single pixel.
const Sizes kSizes[] = {{70, 9, 560, 72, 1}, {33, 40, 50, 47, 2}, {20, 70, 20, 70, 1},
                        {40, 30, 17, 50, 2}, {30, 40, 50, 17, 1}, {1, 1, 37, 5, 1}};

TEST(Planes, EveryLayoutAndMode) {
  std::mt19937 random(1);
  for (Isa isa : isasHere())
    for (const char *mode : {"nearest", "bilinear", "bicubic"}) {
      const int c = std::array{1, 3, 21}[random() % 3];
      const KernelSpec spec = problem(c, c + int(random() % 3), mode, random() % 2);
      const Schedule rule = std::get<Schedule>(chooseSchedule(spec, isa));
      EXPECT_EQ(rule.family, "planes");
      SCOPED_TRACE(spec.print() + " " + name(isa));
      JitKernel kernel(spec, rule, isa);
      ASSERT_EQ(kernel.error, "");
      for (const Sizes &s : kSizes)
        for (int layout = 0; layout < 4; layout++)
          check(kernel, spec, layout, s, random);
    }
}

/// LLVM needs minutes for a vector of all channels.
TEST(Planes, MoreChannelsThanAVectorTakes) {
  std::mt19937 random(3);
  for (Isa isa : {Isa::Portable, isasHere().front()})
    for (int c : {127, 200, 4096}) {
      const KernelSpec spec = problem(c, c, "bicubic", true);
      SCOPED_TRACE(spec.print() + " " + name(isa));
      JitKernel kernel(spec, std::get<Schedule>(chooseSchedule(spec, isa)), isa);
      ASSERT_EQ(kernel.error, "");
      for (int layout = 0; layout < 4; layout++)
        check(kernel, spec, layout, {3, 2, 4, 3, 1}, random);
    }
}

/// The rows and pixels that a tile keeps are bounded by constants, which nothing checks at run time.
TEST(Planes, EveryPoint) {
  std::mt19937 random(2);
  const Sizes large[] = {{530, 70, 530, 70, 1}, {529, 69, 531, 71, 1}, {131, 33, 1040, 131, 1}};
  const Isa isa = isasHere().front();
  for (const char *mode : {"bilinear", "bicubic"}) {
    const KernelSpec spec = problem(2, 2, mode, mode[2] == 'c');
    const std::vector<Parameter> parameters = findFamily("planes")->parameters(spec, isa);
    for (int tile : parameters[0].legal)
      for (int rows : parameters[1].legal) {
        if (random() % 3)
          continue;
        const Schedule point{"planes", {{"tile", tile}, {"rows", rows}}};
        SCOPED_TRACE(spec.print() + " | " + point.print());
        JitKernel kernel(spec, point, isa);
        ASSERT_EQ(kernel.error, "");
        for (const Sizes &s : large)
          check(kernel, spec, 0, s, random);
      }
  }
}

TEST(Planes, OfferedForTheirProblemOnly) {
  const KernelSpec plain = parseSpec("upsample c4 in4 out4 mode=bilinear align0 : f32");
  EXPECT_EQ(findFamily("planes")->whyNot(plain, Isa::Avx512), "it computes only export_upsample");
  EXPECT_NE(
      checkSchedule(problem(4, 4, "bilinear", false), {"planes", {{"tile", 100}, {"rows", 8}}}, Isa::Avx512)
          .find("64, 128, 256, 512"),
      std::string::npos);
  EXPECT_TRUE(std::holds_alternative<std::string>(
      KernelSpec::parse("export_upsample c4 in4 mode=zeros align0 : f32")));
}

} // namespace
} // namespace segc::schedules
