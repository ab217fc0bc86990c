/// \file posix_memalign, advice for the kernel, and zeros.
// SPDX-License-Identifier: MIT
#include "runtime/core/Allocation.h"
#include "runtime/core/Table.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

namespace segc::rt {

namespace {

constexpr size_t kHugePage = size_t(2) << 20;

/// What is mapped for a block: whole pages, huge ones for a large block.
size_t mappedBytes(size_t bytes) {
  const size_t page = bytes >= 2 * kHugePage ? kHugePage : 4096;
  return (bytes + page) / page * page;
}

} // namespace

char *mapZeros(size_t bytes) {
  const size_t size = mappedBytes(bytes), room = size + kHugePage;
  void *const map = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED)
    return nullptr;
  // What lies before the first huge page and behind the block goes back.
  char *const begin = static_cast<char *>(map), *const end = begin + room;
  char *const memory =
      reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(begin) + kHugePage - 1) / kHugePage * kHugePage);
  if (memory > begin)
    munmap(begin, size_t(memory - begin));
  if (end > memory + size)
    munmap(memory + size, size_t(end - memory) - size);
  if (size >= kHugePage)
    madvise(memory, size, MADV_HUGEPAGE);
  return memory;
}

void unmapZeros(char *memory, size_t bytes) {
  if (memory)
    munmap(memory, mappedBytes(bytes));
}

char *allocateTouched(size_t bytes) {
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
