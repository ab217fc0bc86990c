/// \file Stores that do not read what they overwrite: whole cache lines go to memory, if that is aligned.
// SPDX-License-Identifier: MIT
#include "runtime/core/Stream.h"
#include <stddef.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {
constexpr int kLine = 64; // bytes
}

#if defined(__x86_64__)
__attribute__((target("avx512f")))
#endif
int segc_stream(char *to, int64_t step, const char *from, int pixels, int lines) {
#if defined(__x86_64__)
  if ((reinterpret_cast<uintptr_t>(to) | uint64_t(step)) % kLine == 0) {
    for (int i = 0; i < pixels; ++i, to += step)
      for (int line = 0; line < lines; ++line, from += kLine)
        _mm512_stream_si512(reinterpret_cast<__m512i *>(to + line * kLine), _mm512_loadu_si512(from));
    return 0;
  }
#endif
  for (int i = 0; i < pixels; ++i, to += step, from += lines * kLine)
    __builtin_memcpy(to, from, size_t(lines) * kLine);
  return 0;
}

int segc_stream_end() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
  return 0;
}
