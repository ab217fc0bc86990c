/// \file What norms and dropout of the graph mean in training, before differentiation writes it out.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include "llvm/Support/xxhash.h"
#include <cmath>

using namespace mlir;

namespace segc::reference {

/// Batch norm (Ioffe and Szegedy 2015) with the mean and the biased variance of the batch, in two passes.
static void normaliseBatch(Operation *op, ArrayRef<Tensor> operands, const Tensor &, Tensor &y) {
  auto norm = cast<hg::NormOp>(op);
  const Tensor &x = operands[0];
  const Tensor *next = operands.data() + 1;
  const Tensor *gamma = norm.getGamma() ? next++ : nullptr, *beta = norm.getBeta() ? next : nullptr;
  int64_t plane = x.planeSize();
  for (int64_t c = 0; c < x.shape[1]; ++c) {
    auto mean = [&](auto function) {
      double sum = 0;
      for (int64_t n = 0; n < x.shape[0]; ++n)
        for (int64_t i = 0; i < plane; ++i)
          sum += function(x.plane(n, c)[i]);
      return sum / static_cast<double>(x.shape[0] * plane);
    };
    double centre = mean([](double value) { return value; });
    double variance = mean([&](double value) { return (value - centre) * (value - centre); });
    double scale = (gamma ? gamma->data[c] : 1) / std::sqrt(variance + norm.getEps().convertToDouble());
    for (int64_t n = 0; n < x.shape[0]; ++n)
      for (int64_t i = 0; i < plane; ++i)
        y.plane(n, c)[i] = scale * (x.plane(n, c)[i] - centre) + (beta ? beta->data[c] : 0);
  }
}

/// The site is the one that differentiation gives the layer: its name's hash.
static void dropElements(Operation *op, ArrayRef<Tensor> operands, const Tensor &seed, Tensor &y) {
  auto site = static_cast<uint32_t>(llvm::xxh3_64bits(hg::layerName(op->getLoc())));
  drop(operands[0], cast<hg::DropoutOp>(op).getRate().convertToDouble(), site, seed, y);
}

TrainingEvaluator findTrainingEvaluator(Operation *op) {
  if (auto norm = dyn_cast<hg::NormOp>(op))
    return norm.getFrozen() ? nullptr : normaliseBatch;
  return isa<hg::DropoutOp>(op) ? dropElements : nullptr;
}

} // namespace segc::reference
