/// \file How every failure of a compiled model is reported: a status code and a text kept for the calling
/// thread.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/include/segc/model.h"
#include <stddef.h>

namespace segc::rt {

/// Bytes of a failure's text, the terminating zero included; longer texts are cut.
constexpr size_t kErrorBytes = 4096;

/// Keeps the text for lastError() of this thread and returns `status`. The only allocation is one block a
/// thread at its first failure; without memory a fixed sentence stands in.
int fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/// The text of this thread's last failure, or "no error"; never null.
const char *lastError();

/// "OK", "INVALID_SHAPE", ...; "UNKNOWN" for numbers that are no status.
const char *statusName(int status);

/// Appends formatted text to a fixed array; what does not fit is dropped.
struct TextBuffer {
  char *text;
  size_t capacity, used;
  void append(const char *format, ...) __attribute__((format(printf, 2, 3)));
};

} // namespace segc::rt
