/// \file Partial sums over bands of rows: what the kernels that write and read them share.
///
/// A tensor of partial sums is (c, k, b, n) in f64, dense in c: column k of band b of image n. Band b of an
/// image of H rows has the rows floor(b * H / B) to floor((b + 1) * H / B), B = min(H, 32)
/// (hourglass.channel_sums): the order of all sums follows from the extents alone.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"
#include <vector>

namespace segc::schedules {

/// hourglass.channel_sums: no image has more bands.
constexpr int kMostBands = 32;

/// Partial sums as an argument: `channels` of them, dense.
Halide::ImageParam sumsParam(int channels);
/// The same promises for a result (c, k, b, n) with `columns` columns.
void describeSums(Halide::Func sums, int channels, int columns);

/// The rows of one band of an image with `height` rows.
struct Band {
  Halide::Expr first, count, most; ///< most: the count of the largest band
  Band(const Halide::Expr &height, const Halide::Expr &band);
};

/// How many partial sums share the pixels of a band: the lanes of a vector, or the threads of a block on a
/// GPU.
int sharesOf(const KernelSpec &spec, Isa isa);
/// Channels of a block of threads, which have `sharesOf` partial sums each.
int blockChannels(const KernelSpec &spec);

/// A band in vectors across the pixels of its rows. The last vector of a row starts inside it, so it may go
/// beyond its end: such lanes read the row's last pixel, and must then not count.
struct PixelLanes {
  Halide::RDom r; ///< x: channels, y: vectors of a row, z: rows of the band
  Halide::Expr x, y, inside;
  PixelLanes(const Band &band, const Halide::Expr &width, const Halide::Var &lane, int lanes,
             int channels = 1);
  /// The pixel of `lane` in vector `block` of a row, and whether there is one.
  static Halide::Expr pixel(const Halide::Expr &block, const Halide::Var &lane, int lanes,
                            const Halide::Expr &width);
};

/// Values of a Func with one or several of them, and sums of such.
std::vector<Halide::Expr> valuesOf(const Halide::FuncRef &sums, size_t count);
Halide::Tuple zeros(size_t count);
Halide::Tuple plus(const Halide::FuncRef &sums, const std::vector<Halide::Expr> &terms);

/// A factor of a norm over `count` values, or 0: a single value less its mean is 0 and stays 0, no factor may
/// enlarge what rounding leaves of it.
Halide::Expr unlessAlone(const Halide::Expr &count, const Halide::Expr &factor);

/// The totals over the lanes of `perLane`(lane, [channel], b, n), which has `count` values: one Func of the
/// same without the lane for each, in registers beside one `task` of `out`, for all channels if there is such
/// an argument.
std::vector<Halide::Func> sumLanes(Halide::Func perLane, size_t count, int lanes,
                                   const std::vector<Halide::Var> &arguments, Halide::Func out,
                                   const Halide::Var &task, int channels = 0);

} // namespace segc::schedules
