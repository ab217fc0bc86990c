/// \file Large blocks of memory whose pages are there before they are used.
// SPDX-License-Identifier: MIT
#pragma once
#include <stddef.h>

namespace segc::rt {

/// Zeroed memory, aligned to 64 bytes, every page touched; huge pages where it is large. Null without memory;
/// release with free().
char *allocateTouched(size_t bytes);

} // namespace segc::rt
