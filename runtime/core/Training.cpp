/// \file Training state: its memory, the weights in it, gradients, accumulation.
// SPDX-License-Identifier: MIT
#include "runtime/core/Training.h"
#include "runtime/core/Error.h"
#include "runtime/core/Finite.h"
#include "runtime/core/FlatMemory.h"
#include "runtime/core/Table.h"
#include <stdlib.h>
#include <string.h>

namespace segc::rt {
namespace {

/// Buffers the optimiser needs from the start.
bool isNeeded(const TrainingDesc &desc, FlatBuffer which) {
  switch (which) {
  case FlatBuffer::Parameters:
  case FlatBuffer::Gradients:
    return true;
  case FlatBuffer::State0:
    return desc.optimizer != OptimizerKind::Sgd || desc.momentum != 0;
  case FlatBuffer::State1:
    return desc.optimizer != OptimizerKind::Sgd;
  case FlatBuffer::Average:
    return desc.ema != 0;
  default:
    return false;
  }
}

bool layoutIsSound(const Header &table) {
  const TrainingDesc &desc = *trainingOf(table);
  for (uint32_t i = 0; i < table.weights.count; ++i) {
    const WeightDesc &weight = elements<WeightDesc>(table, table.weights)[i];
    const uint64_t limit = weight.flags & kTrainable ? desc.trainableElements : desc.totalElements;
    if (weight.flat > limit || elementsOf(weight) > limit - weight.flat)
      return false;
  }
  return desc.trainableElements <= desc.totalElements && desc.totalElements <= UINT64_MAX / 64;
}

/// Copies the weights that were read into the parameters, where they live from now on.
int moveWeights(segc_model_model &model) {
  const Header &table = *model.train.table;
  Weights &weights = model.weights;
  const float *const parameters = model.training->memory.flat[uint32_t(FlatBuffer::Parameters)];
  for (uint32_t i = 0; i < weights.count; ++i) {
    const WeightDesc &desc = elements<WeightDesc>(table, table.weights)[i];
    if (int status =
            writeParameters(model, desc.flat, elementsOf(desc), static_cast<const float *>(weights.data[i])))
      return status;
    free(weights.owned[i]);
    weights.owned[i] = nullptr;
    weights.data[i] = parameters + desc.flat;
  }
  return SEGC_MODEL_OK;
}

/// Finds the weights of the inference engine by name among those of the training engine.
int shareWeights(segc_model_model &model) {
  const Header &infer = *model.infer.table, &train = *model.train.table;
  const WeightDesc *wanted = elements<WeightDesc>(infer, infer.weights),
                   *known = elements<WeightDesc>(train, train.weights);
  Training &training = *model.training;
  training.inferWeights = static_cast<const void **>(calloc(infer.weights.count + 1, sizeof(void *)));
  if (!training.inferWeights)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for the list of weights");
  for (uint32_t i = 0; i < infer.weights.count; ++i) {
    uint32_t k = 0;
    while (k < train.weights.count && strcmp(text(infer, wanted[i].name), text(train, known[k].name)) != 0)
      ++k;
    if (k == train.weights.count || elementsOf(wanted[i]) != elementsOf(known[k]))
      return fail(SEGC_MODEL_KERNEL_FAILED, "the library is damaged: weight '%s' is not trained as it is run",
                  text(infer, wanted[i].name));
    training.inferWeights[i] = model.weights.data[k];
  }
  model.infer.weights = training.inferWeights;
  return SEGC_MODEL_OK;
}

/// The flags of the weights that a table's @prepare reads.
uint32_t flagsOfPrepared(const Header &table) {
  uint32_t flags = 0;
  for (uint32_t i = 0; i < table.prepareSteps.count; ++i) {
    const StepDesc &step = elements<StepDesc>(table, table.prepareSteps)[i];
    for (uint32_t k = 0; k < step.argCount; ++k) {
      const ViewDesc &view =
          elements<ViewDesc>(table, table.views)[elements<uint32_t>(table, table.args)[step.firstArg + k]];
      if (view.space == Space::Weight)
        flags |= elements<WeightDesc>(table, table.weights)[view.index].flags;
    }
  }
  return flags;
}

/// Binds the lists that work on flat buffers; what is accumulated takes the gradients' place in the update.
void bindLists(segc_model_model &model) {
  Engine &engine = model.train;
  Training &training = *model.training;
  Memory memory = {nullptr, engine.weights, engine.prepared, &training.memory};
  engine.program.bindStatic(StepList::Average, engine.constants, nullptr, memory);
  engine.program.bindStatic(StepList::Unscale, engine.constants, nullptr, memory);
  if (training.memory.flat[uint32_t(FlatBuffer::Accumulated)])
    engine.program.bindStatic(StepList::Accumulate, engine.constants, nullptr, memory);
  TrainMemory updated = training.memory;
  if (training.accumulate)
    updated.flat[uint32_t(FlatBuffer::Gradients)] = updated.flat[uint32_t(FlatBuffer::Accumulated)];
  memory.train = &updated;
  engine.program.bindStatic(StepList::Norm, engine.constants, nullptr, memory);
  engine.program.bindStatic(StepList::Update, engine.constants, nullptr, memory);
}

int allocateTraining(segc_model_model &model) {
  const Header &table = *model.train.table;
  if (!trainingOf(table) || !layoutIsSound(table))
    return fail(SEGC_MODEL_KERNEL_FAILED, "the library is damaged: its training table does not say where "
                                          "parameters lie");
  model.training = static_cast<Training *>(calloc(1, sizeof(Training)));
  if (!model.training)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for training");
  Training &training = *model.training;
  training.desc = trainingOf(table);
  training.ownRate = -1;
  training.lossScale = training.desc->lossScaling ? kFirstLossScale : 1;
  training.prepareReads = flagsOfPrepared(table);
  model.train.train = &training.memory;
  for (uint32_t i = 0; i < kFlatBuffers; ++i)
    if (isNeeded(*training.desc, FlatBuffer(i)))
      if (int status = allocateFlat(model, FlatBuffer(i)))
        return status;
  if (int status = allocateStatistics(model))
    return status;
  return allocateVectors(model, table.segments.count);
}

int readAllWeights(segc_model_model &model, const void *block, size_t bytes) {
  const Header &table = *model.train.table;
  unsigned char *keep = static_cast<unsigned char *>(calloc(1, table.weights.count + 1));
  if (!keep)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for the list of weights");
  const int status = readWeights(model, table, keep, block, bytes);
  free(keep);
  return status ? status : moveWeights(model);
}

/// Loads the code of the lists that work on flat buffers, so that update() compiles nothing.
int readyUpdate(segc_model_model &model) {
  if (!model.crew.device)
    return SEGC_MODEL_OK;
  for (StepList list :
       {StepList::Norm, StepList::Update, StepList::Average, StepList::Accumulate, StepList::Unscale})
    if (int status = model.train.program.load(list))
      return status;
  return SEGC_MODEL_OK;
}

} // namespace

int createTraining(segc_model_model &model, const void *weights, size_t bytes) {
  if (int status = allocateTraining(model))
    return status;
  if (int status = readAllWeights(model, weights, bytes))
    return status;
  const Training &training = *model.training;
  if (training.memory.flat[uint32_t(FlatBuffer::Average)])
    if (int status =
            copyFlat(model, FlatBuffer::Average, FlatBuffer::Parameters, training.desc->trainableElements))
      return status;
  model.train.weights = model.weights.data;
  if (int status = firstPrepare(model, model.train))
    return status;
  bindLists(model);
  if (int status = readyUpdate(model))
    return status;
  if (!model.infer.table)
    return SEGC_MODEL_OK;
  if (int status = shareWeights(model))
    return status;
  return firstPrepare(model, model.infer);
}

void destroyTraining(segc_model_model &model) {
  if (!model.training)
    return;
  freeTrainMemory(model);
  free(model.training->inferWeights);
  free(model.training);
}

void markStale(segc_model_model &model, uint32_t flags) {
  model.infer.stale = model.infer.table != nullptr;
  model.train.stale |= flags == kAnyWeight || (model.training->prepareReads & flags) != 0;
}

bool mayRepeat(const segc_model_model &model) {
  return model.crew.device && model.device.records && !model.observer.function &&
         !model.training->checkFinite;
}

int runList(segc_model_model &model, StepList list) {
  const Inspector inspector = {model.training->checkFinite ? inspectStep : nullptr, &model};
  return model.train.program.run(list, model.train.constants, nullptr, nullptr, model.observer, inspector);
}

int setAccumulation(segc_model_model &model, bool on) {
  Training &training = *model.training;
  float *const &sums = training.memory.flat[uint32_t(FlatBuffer::Accumulated)];
  if (on && !sums)
    if (int status = allocateFlat(model, FlatBuffer::Accumulated))
      return status;
  if (sums)
    if (int status = clearFlat(model, FlatBuffer::Accumulated))
      return status;
  training.accumulate = on;
  training.grads = 0;
  training.hasNorm = false;
  bindLists(model);
  return SEGC_MODEL_OK;
}

} // namespace segc::rt
