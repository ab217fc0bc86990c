/// \file Life of an engine: descriptors, prepared weights, workspace, the checks of a call, the call.
// SPDX-License-Identifier: MIT
#include "runtime/core/Engine.h"
#include "runtime/core/Allocation.h"
#include "runtime/core/Error.h"
#include "runtime/core/Table.h"
#include <stdlib.h>
#include <string.h>

namespace segc::rt {

int Engine::allocate(const Header &header, const KernelFn *kernels, Lane *lane0, Device *device) {
  table = &header;
  program.device = device;
  const uint32_t nodes = header.sizes.count;
  spans = static_cast<Span *>(calloc(size_t(header.inputs.count) + header.outputs.count + 1, sizeof(Span)));
  constants = static_cast<int64_t *>(calloc(size_t(nodes) + 1, sizeof(int64_t)));
  if (!spans || !constants)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for a handle");
  for (uint32_t i = 0; i < nodes; ++i)
    if (elements<SizeNode>(header, header.sizes)[i].op == SizeOp::Constant)
      constants[i] = elements<SizeNode>(header, header.sizes)[i].value;
  return program.allocate(header, kernels, lane0);
}

void Engine::free() {
  if (Device *device = program.device) {
    staging.free(*device);
    if (prepared)
      device->driver->release(*device, prepared);
  } else {
    unmapZeros(prepared, table ? table->preparedBytes : 0);
  }
  program.free();
  layout.free();
  ::free(spans);
  ::free(constants);
}

int Engine::allocatePrepared() {
  if (Device *device = program.device) {
    const uint64_t bytes = table->preparedBytes + kAlignment;
    int status = device->driver->allocate(*device, bytes, "prepared weights", &prepared);
    if (!status)
      status = device->driver->zero(*device, prepared, bytes, bytes, 1);
    if (!status)
      program.bindStatic(StepList::Prepare, constants, nullptr, {nullptr, weights, prepared, train});
    return status;
  }
  prepared = mapZeros(table->preparedBytes);
  if (!prepared)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for %llu bytes of prepared weights",
                (unsigned long long)table->preparedBytes);
  // Views of weights and prepared tensors have constant extents, so @prepare needs no shape.
  program.bindStatic(StepList::Prepare, constants, nullptr, {nullptr, weights, prepared, train});
  return SEGC_MODEL_OK;
}

namespace {

/// The weight that a step reads first, or else -1.
int64_t weightOf(const Header &table, const StepDesc &step) {
  for (uint32_t k = 0; k < step.argCount; ++k) {
    const uint32_t index = elements<uint32_t>(table, table.args)[step.firstArg + k];
    const ViewDesc &view = elements<ViewDesc>(table, table.views)[index];
    if (view.space == Space::Weight)
      return view.index;
  }
  return -1;
}

/// Lets go of the weight that a step of @prepare has read, unless the next one reads it too, as those of a
/// deconvolution's phases do. Only weights in a mapped file, not copies of them.
int forgetWeight(void *user, const Header &table, const StepDesc &step, void *const *) {
  const Weights &weights = *static_cast<const Weights *>(user);
  const Section &steps = section(table, StepList::Prepare);
  const StepDesc *const next = &step + 1, *const end = elements<StepDesc>(table, steps) + steps.count;
  const int64_t weight = weightOf(table, step);
  if (weight < 0 || weights.owned[weight] || (next < end && weightOf(table, *next) == weight))
    return SEGC_MODEL_OK;
  const uint64_t bytes = elementsOf(elements<WeightDesc>(table, table.weights)[weight]) * sizeof(float);
  constexpr uint64_t kWorthACall = uint64_t(1) << 16;
  if (bytes >= kWorthACall)
    forgetPages(weights.data[weight], bytes);
  return SEGC_MODEL_OK;
}

} // namespace

int Engine::prepare(const Weights *read) {
  const int status =
      program.run(StepList::Prepare, constants, nullptr, nullptr, Observer{nullptr, nullptr},
                  Inspector{read && read->mapped ? forgetWeight : nullptr, const_cast<Weights *>(read)});
  stale = status != SEGC_MODEL_OK;
  return status;
}

int Engine::readyDevice() {
  if (!program.device)
    return SEGC_MODEL_OK;
  const int status = staging.allocate(*program.device, *table, layout.sizes);
  return status ? status : program.load(StepList::Run);
}

uint64_t Engine::workspaceBytes(int threads) const {
  return layout.sizes ? rt::workspaceBytes(*table, layout, threads) : 0;
}

void Engine::bind(char *workspace, bool own) {
  program.stands = own ? layout.stands : nullptr;
  if (layout.sizes && workspace)
    program.bindStatic(StepList::Run, layout.sizes, layout.offsets, {workspace, weights, prepared, train});
}

int Engine::checkTensors(const segc_model_tensor *inputs, const segc_model_tensor *outputs,
                         const Span &workspace) {
  if (!layout.sizes)
    return fail(SEGC_MODEL_NEEDS_RESHAPE, "the model leaves extents of its inputs open: call %s first",
                reshapeOf(*table));
  const uint32_t ins = table->inputs.count, outs = table->outputs.count;
  const auto desc = [&](uint32_t i) -> const TensorDesc & {
    return i < ins ? elements<TensorDesc>(*table, table->inputs)[i]
                   : elements<TensorDesc>(*table, table->outputs)[i - ins];
  };
  for (uint32_t i = 0; i < ins + outs; ++i) {
    int64_t shape[4];
    for (uint32_t k = 0; k < desc(i).rank; ++k)
      shape[k] = layout.sizes[desc(i).sizes[k]];
    const bool in = i < ins;
    const segc_model_tensor &tensor = in ? inputs[i] : outputs[i - ins];
    const char *const what = in ? "input" : "output";
    if (int status = checkTensor(what, *table, desc(i), shape, tensor, spans[i]))
      return status;
    Device *const device = program.device;
    if (device && device->driver->checkPlace)
      if (int status =
              device->driver->checkPlace(*device, tensor.data, spans[i].end - spans[i].begin,
                                         in ? there.inputs : there.outputs, what, text(*table, desc(i).name)))
        return status;
  }
  const auto name = [&](uint32_t i) { return text(*table, desc(i).name); };
  for (uint32_t i = 0; i < ins + outs; ++i) {
    if (spans[i].meets(workspace))
      return fail(SEGC_MODEL_INVALID_TENSOR, "'%s' lies in the workspace", name(i));
    for (uint32_t k = i < ins ? ins : i + 1; k < ins + outs; ++k)
      if (spans[i].meets(spans[k]))
        return fail(SEGC_MODEL_INVALID_TENSOR, "output '%s' overlaps '%s': give it memory of its own",
                    name(k), name(i));
  }
  return SEGC_MODEL_OK;
}

int Engine::send(const segc_model_tensor *inputs, const segc_model_tensor *outputs) {
  if (Device *device = program.device) {
    if (int status = staging.upload(*device, *table, inputs, outputs, there))
      return status;
    inputs = staging.tensors;
    outputs = staging.tensors + table->inputs.count;
  }
  program.bindTensors(layout.sizes, inputs, outputs);
  return SEGC_MODEL_OK;
}

int Engine::compute(char *workspace, const Observer &observer, const Inspector &inspector) {
  if (stale)
    if (int status = prepare())
      return status;
  return program.run(StepList::Run, layout.sizes, layout.offsets, workspace, observer, inspector);
}

int Engine::receive(const segc_model_tensor *outputs, int status) {
  Device *const device = program.device;
  if (!device)
    return status;
  if (!status)
    return staging.download(*device, *table, outputs, there);
  device->driver->finish(*device); // what was sent may still be on its way
  staging.isSending = false;
  return status;
}

int Engine::run(const segc_model_tensor *inputs, const segc_model_tensor *outputs, char *workspace,
                const Observer &observer, const Inspector &inspector) {
  int status = send(inputs, outputs);
  if (!status)
    status = compute(workspace, observer, inspector);
  return receive(outputs, status);
}

} // namespace segc::rt
