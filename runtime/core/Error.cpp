/// \file The calling thread's failure text, in a pthread key rather than thread-local storage.
///
/// A dynamic TLS model would make ld-linux a dependency of the library, and initial-exec TLS takes from a
/// small reserve that several models opened by dlopen() could exhaust.
// SPDX-License-Identifier: MIT
#include "runtime/core/Error.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

namespace segc::rt {
namespace {

pthread_once_t keyOnce = PTHREAD_ONCE_INIT;
pthread_key_t key;
bool keyExists = false;

// The destructor is libc's own free: it is still there when this library has been unloaded.
void createKey() { keyExists = pthread_key_create(&key, free) == 0; }

__attribute__((destructor)) void deleteKey() {
  if (keyExists)
    pthread_key_delete(key);
}

} // namespace

int fail(int status, const char *format, ...) {
  pthread_once(&keyOnce, createKey);
  if (!keyExists)
    return status;
  char *text = static_cast<char *>(pthread_getspecific(key));
  if (!text) {
    text = static_cast<char *>(malloc(kErrorBytes));
    if (!text || pthread_setspecific(key, text) != 0) {
      free(text);
      return status;
    }
  }
  va_list list;
  va_start(list, format);
  vsnprintf(text, kErrorBytes, format, list);
  va_end(list);
  return status;
}

const char *lastError() {
  pthread_once(&keyOnce, createKey);
  const char *text = keyExists ? static_cast<const char *>(pthread_getspecific(key)) : nullptr;
  return text ? text : "no error";
}

const char *statusName(int status) {
  static const char *const names[] = {"OK",
                                      "INVALID_ARGUMENT",
                                      "INVALID_SHAPE",
                                      "INVALID_TENSOR",
                                      "NEEDS_RESHAPE",
                                      "INVALID_WEIGHTS",
                                      "IO_ERROR",
                                      "OUT_OF_MEMORY",
                                      "UNSUPPORTED_CPU",
                                      "WORKSPACE_TOO_SMALL",
                                      "BUSY",
                                      "KERNEL_FAILED",
                                      "NOT_FINITE",
                                      "UNSUPPORTED",
                                      "NO_DEVICE",
                                      "DEVICE_FAILED"};
  return status >= 0 && status < int(sizeof(names) / sizeof(*names)) ? names[status] : "UNKNOWN";
}

void TextBuffer::append(const char *format, ...) {
  if (used + 1 >= capacity)
    return;
  va_list list;
  va_start(list, format);
  int length = vsnprintf(text + used, capacity - used, format, list);
  va_end(list);
  if (length > 0)
    used = used + size_t(length) < capacity ? used + size_t(length) : capacity - 1;
}

} // namespace segc::rt
