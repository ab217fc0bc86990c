/// \file The C functions of a compiled model: arguments and concurrent use are checked here, the work is in
/// Model.cpp.
///
/// The linker renames segc_model_X to <name>_X and makes everything else local, but the pool.
// SPDX-License-Identifier: MIT
#include "runtime/core/Api.h"
#include "runtime/core/Cpu.h"
#include "runtime/core/Error.h"
#include "runtime/core/Table.h"

namespace segc::rt {

Use::Use(segc_model_model *m) : model(m), status(SEGC_MODEL_OK) {
  if (!model)
    status = fail(SEGC_MODEL_INVALID_ARGUMENT, "model is NULL");
  else if (__atomic_exchange_n(&model->busy, 1, __ATOMIC_ACQUIRE))
    status = fail(SEGC_MODEL_BUSY, "another thread is using this handle: create one for each thread");
}

Use::~Use() {
  if (!status)
    __atomic_store_n(&model->busy, 0, __ATOMIC_RELEASE);
}

int checkIndex(const void *result, const char *resultName, int index, uint32_t count, const char *plural) {
  if (!result)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "%s is NULL", resultName);
  if (index < 0 || uint32_t(index) >= count)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "index is %d, the model has %u %s", index, count, plural);
  return SEGC_MODEL_OK;
}

int checkThreads(int threads) {
  if (threads < 1 || threads > kMaxThreads)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "threads is %d; it is from 1 to %d", threads, kMaxThreads);
  return SEGC_MODEL_OK;
}

int checkTensorList(const void *tensors, int count, uint32_t wanted, const char *plural) {
  if (count < 0 || uint32_t(count) != wanted)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "num_%s is %d, the model has %u", plural, count, wanted);
  if (!tensors && wanted)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "%s is NULL", plural);
  return SEGC_MODEL_OK;
}

int tensorInfo(const Engine &engine, const TensorList &list, int index, segc_model_info *info) {
  const Header &table = *engine.table;
  if (int status = checkIndex(info, "info", index, (table.*list.section).count, list.plural))
    return status;
  const TensorDesc &desc = elements<TensorDesc>(table, table.*list.section)[index];
  *info = {text(table, desc.name), int32_t(desc.dtype), int32_t(desc.rank), {0, 0, 0, 0}};
  for (uint32_t k = 0; k < desc.rank; ++k) {
    const SizeNode &node = elements<SizeNode>(table, table.sizes)[desc.sizes[k]];
    info->shape[k] = engine.layout.sizes ? engine.layout.sizes[desc.sizes[k]]
                     : node.op == SizeOp::Constant || node.op == SizeOp::Symbol ? node.value
                                                                                : 0;
  }
  return SEGC_MODEL_OK;
}

int workspaceOf(const segc_model_model &model, const Engine &engine, const int64_t *shapes, int threads,
                size_t *bytes) {
  if (!bytes)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "bytes is NULL");
  if (threads != 0)
    if (int status = checkThreads(threads))
      return status;
  const int lanes = threads ? threads : model.crew.count;
  if (!shapes && engine.layout.sizes) {
    *bytes = engine.workspaceBytes(lanes);
    return SEGC_MODEL_OK;
  }
  Layout layout;
  if (int status = layout.compute(*engine.table, shapes))
    return status;
  *bytes = workspaceBytes(*engine.table, layout, lanes);
  layout.free();
  return SEGC_MODEL_OK;
}

} // namespace segc::rt

using namespace segc::rt;

namespace {

constexpr TensorList kInputs = {&Header::inputs, "inputs"}, kOutputs = {&Header::outputs, "outputs"};

/// The table of a handle's weights, or without one that of the best variant: what is asked of it is the same
/// in all.
const Header &weightsTable(const segc_model_model *model) {
  if (!model)
    return segc::rt::weightsTable(segc_model_variants[0]);
  return model->train.table ? *model->train.table : *model->infer.table;
}

/// The table of inference, null in a library that only trains.
const Header *inferTable(const segc_model_model *model) {
  return model ? model->infer.table : segc_model_variants[0].table;
}

int checkInfers(const segc_model_model *model) {
  if (!model)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "model is NULL");
  if (!model->infer.table)
    return fail(SEGC_MODEL_UNSUPPORTED,
                "this library only trains: compile the model with -mode both to run it too");
  return SEGC_MODEL_OK;
}

} // namespace

extern "C" {

void segc_model_dense_nchw(segc_model_tensor *tensor) {
  if (tensor)
    fillDenseStrides(*tensor, false);
}

void segc_model_dense_nhwc(segc_model_tensor *tensor) {
  if (tensor)
    fillDenseStrides(*tensor, true);
}

int segc_model_create(const char *weights_path, segc_model_model **model) {
  if (!model)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "model is NULL: pass the address of a pointer");
  *model = nullptr;
  if (!weights_path)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "weights_path is NULL");
  MappedFile file;
  if (int status = file.open(weights_path))
    return status;
  const int status =
      createModel(segc_model_variants, segc_model_variant_count, file.data, file.bytes, true, model);
  file.close();
  return status;
}

int segc_model_create_from_memory(const void *weights, size_t bytes, segc_model_model **model) {
  if (!model)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "model is NULL: pass the address of a pointer");
  *model = nullptr;
  if (!weights)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "weights is NULL");
  return createModel(segc_model_variants, segc_model_variant_count, weights, bytes, false, model);
}

void segc_model_destroy(segc_model_model *model) {
  if (model)
    destroyModel(model);
}

int segc_model_reshape(segc_model_model *model, const int64_t *shapes) {
  Use use(model);
  if (use.status)
    return use.status;
  if (int status = checkInfers(model))
    return status;
  if (!shapes)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "shapes is NULL: pass 4 extents for each input");
  return setShape(*model, model->infer, shapes);
}

int segc_model_run(segc_model_model *model, const segc_model_tensor *inputs, int num_inputs,
                   const segc_model_tensor *outputs, int num_outputs) {
  Use use(model);
  if (use.status)
    return use.status;
  if (int status = checkInfers(model))
    return status;
  const Header &table = *model->infer.table;
  if (int status = checkTensorList(inputs, num_inputs, table.inputs.count, "inputs"))
    return status;
  if (int status = checkTensorList(outputs, num_outputs, table.outputs.count, "outputs"))
    return status;
  return runModel(*model, inputs, outputs);
}

int segc_model_set_threads(segc_model_model *model, int threads) {
  Use use(model);
  if (use.status)
    return use.status;
  if (int status = checkThreads(threads))
    return status;
  return setThreads(*model, threads);
}

int segc_model_workspace_bytes(const segc_model_model *model, const int64_t *shapes, int threads,
                               size_t *bytes) {
  if (int status = checkInfers(model))
    return status;
  return workspaceOf(*model, model->infer, shapes, threads, bytes);
}

int segc_model_set_workspace(segc_model_model *model, void *memory, size_t bytes) {
  Use use(model);
  return use.status ? use.status : setWorkspace(*model, memory, bytes);
}

int segc_model_set_device_tensors(segc_model_model *model, int inputs, int outputs) {
  Use use(model);
  if (use.status)
    return use.status;
  return setDeviceTensors(*model, {inputs != 0, outputs != 0});
}

int segc_model_set_stream(segc_model_model *model, void *stream) {
  Use use(model);
  return use.status ? use.status : setStream(*model, stream);
}

int segc_model_num_inputs(const segc_model_model *model) {
  const Header *table = inferTable(model);
  return table ? int(table->inputs.count) : 0;
}

int segc_model_num_outputs(const segc_model_model *model) {
  const Header *table = inferTable(model);
  return table ? int(table->outputs.count) : 0;
}

int segc_model_num_weights(const segc_model_model *model) { return int(weightsTable(model).weights.count); }

int segc_model_input_info(const segc_model_model *model, int index, segc_model_info *info) {
  const int status = checkInfers(model);
  return status ? status : tensorInfo(model->infer, kInputs, index, info);
}

int segc_model_output_info(const segc_model_model *model, int index, segc_model_info *info) {
  const int status = checkInfers(model);
  return status ? status : tensorInfo(model->infer, kOutputs, index, info);
}

int segc_model_weight_info(const segc_model_model *model, int index, segc_model_info *info) {
  const Header &table = weightsTable(model);
  if (int status = checkIndex(info, "info", index, table.weights.count, "weights"))
    return status;
  const WeightDesc &desc = elements<WeightDesc>(table, table.weights)[index];
  *info = {text(table, desc.name), int32_t(desc.dtype), int32_t(desc.rank), {0, 0, 0, 0}};
  for (uint32_t k = 0; k < desc.rank; ++k)
    info->shape[k] = desc.extents[k];
  return SEGC_MODEL_OK;
}

int segc_model_set_observer(segc_model_model *model, segc_model_observer observer, void *user) {
  Use use(model);
  if (!use.status)
    model->observer = {observer, user};
  return use.status;
}

const char *segc_model_note(const segc_model_model *model) { return model ? model->note : ""; }
const char *segc_model_variant(const segc_model_model *model) {
  if (!model)
    return "";
  return model->crew.device ? model->device.driver->name : isaName(weightsTable(model).isa);
}
const char *segc_model_last_error(void) { return lastError(); }
const char *segc_model_status_name(int status) { return statusName(status); }
}
