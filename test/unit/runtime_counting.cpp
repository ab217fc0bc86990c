/// \file Counts what a test must not do: allocate, start threads.
// SPDX-License-Identifier: MIT
#include "runtime_support.h"
#include <atomic>
#include <dirent.h>

// Allocations of the whole process are counted; glibc's own functions do the work. Sanitizers bring their
// own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEGC_COUNTS 0
#else
#define SEGC_COUNTS 1
#endif
static std::atomic<long> allocations{0};
#if SEGC_COUNTS
extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
}
extern "C" {
void *malloc(size_t n) { return ++allocations, __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return ++allocations, __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return ++allocations, __libc_realloc(p, n); }
int posix_memalign(void **p, size_t a, size_t n) {
  return ++allocations, (*p = __libc_memalign(a, n)) ? 0 : 12;
}
}
#endif

namespace segc::test {

long allocations() { return ::allocations; }
const bool allocationsCount = SEGC_COUNTS != 0;

int threadsOfProcess() {
  int count = 0;
  DIR *dir = opendir("/proc/self/task");
  while (dirent *entry = readdir(dir))
    count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

} // namespace segc::test
