/// \file Life of a handle: create, reshape, threads, workspace, run.
// SPDX-License-Identifier: MIT
#include "runtime/core/Model.h"
#include "runtime/core/Cpu.h"
#include "runtime/core/Error.h"
#include "runtime/core/Sizes.h"
#include "runtime/core/Table.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

namespace segc::rt {
namespace {

constexpr size_t kHugePage = size_t(2) << 20;

/// Zeroed memory, so that every page is there before the first run; huge pages where it is large. Null
/// without memory.
char *allocateTouched(size_t bytes) {
  const bool large = bytes >= 2 * kHugePage;
  const size_t alignment = large ? kHugePage : kAlignment;
  void *memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes ? bytes : 1) != 0)
    return nullptr;
  if (large)
    madvise(memory, bytes, MADV_HUGEPAGE);
  memset(memory, 0, bytes);
  return static_cast<char *>(memory);
}

int processorsAllowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count < 1 ? 1 : count > kMaxThreads ? kMaxThreads : count;
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
  char *memory = allocateTouched(bytes);
  if (!memory)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for a workspace of %llu bytes",
                (unsigned long long)bytes);
  free(model.workspace);
  model.workspace = memory;
  model.workspaceBytes = bytes;
  return SEGC_MODEL_OK;
}

/// Points lanes and descriptors into the workspace. After any change of shape, threads or workspace.
void bind(segc_model_model &model) {
  if (!model.layout.sizes || !model.workspace)
    return;
  const uint64_t slab = alignUp(model.table->laneScratchBytes);
  char *scratch = model.workspace + model.layout.arenaBytes;
  for (int i = 0; i < model.crew.count; ++i)
    model.lanes[i] = {&model.crew, scratch + uint64_t(i) * slab, slab, 0, 0};
  const Memory memory = {model.workspace, model.weights.data, model.prepared};
  model.program.bindStatic(model.table->runSteps, model.layout.sizes, model.layout.offsets, memory);
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

/// Runs @prepare: its views are of weights and prepared tensors, whose extents are constants, so it needs no
/// shape.
int prepare(segc_model_model &model) {
  const Header &table = *model.table;
  int64_t *sizes = static_cast<int64_t *>(calloc(table.sizes.count + 1, sizeof(int64_t)));
  char *scratch = allocateTouched(alignUp(table.laneScratchBytes) * uint64_t(model.crew.count));
  if (posix_memalign(reinterpret_cast<void **>(&model.prepared), kAlignment, table.preparedBytes + 1) != 0)
    model.prepared = nullptr;
  int status = SEGC_MODEL_OK;
  if (!sizes || !scratch || !model.prepared)
    status = fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for %llu bytes of prepared weights",
                  (unsigned long long)table.preparedBytes);
  if (!status) {
    memset(model.prepared, 0, table.preparedBytes);
    for (uint32_t i = 0; i < table.sizes.count; ++i)
      if (elements<SizeNode>(table, table.sizes)[i].op == SizeOp::Constant)
        sizes[i] = elements<SizeNode>(table, table.sizes)[i].value;
    const uint64_t slab = alignUp(table.laneScratchBytes);
    for (int i = 0; i < model.crew.count; ++i)
      model.lanes[i] = {&model.crew, scratch + uint64_t(i) * slab, slab, 0, 0};
    const Memory memory = {nullptr, model.weights.data, model.prepared};
    model.program.bindStatic(table.prepareSteps, sizes, nullptr, memory);
    status = model.program.run(table.prepareSteps, sizes, nullptr, nullptr, Observer{nullptr, nullptr});
  }
  free(scratch);
  free(sizes);
  return status;
}

int loadWeights(segc_model_model &model, const void *block, size_t bytes) {
  unsigned char *keep = static_cast<unsigned char *>(calloc(1, model.table->weights.count + 1));
  if (!keep)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for the list of weights");
  markKept(*model.table, keep);
  Safetensors file;
  TextBuffer note = {model.note, sizeof model.note, 0};
  int status = file.read(block, bytes);
  if (!status)
    status = model.weights.bind(*model.table, file, keep, note);
  file.free();
  if (!status)
    status = prepare(model);
  if (!status)
    model.weights.dropUnkept(keep);
  free(keep);
  return status;
}

int startThreads(segc_model_model &model) {
  model.crew.lanes = model.lanes;
  model.crew.count = processorsAllowed();
  if (int error = segc_pool_v1_retain(model.crew.count))
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "cannot start threads: %s", strerror(error));
  model.retained = true;
  return SEGC_MODEL_OK;
}

} // namespace

int createModel(const Variant *variants, uint32_t count, const void *weights, size_t bytes,
                segc_model_model **result) {
  const Variant *variant = chooseVariant(variants, count, availableIsa());
  if (!variant)
    return fail(SEGC_MODEL_UNSUPPORTED_CPU,
                "this library is built for %s or better; this processor%s has only %s",
                count ? isaName(variants[count - 1].table->isa) : "nothing",
                getenv("SEGC_ISA") ? " (with SEGC_ISA set)" : "", isaName(availableIsa()));
  const Header &table = *variant->table;
  if (table.magic != kTableMagic || table.version != kTableVersion)
    return fail(SEGC_MODEL_KERNEL_FAILED, "the library is damaged: its table is not version %u",
                kTableVersion);
  void *memory = nullptr;
  if (posix_memalign(&memory, alignof(segc_model_model), sizeof(segc_model_model)) != 0)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for a handle");
  memset(memory, 0, sizeof(segc_model_model));
  segc_model_model *model = static_cast<segc_model_model *>(memory);
  model->table = &table;
  model->spans =
      static_cast<Span *>(calloc(size_t(table.inputs.count) + table.outputs.count + 1, sizeof(Span)));
  int status = model->spans ? model->program.allocate(table, variant->kernels, model->lanes)
                            : fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for a handle");
  if (!status)
    status = startThreads(*model);
  if (!status)
    status = loadWeights(*model, weights, bytes);
  if (!status && hasDefaultShape(table))
    status = setShape(*model, nullptr);
  if (status) {
    destroyModel(model);
    return status;
  }
  *result = model;
  return SEGC_MODEL_OK;
}

void destroyModel(segc_model_model *model) {
  if (model->retained)
    segc_pool_v1_release();
  if (!model->callersWorkspace)
    free(model->workspace);
  model->program.free();
  model->layout.free();
  model->weights.free();
  free(model->prepared);
  free(model->spans);
  free(model);
}

int setShape(segc_model_model &model, const int64_t *shapes) {
  Layout next;
  int status = next.compute(*model.table, shapes);
  if (!status)
    status = ensureWorkspace(model, workspaceBytes(*model.table, next, model.crew.count));
  if (status) {
    next.free();
    return status;
  }
  model.layout.free();
  model.layout = next;
  bind(model);
  return SEGC_MODEL_OK;
}

int setThreads(segc_model_model &model, int threads) {
  if (int error = segc_pool_v1_grow(threads))
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "cannot start %d threads: %s", threads, strerror(error));
  if (model.layout.sizes)
    if (int status = ensureWorkspace(model, workspaceBytes(*model.table, model.layout, threads)))
      return status;
  model.crew.count = threads;
  bind(model);
  return SEGC_MODEL_OK;
}

int setWorkspace(segc_model_model &model, void *memory, size_t bytes) {
  const uint64_t need = model.layout.sizes ? workspaceBytes(*model.table, model.layout, model.crew.count) : 0;
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
    if (!model.callersWorkspace)
      free(model.workspace);
    model.workspace = memory ? static_cast<char *>(memory) : own;
    model.workspaceBytes = memory ? bytes : size_t(need);
    model.callersWorkspace = memory != nullptr;
  }
  bind(model);
  return SEGC_MODEL_OK;
}

namespace {

/// Checks every tensor, then that no output meets another tensor or the workspace.
int checkTensors(const segc_model_model &model, const segc_model_tensor *inputs,
                 const segc_model_tensor *outputs) {
  const Header &table = *model.table;
  const uint32_t ins = table.inputs.count, outs = table.outputs.count;
  Span *spans = model.spans;
  for (uint32_t i = 0; i < ins + outs; ++i) {
    const bool in = i < ins;
    const TensorDesc &desc = in ? elements<TensorDesc>(table, table.inputs)[i]
                                : elements<TensorDesc>(table, table.outputs)[i - ins];
    int64_t shape[4];
    for (uint32_t k = 0; k < desc.rank; ++k)
      shape[k] = model.layout.sizes[desc.sizes[k]];
    if (int status = checkTensor(in ? "input" : "output", text(table, desc.name), desc, shape,
                                 in ? inputs[i] : outputs[i - ins], spans[i]))
      return status;
  }
  const uintptr_t workspace = reinterpret_cast<uintptr_t>(model.workspace);
  const Span own = {workspace, workspace + model.workspaceBytes};
  const auto name = [&](uint32_t i) {
    return text(table, (i < ins ? elements<TensorDesc>(table, table.inputs)[i]
                                : elements<TensorDesc>(table, table.outputs)[i - ins])
                           .name);
  };
  for (uint32_t i = 0; i < ins + outs; ++i) {
    if (spans[i].meets(own))
      return fail(SEGC_MODEL_INVALID_TENSOR, "'%s' lies in the workspace", name(i));
    for (uint32_t k = i < ins ? ins : i + 1; k < ins + outs; ++k)
      if (spans[i].meets(spans[k]))
        return fail(SEGC_MODEL_INVALID_TENSOR, "output '%s' overlaps '%s': give it memory of its own",
                    name(k), name(i));
  }
  return SEGC_MODEL_OK;
}

} // namespace

int runModel(segc_model_model &model, const segc_model_tensor *inputs, const segc_model_tensor *outputs) {
  if (!model.layout.sizes)
    return fail(SEGC_MODEL_NEEDS_RESHAPE, "the model leaves extents of its inputs open: call reshape first");
  if (int status = checkTensors(model, inputs, outputs))
    return status;
  model.program.bindTensors(model.layout.sizes, inputs, outputs);
  return model.program.run(model.table->runSteps, model.layout.sizes, model.layout.offsets, model.workspace,
                           model.observer);
}

} // namespace segc::rt
