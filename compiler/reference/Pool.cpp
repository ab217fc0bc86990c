/// \file Max-pooling with argmax, unpooling, and reading back what unpooling placed.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include <cmath>
#include <limits>

using namespace mlir;

namespace segc::reference {

namespace {
/// Both axes of a pool over planes of `height` x `width` pixels.
struct Window {
  hg::WindowMap rows, columns;
  int64_t height, width, top, left;

  template <typename OpT>
  Window(OpT op, int64_t planeHeight, int64_t planeWidth)
      : rows(op.window(0)), columns(op.window(1)), height(planeHeight), width(planeWidth),
        top(padBefore(rows, planeHeight)), left(padBefore(columns, planeWidth)) {}

  /// The pixel at `position` (row-major in the window) of window (o, p), or -1 if it lies outside.
  int64_t pixel(int64_t o, int64_t p, int64_t position) const {
    int64_t y = o * rows.stride - top + position / columns.kernel * rows.dilation;
    int64_t x = p * columns.stride - left + position % columns.kernel * columns.dilation;
    return y < 0 || y >= height || x < 0 || x >= width ? -1 : y * width + x;
  }
  int64_t positions() const { return rows.kernel * columns.kernel; }
};
} // namespace

static void evaluateMaxPool(hg::MaxPoolOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  Tensor &y = results[0], &index = results[1];
  Window window(op, x.shape[2], x.shape[3]);
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t c = 0; c < x.shape[1]; ++c) {
      const double *in = x.plane(n, c);
      for (int64_t o = 0; o < y.shape[2]; ++o)
        for (int64_t p = 0; p < y.shape[3]; ++p) {
          double best = -std::numeric_limits<double>::infinity();
          int64_t where = -1;
          for (int64_t position = 0; position < window.positions(); ++position) {
            int64_t pixel = window.pixel(o, p, position);
            // The first pixel that exists, a greater one later, a NaN for good.
            if (pixel < 0 || std::isnan(best) || (where >= 0 && in[pixel] <= best))
              continue;
            best = in[pixel];
            where = position;
          }
          y.plane(n, c)[o * y.shape[3] + p] = best;
          index.plane(n, c)[o * y.shape[3] + p] = std::max<int64_t>(where, 0);
        }
    }
}

/// Calls `place(window, pixel)` for the windows of plane (n, c) in row-major order, with the pixel each index
/// points at; an index that points outside the plane is left out.
template <typename PlaceT>
static void forEachPlaced(const Window &window, const Tensor &index, int64_t n, int64_t c, PlaceT place) {
  for (int64_t o = 0; o < index.shape[2]; ++o)
    for (int64_t p = 0; p < index.shape[3]; ++p) {
      int64_t at = o * index.shape[3] + p;
      int64_t pixel = window.pixel(o, p, static_cast<int64_t>(index.plane(n, c)[at]));
      if (pixel >= 0)
        place(at, pixel);
    }
}

static void evaluateUnpool(hg::UnpoolOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0], &index = operands[1];
  Tensor &y = results[0];
  Window window(op, y.shape[2], y.shape[3]);
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t c = 0; c < x.shape[1]; ++c)
      forEachPlaced(window, index, n, c, [&](int64_t at, int64_t pixel) {
        double before = op.getSum() ? y.plane(n, c)[pixel] : 0;
        y.plane(n, c)[pixel] = before + x.plane(n, c)[at];
      });
}

static void evaluateTake(hg::TakeOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0], &index = operands[1];
  Tensor &y = results[0];
  Window window(op, x.shape[2], x.shape[3]);
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t c = 0; c < x.shape[1]; ++c) {
      if (op.getSum()) {
        forEachPlaced(window, index, n, c,
                      [&](int64_t at, int64_t pixel) { y.plane(n, c)[at] = x.plane(n, c)[pixel]; });
        continue;
      }
      // The window whose value unpooling leaves at each pixel.
      std::vector<int64_t> owner(x.planeSize(), -1);
      forEachPlaced(window, index, n, c, [&](int64_t at, int64_t pixel) { owner[pixel] = at; });
      for (int64_t pixel = 0; pixel < x.planeSize(); ++pixel)
        if (owner[pixel] >= 0)
          y.plane(n, c)[owner[pixel]] = x.plane(n, c)[pixel];
    }
}

void enterPoolOps(EvaluatorTable &table) {
  enter<evaluateMaxPool>(table);
  enter<evaluateUnpool>(table);
  enter<evaluateTake>(table);
}

} // namespace segc::reference
