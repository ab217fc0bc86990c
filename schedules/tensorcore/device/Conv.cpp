/// \file Convolution as an implicit GEMM: rows are result pixels, columns output channels, the reduction runs
/// over taps and channels. The data gradient and the phases of a deconvolution are the same on other weights
/// and views.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/device/Result.h"

namespace segc::tensorcore {
namespace {

/// Both operands lie in shared memory with the reduction innermost, tile_k elements a row.
struct ConvOperands {
  static constexpr int maxRows = 16; // of a thread
  static constexpr bool isTransposed = false;
  const Arguments &a;
  const Extents &e;
  int firstK;
  Window windows[maxRows];

  static int rowChunks() { return segc_tile_k / chunkElements(); }
  static int rowStep() { return threads() / rowChunks(); }
  static int stageBytes() { return (segc_tile_m + segc_tile_n) * rowChunks() * 16; }
  static int chunk() { return segc_warp_thread() % rowChunks(); }
  static int row() { return segc_warp_thread() / rowChunks(); }
  static int reductionChunks() { return segc_rh * segc_rw * (segc_c0 + segc_c1) / chunkElements(); }
  static int steps() { return divideUp(reductionChunks(), rowChunks()); }

  ConvOperands(const Arguments &a, const Extents &e, int tile, int firstK) : a(a), e(e), firstK(firstK) {
#pragma unroll
    for (int i = 0; i < segc_tile_m / rowStep(); i++)
      windows[i] = Window(a, pixelOf(e, tile, row() + i * rowStep()));
  }

  void copy(int step, int stage) {
    const int base = stage * stageBytes(), at = step * rowChunks() + chunk();
    const Column column(a, at);
#pragma unroll
    for (int i = 0; i < segc_tile_m / rowStep(); i++)
      copyInput(base + 16 * swizzle(row() + i * rowStep(), chunk(), rowChunks()), column, windows[i], e);
#pragma unroll
    for (int i = 0; i < segc_tile_n / rowStep(); i++) {
      const int inTile = row() + i * rowStep(), k = firstK + inTile;
      const bool inside = k < segc_k && at < reductionChunks();
      segc_warp_cp_async16(base + 16 * swizzle(segc_tile_m + inTile, chunk(), rowChunks()),
                           a.weights +
                               (inside ? 16l * (a.phases[phase()].weights + k * reductionChunks() + at) : 0),
                           inside ? 16 : 0);
    }
  }

  /// Matrices: rows 0-7 and 8-15 of the first chunk, then of the second.
  void loadA(unsigned *to, int stage, int slice, int i) {
    const int at = warpM() + 16 * i + lane() % 16;
    segc_warp_ldmatrix(to, stage * stageBytes() + 16 * swizzle(at, 2 * slice + lane() / 16, rowChunks()));
    roundFragment(to, 4);
  }

  /// Two instructions' worth: both chunks of channels 0-7, then of 8-15.
  void loadB(unsigned *to, int stage, int slice, int j) {
    const int at = segc_tile_m + warpN() + 16 * j + lane() / 16 * 8 + lane() % 8;
    segc_warp_ldmatrix(to, stage * stageBytes() + 16 * swizzle(at, 2 * slice + lane() / 8 % 2, rowChunks()));
    roundFragment(to, 4);
  }

  unsigned long descriptorA(int stage, int slice, int i) {
    return descriptor(stage * stageBytes() + 128 * (warpM() + 64 * i), slice);
  }
  unsigned long descriptorB(int stage, int slice) {
    return descriptor(stage * stageBytes() + 128 * (segc_tile_m + warpN()), slice);
  }
};

void storeTile(const Arguments &a, const Extents &e, int tile, int firstK, const Accumulators &acc) {
  const int octets = segc_warp_n / 8;
  exchange(acc, [&](int column) {
    if (segc_pool && parts(a) == 1) {
      const int tileW =
          segc_tile_w ? segc_tile_w : 2; // never 0 here, but the code of other kernels divides too
      for (int item = segc_warp_thread(); item < segc_tile_m / 4 * octets; item += threads()) {
        const int window = item / octets, octet = item % octets, k = firstK + column + 8 * octet;
        const int row = window / (tileW / 2) * 2 * tileW + window % (tileW / 2) * 2;
        if (k < segc_k)
          finishWindow(a, e, pixelOf(e, tile, row), k,
                       [&](float *v, int i) { loadOctet(v, row + i / 2 * tileW + i % 2, octet); });
      }
      return;
    }
#pragma unroll 1
    for (int item = segc_warp_thread(); item < segc_tile_m * octets; item += threads()) {
      const int row = item / octets, octet = item % octets, k = firstK + column + 8 * octet;
      const Pixel p = pixelOf(e, tile, row);
      if (k >= segc_k || !p.exists)
        continue;
      float v[8];
      unsigned packed[8];
      loadOctet(v, row, octet);
      if (parts(a) == 1) {
        finish(a, v, packed, p, k);
        continue;
      }
      const long image = (long)segc_warp_part() * segc_phases + phase();
      const long at = image * e.pixels() + (p.n * e.height + p.y) * e.width + p.x;
      storeFloats((char *)(a.partial + at * segc_k + k), v);
    }
  });
}

} // namespace

/// Blocks: tiles of channels fastest, so that neighbours read the same pixels.
extern "C" void segc_conv(const Arguments *arguments) {
  const Arguments &a = *arguments;
  const Extents e(a);
  const int tilesN = divideUp(segc_k, segc_tile_n), tile = segc_warp_block() / tilesN;
  const int firstK = segc_warp_block() % tilesN * segc_tile_n;
  ConvOperands operands(a, e, tile, firstK);
  Accumulators acc;
  clear(acc);
  int first, last;
  partOf(a, ConvOperands::steps(), first, last);
  if (segc_wgmma)
    pipelineOfGroups(operands, first, last, acc);
  else
    pipeline(operands, first, last, acc);
  storeTile(a, e, tile, firstK, acc);
}

/// Adds the parts of a split reduction up; a thread takes an octet of a pixel, or of the four of a window.
extern "C" void segc_conv_sum(const Arguments *arguments) {
  const Arguments &a = *arguments;
  const Extents e(a);
  const int octets = segc_k / 8, item = segc_warp_block() * 128 + segc_warp_thread();
  const int unit = item / octets, k = item % octets * 8;
  const long size = (long)e.pixels() * octets;
  if (segc_pool) {
    const int across = divideUp(e.width, 2), down = divideUp(e.height, 2);
    const Pixel p = {unit / across / down, unit / across % down * 2, unit % across * 2, true};
    if (p.n >= e.images)
      return;
    finishWindow(a, e, p, k, [&](float *v, int i) {
      const long pixel = ((long)p.n * e.height + p.y + i / 2) * e.width + p.x + i % 2;
      sumParts(v, a, pixel * octets + k / 8, size);
    });
    return;
  }
  const Pixel p = pixelOf(e, unit);
  if (!p.exists)
    return;
  float v[8];
  unsigned packed[8];
  sumParts(v, a, ((long)phase() * e.pixels() + unit) * octets + k / 8, segc_phases * size);
  finish(a, v, packed, p, k);
}

} // namespace segc::tensorcore
