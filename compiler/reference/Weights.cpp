/// \file Ops on weights: folded norms, phases of deconvolutions, packing as a box around the logical tensor.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include <cmath>

using namespace mlir;

namespace segc::reference {

static void evaluateNormScale(hg::NormScaleOp op, ArrayRef<Tensor> operands,
                              MutableArrayRef<Tensor> results) {
  const Tensor &variance = operands.back();
  double eps = op.getEps().convertToDouble();
  for (size_t c = 0; c < variance.data.size(); ++c)
    results[0].data[c] = (op.getGamma() ? operands[0].data[c] : 1) / std::sqrt(variance.data[c] + eps);
}

static void evaluateNormShift(hg::NormShiftOp op, ArrayRef<Tensor> operands,
                              MutableArrayRef<Tensor> results) {
  const Tensor *next = operands.data();
  const Tensor *beta = op.getBeta() ? next++ : nullptr;
  const Tensor *mean = next++, *scale = next++;
  const Tensor *bias = op.getBias() ? next : nullptr;
  for (size_t c = 0; c < mean->data.size(); ++c)
    results[0].data[c] =
        (beta ? beta->data[c] : 0) + ((bias ? bias->data[c] : 0) - mean->data[c]) * scale->data[c];
}

static void evaluateScaleWeight(hg::ScaleWeightOp op, ArrayRef<Tensor> operands,
                                MutableArrayRef<Tensor> results) {
  const Tensor &weight = operands[0], &scale = operands[1];
  int64_t perGroup = weight.shape[0] / static_cast<int64_t>(op.getGroups()), filter = weight.planeSize();
  for (int64_t a = 0; a < weight.shape[0]; ++a)
    for (int64_t b = 0; b < weight.shape[1]; ++b) {
      int64_t channel = op.getDeconv() ? a / perGroup * weight.shape[1] + b : a;
      for (int64_t tap = 0; tap < filter; ++tap)
        results[0].plane(a, b)[tap] = weight.plane(a, b)[tap] * scale.data[channel];
    }
}

static void evaluatePhaseWeight(hg::PhaseWeightOp op, ArrayRef<Tensor> operands,
                                MutableArrayRef<Tensor> results) {
  const Tensor &weight = operands[0];
  Tensor &filter = results[0];
  int64_t outPerGroup = weight.shape[1], inPerGroup = filter.shape[1];
  auto tap = [&](unsigned axis, int64_t i) {
    return op.getFirst()[axis] + op.getStep()[axis] * (filter.shape[2 + axis] - 1 - i);
  };
  for (int64_t k = 0; k < filter.shape[0]; ++k)
    for (int64_t c = 0; c < inPerGroup; ++c)
      for (int64_t i = 0; i < filter.shape[2]; ++i)
        for (int64_t j = 0; j < filter.shape[3]; ++j) {
          int64_t y = tap(0, i), x = tap(1, j);
          if (y < 0 || y >= weight.shape[2] || x < 0 || x >= weight.shape[3])
            continue;
          filter.plane(k, c)[i * filter.shape[3] + j] =
              weight.plane(k / outPerGroup * inPerGroup + c, k % outPerGroup)[y * weight.shape[3] + x];
        }
}

static void evaluatePack(hg::PackOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  results[0].data.clear();
  results[0].logical = std::make_shared<const Tensor>(operands[0]);
}

static LogicalResult evaluateUnpack(hg::UnpackOp op, ArrayRef<Tensor> operands,
                                    MutableArrayRef<Tensor> results) {
  if (!operands[0].isPacked())
    return op.emitOpError("evaluated with a tensor that was never packed");
  // A kernel behind weight gradients serves tensors of any extents: the views it is launched on have them.
  if (!op.getProblem() && operands[0].logical->shape != results[0].shape)
    return op.emitOpError("has other extents than the tensor that was packed");
  results[0] = *operands[0].logical;
  return success();
}

void enterWeightOps(EvaluatorTable &table) {
  enter<evaluateNormScale>(table);
  enter<evaluateNormShift>(table);
  enter<evaluateScaleWeight>(table);
  enter<evaluatePhaseWeight>(table);
  enter<evaluatePack>(table);
  enter<evaluateUnpack>(table);
}

} // namespace segc::reference
