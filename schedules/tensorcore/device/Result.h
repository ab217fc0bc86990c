/// \file What becomes of an octet of sums: the epilogue, rounding, 16-byte stores, the pool of four pixels.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/tensorcore/device/Pixels.h"

/// Generated for the problem: the steps of its epilogue on channels k to k + 7 of one pixel.
extern "C" void segc_epilogue(float *v, const segc::tensorcore::Arguments *a, int k, int n, int y, int x);

namespace segc::tensorcore {

inline int resultBytes() { return segc_result_f32 ? 4 : 2; }

inline float unpack(unsigned bits) {
  if (segc_element == 1)
    return segc_warp_unpack_f16(bits);
  return __builtin_bit_cast(float, bits << 16);
}

/// The octet as it is stored: four registers of two, or eight.
inline void pack(unsigned *to, const float *v) {
#pragma unroll
  for (int i = 0; i < 8; i++)
    if (segc_result_f32)
      to[i] = __builtin_bit_cast(unsigned, v[i]);
    else if (i % 2 == 0)
      to[i / 2] =
          segc_element == 1 ? segc_warp_pack_f16(v[i], v[i + 1]) : segc_warp_pack_bf16(v[i], v[i + 1]);
}

inline void unpack(float *to, const unsigned *from) {
#pragma unroll
  for (int i = 0; i < 8; i++)
    to[i] = segc_result_f32 ? __builtin_bit_cast(float, from[i]) : unpack(from[i / 2] >> (i % 2 * 16));
}

/// The octet of channel k; pixels beyond 2^31 octets need the product in 64 bits.
inline char *octetOf(const View &v, int offset, int k, int bytes) {
  return v.data + 8l * bytes * (offset + k / 8);
}

inline void store(const View &to, int offset, int k, const unsigned *packed) {
  char *at = octetOf(to, offset, k, resultBytes());
  segc_warp_store16(at, packed);
  if (segc_result_f32)
    segc_warp_store16(at + 16, packed + 4);
}

/// Epilogue, rounding and store of one pixel's octet; a pool may be all that reads it.
inline void finish(const Arguments &a, float *v, unsigned *packed, const Pixel &p, int k) {
  segc_epilogue(v, &a, k, p.n, p.y, p.x);
  pack(packed, v);
  if (segc_keep)
    store(a.y, a.phases[phase()].y + offset(a.y, p), k, packed);
}

/// Four pixels of a 2x2 window, `first` its upper left one; `sums(v, i)` gives those of pixel i. The pool
/// sees rounded values, as one that reads the stored tensor would; NaN wins, the first of equals is the
/// index.
template <class Sums>
inline void finishWindow(const Arguments &a, const Extents &e, const Pixel &first, int k, Sums sums) {
  float best[8];
  unsigned where[8];
#pragma unroll 1 // registers: the sums of other columns wait in theirs
  for (int i = 0; i < 4; i++) {
    const Pixel p = {first.n, first.y + i / 2, first.x + i % 2, first.exists};
    if (!p.exists || p.y >= e.height || p.x >= e.width)
      continue;
    float v[8];
    unsigned packed[8];
    sums(v, i);
    finish(a, v, packed, p, k);
    unpack(v, packed);
#pragma unroll
    for (int j = 0; j < 8; j++) {
      const bool better = i == 0 || !(v[j] <= best[j] || best[j] != best[j]);
      best[j] = better ? v[j] : best[j];
      where[j] = better ? unsigned(i) : where[j];
    }
  }
  if (!first.exists || first.y + 1 >= e.height || first.x + 1 >= e.width)
    return;
  const Pixel p = {first.n, first.y / 2, first.x / 2, true};
  unsigned packed[8];
  pack(packed, best);
  store(a.pooled, offset(a.pooled, p), k, packed);
  if (segc_index)
    segc_warp_store8(octetOf(a.index, offset(a.index, p), k, 1),
                     where[0] | where[1] << 8 | where[2] << 16 | where[3] << 24,
                     where[4] | where[5] << 8 | where[6] << 16 | where[7] << 24);
}

/// Sums of all parts, in the order of the parts, whoever computed them first. Parts lie `size` octets apart.
inline void sumParts(float *v, const Arguments &a, long octet, long size) {
  loadFloats(v, (const char *)(a.partial + 8 * octet));
  for (int part = 1; part < parts(a); part++) {
    float next[8];
    loadFloats(next, (const char *)(a.partial + 8 * (octet + part * size)));
#pragma unroll
    for (int j = 0; j < 8; j++)
      v[j] += next[j];
  }
}

} // namespace segc::tensorcore
