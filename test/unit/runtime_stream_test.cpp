/// \file Stores past the caches: what they store, and that they store nothing else.
// SPDX-License-Identifier: MIT
#include "runtime/core/Cpu.h"
#include "runtime/core/Stream.h"
#include <gtest/gtest.h>
#include <vector>

namespace {

TEST(Stream, StoresLinesOfPixelsAtAnyAddress) {
  if (!(segc::rt::availableIsa() & segc::rt::kIsaAvx512))
    GTEST_SKIP() << "this processor has no AVX-512";
  constexpr int kLine = 64, kPixels = 5;
  for (int lines : {1, 3})
    for (int step : {lines * kLine, 8 * kLine, 5 * kLine + 2}) // the last one: not every pixel is aligned
      for (int offset : {0, 2, 64}) {
        std::vector<char> from(kPixels * lines * kLine), memory(kPixels * step + 8 * kLine, 'x');
        for (size_t i = 0; i < from.size(); i++)
          from[i] = char(i * 7 + i / 256);
        char *to = memory.data() + (kLine - reinterpret_cast<uintptr_t>(memory.data()) % kLine) + offset;
        std::vector<char> want = memory;
        for (int pixel = 0; pixel < kPixels; pixel++)
          for (int i = 0; i < lines * kLine; i++)
            want[to - memory.data() + pixel * step + i] = from[pixel * lines * kLine + i];
        EXPECT_EQ(segc_stream(to, step, from.data(), kPixels, lines), 0);
        EXPECT_EQ(segc_stream_end(), 0);
        EXPECT_EQ(memory, want) << lines << " " << step << " " << offset;
      }
}

} // namespace
