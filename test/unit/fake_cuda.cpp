/// \file A libcuda.so.1 without a GPU: memory is the host's, launches do nothing but are counted and checked.
///
/// FAKE_CUDA holds what is wrong with it: "version=10020", "devices=0", "capability=75", "memory=1000" (bytes
/// it gives), "init=100", "module=218", "launch=701", "attribute=1" (error codes); with "trace=1" it says on
/// stderr how each kernel on tensor cores is launched. At the end it says what was done.
// SPDX-License-Identifier: MIT
#include "runtime/core/TensorCoreArguments.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace {

constexpr int kInvalidValue = 1, kOutOfMemory = 2, kInvalidContext = 201;

long setting(const char *name, long fallback) {
  const char *text = std::getenv("FAKE_CUDA");
  const char *found = text ? std::strstr(text, (std::string(name) + "=").c_str()) : nullptr;
  return found ? std::atol(found + std::strlen(name) + 1) : fallback;
}

struct State {
  std::map<unsigned long long, size_t> blocks;
  std::map<void *, unsigned> sharedBytes; ///< that a kernel has asked for
  size_t used = 0;
  int depth = 0, streams = 0, modules = 0, loaded = 0, launches = 0, misuses = 0;
  ~State() {
    std::fprintf(
        stderr,
        "fake cuda: %d modules, %d launches; %d modules, %zu blocks and %d streams left, %d misuses\n",
        modules, launches, loaded, blocks.size(), streams, misuses);
  }
  /// Whether these bytes lie in one block that was given away.
  bool owns(unsigned long long at, size_t bytes) {
    auto after = blocks.upper_bound(at);
    return after != blocks.begin() && at + bytes <= std::prev(after)->first + std::prev(after)->second;
  }
  int check(bool ok, int error = kInvalidValue) {
    misuses += !ok || depth != 1;
    return depth != 1 ? kInvalidContext : ok ? 0 : error;
  }
} state;

/// "name" of ".entry name(".
std::string entryName(const char *entry) {
  entry += std::strlen(".entry ");
  return std::string(entry, std::strchr(entry, '('));
}

/// Bytes of the structure that is a kernel's only argument; 0 if it takes others.
size_t structureBytes(const char *entry) {
  const char *parameter = entry ? std::strstr(entry, ".param ") : nullptr;
  unsigned align = 0, bytes = 0;
  char name[400];
  return parameter && std::sscanf(parameter, ".param .align %u .b8 %399[^[][%u]", &align, name, &bytes) == 3
             ? bytes
             : 0;
}

/// What a convolution on tensor cores reads and writes first and last lies in memory that was given away, 16
/// bytes at aligned places.
bool ownsTensors(const segc::tensorcore::Arguments &a) {
  auto octets = [](const segc::tensorcore::View &v, int n, int h, int w) {
    return (n - 1L) * v.image + (h - 1L) * v.row + (w - 1L) * v.pixel;
  };
  auto owned = [&](const void *at, long offset) {
    const auto address = reinterpret_cast<unsigned long long>(at);
    return address % 16 == 0 && state.owns(address, size_t(offset) + 16);
  };
  // In 16 bits an octet has 16 bytes, in f32 more.
  const bool phases = a.inHeight >= 1 << 29; // any pixel counts as being there
  return owned(a.x[0].data, phases ? 0 : 16 * octets(a.x[0], a.images, a.inHeight, a.inWidth)) &&
         owned(a.y.data, 16 * octets(a.y, a.images, a.height, a.width)) && owned(a.weights, 0);
}

} // namespace

extern "C" {

int cuInit(unsigned) { return int(setting("init", 0)); }
int cuDriverGetVersion(int *version) { return *version = int(setting("version", 12040)), 0; }
int cuDeviceGetCount(int *count) { return *count = int(setting("devices", 1)), 0; }
int cuDeviceGet(int *device, int number) { return *device = number, 0; }
int cuDeviceGetName(char *name, int size, int) { return std::snprintf(name, size_t(size), "Fake GPU"), 0; }
int cuDeviceGetAttribute(int *value, int attribute, int) {
  const int capability = int(setting("capability", 90));
  return *value = attribute == 75 ? capability / 10 : capability % 10, 0;
}
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = &state, 0; }
int cuCtxPushCurrent_v2(void *context) { return ++state.depth, context == &state ? 0 : kInvalidContext; }
int cuCtxPopCurrent_v2(void **context) { return --state.depth, *context = &state, 0; }

int cuMemAlloc_v2(unsigned long long *at, size_t bytes) {
  if (bytes > size_t(setting("memory", 1L << 40)) - state.used)
    return state.check(true) ? kInvalidContext : kOutOfMemory;
  *at = reinterpret_cast<unsigned long long>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  state.blocks[*at] = bytes;
  state.used += bytes;
  return state.check(bytes > 0);
}
int cuMemFree_v2(unsigned long long at) {
  const int error = state.check(state.blocks.count(at) == 1);
  state.used -= state.blocks[at];
  state.blocks.erase(at);
  std::free(reinterpret_cast<void *>(at));
  return error;
}
int cuMemGetInfo_v2(size_t *left, size_t *total) {
  *total = size_t(setting("memory", 1L << 40));
  return *left = *total - state.used, 0;
}
int cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t bytes, void *) {
  const int error = state.check(state.owns(to, bytes));
  if (!error)
    std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return error;
}
int cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t bytes, void *) {
  const int error = state.check(state.owns(from, bytes));
  if (!error)
    std::memcpy(to, reinterpret_cast<void *>(from), bytes);
  return error;
}
int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t bytes, void *) {
  const int error = state.check(state.owns(to, bytes) && state.owns(from, bytes));
  if (!error)
    std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
  return error;
}
int cuMemsetD2D8Async(unsigned long long to, size_t pitch, unsigned char value, size_t width, size_t rows,
                      void *) {
  const int error =
      state.check(width <= pitch || rows == 1 ? state.owns(to, (rows - 1) * pitch + width) : false);
  for (size_t row = 0; row < rows && !error; ++row)
    std::memset(reinterpret_cast<char *>(to) + row * pitch, value, width);
  return error;
}
int cuStreamCreate(void **stream, unsigned) { return *stream = &state, ++state.streams, state.check(true); }
int cuStreamDestroy_v2(void *) { return --state.streams, state.check(true); }
int cuStreamSynchronize(void *) { return state.check(true); }

int cuModuleLoadDataEx(void **module, const void *code, unsigned, int *, void **) {
  if (const int error = int(setting("module", 0)))
    return error;
  ++state.modules, ++state.loaded;
  *module = const_cast<void *>(code);
  return state.check(std::strstr(static_cast<const char *>(code), ".target sm_80") != nullptr);
}
int cuModuleUnload(void *module) { return --state.loaded, state.check(module != nullptr); }
int cuModuleGetFunction(void **function, void *module, const char *name) {
  *function = std::strstr(static_cast<char *>(module), (std::string(".entry ") + name + "(").c_str());
  return state.check(*function != nullptr);
}
int cuFuncSetAttribute(void *function, int attribute, int value) {
  state.sharedBytes[function] = unsigned(value);
  const int error = int(setting("attribute", 0));
  return error ? error : state.check(attribute == 8 && value <= 227 * 1024);
}
int cuLaunchKernel(void *function, unsigned bx, unsigned by, unsigned bz, unsigned tx, unsigned ty,
                   unsigned tz, unsigned shared, void *, void **arguments, void **) {
  if (const int error = int(setting("launch", 0)))
    return error;
  ++state.launches;
  const unsigned allowed = state.sharedBytes.count(function) ? state.sharedBytes[function] : 49152;
  const bool fits =
      bx > 0 && by > 0 && by < 65536 && bz > 0 && bz < 65536 && tx * ty * tz <= 1024 && shared <= allowed;
  if (size_t bytes = structureBytes(static_cast<char *>(function))) {
    if (setting("trace", 0))
      std::fprintf(stderr, "%s grid %u %u %u threads %u shared %u bytes %zu\n",
                   entryName(static_cast<char *>(function)).c_str(), bx, by, bz, tx, shared, bytes);
    const auto &a = *static_cast<const segc::tensorcore::Arguments *>(arguments[0]);
    return state.check(fits && bytes == sizeof a && ownsTensors(a));
  }
  // The first argument of every kernel by Halide is a buffer.
  return state.check(fits && function && state.owns(**reinterpret_cast<unsigned long long **>(arguments), 4));
}
int cuGetErrorString(int error, const char **text) {
  *text = error == kOutOfMemory ? "out of memory"
          : error == 701        ? "too many resources requested"
                                : "some error";
  return 0;
}
}
