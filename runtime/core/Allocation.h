/// \file Large blocks of memory.
// SPDX-License-Identifier: MIT
#pragma once
#include <stddef.h>

namespace segc::rt {

/// Zeroed memory, aligned to 64 bytes, every page touched; huge pages where it is large. Null without memory;
/// release with free().
char *allocateTouched(size_t bytes);

/// Zeroed memory, aligned to 64 bytes, whose pages come when they are written, huge ones where it is large.
/// Null without memory.
char *mapZeros(size_t bytes);
/// What mapZeros() gave for so many bytes; null is fine.
void unmapZeros(char *memory, size_t bytes);

} // namespace segc::rt
