/// \file What kernels call for results that pass the caches by.
// SPDX-License-Identifier: MIT
#pragma once
#include <stdint.h>

extern "C" {

/// Stores `pixels` times `lines` cache lines, which lie one behind the other from `from` on: those of the
/// first pixel at `to`, of each other one `step` bytes further on. Only kernels with AVX-512 call it. 0.
int segc_stream(char *to, int64_t step, const char *from, int pixels, int lines);

/// Other stores of this thread come behind those of segc_stream(): at the end of a task, before another
/// thread is told of it. 0.
int segc_stream_end();
}
