/// \file Gradients through single layers: weights of convolutions, derivatives, softmax, dropout, batch norm.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include "dialects/hourglass/Activation.h"
#include "dialects/hourglass/Random.h"
#include <cmath>

using namespace mlir;

namespace segc::reference {

static void evaluateConvWeightGrad(hg::ConvWeightGradOp op, ArrayRef<Tensor> operands,
                                   MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0], &dy = operands[1];
  Tensor &dw = results[0];
  hg::WindowMap rows = op.window(0), columns = op.window(1);
  int64_t top = padBefore(rows, x.shape[2]), left = padBefore(columns, x.shape[3]);
  int64_t perGroup = dw.shape[0] / static_cast<int64_t>(op.getGroups());
  // The sum over one image of what tap (i, j) connects.
  auto correlate = [&](const double *gradient, const double *in, int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t o = 0; o < dy.shape[2]; ++o)
      for (int64_t p = 0; p < dy.shape[3]; ++p) {
        int64_t row = o * rows.stride - top + i * rows.dilation;
        int64_t column = p * columns.stride - left + j * columns.dilation;
        if (row >= 0 && row < x.shape[2] && column >= 0 && column < x.shape[3])
          sum += gradient[o * dy.shape[3] + p] * in[row * x.shape[3] + column];
      }
    return sum;
  };
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t k = 0; k < dw.shape[0]; ++k)
      for (int64_t c = 0; c < dw.shape[1]; ++c)
        for (int64_t i = 0; i < rows.kernel; ++i)
          for (int64_t j = 0; j < columns.kernel; ++j)
            dw.plane(k, c)[i * columns.kernel + j] +=
                correlate(dy.plane(n, k), x.plane(n, k / perGroup * dw.shape[1] + c), i, j);
}

static void evaluateActivationGrad(hg::ActivationGradOp op, ArrayRef<Tensor> operands,
                                   MutableArrayRef<Tensor> results) {
  const Tensor &dy = operands[0], &saved = operands[1];
  const hg::ActivationFunction *function = hg::findActivation(op.getFunction());
  double alpha = op.getAlpha() ? op.getAlpha()->convertToDouble() : function->defaultAlpha;
  auto derivative = op.getFromValue() ? function->derivativeOfValue : function->derivative;
  for (size_t i = 0; i < dy.data.size(); ++i)
    results[0].data[i] =
        dy.data[i] * derivative(saved.data[i], op.getSlope() ? operands[2].data[dy.channelOf(i)] : alpha);
}

/// Calls `pixel(at)` for each pixel; at(c) is the element of its channel c.
template <typename PixelT> static void forEachPixel(const Tensor &x, PixelT pixel) {
  int64_t plane = x.planeSize();
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t i = 0; i < plane; ++i)
      pixel([&, n, i](int64_t c) { return (n * x.shape[1] + c) * plane + i; });
}

static void evaluateSoftmaxGrad(hg::SoftmaxGradOp, ArrayRef<Tensor> operands,
                                MutableArrayRef<Tensor> results) {
  const std::vector<double> &dy = operands[0].data, &y = operands[1].data;
  int64_t channels = operands[0].shape[1];
  forEachPixel(operands[0], [&](auto at) {
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c)
      sum += dy[at(c)] * y[at(c)];
    for (int64_t c = 0; c < channels; ++c)
      results[0].data[at(c)] = y[at(c)] * (dy[at(c)] - sum);
  });
}

static void evaluateLogSoftmaxGrad(hg::LogSoftmaxGradOp, ArrayRef<Tensor> operands,
                                   MutableArrayRef<Tensor> results) {
  const std::vector<double> &dy = operands[0].data, &y = operands[1].data;
  int64_t channels = operands[0].shape[1];
  forEachPixel(operands[0], [&](auto at) {
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c)
      sum += dy[at(c)];
    for (int64_t c = 0; c < channels; ++c)
      results[0].data[at(c)] = dy[at(c)] - std::exp(y[at(c)]) * sum;
  });
}

void drop(const Tensor &x, double rate, uint32_t site, const Tensor &seed, Tensor &y) {
  auto number = [&](unsigned i) { return static_cast<uint32_t>(static_cast<int64_t>(seed.data[i])); };
  int64_t channels = x.shape[1], plane = x.planeSize();
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t i = 0; i < plane; ++i) {
        auto index = static_cast<uint32_t>((n * plane + i) * channels + c); // N, H, W, C
        bool survives = hg::uniform(number(0), number(1), site, index) >= static_cast<float>(rate);
        y.plane(n, c)[i] = survives ? x.plane(n, c)[i] / (1 - rate) : 0;
      }
}

static void evaluateDrop(hg::DropOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  drop(operands[0], op.getRate().convertToDouble(), static_cast<uint32_t>(op.getSite()), operands[1],
       results[0]);
}

static void evaluateNormGrad(hg::NormGradOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  const Tensor &dy = operands[0], &x = operands[1];
  for (size_t i = 0; i < dy.data.size(); ++i) {
    int64_t channel = dy.channelOf(i);
    results[0].data[i] = operands[2].data[channel] * dy.data[i] + operands[3].data[channel] * x.data[i] +
                         operands[4].data[channel];
  }
}

void enterGradientOps(EvaluatorTable &table) {
  enter<evaluateConvWeightGrad>(table);
  enter<evaluateActivationGrad>(table);
  enter<evaluateSoftmaxGrad>(table);
  enter<evaluateLogSoftmaxGrad>(table);
  enter<evaluateDrop>(table);
  enter<evaluateNormGrad>(table);
}

} // namespace segc::reference
