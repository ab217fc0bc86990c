/// \file What a kernel's user context points to: the thread's lane, with its scratch memory.
// SPDX-License-Identifier: MIT
#pragma once
#include <stdint.h>

namespace segc::rt {

struct Crew;
struct Device;

/// One thread's share of a running model. Halide hands it on: a task of a parallel loop gets its own lane.
struct alignas(64) Lane {
  Crew *crew;
  char *scratch;     ///< 64-byte aligned
  uint64_t capacity; ///< bytes of scratch
  uint64_t used;     ///< bump pointer; falls back to the end of the last block that is live
  uint32_t live;     ///< blocks on the stack below, some of which may have been returned out of order
  struct Block {
    uint64_t start;
    bool returned;
  } blocks[16]; ///< a kernel has a handful at a time
};

/// The lanes of one model. A model runs one kernel at a time, so one flag says whether a parallel loop is on;
/// loops inside it run on the lane that meets them.
struct Crew {
  Lane *lanes;
  int count;
  bool inside;
  Device *device; ///< null: kernels run on the lanes
};

} // namespace segc::rt
