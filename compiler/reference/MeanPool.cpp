/// \file Means over windows and bins, and the transposes.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include <algorithm>

using namespace mlir;

namespace segc::reference {

namespace {
/// Which pixels of an axis one result pixel averages: [first, last), and what their sum is divided by.
struct Range {
  int64_t first, last, divisor;
};
} // namespace

using Ranges = std::vector<Range>;

/// Windows over an axis of `in` pixels.
template <typename OpT> static Ranges windows(OpT op, unsigned axis, int64_t in) {
  hg::WindowMap map = op.window(axis);
  hg::SizeTable table;
  int64_t out = *table.constantValue(map.result(table, table.constant(in))), before = padBefore(map, in);
  // With `same` the padding is as large as the last window needs it.
  int64_t after = map.same ? map.maxAfter() : map.after;
  Ranges ranges;
  for (int64_t o = 0; o < out; ++o) {
    int64_t start = o * map.stride - before, end = start + map.kernel;
    int64_t first = std::max<int64_t>(start, 0), last = std::min(end, in);
    ranges.push_back(
        {first, last, op.getCountIncludePad() ? std::min(end, in + after) - start : last - first});
  }
  return ranges;
}

static Ranges bins(int64_t in, int64_t out) {
  Ranges ranges;
  for (int64_t i = 0; i < out; ++i) {
    int64_t first = i * in / out, last = ((i + 1) * in + out - 1) / out;
    ranges.push_back({first, last, last - first});
  }
  return ranges;
}

/// Calls `at(pooledPixel, pixel, divisor)` for every pixel of every range.
template <typename AtT>
static void forEachPixel(const Ranges &rows, const Ranges &columns, int64_t width, AtT at) {
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t j = 0; j < columns.size(); ++j)
      for (int64_t y = rows[i].first; y < rows[i].last; ++y)
        for (int64_t x = columns[j].first; x < columns[j].last; ++x)
          at(i * columns.size() + j, y * width + x,
             static_cast<double>(rows[i].divisor) * static_cast<double>(columns[j].divisor));
}

static void average(const Ranges &rows, const Ranges &columns, const Tensor &x, Tensor &y) {
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t c = 0; c < x.shape[1]; ++c)
      forEachPixel(rows, columns, x.shape[3], [&](size_t to, int64_t from, double divisor) {
        y.plane(n, c)[to] += x.plane(n, c)[from] / divisor;
      });
}

static void spread(const Ranges &rows, const Ranges &columns, const Tensor &x, Tensor &y) {
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t c = 0; c < x.shape[1]; ++c)
      forEachPixel(rows, columns, y.shape[3], [&](size_t from, int64_t to, double divisor) {
        y.plane(n, c)[to] += x.plane(n, c)[from] / divisor;
      });
}

static void evaluateAvgPool(hg::AvgPoolOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  average(windows(op, 0, x.shape[2]), windows(op, 1, x.shape[3]), x, results[0]);
}

static void evaluateAvgPoolTranspose(hg::AvgPoolTransposeOp op, ArrayRef<Tensor> operands,
                                     MutableArrayRef<Tensor> results) {
  Tensor &y = results[0];
  spread(windows(op, 0, y.shape[2]), windows(op, 1, y.shape[3]), operands[0], y);
}

static void evaluateAdaptive(hg::AdaptiveAvgPoolOp op, ArrayRef<Tensor> operands,
                             MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  Tensor &y = results[0];
  average(bins(x.shape[2], y.shape[2]), bins(x.shape[3], y.shape[3]), x, y);
}

static void evaluateAdaptiveTranspose(hg::AdaptiveAvgPoolTransposeOp op, ArrayRef<Tensor> operands,
                                      MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  Tensor &y = results[0];
  spread(bins(y.shape[2], x.shape[2]), bins(y.shape[3], x.shape[3]), x, y);
}

void enterMeanPoolOps(EvaluatorTable &table) {
  enter<evaluateAvgPool>(table);
  enter<evaluateAvgPoolTranspose>(table);
  enter<evaluateAdaptive>(table);
  enter<evaluateAdaptiveTranspose>(table);
}

} // namespace segc::reference
