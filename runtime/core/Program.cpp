/// \file Binds views to memory and runs steps: the one place where kernels are launched.
// SPDX-License-Identifier: MIT
#include "runtime/core/Program.h"
#include "runtime/core/Error.h"
#include "runtime/core/Phases.h"
#include "runtime/core/Pool.h"
#include "runtime/core/Table.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

namespace segc::rt {
namespace {

halide_type_t halideType(DType type) {
  static const halide_type_t types[] = {
      halide_type_t(halide_type_float, 32),  halide_type_t(halide_type_float, 16),
      halide_type_t(halide_type_bfloat, 16), halide_type_t(halide_type_int, 8),
      halide_type_t(halide_type_uint, 8),    halide_type_t(halide_type_int, 32),
      halide_type_t(halide_type_float, 64)};
  return types[uint32_t(type)];
}

bool isExternal(const ViewDesc &view) { return view.space == Space::Input || view.space == Space::Output; }

/// Where a view's pixels are: strides in elements of c, x, y, n and the distance of pixel (0, 0) of image 0
/// from the memory's start. Writes the strides and returns the distance of the element at the dimensions'
/// minima.
int64_t place(const ViewDesc &view, const int64_t *sizes, const int64_t strides[4], int64_t firstPixel,
              halide_dimension_t *dims) {
  dims[0].stride = int32_t(strides[0]);
  dims[1].stride = int32_t(strides[1] * view.stepX);
  dims[2].stride = int32_t(strides[2] * view.stepY);
  dims[3].stride = int32_t(strides[3]);
  int64_t at = firstPixel + view.channelOffset * strides[0];
  if (!view.bounded)
    at += sizes[view.x0] * strides[1] + sizes[view.y0] * strides[2];
  return at;
}

void setExtents(const ViewDesc &view, const int64_t *sizes, int64_t w, int64_t h, halide_dimension_t *dims) {
  for (uint32_t k = 0; k < view.rank; ++k) {
    dims[k].min = 0;
    dims[k].extent = int32_t(sizes[view.extents[k]]);
  }
  if (!view.bounded)
    return;
  dims[1].min = int32_t(-sizes[view.x0]);
  dims[2].min = int32_t(-sizes[view.y0]);
  dims[1].extent = int32_t(w);
  dims[2].extent = int32_t(h);
}

bool hasPhases(const ViewDesc &view) { return view.phasesX > 1 || view.phasesY > 1; }

void bindArena(const Header &table, const ViewDesc &view, const int64_t *sizes, const uint64_t *offsets,
               char *arena, halide_buffer_t &buffer) {
  const BufferDesc &desc = elements<BufferDesc>(table, table.buffers)[view.index];
  const BufferShape shape = shapeOf(desc, sizes);
  const int64_t image = shape.n == 1 ? 0 : shape.rows * shape.rowElements; // one image is every image's
  const int64_t strides[4] = {1, desc.channels, shape.rowElements, image};
  setExtents(view, sizes, shape.w, shape.h, buffer.dim);
  const int64_t first = desc.top * shape.rowElements + int64_t(desc.left) * desc.channels;
  const int64_t at = place(view, sizes, strides, first, buffer.dim);
  buffer.host = reinterpret_cast<uint8_t *>(arena) + offsets[view.index] + at * bytesOf(desc.dtype);
  if (hasPhases(view))
    splitPhases(buffer.dim, int(view.phasesX), int(view.phasesY));
}

/// The first byte of a view without pixels.
const void *denseMemory(const Header &table, const ViewDesc &view, const int64_t *sizes,
                        const uint64_t *offsets, const Memory &memory) {
  switch (view.space) {
  case Space::Weight:
    return memory.weights[view.index];
  case Space::Dense:
    return memory.arena + offsets[view.index];
  case Space::Gradient:
    return memory.train->flat[uint32_t(FlatBuffer::Gradients)] +
           elements<WeightDesc>(table, table.weights)[view.index].flat;
  case Space::Loss:
    return memory.train->loss;
  case Space::Flat:
    return memory.train->flat[view.index] + sizes[view.x0];
  case Space::Hyper:
    return memory.train->hyper + view.index * kHyperFloats;
  case Space::Seed:
    return memory.train->seed;
  case Space::Partial:
    return memory.train->partial;
  default:
    return memory.prepared + elements<PreparedDesc>(table, table.prepared)[view.index].offset;
  }
}

void bindDense(const Header &table, const ViewDesc &view, const int64_t *sizes, const uint64_t *offsets,
               const Memory &memory, halide_buffer_t &buffer) {
  int32_t stride = 1;
  for (uint32_t k = 0; k < view.rank; ++k) {
    buffer.dim[k] = halide_dimension_t(0, int32_t(sizes[view.extents[k]]), stride);
    stride *= buffer.dim[k].extent;
  }
  if (view.bounded) {
    buffer.dim[0].min = int32_t(-sizes[view.x0]);
    buffer.dim[1].min = int32_t(-sizes[view.y0]);
  }
  const void *data = denseMemory(table, view, sizes, offsets, memory);
  buffer.host = static_cast<uint8_t *>(const_cast<void *>(data));
}

uint64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return uint64_t(time.tv_sec) * 1000000000u + uint64_t(time.tv_nsec);
}

/// The number of a list's first step among all steps.
uint32_t firstStep(const Header &table, StepList list) {
  uint32_t number = 0;
  for (uint32_t i = 0; i < uint32_t(list); ++i)
    number += section(table, StepList(i)).count;
  return number;
}

} // namespace

namespace {

/// Calls fill(to, pitch, width, rows) for the places around each image of a buffer that starts at `base`: the
/// rows above and below, and the strips between rows.
template <typename Fill>
void eachBorder(const BufferDesc &buffer, const int64_t *sizes, char *base, const Fill &fill) {
  const BufferShape shape = shapeOf(buffer, sizes);
  const size_t pixel = size_t(buffer.channels) * bytesOf(buffer.dtype);
  const size_t row = size_t(shape.rowElements) * bytesOf(buffer.dtype), image = row * size_t(shape.rows);
  const size_t left = buffer.left * pixel, right = buffer.right * pixel;
  for (int64_t n = 0; n < shape.n; ++n) {
    char *first = base + size_t(n) * image + buffer.top * row; // of the first row inside
    char *last = first + size_t(shape.h) * row;                // behind the last one
    fill(first - buffer.top * row, row, buffer.top * row + left, size_t(1));
    if (left + right && shape.h > 1)
      fill(first + row - right, row, right + left, size_t(shape.h - 1));
    fill(last - right, row, right + buffer.bottom * row, size_t(1));
  }
}

struct BorderParts {
  const BufferDesc *buffer;
  const int64_t *sizes;
  char *base;
  int count;
};

/// Zeros part `index` of a border: some of the rows, of what is one row some of its bytes.
int zeroPart(void *context, int, int index) {
  const BorderParts &parts = *static_cast<const BorderParts *>(context);
  const auto share = [&](size_t of, int part) { return of * size_t(part) / size_t(parts.count); };
  eachBorder(*parts.buffer, parts.sizes, parts.base, [&](char *to, size_t pitch, size_t width, size_t rows) {
    if (rows == 1)
      memset(to + share(width, index), 0, share(width, index + 1) - share(width, index));
    for (size_t row = share(rows, index); rows > 1 && row < share(rows, index + 1); ++row)
      memset(to + row * pitch, 0, width);
  });
  return 0;
}

} // namespace

void zeroBorder(const BufferDesc &buffer, const int64_t *sizes, char *base, int lanes) {
  const BufferShape shape = shapeOf(buffer, sizes);
  const uint64_t pixels = uint64_t(shape.n) * (uint64_t(shape.rows * shape.rowElements) / buffer.channels -
                                               uint64_t(shape.h) * uint64_t(shape.w));
  constexpr uint64_t kWorthACall = uint64_t(1) << 15; // bytes
  BorderParts parts = {&buffer, sizes, base, 1};
  if (pixels * buffer.channels * bytesOf(buffer.dtype) >= kWorthACall)
    parts.count = lanes;
  segc_pool_v1_for(lanes, parts.count, zeroPart, &parts);
}

int Program::allocate(const Header &header, const KernelFn *functions, Lane *lane0) {
  table = &header;
  kernels = functions;
  userContext = lane0;
  const uint32_t views = header.views.count, steps = firstStep(header, StepList(kStepLists));
  size_t pointers = steps;
  for (uint32_t list = 0; list < kStepLists; ++list) {
    const Section &of = section(header, StepList(list));
    for (uint32_t i = 0; i < of.count; ++i)
      pointers += elements<StepDesc>(header, of)[i].argCount;
  }
  // One block, in order of falling alignment.
  buffers = static_cast<halide_buffer_t *>(
      calloc(1, views * (sizeof(halide_buffer_t) + kMaxRank * sizeof(halide_dimension_t) + sizeof(uint32_t)) +
                    pointers * sizeof(void *) + steps * sizeof(uint32_t) + 1));
  if (!buffers)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for the model's tables");
  halide_dimension_t *dims = reinterpret_cast<halide_dimension_t *>(buffers + views);
  args = reinterpret_cast<void **>(dims + size_t(views) * kMaxRank);
  external = reinterpret_cast<uint32_t *>(args + pointers);
  vectors = external + views;
  const ViewDesc *descs = elements<ViewDesc>(header, header.views);
  for (uint32_t i = 0; i < views; ++i) {
    buffers[i].dim = dims + size_t(i) * kMaxRank;
    buffers[i].dimensions = hasPhases(descs[i]) ? 6 : int32_t(descs[i].rank);
    buffers[i].type = halideType(descs[i].dtype);
    if (isExternal(descs[i]))
      external[externalCount++] = i;
  }
  bindings = static_cast<Binding *>(calloc(size_t(kSets) * externalCount + 1, sizeof(Binding)));
  if (!bindings)
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for the model's tables");
  uint32_t at = 0, number = 0;
  for (uint32_t list = 0; list < kStepLists; ++list) {
    const Section &of = section(header, StepList(list));
    for (uint32_t i = 0; i < of.count; ++i) {
      const StepDesc &step = elements<StepDesc>(header, of)[i];
      vectors[number++] = at;
      args[at++] = &userContext;
      for (uint32_t k = 0; k < step.argCount; ++k)
        args[at++] = buffers + elements<uint32_t>(header, header.args)[step.firstArg + k];
    }
  }
  return SEGC_MODEL_OK;
}

void Program::free() {
  for (uint32_t list = 0; list < kStepLists; ++list)
    forget(StepList(list));
  ::free(buffers);
  ::free(bindings);
}

Recording &Program::ofRun() { return sets[set].run; }
Recording &Program::ofStep() { return sets[set].step; }

void Program::forgetSet(uint32_t which) {
  sets[which].run.drop(device);
  sets[which].step.drop(device);
  sets[which].lastUse = 0;
}

void Program::forgetSets() {
  for (uint32_t i = 0; i < kSets; ++i)
    forgetSet(i);
}

/// What was recorded of this list, by itself or with others.
void Program::forget(StepList list) {
  kept[uint32_t(list)].drop(device);
  if (list != StepList::Run)
    update.drop(device);
  forgetSets();
}

/// The set of tensors that the external views show now: one that is known, or in place of the one that was
/// used least recently.
void Program::chooseSet() {
  const auto isShown = [&](const Binding *known) {
    for (uint32_t k = 0; k < externalCount; ++k)
      if (const halide_buffer_t &buffer = buffers[external[k]];
          known[k].host != buffer.host || memcmp(known[k].dims, buffer.dim, sizeof known[k].dims))
        return false;
    return true;
  };
  set = 0;
  for (uint32_t i = 0; i < kSets; ++i) {
    if (sets[i].lastUse && isShown(bindings + size_t(i) * externalCount)) {
      set = i;
      sets[i].lastUse = ++uses;
      return;
    }
    if (sets[i].lastUse < sets[set].lastUse)
      set = i;
  }
  forgetSet(set);
  sets[set].lastUse = ++uses;
  for (uint32_t k = 0; k < externalCount; ++k) {
    Binding &binding = bindings[size_t(set) * externalCount + k];
    binding.host = buffers[external[k]].host;
    memcpy(binding.dims, buffers[external[k]].dim, sizeof binding.dims);
  }
}

void Program::bindStatic(StepList list, const int64_t *sizes, const uint64_t *offsets, const Memory &memory) {
  forget(list);
  const Section &steps = section(*table, list);
  const StepDesc *step = elements<StepDesc>(*table, steps);
  const ViewDesc *views = elements<ViewDesc>(*table, table->views);
  for (uint32_t i = 0; i < steps.count; ++i)
    for (uint32_t k = 0; k < step[i].argCount; ++k) {
      const uint32_t index = elements<uint32_t>(*table, table->args)[step[i].firstArg + k];
      const ViewDesc &view = views[index];
      if (view.space == Space::Arena)
        bindArena(*table, view, sizes, offsets, memory.arena, buffers[index]);
      else if (!isExternal(view))
        bindDense(*table, view, sizes, offsets, memory, buffers[index]);
      // The bounded extents of a caller's tensor need its shape, so bindTensors() writes those.
    }
}

void Program::bindTensors(const int64_t *sizes, const segc_model_tensor *inputs,
                          const segc_model_tensor *outputs) {
  const ViewDesc *views = elements<ViewDesc>(*table, table->views);
  for (uint32_t i = 0; i < externalCount; ++i) {
    const ViewDesc &view = views[external[i]];
    halide_buffer_t &buffer = buffers[external[i]];
    const segc_model_tensor &tensor = (view.space == Space::Input ? inputs : outputs)[view.index];
    int64_t strides[4]; // c, x, y, n; of an extent of 1 the caller's stride may be anything
    const int from[4] = {tensor.rank == 4 ? 1 : -1, tensor.rank - 1, tensor.rank - 2, 0};
    for (int k = 0; k < 4; ++k)
      strides[k] = from[k] < 0 || tensor.shape[from[k]] == 1 ? 1 : tensor.strides[from[k]];
    setExtents(view, sizes, tensor.shape[from[1]], tensor.shape[from[2]], buffer.dim);
    const int64_t at = place(view, sizes, strides, 0, buffer.dim);
    buffer.host = static_cast<uint8_t *>(tensor.data) + at * bytesOf(view.dtype);
  }
  if (device)
    chooseSet();
}

/// What fails on a device is noted there: kernels have no assertions, so they do not look at what the calls
/// of the runtime return.
int Program::launch(const StepDesc &step, void **vector) {
  if (device)
    device->status = SEGC_MODEL_OK;
  const int error = kernels[step.target](vector);
  const char *const label = text(*table, step.label), *const problem = text(*table, step.problem);
  if (device && device->status)
    return fail(device->status, "'%s': kernel '%s': %s", label, problem, device->text);
  if (!error)
    return SEGC_MODEL_OK;
  return fail(SEGC_MODEL_KERNEL_FAILED, "'%s': kernel '%s' returned error %d", label, problem, error);
}

int Program::border(const BufferDesc &buffer, const int64_t *sizes, char *base) {
  if (!device) {
    zeroBorder(buffer, sizes, base, static_cast<const Lane *>(userContext)->crew->count);
    return SEGC_MODEL_OK;
  }
  int status = SEGC_MODEL_OK;
  eachBorder(buffer, sizes, base, [&](char *to, size_t pitch, size_t width, size_t rows) {
    if (!status && width)
      status = device->driver->zero(*device, to, pitch, width, rows);
  });
  return status;
}

int Program::load(StepList list) {
  const Section &steps = section(*table, list);
  const uint32_t first = firstStep(*table, list);
  device->loading = true;
  int status = SEGC_MODEL_OK;
  for (uint32_t i = 0; i < steps.count && !status; ++i)
    if (const StepDesc &step = elements<StepDesc>(*table, steps)[i]; step.kind == StepKind::Launch)
      status = launch(step, args + vectors[first + i]);
  device->loading = false;
  return status;
}

int Program::run(StepList list, const int64_t *sizes, const uint64_t *offsets, char *arena,
                 const Observer &observer, const Inspector &inspector) {
  const auto steps = [&] { return runSteps(list, sizes, offsets, arena, observer, inspector); };
  // Those who watch see each step by itself; one step is no less than a list of one.
  if (!device || observer.function || inspector.function || section(*table, list).count < 2)
    return steps();
  return repeat(*device, list == StepList::Run ? ofRun() : kept[uint32_t(list)], steps);
}

int Program::runSteps(StepList list, const int64_t *sizes, const uint64_t *offsets, char *arena,
                      const Observer &observer, const Inspector &inspector) {
  const Section &steps = section(*table, list);
  const StepDesc *step = elements<StepDesc>(*table, steps);
  const uint32_t first = firstStep(*table, list);
  const uint8_t *const standing = bordersStand && !device ? stands : nullptr;
  for (uint32_t i = 0; i < steps.count; ++i) {
    const uint64_t start = observer.function ? now() : 0;
    const bool isLaunch = step[i].kind == StepKind::Launch;
    int status = SEGC_MODEL_OK;
    if (isLaunch)
      status = launch(step[i], args + vectors[first + i]);
    else if (!standing || !standing[step[i].target])
      status = border(elements<BufferDesc>(*table, table->buffers)[step[i].target], sizes,
                      arena + offsets[step[i].target]);
    if (!status && device && observer.function) // so that each step's time is its own
      status = device->driver->finish(*device);
    if (status)
      return status;
    if (inspector.function && isLaunch)
      if ((status = inspector.function(inspector.user, *table, step[i], args + vectors[first + i])) != 0)
        return status;
    if (observer.function)
      observer.function(observer.user, int(first + i - table->prepareSteps.count),
                        text(*table, step[i].label), text(*table, step[i].problem), now() - start);
  }
  bordersStand |= list == StepList::Run;
  return SEGC_MODEL_OK;
}

} // namespace segc::rt
