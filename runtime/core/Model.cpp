/// \file Life of a handle: create, reshape, threads, workspace, run.
// SPDX-License-Identifier: MIT
#include "runtime/core/Model.h"
#include "runtime/core/Allocation.h"
#include "runtime/core/Cpu.h"
#include "runtime/core/Error.h"
#include "runtime/core/Sizes.h"
#include "runtime/core/Table.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

namespace segc::rt {
namespace {

int processorsAllowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count < 1 ? 1 : count > kMaxThreads ? kMaxThreads : count;
}

/// Points both engines into the workspace. After any change of shape, threads or workspace.
void bind(segc_model_model &model) {
  model.infer.bind(model.workspace, !model.callersWorkspace);
  model.train.bind(model.workspace, !model.callersWorkspace);
  model.scratchOwner = nullptr;
}

/// Bytes of workspace that serve both engines, which run one at a time.
uint64_t workspaceNeed(const segc_model_model &model, int threads) {
  const uint64_t infer = model.infer.workspaceBytes(threads), train = model.train.workspaceBytes(threads);
  return infer > train ? infer : train;
}

/// Lets the handle's own workspace go.
void freeWorkspace(segc_model_model &model) {
  if (Device *device = model.crew.device; device && model.workspace)
    device->driver->release(*device, model.workspace);
  else if (!model.callersWorkspace)
    free(model.workspace);
  model.workspace = nullptr;
  model.workspaceBytes = 0;
}

/// Makes the workspace hold `bytes`, or says why not; the old one stays then.
int ensureWorkspace(segc_model_model &model, uint64_t bytes) {
  if (bytes <= model.workspaceBytes && model.workspace)
    return SEGC_MODEL_OK;
  if (model.callersWorkspace)
    return fail(
        SEGC_MODEL_WORKSPACE_TOO_SMALL,
        "the workspace has %llu bytes, this shape and number of threads need %llu: see workspace_bytes",
        (unsigned long long)model.workspaceBytes, (unsigned long long)bytes);
  char *memory = nullptr;
  if (Device *device = model.crew.device) {
    if (int status = device->driver->allocate(*device, bytes ? bytes : 1, "activations", &memory))
      return status;
  } else if (!(memory = allocateTouched(bytes))) {
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for a workspace of %llu bytes",
                (unsigned long long)bytes);
  }
  freeWorkspace(model);
  model.workspace = memory;
  model.workspaceBytes = bytes;
  return SEGC_MODEL_OK;
}

void setScratch(segc_model_model &model, char *scratch, uint64_t bytesOfLane) {
  for (int i = 0; i < model.crew.count; ++i)
    model.lanes[i] = {&model.crew, scratch + uint64_t(i) * bytesOfLane, bytesOfLane, 0, 0, {}};
}

/// Marks the weights that run() reads as they are; the others are only for @prepare.
void markKept(const Header &table, unsigned char *keep) {
  const StepDesc *steps = elements<StepDesc>(table, table.runSteps);
  for (uint32_t i = 0; i < table.runSteps.count; ++i)
    for (uint32_t k = 0; k < steps[i].argCount; ++k) {
      const uint32_t index = elements<uint32_t>(table, table.args)[steps[i].firstArg + k];
      const ViewDesc &view = elements<ViewDesc>(table, table.views)[index];
      if (view.space == Space::Weight)
        keep[view.index] = 1;
    }
}

/// Copies the weights to the device, those that `keep` marks (or the others) into one block.
int uploadWeights(segc_model_model &model, const Header &table, const unsigned char *keep, bool kept,
                  char **block) {
  Device &device = model.device;
  const WeightDesc *descs = elements<WeightDesc>(table, table.weights);
  auto room = [&](uint32_t i) { // kernels may read beyond a vector's end
    return keep[i] == kept ? alignUp((elementsOf(descs[i]) + kFlatSlack) * sizeof(float)) : 0;
  };
  uint64_t bytes = 0, at = 0;
  for (uint32_t i = 0; i < table.weights.count; ++i)
    bytes += room(i);
  if (!bytes)
    return SEGC_MODEL_OK;
  int status = device.driver->allocate(device, bytes, "weights", block);
  if (!status)
    status = device.driver->zero(device, *block, bytes, bytes, 1);
  for (uint32_t i = 0; i < table.weights.count && !status; at += room(i++))
    if (keep[i] == kept) {
      model.deviceWeights[i] = *block + at;
      status = device.driver->upload(device, *block + at, model.weights.data[i],
                                     elementsOf(descs[i]) * sizeof(float));
    }
  return status;
}

/// The same for a device: only what run() reads stays there beside the prepared weights.
int loadWeightsOnDevice(segc_model_model &model, const Header &table, const unsigned char *keep) {
  model.deviceWeights = static_cast<const void **>(calloc(table.weights.count + 1, sizeof(void *)));
  if (!model.deviceWeights)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for the list of weights");
  char *temporary = nullptr;
  int status = uploadWeights(model, table, keep, true, &model.keptWeights);
  if (!status)
    status = uploadWeights(model, table, keep, false, &temporary);
  model.infer.weights = model.deviceWeights;
  if (!status)
    status = firstPrepare(model, model.infer);
  if (!status)
    status = model.device.driver->finish(model.device);
  if (temporary)
    model.device.driver->release(model.device, temporary);
  return status;
}

/// The weights of a library that only infers: what @prepare has used up is let go.
int loadWeights(segc_model_model &model, const void *block, size_t bytes) {
  const Header &table = *model.infer.table;
  unsigned char *keep = static_cast<unsigned char *>(calloc(1, table.weights.count + 1));
  if (!keep)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for the list of weights");
  markKept(table, keep);
  int status = readWeights(model, table, keep, block, bytes);
  if (!status && model.crew.device) {
    status = loadWeightsOnDevice(model, table, keep);
  } else if (!status) {
    model.infer.weights = model.weights.data;
    status = firstPrepare(model, model.infer, &model.weights);
  }
  if (!status)
    model.weights.dropUnkept(keep);
  free(keep);
  return status;
}

/// A device needs one lane and no pool: its kernels run in its own stream.
int startDevice(segc_model_model &model, DeviceKind kind) {
  model.device.driver = driverOf(kind);
  if (!model.device.driver)
    return fail(SEGC_MODEL_KERNEL_FAILED, "the library is damaged: its core has no driver for its device");
  model.crew.lanes = model.lanes;
  model.crew.count = 1;
  if (int status = openDevice(model.device))
    return status;
  model.crew.device = &model.device;
  return SEGC_MODEL_OK;
}

int startThreads(segc_model_model &model) {
  model.crew.lanes = model.lanes;
  model.crew.count = processorsAllowed();
  if (int error = segc_pool_v1_retain(model.crew.count))
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "cannot start threads: %s", strerror(error));
  model.retained = true;
  return SEGC_MODEL_OK;
}

bool versionIsRight(const Header *table) {
  return !table || (table->magic == kTableMagic && table->version == kTableVersion);
}

/// Everything after the choice of the variant.
int fillModel(segc_model_model &model, const Variant &variant, const void *weights, size_t bytes) {
  const DeviceKind kind = (variant.table ? variant.table : variant.trainTable)->device;
  if (int status = kind == DeviceKind::Cpu ? startThreads(model) : startDevice(model, kind))
    return status;
  Device *const device = model.crew.device;
  if (variant.table)
    if (int status = model.infer.allocate(*variant.table, variant.kernels, model.lanes, device))
      return status;
  if (variant.trainTable)
    if (int status = model.train.allocate(*variant.trainTable, variant.trainKernels, model.lanes, device))
      return status;
  if (int status =
          variant.trainTable ? createTraining(model, weights, bytes) : loadWeights(model, weights, bytes))
    return status;
  Engine *const engines[] = {&model.infer, &model.train};
  for (Engine *engine : engines)
    if (engine->table && hasDefaultShape(*engine->table))
      if (int status = setShape(model, *engine, nullptr))
        return status;
  return SEGC_MODEL_OK;
}

} // namespace

const Header &weightsTable(const Variant &variant) {
  return variant.trainTable ? *variant.trainTable : *variant.table;
}

int createModel(const Variant *variants, uint32_t count, const void *weights, size_t bytes, bool mapped,
                segc_model_model **result) {
  uint32_t wanted = 0;
  for (uint32_t v = 0; v < count; ++v)
    wanted |= isaOf(variants[v]);
  const Variant *variant = chooseVariant(variants, count, availableIsa(wanted));
  if (!variant)
    return fail(SEGC_MODEL_UNSUPPORTED_CPU,
                "this library is built for %s or better; this processor%s has only %s",
                count ? isaName(isaOf(variants[count - 1])) : "nothing",
                getenv("SEGC_ISA") ? " (with SEGC_ISA set)" : "", isaName(availableIsa()));
  if (!versionIsRight(variant->table) || !versionIsRight(variant->trainTable))
    return fail(SEGC_MODEL_KERNEL_FAILED, "the library is damaged: its table is not version %u",
                kTableVersion);
  void *memory = nullptr;
  if (posix_memalign(&memory, alignof(segc_model_model), sizeof(segc_model_model)) != 0)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for a handle");
  memset(memory, 0, sizeof(segc_model_model));
  segc_model_model *model = static_cast<segc_model_model *>(memory);
  model->weights.mapped = mapped;
  if (int status = fillModel(*model, *variant, weights, bytes)) {
    destroyModel(model);
    return status;
  }
  *result = model;
  return SEGC_MODEL_OK;
}

void destroyModel(segc_model_model *model) {
  if (model->retained)
    segc_pool_v1_release();
  if (model->crew.device) // an update may still read what it was sent
    model->device.driver->finish(model->device);
  freeWorkspace(*model);
  model->infer.free();
  model->train.free();
  model->weights.free();
  destroyTraining(*model);
  if (model->keptWeights)
    model->device.driver->release(model->device, model->keptWeights);
  free(model->deviceWeights);
  if (model->crew.device)
    closeDevice(model->device);
  free(model);
}

int readWeights(segc_model_model &model, const Header &table, const unsigned char *keep, const void *block,
                size_t bytes) {
  Safetensors file;
  TextBuffer note = {model.note, sizeof model.note, 0};
  int status = file.read(block, bytes);
  if (!status)
    status = model.weights.bind(table, file, keep, note);
  file.free();
  return status;
}

int firstPrepare(segc_model_model &model, Engine &engine, const Weights *read) {
  const uint64_t slab = alignUp(engine.table->laneScratchBytes);
  char *scratch = allocateTouched(slab * uint64_t(model.crew.count));
  if (!scratch)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for preparing the weights");
  setScratch(model, scratch, slab);
  int status = engine.allocatePrepared();
  if (!status)
    status = engine.prepare(read);
  free(scratch);
  return status;
}

void lendScratch(segc_model_model &model, Engine &engine) {
  if (model.scratchOwner == &engine)
    return;
  setScratch(model, model.workspace + engine.layout.arenaBytes, alignUp(engine.table->laneScratchBytes));
  model.scratchOwner = &engine;
  engine.program.bordersStand = false; // the other engine or another layout used the workspace
}

int setShape(segc_model_model &model, Engine &engine, const int64_t *shapes) {
  Layout next;
  int status = next.compute(*engine.table, shapes);
  // A run in the caller's stream or an update may still use what is freed now: cuMemFree need not wait.
  if (Device *device = model.crew.device; device && !status)
    status = device->driver->finish(*device);
  if (!status)
    status = ensureWorkspace(model, workspaceBytes(*engine.table, next, model.crew.count));
  if (status) {
    next.free();
    return status;
  }
  engine.layout.free();
  engine.layout = next;
  bind(model);
  status = engine.readyDevice();
  if (status)
    engine.layout.free(); // what a run needs is not there
  return status;
}

int setThreads(segc_model_model &model, int threads) {
  if (model.crew.device) // its threads are its own
    return SEGC_MODEL_OK;
  if (int error = segc_pool_v1_grow(threads))
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "cannot start %d threads: %s", threads, strerror(error));
  if (const uint64_t need = workspaceNeed(model, threads))
    if (int status = ensureWorkspace(model, need))
      return status;
  model.crew.count = threads;
  bind(model);
  return SEGC_MODEL_OK;
}

int setWorkspace(segc_model_model &model, void *memory, size_t bytes) {
  if (model.crew.device)
    return fail(SEGC_MODEL_UNSUPPORTED, "a library for a GPU has a workspace of its own, on the device");
  const uint64_t need = workspaceNeed(model, model.crew.count);
  if (memory && reinterpret_cast<uintptr_t>(memory) % kAlignment)
    return fail(SEGC_MODEL_INVALID_ARGUMENT, "the workspace is not aligned to %d bytes", int(kAlignment));
  if (memory && bytes < need)
    return fail(SEGC_MODEL_WORKSPACE_TOO_SMALL, "the workspace has %llu bytes, the current shape needs %llu",
                (unsigned long long)bytes, (unsigned long long)need);
  char *own = nullptr;
  if (!memory && model.callersWorkspace && need && !(own = allocateTouched(need)))
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for a workspace of %llu bytes",
                (unsigned long long)need);
  if (memory || model.callersWorkspace) {
    freeWorkspace(model);
    model.workspace = memory ? static_cast<char *>(memory) : own;
    model.workspaceBytes = memory ? bytes : size_t(need);
    model.callersWorkspace = memory != nullptr;
  }
  bind(model);
  return SEGC_MODEL_OK;
}

namespace {

/// What was sent before is done with, whatever changes.
int settleDevice(segc_model_model &model, const char *what) {
  Device *const device = model.crew.device;
  if (!device || !device->driver->setStream)
    return fail(SEGC_MODEL_UNSUPPORTED, "%s: this library is for %s; -target cuda makes one that can", what,
                device ? "OpenCL" : "processors");
  const int status = device->driver->finish(*device);
  model.infer.staging.isSending = model.train.staging.isSending = false;
  return status;
}

} // namespace

int setDeviceTensors(segc_model_model &model, Places there) {
  if (int status = settleDevice(model, "tensors on a device"))
    return status;
  model.infer.there = model.train.there = there;
  return SEGC_MODEL_OK;
}

int setStream(segc_model_model &model, void *stream) {
  if (int status = settleDevice(model, "a stream of the caller"))
    return status;
  return model.device.driver->setStream(model.device, stream);
}

Span workspaceSpan(const segc_model_model &model) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(model.workspace);
  return {begin, begin + model.workspaceBytes};
}

int runModel(segc_model_model &model, const segc_model_tensor *inputs, const segc_model_tensor *outputs) {
  if (int status = model.infer.checkTensors(inputs, outputs, workspaceSpan(model)))
    return status;
  if (int status = returnFlat(model))
    return status;
  lendScratch(model, model.infer);
  return model.infer.run(inputs, outputs, model.workspace, model.observer, Inspector{nullptr, nullptr});
}

} // namespace segc::rt
