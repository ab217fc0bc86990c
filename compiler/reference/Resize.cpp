/// \file Upsampling, cropping, padding, the transposes, interleaving.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace mlir;

namespace segc::reference {

/// Calls `at(resultPixel, operandPixel)` for pixels of two planes along maps from result rows and columns to
/// operand rows and columns; -1 reads nothing.
template <typename AtT>
static void forEachPixel(ArrayRef<int64_t> rows, ArrayRef<int64_t> columns, int64_t operandWidth, AtT at) {
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t j = 0; j < columns.size(); ++j)
      if (rows[i] >= 0 && columns[j] >= 0)
        at(i * columns.size() + j, rows[i] * operandWidth + columns[j]);
}

template <typename PlaneT> static void forEachPlane(const Tensor &x, PlaneT plane) {
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t c = 0; c < x.shape[1]; ++c)
      plane(n, c);
}

//===-- upsample --===//

namespace {
/// A result row (column) is a weighted sum of up to four operand rows (columns).
struct Blend {
  SmallVector<int64_t, 4> index;
  SmallVector<double, 4> weight;
};
} // namespace

/// Keys' cubic convolution kernel with a = -0.75 (Keys 1981; the a of OpenCV and PyTorch): 1 at 0, 0 at the
/// other whole numbers and beyond 2.
static double cubicKernel(double distance) {
  constexpr double a = -0.75;
  double t = std::abs(distance);
  if (t <= 1)
    return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

/// Where each of `out` pixels reads an axis of `in` pixels. Coordinates are exact fractions: nearest
/// floor(i * in / out), zeros the same if that is another pixel than i - 1 reads; bilinear and bicubic
/// (i + 1/2) * in / out - 1/2, or i * (in - 1) / (out - 1) with aligned corners; neighbours are clamped to
/// the axis.
static std::vector<Blend> blends(StringRef mode, bool alignCorners, int64_t in, int64_t out) {
  bool interpolates = mode == "bilinear" || mode == "bicubic";
  std::vector<Blend> result(out);
  for (int64_t i = 0; i < out; ++i) {
    int64_t numerator = i * in, denominator = out;
    if (interpolates) {
      numerator = alignCorners ? i * (in - 1) : (2 * i + 1) * in - out;
      denominator = alignCorners ? std::max<int64_t>(out - 1, 1) : 2 * out;
    }
    int64_t low = hg::floorDiv(numerator, denominator);
    double fraction = double(numerator - low * denominator) / double(denominator);
    auto read = [&](int64_t pixel, double weight) {
      result[i].index.push_back(std::clamp<int64_t>(pixel, 0, in - 1));
      result[i].weight.push_back(weight);
    };
    if (mode == "bilinear") {
      read(low, 1 - fraction);
      read(low + 1, fraction);
    } else if (mode == "bicubic") {
      for (int64_t neighbour = -1; neighbour <= 2; ++neighbour)
        read(low + neighbour, cubicKernel(fraction - static_cast<double>(neighbour)));
    } else {
      bool isFirst = i == 0 || hg::floorDiv((i - 1) * in, out) != low;
      read(low, mode == "nearest" || isFirst ? 1 : 0);
    }
  }
  return result;
}

/// Calls `at(upsampledPixel, sourcePixel, weight)` for everything that upsampling `in` to `out` extents (H,
/// W) reads with a weight other than 0.
template <typename AtT>
static void forEachBlend(StringRef mode, bool alignCorners, ArrayRef<int64_t> in, ArrayRef<int64_t> out,
                         AtT at) {
  std::vector<Blend> rows = blends(mode, alignCorners, in[0], out[0]),
                     columns = blends(mode, alignCorners, in[1], out[1]);
  for (int64_t i = 0; i < out[0]; ++i)
    for (int64_t j = 0; j < out[1]; ++j)
      for (auto [row, vertical] : llvm::zip(rows[i].index, rows[i].weight))
        for (auto [column, horizontal] : llvm::zip(columns[j].index, columns[j].weight))
          if (double weight = vertical * horizontal; weight != 0)
            at(i * out[1] + j, row * in[1] + column, weight);
}

static ArrayRef<int64_t> spatial(const Tensor &x) { return ArrayRef<int64_t>(x.shape).drop_front(2); }

static void evaluateUpsample(hg::UpsampleOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  Tensor &y = results[0];
  forEachPlane(x, [&](int64_t n, int64_t c) {
    forEachBlend(
        op.getMode(), op.getAlignCorners(), spatial(x), spatial(y),
        [&](int64_t to, int64_t from, double weight) { y.plane(n, c)[to] += weight * x.plane(n, c)[from]; });
  });
}

static void evaluateUpsampleTranspose(hg::UpsampleTransposeOp op, ArrayRef<Tensor> operands,
                                      MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  Tensor &y = results[0];
  forEachPlane(x, [&](int64_t n, int64_t c) {
    forEachBlend(
        op.getMode(), op.getAlignCorners(), spatial(y), spatial(x),
        [&](int64_t from, int64_t to, double weight) { y.plane(n, c)[to] += weight * x.plane(n, c)[from]; });
  });
}

//===-- crop, pad, interleave --===//

/// First row (axis 0) or column (axis 1) as the op itself computes it.
template <typename OpT> static int64_t startOf(OpT op, unsigned axis, int64_t in, int64_t out) {
  hg::SizeTable table;
  return *table.constantValue(op.start(table, axis, table.constant(in), table.constant(out)));
}

/// Copies along maps from result to operand rows and columns.
static void gather(const Tensor &x, Tensor &y, ArrayRef<int64_t> rows, ArrayRef<int64_t> columns) {
  forEachPlane(x, [&](int64_t n, int64_t c) {
    forEachPixel(rows, columns, x.shape[3],
                 [&](int64_t to, int64_t from) { y.plane(n, c)[to] = x.plane(n, c)[from]; });
  });
}

static void evaluateCrop(hg::CropOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  std::vector<int64_t> maps[2];
  for (unsigned axis = 0; axis < 2; ++axis) {
    int64_t in = operands[0].shape[2 + axis], out = results[0].shape[2 + axis];
    for (int64_t i = 0; i < out; ++i)
      maps[axis].push_back(startOf(op, axis, in, out) + i);
  }
  gather(operands[0], results[0], maps[0], maps[1]);
}

/// The pixel that a border of the given mode repeats at position i of an axis of `in` pixels, -1 for zero.
static int64_t borderPixel(StringRef mode, int64_t i, int64_t in) {
  if (i >= 0 && i < in)
    return i;
  if (mode == "replicate")
    return std::clamp<int64_t>(i, 0, in - 1);
  if (mode ==
      "reflect") // about the edge pixel's centre; one reflection reaches the axis, as the verifier knows
    return in - 1 - std::abs(in - 1 - std::abs(i));
  return -1;
}

static void evaluatePad(hg::PadOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  std::vector<int64_t> maps[2];
  for (unsigned axis = 0; axis < 2; ++axis) {
    int64_t in = operands[0].shape[2 + axis], out = results[0].shape[2 + axis];
    for (int64_t i = 0; i < out; ++i)
      maps[axis].push_back(borderPixel(op.getMode(), i - startOf(op, axis, in, out), in));
  }
  gather(operands[0], results[0], maps[0], maps[1]);
}

static void evaluatePadTranspose(hg::PadTransposeOp op, ArrayRef<Tensor> operands,
                                 MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  Tensor &y = results[0];
  std::vector<int64_t> maps[2];
  for (unsigned axis = 0; axis < 2; ++axis)
    for (int64_t i = 0; i < x.shape[2 + axis]; ++i)
      maps[axis].push_back(borderPixel(op.getMode(), i - op.getAmount()[axis], y.shape[2 + axis]));
  forEachPlane(x, [&](int64_t n, int64_t c) {
    forEachPixel(maps[0], maps[1], y.shape[3],
                 [&](int64_t from, int64_t to) { y.plane(n, c)[to] += x.plane(n, c)[from]; });
  });
}

static void evaluatePhase(hg::PhaseOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  Tensor &y = results[0];
  forEachPlane(y, [&](int64_t n, int64_t c) {
    for (int64_t i = 0; i < y.shape[2]; ++i)
      for (int64_t j = 0; j < y.shape[3]; ++j)
        y.plane(n, c)[i * y.shape[3] + j] =
            x.plane(n, c)[(i * op.getStride()[0] + op.getOffset()[0]) * x.shape[3] + j * op.getStride()[1] +
                          op.getOffset()[1]];
  });
}

static void evaluateInterleave(hg::InterleaveOp op, ArrayRef<Tensor> operands,
                               MutableArrayRef<Tensor> results) {
  Tensor &y = results[0];
  int64_t rows = op.getStride()[0], columns = op.getStride()[1];
  forEachPlane(y, [&](int64_t n, int64_t c) {
    for (int64_t i = 0; i < y.shape[2]; ++i)
      for (int64_t j = 0; j < y.shape[3]; ++j) {
        const Tensor &phase = operands[i % rows * columns + j % columns];
        y.plane(n, c)[i * y.shape[3] + j] = phase.plane(n, c)[i / rows * phase.shape[3] + j / columns];
      }
  });
}

void enterResizeOps(EvaluatorTable &table) {
  enter<evaluateUpsample>(table);
  enter<evaluateUpsampleTranspose>(table);
  enter<evaluateCrop>(table);
  enter<evaluatePad>(table);
  enter<evaluatePadTranspose>(table);
  enter<evaluatePhase>(table);
  enter<evaluateInterleave>(table);
}

} // namespace segc::reference
