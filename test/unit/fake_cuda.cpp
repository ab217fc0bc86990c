/// \file A libcuda.so.1 without a GPU: memory is the host's, launches do nothing but are counted and checked.
///
/// FAKE_CUDA holds what is wrong with it: "version=10020", "devices=0", "capability=75", "memory=1000" (bytes
/// it gives), "pins=1000" (of the host's memory), "init=100", "module=218", "launch=701", "instantiate=801",
/// "attribute=1" (error codes). With "trace=1" it notes what each thread does to the device, by itself or in
/// a graph, with addresses as block + offset, for fake_cuda_take_trace(); with "nan=2048" what is fetched
/// with so many bytes is NaN; with "cores=1" it says on stderr how each kernel on tensor cores is launched;
/// with "stir=1" a launch changes its tensors. At the end it says there what was done.
// SPDX-License-Identifier: MIT
#include "test/unit/fake_cuda_state.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace segc::fake;

extern "C" {

/// What this thread has done since the last call, a line each.
const char *fake_cuda_take_trace() {
  thread().taken = std::exchange(thread().noted, "");
  return thread().taken.c_str();
}
int fake_cuda_replays() { return Call(""), state.replays; }
/// Launches by themselves, in no graph.
int fake_cuda_plain_launches() { return Call(""), state.plainLaunches; }
int fake_cuda_misuses() { return Call(""), state.misuses; }
int fake_cuda_take_misuses() { return Call(""), std::exchange(state.misuses, 0); }
/// Of any kind, and unfinished ones; blocks that were pinned; blocks of the device; code.
int fake_cuda_pinned() { return Call(""), int(state.pinned.size()); }
int fake_cuda_graphs() {
  return Call(""), int(state.graphs.size() + state.executables.size() + state.captures.size());
}
int fake_cuda_blocks() { return Call(""), int(state.blocks.size()); }
int fake_cuda_modules() { return Call(""), int(state.modules.size()); }

int cuInit(unsigned) { return int(setting("init", 0)); }
int cuDriverGetVersion(int *version) { return *version = int(setting("version", 12040)), 0; }
int cuDeviceGetCount(int *count) { return *count = int(setting("devices", 1)), 0; }
int cuDeviceGet(int *device, int number) { return *device = number, 0; }
int cuDeviceGetName(char *name, int size, int) { return std::snprintf(name, size_t(size), "Fake GPU"), 0; }
int cuDeviceGetAttribute(int *value, int attribute, int) {
  const int capability = int(setting("capability", 90));
  // Clocks in kHz, processors, bits of the memory's bus: those of an H200.
  static const std::map<int, int> known = {{13, 1980000}, {16, 132}, {36, 3201000}, {37, 6144}};
  const auto found = known.find(attribute);
  *value = found != known.end() ? found->second : attribute == 75 ? capability / 10 : capability % 10;
  return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = &state, 0; }
/// One that is not the primary one, for a caller who has his own; the thread's current one from now on.
int cuCtxCreate_v2(void **context, unsigned, int) {
  thread().contexts.push_back(*context = &state.otherContext);
  return 0;
}
int cuCtxGetCurrent(void **context) {
  *context = thread().contexts.empty() ? nullptr : thread().contexts.back();
  return 0;
}
int cuCtxPushCurrent_v2(void *context) {
  thread().contexts.push_back(context);
  return context == &state ? 0 : kInvalidContext;
}
int cuCtxPopCurrent_v2(void **context) {
  const Call call(__func__);
  std::vector<void *> &contexts = thread().contexts;
  if (contexts.empty())
    return state.check(false, kInvalidContext);
  *context = contexts.back();
  contexts.pop_back();
  return 0;
}

int cuMemAlloc_v2(unsigned long long *at, size_t bytes) {
  const Call call(__func__);
  if (const int error = state.checkUnsafe(bytes > 0))
    return error;
  if (state.used + bytes > size_t(setting("memory", 1L << 40)))
    return kOutOfMemory;
  void *const memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(memory, 0x11, bytes);
  state.blocks[ *at = reinterpret_cast<Address>(memory)] = {bytes, state.madeBlocks++};
  state.used += bytes;
  return 0;
}
int cuMemFree_v2(unsigned long long at) {
  const Call call(__func__);
  return state.release(at);
}
int cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) {
  const Call call(__func__);
  if (const int error = state.checkUnsafe(bytes > 0 && flags == 0))
    return error;
  if (state.pinnedBytes + bytes > size_t(setting("pins", 1L << 40)))
    return kOutOfMemory;
  *memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  state.pinned[static_cast<char *>(*memory)] = bytes;
  state.pinnedBytes += bytes;
  return 0;
}
int cuMemFreeHost(void *memory) {
  const Call call(__func__);
  return state.releasePinned(static_cast<char *>(memory));
}
int cuMemGetInfo_v2(size_t *left, size_t *total) {
  const Call call(__func__);
  *total = size_t(setting("memory", 1L << 40));
  return *left = *total - state.used, 0;
}
int cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t bytes, void *stream) {
  const Call call(__func__);
  return state.submit(stream, [=](Stream &in) {
    trace("upload",
          {state.placeOf(to), std::to_string(bytes), state.isPinned(from, bytes) ? "pinned" : "pageable"});
    if (const int error = state.check(state.owns(to, bytes)))
      return error;
    state.touch(in, to);
    std::memcpy(reinterpret_cast<void *>(to), from, bytes);
    const char *const source = static_cast<const char *>(from);
    in.sent.push_back({source, std::string(source, bytes)});
    return 0;
  });
}
int cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t bytes, void *stream) {
  const Call call(__func__);
  return state.submit(stream, [=](Stream &in) {
    trace("download",
          {state.placeOf(from), std::to_string(bytes), state.isPinned(to, bytes) ? "pinned" : "pageable"});
    if (const int error = state.check(state.owns(from, bytes)))
      return error;
    state.touch(in, from);
    const bool isNaN = long(bytes) == setting("nan", 0);
    in.arriving.push_back(
        {static_cast<char *>(to),
         isNaN ? std::string(bytes, '\xff') : std::string(reinterpret_cast<const char *>(from), bytes)});
    return 0;
  });
}
int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t bytes, void *stream) {
  const Call call(__func__);
  return state.submit(stream, [=](Stream &in) {
    trace("copy", {state.placeOf(to), state.placeOf(from), std::to_string(bytes)});
    if (const int error = state.check(state.owns(to, bytes) && state.owns(from, bytes)))
      return error;
    state.touch(in, to), state.touch(in, from);
    std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
    return 0;
  });
}
int cuMemsetD2D8Async(unsigned long long to, size_t pitch, unsigned char value, size_t width, size_t rows,
                      void *stream) {
  const Call call(__func__);
  return state.submit(stream, [=](Stream &in) {
    trace("zero", {state.placeOf(to), std::to_string(pitch), std::to_string(width), std::to_string(rows)});
    if (const int error =
            state.check((width <= pitch || rows == 1) && state.owns(to, (rows - 1) * pitch + width)))
      return error;
    state.touch(in, to);
    for (size_t row = 0; row < rows; ++row)
      std::memset(reinterpret_cast<char *>(to) + row * pitch, value, width);
    return 0;
  });
}
/// Handles are never used again, so that who uses one that was destroyed is found.
int cuStreamCreate(void **stream, unsigned flags) {
  const Call call(__func__);
  const int number = state.madeStreams++;
  *stream = reinterpret_cast<void *>(uintptr_t(number) * 16 + 0x1000);
  state.streams[*stream] = {number, flags == 0, {}, {}, {}, {}, {}};
  return state.check(flags <= 1);
}
int cuStreamGetCtx(void *stream, void **context) {
  const Call call(__func__);
  if (stream && !state.streams.count(stream))
    return kInvalidHandle;
  return *context = &state, state.check(true);
}
int cuStreamIsCapturing(void *stream, int *status) {
  const Call call(__func__);
  const auto found = state.captures.find(stream);
  *status = found == state.captures.end() ? 0 : found->second.broken ? 2 : 1;
  return state.check(true);
}
int cuThreadExchangeStreamCaptureMode(int *mode) {
  std::swap(thread().mode, *mode);
  return 0;
}
/// Device memory is that of blocks; "ordinal=1" puts it on another device. CUDA knows pinned memory too.
int cuPointerGetAttribute(void *value, int attribute, unsigned long long at) {
  const Call call(__func__);
  constexpr int kMemoryType = 2, kIsManaged = 8, kDeviceOrdinal = 9, kRangeStart = 11, kRangeSize = 12;
  const auto block = state.blockOf(at);
  const bool device = block != state.blocks.end();
  if (!device && !state.isPinned(reinterpret_cast<void *>(at), 1))
    return kInvalidValue;
  if (attribute == kMemoryType)
    *static_cast<unsigned *>(value) = device ? 2 : 1;
  else if (attribute == kIsManaged)
    *static_cast<unsigned *>(value) = unsigned(setting("managed", 0));
  else if (attribute == kDeviceOrdinal)
    *static_cast<int *>(value) = int(setting("ordinal", 0));
  else if (attribute == kRangeStart && device)
    *static_cast<unsigned long long *>(value) = block->first;
  else if (attribute == kRangeSize && device)
    *static_cast<size_t *>(value) = block->second.bytes;
  else
    return kInvalidValue;
  return 0;
}
int cuStreamDestroy_v2(void *stream) {
  const Call call(__func__);
  state.endStream(stream);
  return state.check(true);
}
int cuStreamSynchronize(void *handle) {
  const Call call(__func__);
  Stream *const stream = state.findStream(handle);
  if (!stream)
    return kInvalidHandle;
  trace("wait", {"on " + std::to_string(stream->number)});
  if (const int error = state.checkUnsafe(!state.captures.count(handle)))
    return error;
  state.arrive(*stream);
  return 0;
}

int cuStreamBeginCapture_v2(void *stream, int mode) {
  const Call call(__func__);
  return state.beginCapture(stream, mode);
}
int cuStreamEndCapture(void *stream, void **graph) {
  const Call call(__func__);
  Graph *captured = nullptr;
  const int error = state.endCapture(stream, &captured);
  *graph = captured;
  return error;
}
int cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
  const Call call(__func__);
  if (const int error = int(setting("instantiate", 0)))
    return error;
  Graph *const of = static_cast<Graph *>(graph);
  if (const int error = state.checkUnsafe(state.graphs.count(of) && flags == 0))
    return error;
  *executable = *state.executables.insert(new Graph(*of)).first;
  return 0;
}
int cuGraphLaunch(void *executable, void *stream) {
  const Call call(__func__);
  Graph *const graph = static_cast<Graph *>(executable);
  const int error = state.checkUnsafe(state.executables.count(graph));
  return error ? error : state.replay(graph, stream);
}
/// One that still runs is freed at its end.
int cuGraphExecDestroy(void *executable) {
  const Call call(__func__);
  Graph *const graph = static_cast<Graph *>(executable);
  if (state.executables.erase(graph) == 1)
    return delete graph, state.check(true);
  return state.check(false);
}
int cuGraphDestroy(void *of) {
  const Call call(__func__);
  Graph *const graph = static_cast<Graph *>(of);
  if (state.graphs.erase(graph) == 1)
    return delete graph, state.check(true);
  return state.check(false);
}
int cuGetErrorString(int error, const char **text) {
  *text = error == kOutOfMemory ? "out of memory"
          : error == 701        ? "too many resources requested"
                                : "some error";
  return 0;
}
}
