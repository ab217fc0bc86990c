/// \file The loops over the tiles of a convolution on AMX.
///
/// Rows of a product's first operand are pixels, so strides, dilation and filters of any size need no copy;
/// rows of the second are pairs of input channels, as panels for dot products have them. Four registers hold
/// sums, for two tiles of pixels and two of output channels, which reads two operands for two products.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/cpu/AmxProducts.h"
#include "schedules/cpu/ConvTile.h"

namespace segc::schedules {

/// Vectors of output channels that a panel may have.
std::vector<int> amxVectors(const KernelSpec &spec);

/// The products along a convolution's input channels: as few of up to 16 pairs as there can be, equal ones or
/// of 16. The last of these overlaps the one before, whose channels its weights count as 0.
struct AmxSteps {
  explicit AmxSteps(const KernelSpec &spec);
  /// The pair of input channels whose weights are pair `i` of the packed ones.
  Halide::Expr channels(const Halide::Expr &i) const;
  /// Panels of `cv` vectors of weights for them.
  Packing packing(const KernelSpec &spec, int cv, Isa isa) const;

  const int all;      ///< pairs
  const int count;    ///< of products
  const bool overlap; ///< of the last two
  const int pairs;    ///< of a product
};

class AmxTile {
public:
  /// Sums over the whole filter of `spec`, a convolution's without groups, for panels of `cv` vectors of
  /// output channels. The operand `in` is bf16. Of several sums in a pipeline each has a `suffix` of its own.
  AmxTile(const KernelSpec &spec, int cv, Isa isa, const Source &in, const std::string &suffix = "");

  /// Beside `level` the sums of a panel lie in memory, of blocks of `px` pixels of one or more rows if they
  /// are as long (`isWide`), else of `least` pixels. A tile has 16 pixels of a row, or all of a block's.
  /// The sum takes `steps` products along the input channels of a tap, then those of the other taps; a
  /// divisor of all steps up to that.
  void schedule(const Halide::LoopLevel &level, const Halide::Expr &isWide, int px, int least, int steps);

  /// Lets the loops over tiles become instructions.
  void lower(Halide::Pipeline pipeline) const;

  const int panel;
  /// The sum of output channel c, without an epilogue.
  Halide::Expr at(const Halide::Expr &c, const Halide::Expr &x, const Halide::Expr &y,
                  const Halide::Expr &n) const;

  const AmxSteps products;
  const Halide::ImageParam w;

private:
  const Halide::Var c{"c"}, q{"q"}, x{"x"}, y{"y"}, n{"n"};
  Halide::Func sum;     ///< of channel c of panel q
  const Halide::RDom r; ///< the pair's element, the pair, the filter's column and row
};

} // namespace segc::schedules
