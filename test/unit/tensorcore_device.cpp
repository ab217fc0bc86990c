/// \file The launches of the tensor-core tests on a GPU, where one is at hand.
// SPDX-License-Identifier: MIT
#include "test/unit/tensorcore_device.h"
#include "test/unit/tensorcore_support.h"
#include <cstring>
#include <dlfcn.h>
#include <map>

namespace segc::tensorcore::test {
namespace {

using DevicePointer = unsigned long long;

/// The functions of cuda.h that are needed, by their names in the driver.
struct Driver {
  int (*init)(unsigned);
  int (*deviceGet)(int *, int);
  int (*deviceAttribute)(int *, int, int);
  int (*retain)(void **, int);
  int (*setCurrent)(void *);
  int (*loadData)(void **, const void *);
  int (*getFunction)(void **, void *, const char *);
  int (*setAttribute)(void *, int, int);
  int (*allocate)(DevicePointer *, size_t);
  int (*release)(DevicePointer);
  int (*toDevice)(DevicePointer, const void *, size_t);
  int (*toHost)(void *, DevicePointer, size_t);
  int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **,
                void **);
  int (*synchronize)();
  int (*errorName)(int, const char **);
};

template <class F> bool load(void *library, const char *name, F &function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  return function != nullptr;
}

/// The driver with its device's context current, or nullptr.
const Driver *openDriver() {
  static Driver driver;
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  if (!library)
    return nullptr;
  const bool complete =
      load(library, "cuInit", driver.init) && load(library, "cuDeviceGet", driver.deviceGet) &&
      load(library, "cuDeviceGetAttribute", driver.deviceAttribute) &&
      load(library, "cuDevicePrimaryCtxRetain", driver.retain) &&
      load(library, "cuCtxSetCurrent", driver.setCurrent) &&
      load(library, "cuModuleLoadData", driver.loadData) &&
      load(library, "cuModuleGetFunction", driver.getFunction) &&
      load(library, "cuFuncSetAttribute", driver.setAttribute) &&
      load(library, "cuMemAlloc_v2", driver.allocate) && load(library, "cuMemFree_v2", driver.release) &&
      load(library, "cuMemcpyHtoD_v2", driver.toDevice) && load(library, "cuMemcpyDtoH_v2", driver.toHost) &&
      load(library, "cuLaunchKernel", driver.launch) &&
      load(library, "cuCtxSynchronize", driver.synchronize) &&
      load(library, "cuGetErrorName", driver.errorName);
  int device, major;
  void *context;
  const int computeCapabilityMajor = 75; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
  if (!complete || driver.init(0) || driver.deviceGet(&device, 0) ||
      driver.deviceAttribute(&major, computeCapabilityMajor, device) || major < 8 ||
      driver.retain(&context, device) || driver.setCurrent(context))
    return nullptr;
  return &driver;
}

const Driver *driver() {
  static const Driver *opened = openDriver();
  return opened;
}

/// Copies of host memory on the device.
struct Copies {
  std::vector<emulate::Range> ranges;
  std::vector<DevicePointer> places;
  ~Copies() {
    for (DevicePointer place : places)
      if (place)
        driver()->release(place);
  }
  int make(const std::vector<emulate::Range> &memory) {
    for (const emulate::Range &range : memory) {
      ranges.push_back(range);
      places.push_back(0);
      if (range.bytes == 0)
        continue;
      if (int error = driver()->allocate(&places.back(), range.bytes))
        return error;
      if (int error = driver()->toDevice(places.back(), range.begin, range.bytes))
        return error;
    }
    return 0;
  }
  template <class T> void translate(T *&pointer) const {
    const auto at = reinterpret_cast<uintptr_t>(pointer);
    for (size_t i = 0; i < ranges.size(); i++) {
      const auto begin = reinterpret_cast<uintptr_t>(ranges[i].begin);
      if (at >= begin && at < begin + ranges[i].bytes) {
        pointer = reinterpret_cast<T *>(places[i] + (at - begin));
        return;
      }
    }
    pointer = nullptr;
  }
};

Arguments translated(Arguments a, const Copies &copies) {
  for (View *view : {&a.x[0], &a.x[1], &a.y, &a.pooled, &a.index})
    copies.translate(view->data);
  for (View &view : a.tensors)
    copies.translate(view.data);
  for (const float *&vector : a.vectors)
    copies.translate(vector);
  copies.translate(a.weights);
  copies.translate(a.partial);
  copies.translate(a.gradient);
  copies.translate(a.from);
  return a;
}

std::string named(const char *what, int error) {
  const char *name = nullptr;
  driver()->errorName(error, &name);
  return std::string(what) + ": " + (name ? name : std::to_string(error));
}

/// The module of a problem, loaded once.
llvm::Expected<std::pair<void *, std::vector<Kernel>>> loaded(const Problem &problem, const Tile &tile) {
  static std::map<std::string, std::pair<void *, std::vector<Kernel>>> cache;
  llvm::Expected<Specialised> code = specialise(problem, tile, "kernel");
  if (!code)
    return code.takeError();
  auto [entry, isNew] = cache.try_emplace(code->ptx, nullptr, code->kernels);
  if (isNew)
    if (int error = driver()->loadData(&entry->second.first, code->ptx.c_str()))
      return llvm::createStringError(named("cuModuleLoadData", error));
  return entry->second;
}

} // namespace

const Gpu *Gpu::find() {
  static const Gpu gpu;
  return driver() ? &gpu : nullptr;
}

/// wgmma is of compute capability 9.0 alone.
bool Gpu::runs(const Tile &tile) const {
  int device = 0, major = 0;
  driver()->deviceGet(&device, 0);
  driver()->deviceAttribute(&major, 75, device); // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
  return !tile.wgmma || major == 9;
}

std::string Gpu::run(const Problem &problem, const Tile &tile, const Extents &extents,
                     const Arguments &arguments, const std::vector<emulate::Range> &memory) const {
  auto module = loaded(problem, tile);
  if (!module)
    return llvm::toString(module.takeError());
  std::vector<std::vector<char>> first;
  for (const bool again : {false, true}) {
    Copies copies;
    if (int error = copies.make(memory))
      return named("copying to the device", error);
    Arguments device = translated(arguments, copies);
    for (const Kernel &kernel : module->second) {
      if (!isLaunched(kernel, problem, arguments))
        continue;
      void *function, *parameters[] = {&device};
      const int maxDynamicShared = 8; // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
      if (int error = driver()->getFunction(&function, module->first, kernel.symbol.c_str()))
        return named("cuModuleGetFunction", error);
      if (int error = driver()->setAttribute(function, maxDynamicShared, kernel.sharedBytes))
        return named("cuFuncSetAttribute", error);
      if (int error = driver()->launch(function, unsigned(blocks(kernel, problem, tile, extents)),
                                       unsigned(kernel.phases), unsigned(kernel.adds ? 1 : arguments.parts),
                                       unsigned(kernel.threads), 1, 1, unsigned(kernel.sharedBytes), nullptr,
                                       parameters, nullptr))
        return named("cuLaunchKernel", error);
    }
    if (int error = driver()->synchronize())
      return named("the kernels", error);
    size_t next = 0;
    for (size_t i = 0; i < memory.size(); i++) {
      if (!memory[i].writable || memory[i].bytes == 0)
        continue;
      std::vector<char> bytes(memory[i].bytes);
      if (int error = driver()->toHost(bytes.data(), copies.places[i], bytes.size()))
        return named("copying to the host", error);
      if (!again)
        first.push_back(bytes);
      else if (first[next++] != bytes)
        return "two runs on the device differ";
    }
  }
  size_t next = 0;
  for (const emulate::Range &range : memory)
    if (range.writable && range.bytes)
      std::memcpy(range.begin, first[next++].data(), range.bytes);
  return "";
}

} // namespace segc::tensorcore::test
