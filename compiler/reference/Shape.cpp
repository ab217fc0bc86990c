/// \file Ops along the channels: concat, slice, embed, softmax, argmax.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include <algorithm>
#include <cmath>

using namespace mlir;

namespace segc::reference {

/// Copies `count` channels of every image, from channel `from` of x to channel `to` of y.
static void copyChannels(const Tensor &x, int64_t from, Tensor &y, int64_t to, int64_t count) {
  for (int64_t n = 0; n < x.shape[0]; ++n)
    std::copy_n(x.plane(n, from), count * x.planeSize(), y.plane(n, to));
}

static void evaluateConcat(hg::ConcatOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  int64_t channel = 0;
  for (const Tensor &x : operands) {
    copyChannels(x, 0, results[0], channel, x.shape[1]);
    channel += x.shape[1];
  }
}

static void evaluateSlice(hg::SliceOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  copyChannels(operands[0], op.getOffset(), results[0], 0, op.getSize());
}

static void evaluateEmbed(hg::EmbedOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  copyChannels(operands[0], 0, results[0], op.getOffset(), operands[0].shape[1]);
}

/// Calls `pixel(channels, base)` for each pixel: its values over the channels and the offset of channel 0;
/// channel c is planeSize() * c further on.
template <typename PixelT> static void forEachPixel(const Tensor &x, PixelT pixel) {
  int64_t plane = x.planeSize();
  std::vector<double> channels(x.shape[1]);
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t i = 0; i < plane; ++i) {
      for (int64_t c = 0; c < x.shape[1]; ++c)
        channels[c] = x.plane(n, c)[i];
      pixel(ArrayRef<double>(channels), n, i);
    }
}

/// log(sum of exp(x)), with the maximum taken out so that nothing overflows.
static double logSumExp(ArrayRef<double> channels) {
  double largest = *std::max_element(channels.begin(), channels.end()), sum = 0;
  for (double x : channels)
    sum += std::exp(x - largest);
  return largest + std::log(sum);
}

static void evaluateSoftmax(hg::SoftmaxOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  forEachPixel(operands[0], [&](ArrayRef<double> channels, int64_t n, int64_t i) {
    double total = logSumExp(channels);
    for (size_t c = 0; c < channels.size(); ++c)
      results[0].plane(n, c)[i] = std::exp(channels[c] - total);
  });
}

static void evaluateLogSoftmax(hg::LogSoftmaxOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  forEachPixel(operands[0], [&](ArrayRef<double> channels, int64_t n, int64_t i) {
    double total = logSumExp(channels);
    for (size_t c = 0; c < channels.size(); ++c)
      results[0].plane(n, c)[i] = channels[c] - total;
  });
}

static void evaluateArgmax(hg::ArgmaxOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  int64_t plane = operands[0].planeSize();
  forEachPixel(operands[0], [&](ArrayRef<double> channels, int64_t n, int64_t i) {
    size_t best = 0;
    for (size_t c = 1; c < channels.size(); ++c)
      if (!std::isnan(channels[best]) && !(channels[c] <= channels[best])) // greater, or the first NaN
        best = c;
    results[0].data[n * plane + i] = static_cast<double>(best);
  });
}

void enterShapeOps(EvaluatorTable &table) {
  enter<evaluateConcat>(table);
  enter<evaluateSlice>(table);
  enter<evaluateEmbed>(table);
  enter<evaluateSoftmax>(table);
  enter<evaluateLogSoftmax>(table);
  enter<evaluateArgmax>(table);
}

} // namespace segc::reference
