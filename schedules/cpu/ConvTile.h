/// \file The register tile of direct convolutions: vectors of output channels x pixels, summed over the whole
/// filter.
///
/// Sums start with the bias; per step one broadcast input value is multiplied by `cv` weight vectors for each
/// pixel of the tile. Weights are panels of cv vectors of output channels. Where there are dot products of
/// bf16, a step takes a pair of input channels.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Epilogue.h"
#include <functional>

namespace segc::schedules {

/// The element of an operand at (c, x, y, n): a view, or what is made of one on the way.
using Source = std::function<Halide::Expr(const Halide::Expr &c, const Halide::Expr &x, const Halide::Expr &y,
                                          const Halide::Expr &n)>;

/// What a convolution reads: its operand, or with read=scaled the products of that and a factor for each
/// channel and image, rounded to bf16 if they are to be multiplied so.
struct ReadOperand {
  ReadOperand(const KernelSpec &spec, const Halide::ImageParam &in, bool rounded);
  bool isScaled() const { return !factors.empty(); }
  /// The products lie beside `level`, in vectors over their channels.
  void schedule(const Halide::LoopLevel &level, Halide::MemoryType memory, Isa isa);

  std::vector<Halide::ImageParam> factors; ///< one where it is scaled, else none
  Source source;

private:
  const int channels;
  Halide::Func scaled{"scaled"};
};
/// Does the spec say read=scaled?
bool isScaled(const KernelSpec &spec);

/// Lanes of a vector: all of the machine's without groups (the last vector is stored under a mask); with
/// groups the largest power of two that divides a group's channels, so that no vector straddles two groups.
int convLanes(const KernelSpec &spec, Isa isa);
/// Channel vectors a register tile may have: panels must not straddle groups, and what they read of
/// per-channel vectors must exist.
std::vector<int> legalConvVectors(const KernelSpec &spec, Isa isa);
struct RegisterTile {
  int vectors, pixels;
};
/// Pixels that a tile may have where its loop is free to choose.
inline const std::vector<int> kTilePixels = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
/// The rule for a convolution's register tile, of these and what legalConvVectors() allows.
RegisterTile chooseRegisterTile(const KernelSpec &spec, Isa isa);
/// Are operands bf16 in memory and their dot products one instruction? Pairs of input channels must not
/// straddle groups.
bool hasDots(const KernelSpec &spec, Isa isa);
/// Panels of `cv` vectors; for `dots` of pairs of input channels in bf16.
Packing convPacking(const KernelSpec &spec, int cv, Isa isa, bool dots = false);

class ConvTile {
public:
  /// `spec` is a convolution's; its operand is read through `source`, its sums start with initial(c). With
  /// `dots` the source is bf16 and two products are added at a time, in f32.
  ConvTile(const KernelSpec &spec, int cv, Isa isa, const Source &source,
           const std::function<Halide::Expr(const Halide::Expr &c)> &initial, bool dots = false);

  /// The tile lies in registers beside `level`, for one panel and the pixels that are read there.
  void schedule(const Halide::LoopLevel &level);

  const int vector, panel;
  const bool dots;
  const Halide::ImageParam w;
  Halide::Func sum{"sum"}; ///< (c, x, y, n)

private:
  const Halide::Var c{"c"}, x{"x"}, y{"y"}, n{"n"};
  const Halide::RDom r;
};

} // namespace segc::schedules
