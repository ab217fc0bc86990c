/// \file Sums per channel, and what batch norm makes of them.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include <algorithm>
#include <cmath>

using namespace mlir;

namespace segc::reference {

static void evaluateChannelSums(hg::ChannelSumsOp op, ArrayRef<Tensor> operands,
                                MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  Tensor &sums = results[0];
  StringRef kind = op.getKind();
  int64_t height = x.shape[2], width = x.shape[3];
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t c = 0; c < x.shape[1]; ++c)
      forEachBand(height, [&](int64_t band, int64_t row) {
        double *columns = sums.plane(n, c) + band * sums.shape[3];
        for (int64_t i = row * width; i < (row + 1) * width; ++i) {
          double value = x.plane(n, c)[i], other = op.getOther() ? operands[1].plane(n, c)[i] : 0;
          if (kind == "negative") {
            columns[0] += value * std::min(other, 0.0);
            continue;
          }
          columns[0] += value;
          if (kind == "sum")
            continue;
          columns[1] += value * (kind == "stats" ? value : other);
          columns[2] += 1;
        }
      });
}

/// The sum of all bands of one column, for one channel.
static double total(const Tensor &sums, int64_t channel, int64_t column) {
  double sum = 0;
  for (int64_t n = 0; n < sums.shape[0]; ++n)
    for (int64_t band = 0; band < sums.shape[2]; ++band)
      sum += sums.plane(n, channel)[band * sums.shape[3] + column];
  return sum;
}

static void evaluateFinishSum(hg::FinishSumOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  for (int64_t c = 0; c < operands[0].shape[1]; ++c)
    results[0].data[c] = total(operands[0], c, 0);
}

static void evaluateFinishStats(hg::FinishStatsOp, ArrayRef<Tensor> operands,
                                MutableArrayRef<Tensor> results) {
  for (int64_t c = 0; c < operands[0].shape[1]; ++c) {
    double count = total(operands[0], c, 2), mean = total(operands[0], c, 0) / count;
    double variance = total(operands[0], c, 1) / count - mean * mean;
    results[0].data[c] = mean;
    results[1].data[c] = variance < 0 ? 0 : variance; // rounding must not make it negative; NaN stays
  }
}

static void evaluateFinishNormGrad(hg::FinishNormGradOp op, ArrayRef<Tensor> operands,
                                   MutableArrayRef<Tensor> results) {
  const Tensor &sums = operands[0], &mean = operands[1], &variance = operands[2];
  for (int64_t channel = 0; channel < sums.shape[1]; ++channel) {
    double count = total(sums, channel, 2), gamma = op.getGamma() ? operands[3].data[channel] : 1;
    double r = 1 / std::sqrt(variance.data[channel] + op.getEps().convertToDouble());
    double s0 = total(sums, channel, 0), s1 = r * (total(sums, channel, 1) - mean.data[channel] * s0);
    double a = count == 1 ? 0 : gamma * r, b = -a * r * s1 / count;
    double values[] = {s1, s0, a, b, -a * s0 / count - b * mean.data[channel]};
    for (auto [result, value] : llvm::zip(results, values))
      result.data[channel] = value;
  }
}

static void evaluateRunningUpdate(hg::RunningUpdateOp op, ArrayRef<Tensor> operands,
                                  MutableArrayRef<Tensor> results) {
  double momentum = op.getMomentum().convertToDouble();
  for (size_t c = 0; c < results[0].data.size(); ++c) {
    double count = total(operands[2], static_cast<int64_t>(c), 2);
    double batch = operands[1].data[c] * (op.getUnbiased() && count > 1 ? count / (count - 1) : 1);
    results[0].data[c] = (1 - momentum) * operands[0].data[c] + momentum * batch;
  }
}

static void evaluateSumWeights(hg::SumWeightsOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  for (size_t i = 0; i < results[0].data.size(); ++i)
    results[0].data[i] = operands[0].data[i] + operands[1].data[i];
}

void enterSumOps(EvaluatorTable &table) {
  enter<evaluateChannelSums>(table);
  enter<evaluateFinishSum>(table);
  enter<evaluateFinishStats>(table);
  enter<evaluateFinishNormGrad>(table);
  enter<evaluateRunningUpdate>(table);
  enter<evaluateSumWeights>(table);
}

} // namespace segc::reference
