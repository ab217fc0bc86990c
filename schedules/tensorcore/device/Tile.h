/// \file The part of the GEMM that does not know what it multiplies: tiles in shared memory, fragments,
/// pipeline.
///
/// A block computes tile_m x tile_n, each of its warps (or warpgroups) warp_m x warp_n of it in f32
/// registers. Rows of a tile in shared memory lie in 16-byte chunks; chunk c of row r is stored at place
/// swizzle(r, c), so that the eight rows that one 8x8 matrix takes from one column of chunks lie in eight
/// different groups of four banks.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/TensorCoreArguments.h"
#include "schedules/tensorcore/device/Constants.h"
#include "schedules/tensorcore/device/Primitives.h"

namespace segc::tensorcore {

constexpr int maxWarpM = 64, maxWarpN = 64, maxGroupN = 256;
/// Of one warp: tiles of 16x8, each with rows lane / 4 and lane / 4 + 8, columns 2 * (lane % 4) and the next.
/// Of a warpgroup each warp has 16 rows of every 64.
using Accumulators = float[maxWarpM / 16][maxGroupN / 8][4];

inline int elementBytes() { return segc_element == 2 ? 4 : 2; }
inline int chunkElements() { return 16 / elementBytes(); }
inline int warpsM() { return segc_tile_m / segc_warp_m; }
/// Of a warp, or of a warpgroup, as a power of two.
inline int teamBits() { return segc_wgmma ? 7 : 5; }
inline int threads() { return (1 << teamBits()) * warpsM() * (segc_tile_n / segc_warp_n); }
inline int lane() { return segc_warp_thread() & 31; }
inline int warpM() { return (segc_warp_thread() >> teamBits()) % warpsM() * segc_warp_m; }
inline int warpN() { return (segc_warp_thread() >> teamBits()) / warpsM() * segc_warp_n; }
/// Of the accumulators: how many times 16 rows this warp has, and where they begin.
inline int rowTiles() { return segc_warp_m / (segc_wgmma ? 64 : 16); }
inline int rowOf(int i) {
  return warpM() + (segc_wgmma ? 64 * i + (segc_warp_thread() >> 5) % 4 * 16 : 16 * i);
}
inline int divideUp(int a, int b) { return (a + b - 1) / b; }

/// Rows of at least 128 bytes cross all banks: XOR with the row. Two rows of 64 bytes share a line of banks:
/// XOR with the line.
inline int swizzle(int row, int chunk, int rowChunks) {
  return row * rowChunks + (chunk ^ (rowChunks >= 8 ? row & 7 : (row >> 1) & 3));
}

inline void mma(float *acc, const unsigned *a, const unsigned *b) {
  if (segc_element == 0)
    segc_warp_mma_bf16(acc, a, b);
  else if (segc_element == 1)
    segc_warp_mma_f16(acc, a, b);
  else
    segc_warp_mma_tf32(acc, a, b);
}

/// The instruction would cut the 13 low bits off.
inline void roundFragment(unsigned *registers, int count) {
  if (segc_element != 2)
    return;
#pragma unroll
  for (int i = 0; i < count; i++)
    registers[i] = segc_warp_round_tf32(registers[i]);
}

/// Steps `first` to `last` of the reduction with `stages` buffers: while one is multiplied, stages - 1 are on
/// their way. One barrier a step: after it, all threads see the step's copies and none reads the buffer any
/// more that the next copy goes to. Empty groups keep the count of those under way the same at the end.
template <class Operands> inline void pipeline(Operands &operands, int first, int last, Accumulators &acc) {
  for (int s = 0; s < segc_stages - 1; s++) {
    if (first + s < last)
      operands.copy(first + s, s);
    segc_warp_cp_async_commit();
  }
  int reading = 0, writing = segc_stages - 1;
#pragma unroll 1
  for (int step = first; step < last; step++) {
    segc_warp_cp_async_wait(segc_stages - 2);
    segc_warp_barrier();
    if (step + segc_stages - 1 < last)
      operands.copy(step + segc_stages - 1, writing);
    segc_warp_cp_async_commit();
    writing = writing + 1 == segc_stages ? 0 : writing + 1;

    // One instruction takes 32 bytes of the reduction: 16 elements of 2 bytes, 8 of 4.
    const int slices = segc_tile_k * elementBytes() / 32;
#pragma unroll
    for (int slice = 0; slice < slices; slice++) {
      unsigned a[maxWarpM / 16][4], b[maxWarpN / 16][4];
#pragma unroll
      for (int i = 0; i < segc_warp_m / 16; i++)
        operands.loadA(a[i], reading, slice, i);
#pragma unroll
      for (int j = 0; j < segc_warp_n / 16; j++)
        operands.loadB(b[j], reading, slice, j);
#pragma unroll
      for (int i = 0; i < segc_warp_m / 16; i++)
#pragma unroll
        for (int j = 0; j < segc_warp_n / 8; j++)
          mma(acc[i][j], a[i], b[j / 2] + j % 2 * 2);
    }
    reading = reading + 1 == segc_stages ? 0 : reading + 1;
  }
}

/// The same where warpgroups multiply, which they do by themselves: the products of a step run while the next
/// copies are started and while its threads go on to the next barrier, up to which one step is under way. So
/// a buffer is free only after the second barrier behind its products: copies are stages - 2 ahead. What has
/// come is fenced for the async proxy by those who copied it, before the barrier.
template <class Operands>
inline void pipelineOfGroups(Operands &operands, int first, int last, Accumulators &acc) {
  const int ahead = segc_stages - 2;
  for (int s = 0; s < ahead; s++) {
    if (first + s < last)
      operands.copy(first + s, s);
    segc_warp_cp_async_commit();
  }
  int reading = 0, writing = ahead;
#pragma unroll 1
  for (int step = first; step < last; step++) {
    segc_warp_cp_async_wait(ahead - 1);
    segc_warp_fence_async();
    segc_warp_barrier();
    segc_warp_wgmma_fence();
#pragma unroll
    for (int slice = 0; slice < segc_tile_k * elementBytes() / 32; slice++)
#pragma unroll
      for (int i = 0; i < segc_warp_m / 64; i++)
        segc_warp_wgmma(&acc[i][0][0], operands.descriptorA(reading, slice, i),
                        operands.descriptorB(reading, slice), segc_warp_n, segc_element,
                        Operands::isTransposed, Operands::isTransposed);
    segc_warp_wgmma_commit();
    if (step + ahead < last)
      operands.copy(step + ahead, writing);
    segc_warp_cp_async_commit();
    segc_warp_wgmma_wait(1);
    writing = writing + 1 == segc_stages ? 0 : writing + 1;
    reading = reading + 1 == segc_stages ? 0 : reading + 1;
  }
  segc_warp_wgmma_wait(0);
}

/// The descriptor of rows of 128 bytes, swizzled as by swizzle(), the first at a multiple of 1024 bytes of
/// shared memory: address, `leading`, the distance of eight rows, and the mode.
inline unsigned long descriptorOfRows(int shared, int leading) {
  const unsigned address = unsigned(segc_warp_shared_base() + shared);
  return (address & 0x3ffff) >> 4 | (unsigned long)(leading >> 4) << 16 | (8ul * 128 >> 4) << 32 | 1ul << 62;
}
/// Of rows along the reduction, of which `slice` counts 32 bytes. There is no other distance: it is 1.
inline unsigned long descriptor(int shared, int slice) { return descriptorOfRows(shared + 32 * slice, 16); }
/// Of rows across it, tile_k of them for every 64 columns, the next 64 behind these; `slice` counts 16 rows.
inline unsigned long descriptorAcross(int shared, int slice) {
  return descriptorOfRows(shared + 16 * 128 * slice, segc_tile_k * 128);
}

/// Of the reduction in this launch. With one the block finishes its results itself.
inline int parts(const Arguments &a) { return segc_parts == 1 ? 1 : a.parts; }

/// The steps of this block's part of the reduction; part p of P takes floor(p * steps / P) up to the next
/// one's.
inline void partOf(const Arguments &a, int steps, int &first, int &last) {
  const int part = segc_parts == 1 ? 0 : segc_warp_part();
  first = int((long)steps * part / parts(a));
  last = int((long)steps * (part + 1) / parts(a));
}

inline void clear(Accumulators &acc) {
#pragma unroll
  for (int i = 0; i < rowTiles(); i++)
#pragma unroll
    for (int j = 0; j < segc_warp_n / 8; j++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        acc[i][j][e] = 0;
}

/// Rows of the exchange of results lie warp_n + 8 floats apart: the 16 lanes that store 8 bytes at once hit
/// all banks once.
inline int exchangePlace(int row, int column) { return 4 * (row * (segc_warp_n + 8) + column); }

/// Hands the block's results out as octets (row, column, 8 floats from shared memory), one column of warps
/// after the other, through the memory that the pipeline no longer needs. `visit(column of the pass)` runs in
/// between.
template <class Visit> inline void exchange(const Accumulators &acc, Visit visit) {
  segc_warp_cp_async_wait(0);
#pragma unroll 1
  for (int column = 0; column < segc_tile_n; column += segc_warp_n) {
    segc_warp_barrier();
    if (warpN() == column) {
#pragma unroll
      for (int i = 0; i < rowTiles(); i++)
#pragma unroll
        for (int j = 0; j < segc_warp_n / 8; j++) {
          const int row = rowOf(i) + lane() / 4, at = 8 * j + lane() % 4 * 2;
          segc_warp_shared_store8(exchangePlace(row, at), acc[i][j][0], acc[i][j][1]);
          segc_warp_shared_store8(exchangePlace(row + 8, at), acc[i][j][2], acc[i][j][3]);
        }
    }
    segc_warp_barrier();
    visit(column);
  }
}

inline void loadOctet(float *to, int row, int octet) {
  segc_warp_shared_load16(to, exchangePlace(row, 8 * octet));
  segc_warp_shared_load16(to + 4, exchangePlace(row, 8 * octet + 4));
}

inline void storeFloats(char *to, const float *v) {
  segc_warp_store16(to, (const unsigned *)v);
  segc_warp_store16(to + 16, (const unsigned *)(v + 4));
}

inline void loadFloats(float *to, const char *from) {
  segc_warp_load16((unsigned *)to, from);
  segc_warp_load16((unsigned *)(to + 4), from + 16);
}

} // namespace segc::tensorcore
