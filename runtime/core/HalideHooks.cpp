/// \file The functions of Halide's runtime that kernels compiled without runtime and assertions refer to.
// SPDX-License-Identifier: MIT
#include "runtime/core/Lane.h"
#include "runtime/core/Pool.h"
#include "runtime/core/Table.h"
#include <HalideRuntime.h>

namespace segc::rt {
namespace {

struct Loop {
  Lane *lanes;
  halide_task_t task;
  int min;
  uint8_t *closure;
};

int runTask(void *context, int lane, int index) {
  const Loop &loop = *static_cast<const Loop *>(context);
  return halide_do_task(&loop.lanes[lane], loop.task, loop.min + index, loop.closure);
}

} // namespace
} // namespace segc::rt

using segc::rt::Lane;

extern "C" {

int halide_do_task(void *userContext, halide_task_t task, int index, uint8_t *closure) {
  return task(userContext, index, closure);
}

int halide_do_par_for(void *userContext, halide_task_t task, int min, int size, uint8_t *closure) {
  Lane *lane = static_cast<Lane *>(userContext);
  segc::rt::Crew *crew = lane->crew;
  // A loop of one leaves the crew to the loop inside it: parallel over images and rows with a single image.
  if (size <= 1 || crew->count == 1 || crew->inside) {
    for (int i = 0; i < size; ++i)
      if (int error = halide_do_task(userContext, task, min + i, closure))
        return error;
    return 0;
  }
  segc::rt::Loop loop = {crew->lanes, task, min, closure};
  crew->inside = true;
  const int error = segc_pool_v1_for(crew->count, size, segc::rt::runTask, &loop);
  crew->inside = false;
  return error;
}

/// Bytes from the lane's slab; null when it is used up. Kernels return their blocks before they end.
void *halide_malloc(void *userContext, size_t bytes) {
  Lane *lane = static_cast<Lane *>(userContext);
  const uint64_t size = segc::rt::alignUp(bytes);
  constexpr uint32_t kMost = sizeof lane->blocks / sizeof lane->blocks[0];
  if (size < bytes || size > lane->capacity - lane->used || lane->live == kMost)
    return nullptr;
  void *block = lane->scratch + lane->used;
  lane->blocks[lane->live++] = {lane->used, false};
  lane->used += size;
  return block;
}

/// A loop may allocate inside a block that stays live, over and over: what is returned must be free again.
void halide_free(void *userContext, void *block) {
  Lane *lane = static_cast<Lane *>(userContext);
  if (!block)
    return;
  const uint64_t start = uint64_t(static_cast<char *>(block) - lane->scratch);
  for (uint32_t i = lane->live; i-- > 0;)
    if (lane->blocks[i].start == start)
      lane->blocks[i].returned = true;
  while (lane->live && lane->blocks[lane->live - 1].returned)
    lane->used = lane->blocks[--lane->live].start;
}

int halide_error_out_of_memory(void *userContext) { return halide_error_code_out_of_memory; }
}
