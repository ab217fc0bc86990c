/// \file The loops of Winograd's convolutions (3x3, stride 1), for any transforms and types.
///
/// A task is a block of tiles and a chunk of output channels. It transforms the block's input once (v), then
/// for each block of channels multiplies the planes of [channels x input channels] [input channels x tiles]
/// (m) and transforms the products back into results, with the epilogues on registers.
///
///   u (p, ci, plane, q)                 weights: panel q of cv vectors of output channels
///   v (lane, i, j, kv, tx, ty, s, t)    a line per (tile, vector of input channels): the mx x my tiles of
///                                       a micro-tile, then the channels, which the product reads in order
///   m (lane, s, t, tx, ty, co)          products, a tile's planes together for the output transform
///
/// A convolution of dilation d is d * d plain ones, each of the pixels of one phase, which the kernel stores
/// as axes of their own: y (c, phase, x, phase, y, n). Along x tile number T is tile T / d of phase T % d, so
/// that the tiles of a block are neighbours in the image's rows.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"
#include "schedules/cpu/WinogradTransforms.h"
#include <functional>

namespace segc::schedules::winograd {

extern const std::vector<int> kChunks; ///< legal values of kc: channel blocks of a task at most

/// Tiles of a micro-tile: with cv vectors of channels 8 x 2 sums for 32 registers, 4 x 2 for 16, or half as
/// many tiles by four vectors.
inline int tilesX(int cv) { return cv > 2 ? 2 : 4; }
inline int tilesY(Isa isa) { return isAvx512(isa) ? 2 : 1; }

/// Panels of cv vectors of output channels, the last one partly used.
int panelsOf(const KernelSpec &spec, const Schedule &schedule, Isa isa);
/// Channel vectors whose products are kept at a time: cv * cb, fewer where that does not divide the panels.
int blockVectors(const KernelSpec &spec, const Schedule &schedule, Isa isa);
/// Sets kc: chunks of 256 output channels make enough tasks of small images, while the input is transformed
/// again only once a chunk (4 % of its products). More channels where 256 are no whole part of them (336 in
/// 11 blocks went to 11 tasks: with 168 input channels at 64x64 8.2 instead of 4.3 ms on two threads), and
/// all of them if the task is to be the `whole` of a block of tiles.
void chooseChunk(const KernelSpec &spec, Schedule &schedule, Isa isa, bool whole = false);

/// Input channels that a kernel takes together: whole vectors, or what is left of one.
struct Part {
  int first, lanes, vectors;
  Halide::Func columns, v; ///< the input transformed along y, then along x
  Halide::RDom r;          ///< sums over lanes and vectors
  Part(int first, int lanes, int vectors, const std::string &suffix, const std::string &sum)
      : first(first), lanes(lanes), vectors(vectors), columns("columns" + suffix), v("v" + suffix),
        r(0, lanes, 0, vectors, sum) {}
};

/// A kernel's stages and their loops. The family gives inputs, weights and what is stored.
struct Loops {
  Loops(const KernelSpec &spec, const Schedule &schedule, Isa isa, Filtering alongX, Filtering alongY);

  const Filtering alongX, alongY;
  const Isa isa;
  const int vector, k, dx, dy, cv, bx, by;
  const int mx, my;    ///< tiles of a micro-tile
  const int block;     ///< channel vectors of a block
  const int chunk;     ///< blocks of a task
  const bool isRagged; ///< the last block has channels beyond the last one
  const Halide::Var c{"c"}, x{"x"}, y{"y"}, n{"n"}, phaseX{"phaseX"}, phaseY{"phaseY"};
  const Halide::Var lane{"lane"}, co{"co"}, s{"s"}, t{"t"}, tx{"tx"}, ty{"ty"}, i{"i"}, j{"j"}, kv{"kv"};
  Halide::Func acc{"acc"}, m{"m"}, rowsOut{"rowsOut"}, tile{"tile"};

  bool isDilated() const { return dx > 1 || dy > 1; }

  /// Channel c of pixel (s, t) of tile (tx, ty).
  using Input = std::function<Halide::Expr(Halide::Expr c, Halide::Expr tx, Halide::Expr s, Halide::Expr ty,
                                           Halide::Expr t)>;
  using Narrow = Halide::Expr (*)(Halide::Expr);
  /// Defines p.v, whose values are stored as `narrow` makes them.
  void defineInput(Part &p, const Input &input, Narrow narrow = nullptr) const;
  /// `weight`, the weights u (of these extents) of an input channel, or a pair, and a plane; meanwhile the
  /// next plane's are fetched, from where the L2 cache does not hold all of them.
  Halide::Expr fetchAhead(const Halide::Expr &weight, const Halide::ImageParam &u,
                          const std::vector<int> &extents, const Halide::Expr &channel,
                          const Halide::Expr &plane) const;
  /// Adds the products of p.v and weights to acc; the pipeline needs lowerPrefetches() for fetchAhead().
  void addProducts(const Part &p, const Halide::Expr &weight);
  /// Defines m, rowsOut and tile.
  void defineResults();
  /// Defines rowsOut and tile, for an m of the caller's.
  void defineTiles();
  /// Pixel (i, j) of tile (tx, ty), channel c.
  Halide::Expr pixel(const Halide::Expr &tx, const Halide::Expr &ty, const Halide::Expr &i,
                     const Halide::Expr &j) const;

  /// The loops of all stages but the updates of acc, inside those of `out`, which is stored as tiles of
  /// sideX x sideY results.
  void schedule(Halide::Func out, std::vector<Part> &parts, int sideX, int sideY);
  /// Those of `out`, rowsOut and tile only.
  void scheduleTiles(Halide::Func out, int sideX, int sideY);
  /// Those of p.v for `vectors` of its channels at `level`.
  void scheduleInput(const Halide::LoopLevel &level, Part &p, int vectors) const;
  /// Those of an update of acc, which sums over `channel` of `channels`.
  Halide::Stage scheduleSum(Halide::Stage sum, const Halide::RVar &channel,
                            const Halide::RVar &channels) const;

private:
  bool fitsRegisters() const; ///< the planes of a tile, one vector each
  void scheduleStore(Halide::Func out, int sideX, int sideY) const;
  void scheduleProducts(Halide::Func out);
};

} // namespace segc::schedules::winograd
