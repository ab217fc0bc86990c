/// \file Convolutions on tensor cores, and their weight gradients, as their kernel objects describe them, and
/// who runs them where no GPU is.
///
/// An object's entry calls segc_tensorcore_launch(). Plain C++ without the standard library: the compiler,
/// the executor and the tools include this file.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/TensorCoreArguments.h"
#include <stdint.h>

namespace segc::rt {

/// A kernel makes maxima of 2x2 pixels, writes their positions, writes the pixels too. The pixels are then
/// four results, one for each place in the windows, which interleave; all results have the extents of the
/// maxima.
constexpr int32_t kPools = 1, kPoolsIndex = 2, kKeepsPixels = 4;

/// What decides the grids of a convolution's kernels, apart from extents.
struct TensorCoreGrid {
  int32_t k; ///< channels of the result
  int32_t phases, parts;
  int32_t tileM, tileN, tileWidth; ///< of a block; width 0: a run of pixels
  int32_t pool;                    ///< what kPools and those behind it say; 0: no pool
  int32_t threads, sharedBytes;    ///< of a block of the first kernel
  int32_t columns;                 ///< of a weight gradient: taps x input channels; 0: a convolution
};

/// The kernels of one convolution, or the one of a weight gradient.
struct TensorCoreKernel {
  const TensorCoreKernel *groups; ///< the same by warpgroups, for sm_90a alone; null: there is none
  void **state;                   ///< of the object: its code, once it is loaded
  const char *code;               ///< PTX; null: the kernel is for the emulated warp
  const char *entry, *sum; ///< of the GEMM, and of the kernel that adds its parts (null: there is none)
  const char *problem, *schedule; ///< docs/kernels.md
  const char *operands;           ///< of the epilogues in order, a letter each: t tensor, v vector
  uint64_t codeBytes;
  TensorCoreGrid grid;
};

constexpr int32_t kSumThreads = 128; ///< of a block that adds parts

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The first extent of the grid of the GEMM; the others are phases and parts.
inline int64_t gemmBlocks(const TensorCoreGrid &g, int64_t images, int64_t height, int64_t width) {
  if (g.columns)
    return ceilDiv(g.k, g.tileM) * ceilDiv(g.columns, g.tileN);
  const int64_t tiles = g.tileWidth
                            ? images * ceilDiv(height, g.tileM / g.tileWidth) * ceilDiv(width, g.tileWidth)
                            : ceilDiv(images * height * width, g.tileM);
  return tiles * ceilDiv(g.k, g.tileN);
}
/// The same of the kernel that adds the parts, whose grid has one part.
inline int64_t sumBlocks(const TensorCoreGrid &g, int64_t images, int64_t height, int64_t width) {
  const int64_t units = g.pool ? images * ceilDiv(height, 2) * ceilDiv(width, 2) : images * height * width;
  return ceilDiv(units * (g.k / 8), kSumThreads);
}
/// The most memory for sums of parts: a convolution of many pixels fills the GPU without them.
constexpr int64_t kPartialBytes = 64 << 20;

/// The sums of one part of a convolution's reduction.
inline int64_t partBytes(const TensorCoreGrid &g, int64_t images, int64_t height, int64_t width) {
  return int64_t(4) * g.phases * images * height * width * g.k;
}
/// The parts of a launch: those of the tile, or as many as have room for their sums. So the order of a sum's
/// terms depends on extents alone.
inline int32_t launchedParts(const TensorCoreGrid &g, int64_t images, int64_t height, int64_t width) {
  if (g.columns || g.parts == 1)
    return g.parts;
  const int64_t most = kPartialBytes / partBytes(g, images, height, width);
  return most >= g.parts ? g.parts : most < 2 ? 1 : int32_t(most);
}
/// Memory for the sums of a convolution's parts. A weight gradient's are its result, which another kernel
/// adds up.
inline int64_t partialBytes(const TensorCoreGrid &g, int64_t images, int64_t height, int64_t width) {
  const int32_t parts = launchedParts(g, images, height, width);
  return parts == 1 || g.columns ? 0 : parts * partBytes(g, images, height, width);
}

/// What an emulated launch may touch; ranges do not overlap.
struct EmulatedRange {
  void *begin;
  uint64_t bytes;
  bool writable;
};

/// All kernels of a convolution, run on the processor.
struct EmulatedLaunch {
  const char *problem, *schedule;
  const tensorcore::Arguments *arguments;
  const EmulatedRange *ranges;
  uint32_t rangeCount;
  char *error; ///< gets what went wrong
  uint64_t errorBytes;
};

/// A function of this name in the program that uses the library (segc's tools have one) runs emulated
/// launches; false: it failed.
constexpr char kEmulatedWarp[] = "segc_emulated_warp";
using EmulatedWarp = bool (*)(const EmulatedLaunch *);

} // namespace segc::rt
