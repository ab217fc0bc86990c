/// \file What a convolution's kernel stores when it makes the maxima of its own 2x2 pixels.
///
/// The result has the extents of the maxima: pool stores these, pool_index their positions too, keep_pool the
/// four pixels of each window, then the maxima. Without a pool the pixels are the result.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"
#include <functional>

namespace segc::schedules {

class PooledResults {
public:
  explicit PooledResults(const KernelSpec &spec);

  using Values = std::vector<Halide::Expr>;
  using Pixel = std::function<Halide::Expr(const Halide::Expr &i, const Halide::Expr &j)>;
  /// What is stored for result (i, j) when pixel(i, j) are those of the convolution.
  Values values(const Halide::Expr &i, const Halide::Expr &j, const Pixel &pixel) const;
  /// Undefined values of the results' types.
  Values undefined() const;
  /// The results' buffers, of `channels` channels; their extents are the first one's.
  void describe(const std::vector<Halide::OutputImageParam> &buffers, int channels) const;

  const int side; ///< pixels of a window's side: 2, or 1 without a pool

private:
  const std::string pooling;
  std::vector<int> strides; ///< pixel stride of each result
};

/// The spec without its pool.
KernelSpec beforePool(KernelSpec spec);

} // namespace segc::schedules
