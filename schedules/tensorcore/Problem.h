/// \file What a tensor-core kernel computes, the tile it computes it with, and whether the two go together.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/KernelSpec.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace segc::tensorcore {

enum class Kind { Convolution, WeightGradient, Pack };
/// In memory; TF32 is f32 there and rounded to 10 bits of mantissa for the product.
enum class Element { BF16, F16, TF32 };

inline int bytesOf(Element element) { return element == Element::TF32 ? 4 : 2; }

/// Extents of the result and of the input that exists; 0: known at run time.
struct Extents {
  int images = 0, height = 0, width = 0, inHeight = 0, inWidth = 0;
};

/// A convolution, its weight gradient, or the packing of its weights; the data gradient and a deconvolution's
/// phases are convolutions too.
struct Problem {
  Kind kind = Kind::Convolution;
  Element element = Element::BF16;
  bool resultF32 = false;    ///< else the result has the element's type; weight gradients are always f32
  int c0 = 0, c1 = 0, k = 0; ///< channels of the input, of a second one behind it (0: none), of the result
  int rh = 1, rw = 1, sy = 1, sx = 1, dy = 1, dx = 1;
  std::vector<schedules::Epilogue> epilogues;
  bool pool = false, poolIndex = false; ///< a 2x2 max-pool of the result is written, its index too
  bool keep = true;                     ///< the result itself is written: without a pool always
  int phases = 1;                       ///< convolutions of one launch
  bool scaled = false;                  ///< packing: times a vector over k
  Extents extents;

  int channels() const { return c0 + c1; }
  /// Of the reduction of a convolution, the columns of a weight gradient.
  int taps() const { return rh * rw; }
  /// `conv` and `conv_wgrad` of docs/kernels.md, or why tensor cores cannot compute them. f32 is taken as
  /// TF32.
  static llvm::Expected<Problem> of(const schedules::KernelSpec &spec);
  /// For error messages: conv c64+64 k64 r3x3 s1x1 d1x1 +bias : bf16
  std::string print() const;
};

struct Tile {
  int m = 128, n = 64, k = 32; ///< of a block, in elements; k along the reduction
  int warpM = 64, warpN = 32;  ///< of a warp, or of a warpgroup
  int stages = 3;              ///< buffers of the pipeline
  int parts = 1;               ///< of the reduction, added up in order by a second kernel
  int width = 0;               ///< of the block's rectangle of pixels; 0: a run of pixels
  bool wgmma = false;          ///< warpgroups of four warps multiply, by wgmma: for sm_90a alone

  int warps() const { return m / warpM * (n / warpN) * (wgmma ? 4 : 1); }
  int threads() const { return 32 * warps(); }
  /// 128x64x32 w64x32 s3 [p4] [x16]: block, warp, stages, parts, width; of warpgroups 128x256x64 g64x256 s4.
  std::string print() const;
  static llvm::Expected<Tile> parse(llvm::StringRef text);
};

/// Of a block: the pipeline's buffers, or the exchange of results that follows them if that takes more.
int sharedBytes(const Problem &problem, const Tile &tile);

/// mma or wgmma instructions in the body of the main loop, which the generated code is checked against:
/// warpM/16 * warpN/8 tiles, of a warpgroup warpM/64, each with k * bytes / 32 of them.
int mmaCount(const Problem &problem, const Tile &tile);

/// Whether tensors of these extents, dense in memory, can be indexed: kernels count pixels and octets in 31
/// bits.
llvm::Error checkExtents(const Problem &problem, const Extents &extents);

/// Whether a kernel exists, or a sentence saying what is wrong and what would do.
llvm::Error check(const Problem &problem, const Tile &tile, int sharedLimit = 227 * 1024);

} // namespace segc::tensorcore
