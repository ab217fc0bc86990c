/// \file Meaning of the ops that move elements: reshape, transpose, windows and their way back.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"

using namespace mlir;

namespace segc::reference {

/// Tensors are row-major, so a reshape changes nothing.
static void evaluateReshape(hg::ReshapeOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  results[0].data = operands[0].data;
}

static void evaluateTranspose(hg::TransposeOp op, ArrayRef<Tensor> operands,
                              MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  Tensor &y = results[0];
  int64_t strides[4] = {1, 1, 1, 1}; // of x
  for (int axis = 2; axis >= 0; --axis)
    strides[axis] = strides[axis + 1] * x.shape[axis + 1];
  ArrayRef<int64_t> perm = op.getPerm();
  size_t index = 0;
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t c = 0; c < y.shape[1]; ++c)
      for (int64_t i = 0; i < y.shape[2]; ++i)
        for (int64_t j = 0; j < y.shape[3]; ++j)
          y.data[index++] = x.data[n * strides[perm[0]] + c * strides[perm[1]] + i * strides[perm[2]] +
                                   j * strides[perm[3]]];
}

/// Calls `at(window's element, image's element)` for all elements of all windows that lie in the image.
template <typename OpT, typename AtT>
static void forEachWindowElement(OpT op, const Tensor &image, const Tensor &windows, AtT at) {
  hg::SizeTable table;
  hg::WindowMap maps[2] = {op.window(0), op.window(1)};
  int64_t rows = *table.constantValue(maps[0].result(table, table.constant(image.shape[2])));
  int64_t columns = *table.constantValue(maps[1].result(table, table.constant(image.shape[3])));
  int64_t wh = windows.shape[2], ww = windows.shape[3], height = image.shape[2], width = image.shape[3];
  for (int64_t m = 0; m < windows.shape[0]; ++m) {
    int64_t n = m / (rows * columns), p = m / columns % rows, q = m % columns;
    for (int64_t c = 0; c < windows.shape[1]; ++c)
      for (int64_t i = 0; i < wh; ++i)
        for (int64_t j = 0; j < ww; ++j) {
          int64_t y = p * maps[0].stride - maps[0].before + i, x = q * maps[1].stride - maps[1].before + j;
          if (y >= 0 && y < height && x >= 0 && x < width)
            at(((m * windows.shape[1] + c) * wh + i) * ww + j,
               ((n * image.shape[1] + c) * height + y) * width + x);
        }
  }
}

static void evaluateWindows(hg::WindowsOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  forEachWindowElement(op, operands[0], results[0],
                       [&](int64_t to, int64_t from) { results[0].data[to] = operands[0].data[from]; });
}

static void evaluateWindowsTranspose(hg::WindowsTransposeOp op, ArrayRef<Tensor> operands,
                                     MutableArrayRef<Tensor> results) {
  forEachWindowElement(op, results[0], operands[0],
                       [&](int64_t from, int64_t to) { results[0].data[to] += operands[0].data[from]; });
}

/// Nobody reads the elements.
static void evaluatePositions(hg::PositionsOp, ArrayRef<Tensor>, MutableArrayRef<Tensor>) {}

void enterLayoutOps(EvaluatorTable &table) {
  enter<evaluateReshape>(table);
  enter<evaluateTranspose>(table);
  enter<evaluateWindows>(table);
  enter<evaluateWindowsTranspose>(table);
  enter<evaluatePositions>(table);
}

} // namespace segc::reference
