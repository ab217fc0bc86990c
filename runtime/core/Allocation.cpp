/// \file posix_memalign, advice for the kernel, and zeros.
// SPDX-License-Identifier: MIT
#include "runtime/core/Allocation.h"
#include "runtime/core/Table.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

namespace segc::rt {

char *allocateTouched(size_t bytes) {
  constexpr size_t kHugePage = size_t(2) << 20;
  const bool large = bytes >= 2 * kHugePage;
  const size_t alignment = large ? kHugePage : kAlignment;
  void *memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes ? bytes : 1) != 0)
    return nullptr;
  if (large)
    madvise(memory, bytes, MADV_HUGEPAGE);
  memset(memory, 0, bytes);
  return static_cast<char *>(memory);
}

} // namespace segc::rt
