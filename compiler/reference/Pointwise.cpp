/// \file Elementwise ops, broadcasting, activations, norms and affine maps.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Evaluators.h"
#include "dialects/hourglass/Activation.h"
#include <cmath>

using namespace mlir;

namespace segc::reference {

/// y = function(x, channel) for each element; the channel is the second axis.
template <typename FunctionT> static void forEachElement(const Tensor &x, Tensor &y, FunctionT function) {
  for (size_t i = 0; i < x.data.size(); ++i)
    y.data[i] = function(x.data[i], x.channelOf(i));
}

static void evaluateAdd(hg::AddOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  for (size_t i = 0; i < results[0].data.size(); ++i)
    results[0].data[i] = operands[0].data[i] + operands[1].data[i];
}

static void evaluateSub(hg::SubOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  for (size_t i = 0; i < results[0].data.size(); ++i)
    results[0].data[i] = operands[0].data[i] - operands[1].data[i];
}

static void evaluateMul(hg::MulOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  for (size_t i = 0; i < results[0].data.size(); ++i)
    results[0].data[i] = operands[0].data[i] * operands[1].data[i];
}

static void evaluateScale(hg::ScaleOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  for (size_t i = 0; i < results[0].data.size(); ++i)
    results[0].data[i] = op.getFactor().convertToDouble() * operands[0].data[i];
}

/// Calls `at(index in the larger tensor, index in the smaller one)` for all elements of the larger.
template <typename AtT> static void forEachRepeated(const Tensor &large, const Tensor &small, AtT at) {
  int64_t index[4], position = 0;
  auto pick = [&](unsigned axis) { return small.shape[axis] == 1 ? 0 : index[axis]; };
  for (index[0] = 0; index[0] < large.shape[0]; ++index[0])
    for (index[1] = 0; index[1] < large.shape[1]; ++index[1])
      for (index[2] = 0; index[2] < large.shape[2]; ++index[2])
        for (index[3] = 0; index[3] < large.shape[3]; ++index[3])
          at(position++,
             ((pick(0) * small.shape[1] + pick(1)) * small.shape[2] + pick(2)) * small.shape[3] + pick(3));
}

static void evaluateBroadcast(hg::BroadcastOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  forEachRepeated(results[0], operands[0],
                  [&](int64_t large, int64_t small) { results[0].data[large] = operands[0].data[small]; });
}

static void evaluateReduceSum(hg::ReduceSumOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  forEachRepeated(operands[0], results[0],
                  [&](int64_t large, int64_t small) { results[0].data[small] += operands[0].data[large]; });
}

static void evaluateActivation(hg::ActivationOp op, ArrayRef<Tensor> operands,
                               MutableArrayRef<Tensor> results) {
  const hg::ActivationFunction *function = hg::findActivation(op.getFunction());
  double alpha = op.getAlpha() ? op.getAlpha()->convertToDouble() : function->defaultAlpha;
  forEachElement(operands[0], results[0], [&](double x, int64_t channel) {
    return function->value(x, op.getSlope() ? operands[1].data[channel] : alpha);
  });
}

/// Inference: the identity.
static void evaluateDropout(hg::DropoutOp, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  results[0] = operands[0];
}

static void evaluateNorm(hg::NormOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  const Tensor *next = operands.data() + 1;
  const Tensor *gamma = op.getGamma() ? next++ : nullptr, *beta = op.getBeta() ? next++ : nullptr;
  const Tensor *mean = next++, *variance = next;
  double eps = op.getEps().convertToDouble();
  forEachElement(operands[0], results[0], [&](double x, int64_t c) {
    return (gamma ? gamma->data[c] : 1) * (x - mean->data[c]) / std::sqrt(variance->data[c] + eps) +
           (beta ? beta->data[c] : 0);
  });
}

static void evaluateAffine(hg::AffineOp op, ArrayRef<Tensor> operands, MutableArrayRef<Tensor> results) {
  forEachElement(operands[0], results[0], [&](double x, int64_t c) {
    return x * operands[1].data[c] + (op.getShift() ? operands[2].data[c] : 0);
  });
}

void enterPointwiseOps(EvaluatorTable &table) {
  enter<evaluateAdd>(table);
  enter<evaluateSub>(table);
  enter<evaluateMul>(table);
  enter<evaluateScale>(table);
  enter<evaluateBroadcast>(table);
  enter<evaluateReduceSum>(table);
  enter<evaluateActivation>(table);
  enter<evaluateNorm>(table);
  enter<evaluateAffine>(table);
  enter<evaluateDropout>(table);
}

} // namespace segc::reference
