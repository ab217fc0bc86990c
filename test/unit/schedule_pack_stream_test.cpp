/// \file Winograd's filters that pass the caches by, against those of a processor that has no such stores.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_conv_support.h"
#include <gtest/gtest.h>

using namespace Halide;

namespace segc::schedules {
namespace {

/// As a kernel of `isa` packs them, beside elements that it must leave alone and `shift` elements behind
/// where a cache line begins.
std::vector<float> pack(const std::string &problem, Isa isa, const Buffer<float> &w, int panel, int planes,
                        int c, int panels, int shift) {
  constexpr int kLine = 16, kBeside = 64;
  constexpr float kUntouched = -77;
  const size_t size = size_t(panel) * planes * c * panels;
  std::vector<float> memory(size + kLine + 2 * kBeside, kUntouched);
  const size_t before = (0 - reinterpret_cast<uintptr_t>(memory.data()) / sizeof(float)) % kLine;
  float *const begin = memory.data() + before + kBeside + shift;
  JitKernel kernel(parseSpec(problem), {"pack", {}}, isa);
  EXPECT_EQ(kernel.error, "");
  Buffer<float> y(begin, {panel, c, planes, panels});
  kernel.run({w}, y);
  for (const float &value : memory)
    if (&value < begin || &value >= begin + size)
      EXPECT_EQ(value, kUntouched);
  return {begin, begin + size};
}

/// Blocks of channels that end with the channels and others, panels that end in zeros, taps of a filter that
/// lies apart, tiles whose blocks have one channel and several.
TEST(PackStream, StoresWhatOthersStore) {
  if (!canRun(Isa::Avx512))
    GTEST_SKIP() << "this processor has no AVX-512";
  std::mt19937 random(14);
  struct Filters {
    int panel, side, c, k;
    bool deconv;
    int shift;
  };
  for (const Filters &f : {Filters{32, 4, 64, 64, false, 0},
                           {32, 4, 132, 32, true, 0},
                           {32, 4, 6, 64, false, 0}, // no whole blocks
                           {32, 4, 8, 40, true, 0},  // the last panel ends in zeros
                           {16, 2, 72, 48, false, 0},
                           {64, 6, 10, 128, true, 0},
                           {128, 4, 5, 128, false, 0},
                           {32, 6, 12, 32, false, 4}}) { // no whole lines
    SCOPED_TRACE(std::to_string(f.c) + " to " + std::to_string(f.k) + " panel" + std::to_string(f.panel));
    const std::string problem = "pack_winograd panel" + std::to_string(f.panel) + " tile" +
                                std::to_string(f.side) + "x" + std::to_string(f.side) +
                                " scale0 from=" + (f.deconv ? "deconv" : "conv") + " step1x1 : f32";
    Buffer<float> w(3, 3, f.deconv ? f.k : f.c, f.deconv ? f.c : f.k);
    w.for_each_value([&](float &v) { v = std::uniform_real_distribution<float>(-1.f, 1.f)(random); });
    const int planes = (f.side + 2) * (f.side + 2), panels = (f.k + f.panel - 1) / f.panel;
    const std::vector<float> plain = pack(problem, Isa::Avx2, w, f.panel, planes, f.c, panels, f.shift),
                             streamed = pack(problem, Isa::Avx512, w, f.panel, planes, f.c, panels, f.shift);
    size_t different = 0;
    for (size_t i = 0; i < plain.size(); i++)
      different += !(plain[i] == streamed[i]);
    EXPECT_EQ(different, 0u);
  }
}

} // namespace
} // namespace segc::schedules
