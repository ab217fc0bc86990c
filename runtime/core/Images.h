/// \file Machine code for some GPUs behind the PTX for all of them: how one block of bytes in a kernel object
/// holds them, and which of them a GPU gets.
///
/// The block is the PTX, a zero, and from the next multiple of 16 bytes on, for each image, its header and
/// its bytes, filled up to a multiple of 16. PTX alone is a block without images. Plain C++ without the
/// standard library: the compiler writes it, the executor reads it.
// SPDX-License-Identifier: MIT
#pragma once
#include <stdint.h>
#include <string.h>

namespace segc::rt {

constexpr uint64_t kImageAlignment = 16;

struct ImageHeader {
  uint64_t architecture; ///< 80 of sm_80: ten times the major number, and the minor one
  uint64_t bytes;        ///< of the image, which follows
};
static_assert(sizeof(ImageHeader) == kImageAlignment, "images begin at aligned places");

inline uint64_t alignImage(uint64_t bytes) {
  return (bytes + kImageAlignment - 1) / kImageAlignment * kImageAlignment;
}

inline bool hasImages(const char *code, uint64_t bytes) { return alignImage(strlen(code) + 1) < bytes; }

/// The newest image that a GPU of this architecture runs: code for sm_86 runs on sm_86 and sm_89, not on
/// sm_90. Null where there is none.
inline const char *chooseImage(const char *code, uint64_t bytes, uint64_t architecture, uint64_t *chosen) {
  const char *best = nullptr;
  *chosen = 0;
  for (uint64_t at = alignImage(strlen(code) + 1); at + sizeof(ImageHeader) <= bytes;) {
    ImageHeader header;
    memcpy(&header, code + at, sizeof header);
    const char *const image = code + at + sizeof header;
    if (header.architecture / 10 == architecture / 10 && header.architecture <= architecture &&
        header.architecture > *chosen) {
      best = image;
      *chosen = header.architecture;
    }
    at += sizeof header + alignImage(header.bytes);
  }
  return best;
}

} // namespace segc::rt
