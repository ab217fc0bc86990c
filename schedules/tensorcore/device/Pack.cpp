/// \file Weights from a file's f32 into the template's order and element; a thread writes 8 channels of a
/// tap.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/device/Result.h"

namespace segc::tensorcore {

extern "C" void segc_pack(const Arguments *arguments) {
  const Arguments &a = *arguments;
  const int octets = segc_c0 / 8, item = segc_warp_block() * 128 + segc_warp_thread();
  const int row = item / octets, c = item % octets * 8, taps = segc_rh * segc_rw, tap = row % taps,
            k = row / taps;
  if (k >= segc_k)
    return;
  const float *from = a.from + (long)k * a.fromK + (long)c * a.fromC + (long)(tap / segc_rw) * a.fromTapY +
                      (long)(tap % segc_rw) * a.fromTapX;
  const float scale = segc_scaled ? segc_warp_load4(a.vectors[0] + k) : 1.f;
  float v[8];
#pragma unroll
  for (int j = 0; j < 8; j++)
    v[j] = segc_warp_load4(from + (long)j * a.fromC) * scale;
  unsigned packed[8];
  pack(packed, v);
  store(a.y, item, 0, packed);
}

} // namespace segc::tensorcore
