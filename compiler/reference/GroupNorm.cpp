/// \file Norms with statistics of each image (instance, group, layer), and what their gradients need.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include <cmath>

using namespace mlir;

namespace segc::reference {

/// Calls `group(n, first, behind)` for the channels first to behind - 1 of each group of each image.
template <typename GroupT> static void forEachGroup(const Tensor &x, uint64_t groups, GroupT group) {
  int64_t size = x.shape[1] / static_cast<int64_t>(groups);
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t first = 0; first < x.shape[1]; first += size)
      group(n, first, first + size);
}

/// Two passes over the elements of each group (Wu and He 2018, section 3).
static void evaluateGroupNorm(hg::GroupNormOp op, ArrayRef<Tensor> operands,
                              MutableArrayRef<Tensor> results) {
  const Tensor &x = operands[0];
  Tensor &y = results[0];
  const Tensor *next = operands.data() + 1;
  const Tensor *gamma = op.getGamma() ? next++ : nullptr, *beta = op.getBeta() ? next++ : nullptr;
  int64_t plane = x.planeSize();
  if (op.getScale()) { // the statistics are known
    for (size_t i = 0; i < x.data.size(); ++i)
      y.data[i] = x.data[i] * next[0].data[i / plane] + next[1].data[i / plane];
    return;
  }
  forEachGroup(x, op.getGroups(), [&](int64_t n, int64_t first, int64_t behind) {
    auto mean = [&](auto function) {
      double sum = 0;
      for (const double *value = x.plane(n, first), *end = value + (behind - first) * plane; value < end;
           ++value)
        sum += function(*value);
      return sum / static_cast<double>((behind - first) * plane);
    };
    double centre = mean([](double value) { return value; });
    double variance = mean([&](double value) { return (value - centre) * (value - centre); });
    for (int64_t c = first; c < behind; ++c) {
      double scale = (gamma ? gamma->data[c] : 1) / std::sqrt(variance + op.getEps().convertToDouble());
      for (int64_t i = 0; i < plane; ++i)
        y.plane(n, c)[i] = scale * (x.plane(n, c)[i] - centre) + (beta ? beta->data[c] : 0);
    }
  });
}

/// The sum over the bands of one column of sums.
static double total(const Tensor &sums, int64_t n, int64_t channel, int64_t column) {
  double sum = 0;
  for (int64_t band = 0; band < sums.shape[2]; ++band)
    sum += sums.plane(n, channel)[band * sums.shape[3] + column];
  return sum;
}

static void evaluateFinishGroupStats(hg::FinishGroupStatsOp op, ArrayRef<Tensor> operands,
                                     MutableArrayRef<Tensor> results) {
  const Tensor &sums = operands[0];
  const Tensor *next = operands.data() + 1;
  const Tensor *gamma = op.getGamma() ? next++ : nullptr, *beta = op.getBeta() ? next : nullptr;
  forEachGroup(sums, op.getGroups(), [&](int64_t n, int64_t first, int64_t behind) {
    double all[3] = {0, 0, 0};
    for (int64_t c = first; c < behind; ++c)
      for (int64_t column = 0; column < 3; ++column)
        all[column] += total(sums, n, c, column);
    double mean = all[0] / all[2], variance = all[1] / all[2] - mean * mean;
    // Rounding must not make it negative; NaN stays.
    double rstd = 1 / std::sqrt((variance < 0 ? 0 : variance) + op.getEps().convertToDouble());
    for (int64_t c = first; c < behind; ++c) {
      double scale = all[2] == 1 ? 0 : (gamma ? gamma->data[c] : 1) * rstd;
      double values[] = {scale, (beta ? beta->data[c] : 0) - mean * scale, mean, rstd};
      for (auto [result, value] : llvm::zip(results, values))
        *result.plane(n, c) = value;
    }
  });
}

static void evaluateFinishGroupNormGrad(hg::FinishGroupNormGradOp op, ArrayRef<Tensor> operands,
                                        MutableArrayRef<Tensor> results) {
  const Tensor &sums = operands[0], &mean = operands[1], &rstd = operands[2];
  forEachGroup(sums, op.getGroups(), [&](int64_t n, int64_t first, int64_t behind) {
    double all0 = 0, all1 = 0, count = 0;
    auto gamma = [&](int64_t c) { return op.getGamma() ? operands[3].data[c] : 1; };
    for (int64_t c = first; c < behind; ++c) {
      double s0 = total(sums, n, c, 0);
      double s1 = *rstd.plane(n, c) * (total(sums, n, c, 1) - *mean.plane(n, c) * s0);
      results[0].data[c] += s1;
      results[1].data[c] += s0;
      all0 += gamma(c) * s0;
      all1 += gamma(c) * s1;
      count += total(sums, n, c, 2);
    }
    for (int64_t c = first; c < behind; ++c) {
      double r = *rstd.plane(n, c), b = -r * r * all1 / count;
      double values[] = {gamma(c) * r, b, -r * all0 / count - b * *mean.plane(n, c)};
      for (auto [result, value] : llvm::zip(results.drop_front(2), values))
        *result.plane(n, c) = count == 1 ? 0 : value;
    }
  });
}

void enterGroupNormOps(EvaluatorTable &table) {
  enter<evaluateGroupNorm>(table);
  enter<evaluateFinishGroupStats>(table);
  enter<evaluateFinishGroupNormGrad>(table);
}

} // namespace segc::reference
