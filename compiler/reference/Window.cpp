/// \file Convolution and its transpose.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include <algorithm>

using namespace mlir;

namespace segc::reference {

namespace {
/// One axis of a window between a large side (what a convolution reads) and a small one (what it writes):
/// pixel o of the small side meets pixel o * stride + shift(tap) of the large one.
struct Axis {
  hg::WindowMap map;
  int64_t large, small, before;

  Axis(const hg::WindowMap &window, int64_t largeExtent, int64_t smallExtent)
      : map(window), large(largeExtent), small(smallExtent), before(padBefore(window, largeExtent)) {}
  int64_t shift(int64_t tap) const { return tap * map.dilation - before; }
  /// Pixels [first, last) of the small side that meet an existing pixel through this tap.
  int64_t first(int64_t tap) const {
    return std::max<int64_t>(0, hg::floorDiv(map.stride - 1 - shift(tap), map.stride));
  }
  int64_t last(int64_t tap) const {
    return std::min(small, hg::floorDiv(large - 1 - shift(tap), map.stride) + 1);
  }
};
} // namespace

/// Calls `row(smallOffset, largeOffset, count, tap)` for all pairs of rows that meet through a tap; offsets
/// are in elements of a plane, the large side advances by the stride.
template <typename RowT> static void forEachRow(const Axis &y, const Axis &x, RowT row) {
  for (int64_t i = 0; i < y.map.kernel; ++i)
    for (int64_t j = 0; j < x.map.kernel; ++j) {
      int64_t left = x.first(j), count = x.last(j) - left;
      for (int64_t o = y.first(i); o < y.last(i); ++o)
        row(o * x.small + left, (o * y.map.stride + y.shift(i)) * x.large + left * x.map.stride + x.shift(j),
            count, i * x.map.kernel + j);
    }
}

static void fillBias(const Tensor &bias, Tensor &y) {
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t k = 0; k < y.shape[1]; ++k) {
      double *plane = y.plane(n, k);
      std::fill(plane, plane + y.planeSize(), bias.data[k]);
    }
}

/// Calls `planes(n, a, b, filter)` for all pairs of planes that a grouped filter connects: a runs over the
/// weight's first extent, b over the other side's channels.
template <typename PlanesT>
static void forEachFilter(int64_t images, const Tensor &weight, int64_t groups, PlanesT planes) {
  int64_t perGroup = weight.shape[0] / groups;
  for (int64_t n = 0; n < images; ++n)
    for (int64_t a = 0; a < weight.shape[0]; ++a)
      for (int64_t b = 0; b < weight.shape[1]; ++b)
        planes(n, a, a / perGroup * weight.shape[1] + b, weight.plane(a, b));
}

static void evaluateConv(hg::ConvOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0], &weight = operands[1];
  Tensor &y = results[0];
  if (op.getBias())
    fillBias(operands[2], y);
  Axis rows(op.window(0), x.shape[2], y.shape[2]), columns(op.window(1), x.shape[3], y.shape[3]);
  int64_t stride = columns.map.stride;
  forEachFilter(x.shape[0], weight, op.getGroups(),
                [&](int64_t n, int64_t k, int64_t c, const double *filter) {
                  double *out = y.plane(n, k);
                  const double *in = x.plane(n, c);
                  forEachRow(rows, columns, [&](int64_t small, int64_t large, int64_t count, int64_t tap) {
                    for (int64_t p = 0; p < count; ++p)
                      out[small + p] += filter[tap] * in[large + p * stride];
                  });
                });
}

static void evaluateDeconv(hg::DeconvOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0], &weight = operands[1];
  Tensor &y = results[0];
  if (op.getBias())
    fillBias(operands[2], y);
  Axis rows(op.window(0), y.shape[2], x.shape[2]), columns(op.window(1), y.shape[3], x.shape[3]);
  int64_t stride = columns.map.stride;
  forEachFilter(x.shape[0], weight, op.getGroups(),
                [&](int64_t n, int64_t c, int64_t k, const double *filter) {
                  const double *in = x.plane(n, c);
                  double *out = y.plane(n, k);
                  forEachRow(rows, columns, [&](int64_t small, int64_t large, int64_t count, int64_t tap) {
                    for (int64_t p = 0; p < count; ++p)
                      out[large + p * stride] += filter[tap] * in[small + p];
                  });
                });
}

void enterWindowOps(EvaluatorTable &table) {
  enter<evaluateConv>(table);
  enter<evaluateDeconv>(table);
}

} // namespace segc::reference
