/// \file One step of the optimiser: the gradient's norm, the numbers its kernels read, the kernels.
// SPDX-License-Identifier: MIT
#include "runtime/core/Error.h"
#include "runtime/core/FlatMemory.h"
#include "runtime/core/Schedule.h"
#include "runtime/core/Table.h"
#include <math.h>
#include <string.h>

namespace segc::rt {
namespace {

/// The gradient's length. Computed once where both gradients_finite() and update() want it, or with the
/// gradient, if nobody can have written to the gradient in between: on a device it comes back by
/// returnFlat().
int gradientNorm(segc_model_model &model, double &norm) {
  Training &training = *model.training;
  if (!training.hasNorm || (training.gradientsAreOpen && !model.crew.device)) {
    if (int status = runList(model, StepList::Norm))
      return status;
    if (int status =
            fetchVector(model, training.host.partial, training.memory.partial, kPartialSums * sizeof(double)))
      return status;
    noteNorm(training);
  }
  norm = training.norm;
  return SEGC_MODEL_OK;
}

/// What every gradient is multiplied by: 1 / count for the mean of accumulated ones, and for clipping
/// min(1, clipNorm / (norm + 1e-6)) as torch.nn.utils.clip_grad_norm_ (a NaN stays one).
double gradientFactor(const TrainingDesc &desc, uint32_t grads, double norm) {
  double factor = 1.0 / grads;
  if (!(desc.clipNorm > 0))
    return factor;
  norm *= factor;
  const double coefficient = desc.clipNorm / (norm + 1e-6);
  if (!(coefficient >= 1))
    factor *= coefficient;
  return factor;
}

int fillHyper(segc_model_model &model, double factor) {
  Training &training = *model.training;
  const TrainingDesc &desc = *training.desc;
  const Header &table = *model.train.table;
  const bool adam = desc.optimizer != OptimizerKind::Sgd;
  const double t = double(training.steps + 1), rate = learningRate(model);
  if (training.isSending)
    if (int status = model.device.driver->finish(model.device))
      return status;
  training.isSending = model.crew.device != nullptr;
  // Kernels weight new values by 1 - beta of the rounded betas; the corrections undo exactly that.
  const double beta1 = float(desc.beta1), beta2 = float(desc.beta2);
  for (uint32_t i = 0; i < table.segments.count; ++i) {
    float *row = training.host.hyper + size_t(i) * kHyperFloats;
    row[kHyperRate] = float(rate * elements<SegmentDesc>(table, table.segments)[i].lrScale);
    row[kHyperDecay] = float(desc.weightDecay);
    row[kHyperFactor] = float(factor);
    row[kHyperMomentum] = float(adam ? beta1 : desc.momentum);
    row[kHyperBeta2] = float(beta2);
    row[kHyperEps] = float(desc.eps);
    row[kHyperCorrection1] = float(1 - pow(beta1, t));
    row[kHyperCorrection2] = float(sqrt(1 - pow(beta2, t)));
    row[kHyperAverage] = float(desc.ema);
  }
  return sendVector(model, training.memory.hyper, training.host.hyper,
                    uint64_t(table.segments.count) * kHyperFloats * sizeof(float));
}

/// A scale that was too large, so that the gradients changed nothing, is halved.
int shrinkLossScale(Training &training) {
  if (training.lossScale <= kLeastLossScale)
    return fail(SEGC_MODEL_NOT_FINITE,
                "the gradients are not finite, though the loss's is multiplied by %g only: the network's own "
                "values are too large for f16, or not finite themselves",
                training.lossScale);
  training.lossScale /= 2;
  training.goodSteps = 0;
  return SEGC_MODEL_OK;
}

/// Gradients that are not finite change nothing.
int skipUpdate(segc_model_model &model) {
  Training &training = *model.training;
  training.grads = 0;
  markStale(model, kRunning);
  if (int status = restoreStatistics(model))
    return status;
  if (training.accumulate)
    if (int status = clearFlat(model, FlatBuffer::Accumulated))
      return status;
  return shrinkLossScale(training);
}

/// One that was good for long is doubled.
void growLossScale(Training &training) {
  if (!training.desc->lossScaling || ++training.goodSteps < kGoodSteps)
    return;
  training.goodSteps = 0;
  if (training.lossScale < kMostLossScale)
    training.lossScale *= 2;
}

} // namespace

double learningRate(const segc_model_model &model) {
  const Training &training = *model.training;
  const Header &table = *model.train.table;
  if (training.ownRate >= 0)
    return training.ownRate;
  return scheduledRate(*training.desc, elements<int64_t>(table, table.milestones), table.milestones.count,
                       training.steps);
}

bool needsNorm(const TrainingDesc &desc) { return desc.clipNorm > 0 || desc.lossScaling; }

/// Sums of squares are added in a fixed order.
void noteNorm(Training &training) {
  double sum = 0;
  for (uint32_t i = 0; i < kPartialSums; ++i)
    sum += training.host.partial[i];
  training.norm = sqrt(sum);
  training.hasNorm = true;
}

int beginUpdate(segc_model_model &model, uint32_t grads, double norm) {
  const Training &training = *model.training;
  if (int status = fillHyper(model, gradientFactor(*training.desc, grads, norm)))
    return status;
  // The average starts from what the parameters are before the first update.
  if (training.memory.flat[uint32_t(FlatBuffer::Average)] && training.steps == 0)
    return copyFlat(model, FlatBuffer::Average, FlatBuffer::Parameters, training.desc->trainableElements);
  return SEGC_MODEL_OK;
}

int runUpdate(segc_model_model &model) {
  if (int status = runList(model, StepList::Update))
    return status;
  if (int status = runList(model, StepList::Average))
    return status;
  return model.training->accumulate ? clearFlat(model, FlatBuffer::Accumulated) : SEGC_MODEL_OK;
}

void endUpdate(Training &training) {
  ++training.steps;
  growLossScale(training);
  training.grads = 0;
}

int updateWeights(segc_model_model &model) {
  Training &training = *model.training;
  if (training.grads == 0)
    return fail(SEGC_MODEL_INVALID_ARGUMENT,
                "there is no gradient since the last update: call grad() first, or step()");
  if (int status = returnFlat(model))
    return status;
  lendScratch(model, model.train);
  double norm = 0;
  if (needsNorm(*training.desc))
    if (int status = gradientNorm(model, norm))
      return status;
  if (training.desc->lossScaling && !isfinite(norm))
    return skipUpdate(model);
  if (int status = beginUpdate(model, training.grads, norm))
    return status;
  markStale(model, kTrainable);
  const auto work = [&] { return runUpdate(model); };
  if (int status = mayRepeat(model) ? repeat(model.device, model.train.program.update, work) : work())
    return status;
  endUpdate(training);
  return SEGC_MODEL_OK;
}

/// The sum of the squares is finite if they all are: in f64 it cannot overflow. Where the table has no list
/// that adds them, the gradients lie in the host's memory.
int gradientsAreFinite(segc_model_model &model, bool &finite) {
  Training &training = *model.training;
  if (training.grads == 0)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "there is no gradient since the last update: call grad() first");
  if (int status = returnFlat(model))
    return status;
  if (section(*model.train.table, StepList::Norm).count) {
    lendScratch(model, model.train);
    if (!training.asksNorm)
      model.train.program.forgetSets(); // from now on grad() does more
    training.asksNorm = true;
    double norm;
    const int status = gradientNorm(model, norm);
    finite = isfinite(norm);
    return status;
  }
  const FlatBuffer which = training.accumulate ? FlatBuffer::Accumulated : FlatBuffer::Gradients;
  const float *const gradients = training.memory.flat[uint32_t(which)];
  finite = true;
  for (uint64_t i = 0; i < training.desc->trainableElements; ++i) {
    constexpr uint32_t kExponent = 0x7f800000; // all ones for infinities and NaN
    uint32_t bits;
    memcpy(&bits, gradients + i, sizeof bits);
    finite &= (bits & kExponent) != kExponent;
  }
  return SEGC_MODEL_OK;
}

} // namespace segc::rt
