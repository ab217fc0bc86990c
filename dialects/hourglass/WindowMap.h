/// \file WindowMap: how one spatial axis of a result reads the axis of its operand; the single source of
/// geometry.
///
/// Result pixel o reads operand pixels o * stride - before + dilation * t for t < kernel.
/// Shapes, padding, receptive fields, aprons and multiply-accumulates are folds over it.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Sizes.h"

namespace segc::hg {

/// The window of a convolution or a pool along one axis.
struct WindowMap {
  int64_t kernel = 1, stride = 1, dilation = 1;
  int64_t before = 0, after = 0; ///< padding in pixels; negative crops
  bool same = false;             ///< padding such that out = ceil(in / stride), the odd pixel at the end
  bool ceil = false;             ///< pools: a last partial window counts, unless it starts in the padding

  /// Pixels one window spans: dilation * (kernel - 1) + 1.
  int64_t reach() const { return dilation * (kernel - 1) + 1; }
  /// Extent of the result for an operand of extent `in`; a window larger than the padded operand gives <= 0.
  Size result(SizeTable &table, Size in) const;
  /// Pixels of padding before the first operand pixel, for an operand of extent `in`.
  Size padBefore(SizeTable &table, Size in) const;
  /// Extent of the transposed map's result: the operand a deconvolution of `in` pixels reconstructs.
  Size transposed(SizeTable &table, Size in, int64_t outputPadding) const;
  /// Bounds of the padding over all operand extents, for aprons.
  int64_t maxBefore() const;
  /// Padding before the first pixel; with `same`, of operands whose extent is a multiple of the stride.
  int64_t usualBefore() const;
  int64_t maxAfter() const;
};

/// How much of the model's input one pixel of a value sees, and how far apart neighbouring pixels look.
/// In pixels of the model input; both may be fractions behind upsampling.
struct ReceptiveField {
  double field = 1, jump = 1;
  double centre = 0;   ///< the input pixel in the middle of what the first pixel sees
  bool global = false; ///< sees the whole input
  /// The field after a window of the given reach and stride, with `before` pixels of padding.
  ReceptiveField through(int64_t kernel, int64_t dilation, int64_t stride, int64_t before = 0) const;
  ReceptiveField through(const WindowMap &map) const;
  /// The field after a transposed window: several operand pixels meet in one result pixel.
  ReceptiveField transposedThrough(const WindowMap &map) const;
};

} // namespace segc::hg
