/// \file Flat buffers and small vectors on the host or a device, and what crosses between the two.
// SPDX-License-Identifier: MIT
#include "runtime/core/FlatMemory.h"
#include "runtime/core/Allocation.h"
#include "runtime/core/Error.h"
#include "runtime/core/Table.h"
#include <stdlib.h>
#include <string.h>

namespace segc::rt {
namespace {

uint64_t flatBytes(const Training &training, FlatBuffer which) {
  return flatElements(*training.desc, which) * sizeof(float);
}

int noMemory(uint64_t bytes) {
  return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for %llu bytes of training state",
              (unsigned long long)bytes);
}

/// Zeros where kernels find them, and in `host` where this code does. The host's copy takes pages only when
/// it is used, or is pinned.
int allocateBoth(segc_model_model &model, uint64_t bytes, bool pinned, char **kernels, char **host) {
  Device *const device = model.crew.device;
  if (!device) {
    *kernels = *host = allocateTouched(bytes);
    return *host ? SEGC_MODEL_OK : noMemory(bytes);
  }
  if (pinned) {
    if (int status = device->driver->allocateHost(*device, bytes, host))
      return status;
    memset(*host, 0, bytes);
  } else if (!(*host = static_cast<char *>(calloc(1, bytes)))) {
    return noMemory(bytes);
  }
  if (int status = device->driver->allocate(*device, bytes, "training state", kernels))
    return status;
  return device->driver->zero(*device, *kernels, bytes, bytes, 1);
}

void freeBoth(segc_model_model &model, void *kernels, bool pinned, void *host) {
  if (kernels && kernels != host)
    model.device.driver->release(model.device, static_cast<char *>(kernels));
  if (pinned && host && model.crew.device)
    model.device.driver->releaseHost(model.device, static_cast<char *>(host));
  else
    free(host);
}

char *addressOf(const Training &training, FlatBuffer which, uint64_t first = 0) {
  return reinterpret_cast<char *>(training.memory.flat[uint32_t(which)] + first);
}

/// What the caller may have written to the copy of a buffer goes back.
int returnOne(segc_model_model &model, FlatBuffer which) {
  Training &training = *model.training;
  if (!training.lent[uint32_t(which)])
    return SEGC_MODEL_OK;
  training.lent[uint32_t(which)] = false;
  training.hasNorm = false; // of what was written over
  return model.device.driver->upload(model.device, addressOf(training, which),
                                     training.host.flat[uint32_t(which)], flatBytes(training, which));
}

/// Copies where kernels find both.
int copyThere(segc_model_model &model, char *to, const char *from, uint64_t bytes) {
  if (Device *device = model.crew.device)
    return device->driver->copy(*device, to, from, bytes);
  memcpy(to, from, bytes);
  return SEGC_MODEL_OK;
}

/// Calls visit(parameters, kept, bytes) for each run of neighbours among the statistics that grad() updates:
/// where they are, and their bytes in the memory of allocateStatistics(). Other weights may lie in between.
template <typename Visit> int visitStatistics(const segc_model_model &model, Visit visit) {
  const Header &table = *model.train.table;
  const Training &training = *model.training;
  uint64_t first = 0, last = 0, kept = 0;
  const auto end = [&] {
    const uint64_t bytes = (last - first) * sizeof(float);
    const int status =
        bytes ? visit(addressOf(training, FlatBuffer::Parameters, first), kept, bytes) : SEGC_MODEL_OK;
    kept += bytes;
    return status;
  };
  for (uint32_t i = 0; i < table.weights.count; ++i) {
    const WeightDesc &desc = elements<WeightDesc>(table, table.weights)[i];
    if (!(desc.flags & kRunning))
      continue;
    if (desc.flat != last) {
      if (int status = end())
        return status;
      first = desc.flat;
    }
    last = desc.flat + elementsOf(desc);
    if (const uint64_t next = (last + 15) / 16 * 16; next <= training.desc->totalElements)
      last = next; // where the next one begins
  }
  return end();
}

struct Clearing {
  float *memory;
  uint64_t count;
};
constexpr uint64_t kClearedAtOnce = uint64_t(1) << 16;

int clearPart(void *context, int, int index) {
  const Clearing &clearing = *static_cast<const Clearing *>(context);
  const uint64_t first = uint64_t(index) * kClearedAtOnce, left = clearing.count - first;
  memset(clearing.memory + first, 0, (left < kClearedAtOnce ? left : kClearedAtOnce) * sizeof(float));
  return 0;
}

} // namespace

uint64_t flatElements(const TrainingDesc &desc, FlatBuffer which) {
  return which == FlatBuffer::Parameters ? desc.totalElements : desc.trainableElements;
}

int allocateFlat(segc_model_model &model, FlatBuffer which) {
  Training &training = *model.training;
  const uint64_t bytes = flatBytes(training, which) + kFlatSlack * sizeof(float);
  char *kernels = nullptr, *host = nullptr;
  const int status = allocateBoth(model, bytes, false, &kernels, &host);
  training.memory.flat[uint32_t(which)] = reinterpret_cast<float *>(kernels);
  training.host.flat[uint32_t(which)] = reinterpret_cast<float *>(host);
  return status;
}

int allocateVectors(segc_model_model &model, uint32_t segments) {
  // Each at the start of a cache line, with slack behind the loss vector.
  Training &training = *model.training;
  const uint64_t loss = alignUp((1 + uint64_t(training.desc->lossCount) + kFlatSlack) * sizeof(float)),
                 hyper = alignUp(uint64_t(segments + 1) * kHyperFloats * sizeof(float)),
                 partial = alignUp(kPartialSums * sizeof(double));
  const int status = allocateBoth(model, loss + hyper + partial + alignUp(2 * sizeof(int32_t)), true,
                                  &training.vectors, &training.hostVectors);
  const auto divide = [&](TrainMemory &memory, char *block) {
    memory.loss = reinterpret_cast<float *>(block);
    memory.hyper = reinterpret_cast<float *>(block + loss);
    memory.partial = reinterpret_cast<double *>(block + loss + hyper);
    memory.seed = reinterpret_cast<int32_t *>(block + loss + hyper + partial);
  };
  if (!status) {
    divide(training.memory, training.vectors);
    divide(training.host, training.hostVectors);
  }
  return status;
}

void freeTrainMemory(segc_model_model &model) {
  Training &training = *model.training;
  for (uint32_t i = 0; i < kFlatBuffers; ++i)
    freeBoth(model, training.memory.flat[i], false, training.host.flat[i]);
  freeBoth(model, training.vectors, true, training.hostVectors);
  if (training.statistics && model.crew.device)
    model.device.driver->release(model.device, training.statistics);
  else
    free(training.statistics);
}

int lendFlat(segc_model_model &model, FlatBuffer which, float **data) {
  Training &training = *model.training;
  *data = training.host.flat[uint32_t(which)];
  bool &lent = training.lent[uint32_t(which)];
  if (!model.crew.device || !*data || lent)
    return SEGC_MODEL_OK;
  const int status = model.device.driver->download(model.device, *data, addressOf(training, which),
                                                   flatBytes(training, which));
  lent = !status;
  return status;
}

int showFlat(segc_model_model &model, FlatBuffer which, uint64_t first, uint64_t count, const float **data) {
  const Training &training = *model.training;
  float *const place = training.host.flat[uint32_t(which)] + first;
  *data = place;
  if (!model.crew.device || training.lent[uint32_t(which)])
    return SEGC_MODEL_OK;
  return model.device.driver->download(model.device, place, addressOf(training, which, first),
                                       count * sizeof(float));
}

int readParameters(segc_model_model &model, uint64_t first, uint64_t count, float *data) {
  const float *place;
  if (int status = showFlat(model, FlatBuffer::Parameters, first, count, &place))
    return status;
  memcpy(data, place, count * sizeof(float));
  return SEGC_MODEL_OK;
}

int writeParameters(segc_model_model &model, uint64_t first, uint64_t count, const float *data) {
  const Training &training = *model.training;
  memcpy(training.host.flat[uint32_t(FlatBuffer::Parameters)] + first, data, count * sizeof(float));
  if (!model.crew.device || training.lent[uint32_t(FlatBuffer::Parameters)])
    return SEGC_MODEL_OK;
  return model.device.driver->upload(model.device, addressOf(training, FlatBuffer::Parameters, first), data,
                                     count * sizeof(float));
}

int returnFlat(segc_model_model &model) {
  int status = SEGC_MODEL_OK;
  for (uint32_t i = 0; model.training && i < kFlatBuffers && !status; ++i)
    status = returnOne(model, FlatBuffer(i));
  return status;
}

int copyFlat(segc_model_model &model, FlatBuffer to, FlatBuffer from, uint64_t count) {
  const Training &training = *model.training;
  return copyThere(model, addressOf(training, to), addressOf(training, from), count * sizeof(float));
}

int allocateStatistics(segc_model_model &model) {
  uint64_t bytes = 0;
  visitStatistics(model, [&](char *, uint64_t, uint64_t more) {
    bytes += more;
    return 0;
  });
  char *&memory = model.training->statistics;
  if (!bytes || !model.training->desc->lossScaling)
    return SEGC_MODEL_OK;
  if (Device *device = model.crew.device)
    return device->driver->allocate(*device, bytes, "statistics", &memory);
  memory = allocateTouched(bytes);
  return memory ? SEGC_MODEL_OK : noMemory(bytes);
}

int keepStatistics(segc_model_model &model) {
  char *const memory = model.training->statistics;
  return !memory ? SEGC_MODEL_OK
                 : visitStatistics(model, [&](char *parameters, uint64_t kept, uint64_t bytes) {
                     return copyThere(model, memory + kept, parameters, bytes);
                   });
}

int restoreStatistics(segc_model_model &model) {
  char *const memory = model.training->statistics;
  return !memory ? SEGC_MODEL_OK
                 : visitStatistics(model, [&](char *parameters, uint64_t kept, uint64_t bytes) {
                     return copyThere(model, parameters, memory + kept, bytes);
                   });
}

int clearFlat(segc_model_model &model, FlatBuffer which) {
  Training &training = *model.training;
  const uint64_t count = flatElements(*training.desc, which), bytes = count * sizeof(float);
  training.lent[uint32_t(which)] = false;
  if (Device *device = model.crew.device)
    return device->driver->zero(*device, addressOf(training, which), bytes, bytes, 1);
  Clearing clearing = {training.memory.flat[uint32_t(which)], count};
  segc_pool_v1_for(model.crew.count, int((count + kClearedAtOnce - 1) / kClearedAtOnce), clearPart,
                   &clearing);
  return SEGC_MODEL_OK;
}

int sendVector(segc_model_model &model, void *to, const void *from, uint64_t bytes) {
  return to == from ? SEGC_MODEL_OK
                    : model.device.driver->post(model.device, static_cast<char *>(to), from, bytes);
}

int requestVector(segc_model_model &model, void *to, const void *from, uint64_t bytes) {
  return to == from ? SEGC_MODEL_OK
                    : model.device.driver->fetch(model.device, to, static_cast<const char *>(from), bytes);
}

int fetchVector(segc_model_model &model, void *to, const void *from, uint64_t bytes) {
  return to == from ? SEGC_MODEL_OK
                    : model.device.driver->download(model.device, to, static_cast<const char *>(from), bytes);
}

} // namespace segc::rt
