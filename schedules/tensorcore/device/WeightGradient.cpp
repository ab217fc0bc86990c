/// \file The weight gradient as a GEMM over pixels: rows are output channels, columns taps and input
/// channels.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/device/Result.h"

namespace segc::tensorcore {
namespace {

/// Both operands lie in shared memory as in the tensors, pixel by pixel; the fragments want the pixels
/// innermost, so ldmatrix transposes, which it can for 16-bit elements; others are read one by one. wgmma
/// transposes too, in rows of 128 bytes.
struct GradientOperands {
  static constexpr bool isTransposed = true;
  const Arguments &a;
  const Extents &e;
  int firstK;
  Column column;

  static int chunksA() { return segc_tile_m / chunkElements(); }
  static int chunksB() { return segc_tile_n / chunkElements(); }
  static int bytesA() { return segc_tile_k * chunksA() * 16; }
  static int stageBytes() { return bytesA() + segc_tile_k * chunksB() * 16; }
  static int columnChunks() { return segc_rh * segc_rw * (segc_c0 + segc_c1) / chunkElements(); }
  /// Where a pixel's chunk lies, in bytes: in the row of the pixel, or of warpgroups in that of its 64
  /// channels, one panel of all pixels behind the other.
  static int place(int pixel, int chunk, int chunks) {
    return 16 * (segc_wgmma ? chunk / 8 * (8 * segc_tile_k) + swizzle(pixel, chunk % 8, 8)
                            : swizzle(pixel, chunk, chunks));
  }

  GradientOperands(const Arguments &a, const Extents &e, int firstK, int firstColumn)
      : a(a), e(e), firstK(firstK),
        column(a, firstColumn / chunkElements() + segc_warp_thread() % chunksB()) {}

  void copy(int step, int stage) {
    const int base = stage * stageBytes();
    const int chunkA = segc_warp_thread() % chunksA(), stepA = threads() / chunksA();
    const int k = firstK + chunkA * chunkElements();
#pragma unroll
    for (int i = 0; i < segc_tile_k / stepA; i++) {
      const int row = segc_warp_thread() / chunksA() + i * stepA;
      const Pixel p = pixelOf(e, step * segc_tile_k + row);
      const bool inside = p.exists && k < segc_k;
      const long at = 16l * (offset(a.y, p) * (8 / chunkElements()) + k / chunkElements());
      segc_warp_cp_async16(base + place(row, chunkA, chunksA()), a.y.data + (inside ? at : 0),
                           inside ? 16 : 0);
    }
    const int chunkB = segc_warp_thread() % chunksB(), stepB = threads() / chunksB();
#pragma unroll
    for (int i = 0; i < segc_tile_k / stepB; i++) {
      const int row = segc_warp_thread() / chunksB() + i * stepB;
      copyInput(base + bytesA() + place(row, chunkB, chunksB()), column,
                Window(a, pixelOf(e, step * segc_tile_k + row)), e);
    }
  }

  static unsigned word(int base, int row, int column, int rowChunks) {
    return segc_warp_shared_load4(base + 16 * swizzle(row, column / 4, rowChunks) + column % 4 * 4);
  }

  /// Matrices: channels 0-7 and 8-15 of the first pixels, then of the second.
  void loadA(unsigned *to, int stage, int slice, int i) {
    const int base = stage * stageBytes(), column = warpM() + 16 * i;
    if (segc_element == 2) {
#pragma unroll
      for (int r = 0; r < 4; r++)
        to[r] = word(base, 8 * slice + lane() % 4 + r / 2 * 4, column + lane() / 4 + r % 2 * 8, chunksA());
      roundFragment(to, 4);
      return;
    }
    const int row = 16 * slice + lane() / 16 * 8 + lane() % 8;
    segc_warp_ldmatrix_trans(to, base + 16 * swizzle(row, column / 8 + lane() / 8 % 2, chunksA()));
  }

  /// Two instructions' worth: both halves of the pixels for columns 0-7, then for 8-15.
  void loadB(unsigned *to, int stage, int slice, int j) {
    const int base = stage * stageBytes() + bytesA(), column = warpN() + 16 * j;
    if (segc_element == 2) {
#pragma unroll
      for (int r = 0; r < 4; r++)
        to[r] = word(base, 8 * slice + lane() % 4 + r % 2 * 4, column + lane() / 4 + r / 2 * 8, chunksB());
      roundFragment(to, 4);
      return;
    }
    const int row = 16 * slice + lane() % 16;
    segc_warp_ldmatrix_trans(to, base + 16 * swizzle(row, column / 8 + lane() / 16, chunksB()));
  }

  /// Panels of 64 channels, and of 64 columns, are tile_k rows of 128 bytes.
  unsigned long descriptorA(int stage, int slice, int i) {
    return descriptorAcross(stage * stageBytes() + 2 * segc_tile_k * (warpM() + 64 * i), slice);
  }
  unsigned long descriptorB(int stage, int slice) {
    return descriptorAcross(stage * stageBytes() + bytesA() + 2 * segc_tile_k * warpN(), slice);
  }
};

inline int columns() { return segc_rh * segc_rw * (segc_c0 + segc_c1); }

} // namespace

extern "C" void segc_weight_gradient(const Arguments *arguments) {
  const Arguments &a = *arguments;
  const Extents e(a);
  const int tilesN = divideUp(columns(), segc_tile_n);
  const int firstK = segc_warp_block() / tilesN * segc_tile_m,
            firstColumn = segc_warp_block() % tilesN * segc_tile_n;
  GradientOperands operands(a, e, firstK, firstColumn);
  Accumulators acc;
  clear(acc);
  int first, last;
  partOf(a, divideUp(e.pixels(), segc_tile_k), first, last);
  if (segc_wgmma)
    pipelineOfGroups(operands, first, last, acc);
  else
    pipeline(operands, first, last, acc);
  exchange(acc, [&](int column) {
    const int octets = segc_warp_n / 8;
#pragma unroll 1
    for (int item = segc_warp_thread(); item < segc_tile_m * octets; item += threads()) {
      const int row = item / octets, octet = item % octets;
      const int k = firstK + row, at = firstColumn + column + 8 * octet;
      if (k >= segc_k || at >= columns())
        continue;
      float v[8];
      loadOctet(v, row, octet);
      const long part = segc_parts == 1 ? 0 : segc_warp_part();
      storeFloats((char *)(a.partial + (part * segc_k + k) * columns() + at), v);
    }
  });
}

/// Adds the parts up, in their order, and writes the file's layout; a thread takes 8 channels of a tap.
extern "C" void segc_weight_gradient_sum(const Arguments *arguments) {
  const Arguments &a = *arguments;
  const int octets = columns() / 8, item = segc_warp_block() * 128 + segc_warp_thread();
  const int k = item / octets, column = item % octets * 8, channels = segc_c0 + segc_c1;
  if (k >= segc_k)
    return;
  float v[8];
  sumParts(v, a, item, (long)segc_k * octets);
  float *to = a.gradient + (long)k * a.gradientK + (long)(column / channels) * a.gradientTap +
              (long)(column % channels) * a.gradientC;
#pragma unroll
  for (int j = 0; j < 8; j++)
    segc_warp_store4(to + (long)j * a.gradientC, v[j]);
}

} // namespace segc::tensorcore
