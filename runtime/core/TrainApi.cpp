/// \file The C functions that only libraries that train have: arguments and concurrent use are checked here.
// SPDX-License-Identifier: MIT
#include "runtime/core/Api.h"
#include "runtime/core/Error.h"
#include "runtime/core/FlatMemory.h"
#include "runtime/core/Table.h"

using namespace segc::rt;

namespace {

constexpr TensorList kInputs = {&Header::inputs, "training inputs"},
                     kOutputs = {&Header::outputs, "training outputs"};

int checkTrains(const segc_model_model *model) {
  if (!model)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "model is NULL");
  if (!model->training)
    return fail(SEGC_MODEL_UNSUPPORTED,
                "this library only runs: compile the model with -mode train or -mode both to train it");
  return SEGC_MODEL_OK;
}

/// A Use of a handle that trains.
struct TrainUse : Use {
  int failed;
  explicit TrainUse(segc_model_model *m) : Use(m), failed(status ? status : checkTrains(m)) {}
};

/// The training table of a handle, or without one of the best variant; null in a library that only runs.
const Header *tableOf(const segc_model_model *model) {
  return model ? model->train.table : segc_model_variants[0].trainTable;
}

/// What tells of a weight by its index, once that is checked.
const WeightDesc &weightAt(const segc_model_model &model, int index) {
  return elements<WeightDesc>(*model.train.table, model.train.table->weights)[index];
}

int checkGradTensors(const segc_model_model &model, const segc_model_tensor *inputs, int num_inputs,
                     const segc_model_tensor *outputs, int num_outputs) {
  const Header &table = *model.train.table;
  if (int status = checkTensorList(inputs, num_inputs, table.inputs.count, "inputs"))
    return status;
  return checkTensorList(outputs, num_outputs, table.outputs.count, "outputs");
}

} // namespace

extern "C" {

int segc_model_grad(segc_model_model *model, const segc_model_tensor *inputs, int num_inputs,
                    const segc_model_tensor *outputs, int num_outputs) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (int status = checkGradTensors(*model, inputs, num_inputs, outputs, num_outputs))
    return status;
  return computeGradient(*model, inputs, outputs);
}

int segc_model_update(segc_model_model *model) {
  TrainUse use(model);
  return use.failed ? use.failed : updateWeights(*model);
}

int segc_model_step(segc_model_model *model, const segc_model_tensor *inputs, int num_inputs) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (model->train.table->outputs.count)
    return fail(
        SEGC_MODEL_UNSUPPORTED,
        "this model returns gradients of its inputs: call grad() with memory for them, then update()");
  if (int status = checkGradTensors(*model, inputs, num_inputs, nullptr, 0))
    return status;
  return stepModel(*model, inputs);
}

int segc_model_set_accumulation(segc_model_model *model, int on) {
  TrainUse use(model);
  return use.failed ? use.failed : setAccumulation(*model, on != 0);
}

int segc_model_num_losses(const segc_model_model *model) {
  const Header *table = tableOf(model);
  return table ? 1 + int(table->losses.count) : 0;
}

const char *segc_model_loss_name(const segc_model_model *model, int index) {
  const Header *table = tableOf(model);
  if (!table || index < 0 || uint32_t(index) > table->losses.count)
    return "";
  return index == 0 ? "total" : text(*table, elements<uint32_t>(*table, table->losses)[index - 1]);
}

int segc_model_loss(segc_model_model *model, int index, float *value) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (int status = checkIndex(value, "value", index, 1 + model->train.table->losses.count, "losses"))
    return status;
  if (!model->training->hasLoss)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "there is no loss: call grad() or step() first");
  *value = model->training->host.loss[index];
  return SEGC_MODEL_OK;
}

int segc_model_gradient(segc_model_model *model, int index, const float **data) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (int status = checkIndex(data, "data", index, model->train.table->weights.count, "weights"))
    return status;
  const WeightDesc &desc = weightAt(*model, index);
  *data = nullptr;
  return desc.flags & kTrainable ? showFlat(*model, FlatBuffer::Gradients, desc.flat, elementsOf(desc), data)
                                 : SEGC_MODEL_OK;
}

int segc_model_gradients_finite(segc_model_model *model, int *finite) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (!finite)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "finite is NULL");
  bool all = false;
  const int status = gradientsAreFinite(*model, all);
  *finite = all;
  return status;
}

int segc_model_get_weight(segc_model_model *model, int index, float *data) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (int status = checkIndex(data, "data", index, model->train.table->weights.count, "weights"))
    return status;
  const WeightDesc &desc = weightAt(*model, index);
  return readParameters(*model, desc.flat, elementsOf(desc), data);
}

int segc_model_set_weight(segc_model_model *model, int index, const float *data) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (int status = checkIndex(data, "data", index, model->train.table->weights.count, "weights"))
    return status;
  const WeightDesc &desc = weightAt(*model, index);
  markStale(*model, kAnyWeight);
  return writeParameters(*model, desc.flat, elementsOf(desc), data);
}

int segc_model_flat(segc_model_model *model, int which, float **data, size_t *count) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (int status = checkIndex(data, "data", which, kFlatBuffers, "flat buffers"))
    return status;
  if (!count)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "count is NULL");
  const int status = lendFlat(*model, FlatBuffer(which), data);
  model->training->gradientsAreOpen |=
      FlatBuffer(which) == FlatBuffer::Gradients || FlatBuffer(which) == FlatBuffer::Accumulated;
  *count = *data ? flatElements(*model->training->desc, FlatBuffer(which)) : 0;
  if (FlatBuffer(which) == FlatBuffer::Parameters)
    markStale(*model, kAnyWeight);
  return status;
}

int64_t segc_model_steps(const segc_model_model *model) {
  return model && model->training ? model->training->steps : 0;
}

int segc_model_set_steps(segc_model_model *model, int64_t steps) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (steps < 0)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "steps is %lld; it counts updates, from 0", (long long)steps);
  model->training->steps = steps;
  return SEGC_MODEL_OK;
}

int segc_model_set_learning_rate(segc_model_model *model, double rate) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (!(rate <= 1e30)) // NaN and infinity too
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "rate is %g; a number, or a negative one for the schedule",
                rate);
  model->training->ownRate = rate;
  return SEGC_MODEL_OK;
}

double segc_model_learning_rate(const segc_model_model *model) {
  return model && model->training ? learningRate(*model) : 0;
}

int segc_model_loss_scale(const segc_model_model *model, double *scale, int64_t *good_steps) {
  const int status = checkTrains(model);
  if (status)
    return status;
  if (!scale || !good_steps)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "%s is NULL", scale ? "good_steps" : "scale");
  *scale = model->training->lossScale;
  *good_steps = model->training->goodSteps;
  return SEGC_MODEL_OK;
}

int segc_model_set_loss_scale(segc_model_model *model, double scale, int64_t good_steps) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (!model->training->desc->lossScaling)
    return fail(SEGC_MODEL_UNSUPPORTED, "losses are scaled in libraries of -precision f16 only");
  double power = kLeastLossScale;
  while (power < scale && power < kMostLossScale)
    power *= 2;
  if (power != scale)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "scale is %g; a power of two from %g to %g", scale,
                kLeastLossScale, kMostLossScale);
  if (good_steps < 0 || good_steps >= kGoodSteps)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "good_steps is %lld; from 0 to %lld", (long long)good_steps,
                (long long)kGoodSteps - 1);
  model->training->lossScale = scale;
  model->training->goodSteps = good_steps;
  return SEGC_MODEL_OK;
}

int segc_model_set_seed(segc_model_model *model, uint32_t seed) {
  TrainUse use(model);
  if (!use.failed)
    model->training->seed = seed;
  return use.failed;
}

int segc_model_set_check_finite(segc_model_model *model, int on) {
  TrainUse use(model);
  if (!use.failed)
    model->training->checkFinite = on != 0;
  return use.failed;
}

int segc_model_num_train_inputs(const segc_model_model *model) {
  const Header *table = tableOf(model);
  return table ? int(table->inputs.count) : 0;
}

int segc_model_num_train_outputs(const segc_model_model *model) {
  const Header *table = tableOf(model);
  return table ? int(table->outputs.count) : 0;
}

int segc_model_train_input_info(const segc_model_model *model, int index, segc_model_info *info) {
  const int status = checkTrains(model);
  return status ? status : tensorInfo(model->train, kInputs, index, info);
}

int segc_model_train_output_info(const segc_model_model *model, int index, segc_model_info *info) {
  const int status = checkTrains(model);
  return status ? status : tensorInfo(model->train, kOutputs, index, info);
}

int segc_model_reshape_train(segc_model_model *model, const int64_t *shapes) {
  TrainUse use(model);
  if (use.failed)
    return use.failed;
  if (!shapes)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "shapes is NULL: pass 4 extents for each training input");
  return setShape(*model, model->train, shapes);
}

int segc_model_train_workspace_bytes(const segc_model_model *model, const int64_t *shapes, int threads,
                                     size_t *bytes) {
  const int status = checkTrains(model);
  return status ? status : workspaceOf(*model, model->train, shapes, threads, bytes);
}
}
