/// \file Gradients, and steps of training: what one call sends to a device is recorded and replayed as one.
// SPDX-License-Identifier: MIT
#include "runtime/core/Finite.h"
#include "runtime/core/FlatMemory.h"
#include "runtime/core/Labels.h"
#include "runtime/core/Table.h"

namespace segc::rt {
namespace {

/// What follows a gradient in the same work, with no word of the host in between.
enum class Then { Nothing, Norm, Update };

/// Checks, and what kernels read besides the caller's tensors.
int beginGradient(segc_model_model &model, const segc_model_tensor *inputs,
                  const segc_model_tensor *outputs) {
  Training &training = *model.training;
  Engine &engine = model.train;
  if (int status = engine.checkTensors(inputs, outputs, workspaceSpan(model)))
    return status;
  if (!engine.there.inputs) // kernels take labels that are none for the nearest class
    if (int status = checkLabels(*engine.table, inputs, model.crew.count))
      return status;
  if (!training.accumulate)
    training.grads = 0;
  training.hasLoss = training.hasNorm = false;
  // Each of the gradients that are accumulated drops other elements: the golden ratio keeps their numbers
  // apart from those of other steps.
  training.lent[uint32_t(FlatBuffer::Gradients)] = false; // all of it is computed anew
  if (int status = returnFlat(model))
    return status;
  training.host.seed[0] = int32_t(training.seed);
  training.host.seed[1] = int32_t(uint32_t(training.steps) + training.grads * 0x9e3779b9u);
  if (int status = sendVector(model, training.memory.seed, training.host.seed, 2 * sizeof(int32_t)))
    return status;
  if (training.desc->lossScaling) {
    training.host.hyper[kHyperLossScale] = float(training.lossScale);
    if (int status =
            sendVector(model, training.memory.hyper, training.host.hyper, kHyperFloats * sizeof(float)))
      return status;
  }
  if (training.grads == 0)
    if (int status = keepStatistics(model))
      return status;
  lendScratch(model, engine);
  return SEGC_MODEL_OK;
}

/// Forward, losses, backward with the tensors that are bound, and what follows: nothing here waits.
int runGradient(segc_model_model &model, Then then) {
  const Training &training = *model.training;
  const Inspector inspector = {training.checkFinite ? inspectStep : nullptr, &model};
  if (int status = model.train.compute(model.workspace, model.observer, inspector))
    return status;
  if (training.desc->lossScaling)
    if (int status = runList(model, StepList::Unscale))
      return status;
  if (training.accumulate)
    if (int status = runList(model, StepList::Accumulate))
      return status;
  return then == Then::Update ? runUpdate(model)
         : then == Then::Norm ? runList(model, StepList::Norm)
                              : SEGC_MODEL_OK;
}

/// The same, recorded where a device can do so. Where each update makes prepared weights stale, what is
/// recorded prepares them in any case; else they are prepared by themselves, when they are stale.
int repeatGradient(segc_model_model &model, Recording &of, Then then) {
  Engine &engine = model.train;
  if (!mayRepeat(model))
    return runGradient(model, then);
  const bool eachTime = model.training->prepareReads && !model.training->accumulate;
  if (engine.stale && !eachTime)
    if (int status = engine.prepare())
      return status;
  const bool stale = engine.stale;
  const int status = repeat(model.device, of, [&] {
    engine.stale = stale || (eachTime && model.device.recording);
    return runGradient(model, then);
  });
  engine.stale = status != SEGC_MODEL_OK;
  return status;
}

/// What the host reads back: a device has now read the inputs and all else that it was sent. This is the one
/// wait of a step.
int fetchResults(segc_model_model &model, Then then) {
  Training &training = *model.training;
  if (then == Then::Norm)
    if (int status = requestVector(model, training.host.partial, training.memory.partial,
                                   kPartialSums * sizeof(double)))
      return status;
  if (int status = fetchVector(model, training.host.loss, training.memory.loss,
                               (1 + training.desc->lossCount) * sizeof(float)))
    return status;
  training.isSending = model.train.staging.isSending = false;
  training.hasLoss = true;
  if (then == Then::Norm)
    noteNorm(training);
  return SEGC_MODEL_OK;
}

int gradientAnd(segc_model_model &model, const segc_model_tensor *inputs, const segc_model_tensor *outputs,
                Then then, bool isStep) {
  Training &training = *model.training;
  Engine &engine = model.train;
  int status = beginGradient(model, inputs, outputs);
  if (!status && then == Then::Update)
    status = beginUpdate(model, training.grads + 1, 0);
  if (status)
    return status;
  status = engine.send(inputs, outputs);
  if (!status)
    status = repeatGradient(model, isStep ? engine.program.ofStep() : engine.program.ofRun(), then);
  markStale(model, then == Then::Update ? kRunning | kTrainable : kRunning);
  status = engine.receive(outputs, status);
  if (!status)
    status = fetchResults(model, then);
  training.grads += !status;
  return status;
}

} // namespace

int computeGradient(segc_model_model &model, const segc_model_tensor *inputs,
                    const segc_model_tensor *outputs) {
  const Training &training = *model.training;
  // On a device a second wait would cost more than sums that nobody asks for.
  const bool sums =
      model.crew.device && (training.asksNorm || (needsNorm(*training.desc) && !training.accumulate));
  return gradientAnd(model, inputs, outputs, sums ? Then::Norm : Then::Nothing, false);
}

int stepModel(segc_model_model &model, const segc_model_tensor *inputs) {
  Training &training = *model.training;
  const bool norm = needsNorm(*training.desc);
  const Then then = norm && model.crew.device   ? Then::Norm
                    : norm || !mayRepeat(model) ? Then::Nothing
                                                : Then::Update;
  if (int status = gradientAnd(model, inputs, nullptr, then, true))
    return status;
  if (then != Then::Update)
    return updateWeights(model);
  endUpdate(training);
  return SEGC_MODEL_OK;
}

} // namespace segc::rt
