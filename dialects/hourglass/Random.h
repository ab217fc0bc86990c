/// \file The counter-based generator behind dropout: a number depends on seed, step, site and element alone.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>

namespace segc::hg {

/// The finaliser of MurmurHash3 (Appleby, public domain): every input bit flips every output bit half of the
/// time.
inline uint32_t mix(uint32_t h) {
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  return h ^ (h >> 16);
}

/// Uniform in [0, 1) with 24 bits: element `index` (row-major in N, H, W, C) of dropout `site`.
inline float uniform(uint32_t seed, uint32_t step, uint32_t site, uint32_t index) {
  return static_cast<float>(mix(index ^ mix(site ^ mix(step ^ mix(seed)))) >> 8) * 0x1p-24f;
}

} // namespace segc::hg
