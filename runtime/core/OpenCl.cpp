/// \file OpenCL 2.0 as a back end, for checking GPU kernels where no GPU is: its memory is shared virtual
/// memory, whose addresses kernels take at any offset.
///
/// The declarations are those of the OpenCL 3.0 specification; the library is opened by name.
// SPDX-License-Identifier: MIT
#include "runtime/core/Device.h"
#include "runtime/core/Error.h"
#include <HalideRuntime.h>
#include <pthread.h>
#include <stdlib.h>

namespace segc::rt {
namespace {

using Handle = void *;
using ClInt = int32_t;
using ClUint = uint32_t;

struct Calls {
  ClInt (*getPlatformIDs)(ClUint, Handle *, ClUint *);
  ClInt (*getDeviceIDs)(Handle, uint64_t type, ClUint, Handle *, ClUint *);
  ClInt (*getDeviceInfo)(Handle, ClUint, size_t, void *, size_t *);
  Handle (*createContext)(const intptr_t *, ClUint, const Handle *, Handle, void *, ClInt *);
  Handle (*createCommandQueue)(Handle, Handle, uint64_t, ClInt *);
  ClInt (*releaseCommandQueue)(Handle);
  Handle (*createProgramWithSource)(Handle, ClUint, const char **, const size_t *, ClInt *);
  ClInt (*buildProgram)(Handle, ClUint, const Handle *, const char *, Handle, void *);
  ClInt (*getProgramBuildInfo)(Handle, Handle, ClUint, size_t, void *, size_t *);
  Handle (*createKernel)(Handle, const char *, ClInt *);
  ClInt (*releaseKernel)(Handle);
  ClInt (*releaseProgram)(Handle);
  ClInt (*setKernelArg)(Handle, ClUint, size_t, const void *);
  ClInt (*setKernelArgSVMPointer)(Handle, ClUint, const void *);
  ClInt (*enqueueNDRangeKernel)(Handle, Handle, ClUint, const size_t *, const size_t *, const size_t *,
                                ClUint, const Handle *, Handle *);
  void *(*svmAlloc)(Handle, uint64_t flags, size_t, ClUint alignment);
  void (*svmFree)(Handle, void *);
  ClInt (*enqueueSVMMemcpy)(Handle, ClUint blocking, void *, const void *, size_t, ClUint, const Handle *,
                            Handle *);
  ClInt (*enqueueSVMMemFill)(Handle, void *, const void *, size_t, size_t, ClUint, const Handle *, Handle *);
  ClInt (*finish)(Handle);
};

constexpr uint64_t kAllDevices = 0xffffffffu;
constexpr ClUint kDeviceName = 0x102b, kSvmCapabilities = 0x1053, kBuildLog = 0x1183;
constexpr ClInt kNoMemory[] = {-4 /* object */, -5 /* resources */, -6 /* host */};

/// What all handles of the library share; made once, under the mutex.
struct Shared {
  Calls calls;
  Handle context, device;
};
Shared shared;
bool isOpen = false;
pthread_mutex_t openMutex = PTHREAD_MUTEX_INITIALIZER;
/// A kernel keeps its arguments: setting them and launching must not be interrupted by another handle.
pthread_mutex_t launchMutex = PTHREAD_MUTEX_INITIALIZER;

int findCalls(Calls &calls) {
  void *const library = openDriverLibrary("libOpenCL.so.1");
  if (!library)
    return fail(SEGC_MODEL_NO_DEVICE,
                "this library runs by OpenCL, but libOpenCL.so.1 is missing: install an OpenCL loader "
                "(ocl-icd-libopencl1) and a driver (pocl-opencl-icd)");
  const struct {
    const char *name;
    void *place;
  } wanted[] = {{"clGetPlatformIDs", &calls.getPlatformIDs},
                {"clGetDeviceIDs", &calls.getDeviceIDs},
                {"clGetDeviceInfo", &calls.getDeviceInfo},
                {"clCreateContext", &calls.createContext},
                {"clCreateCommandQueue", &calls.createCommandQueue},
                {"clReleaseCommandQueue", &calls.releaseCommandQueue},
                {"clCreateProgramWithSource", &calls.createProgramWithSource},
                {"clBuildProgram", &calls.buildProgram},
                {"clGetProgramBuildInfo", &calls.getProgramBuildInfo},
                {"clCreateKernel", &calls.createKernel},
                {"clReleaseKernel", &calls.releaseKernel},
                {"clReleaseProgram", &calls.releaseProgram},
                {"clSetKernelArg", &calls.setKernelArg},
                {"clSetKernelArgSVMPointer", &calls.setKernelArgSVMPointer},
                {"clEnqueueNDRangeKernel", &calls.enqueueNDRangeKernel},
                {"clSVMAlloc", &calls.svmAlloc},
                {"clSVMFree", &calls.svmFree},
                {"clEnqueueSVMMemcpy", &calls.enqueueSVMMemcpy},
                {"clEnqueueSVMMemFill", &calls.enqueueSVMMemFill},
                {"clFinish", &calls.finish}};
  for (const auto &call : wanted)
    if (!(*static_cast<void **>(call.place) = findDriverCall(library, call.name)))
      return fail(SEGC_MODEL_NO_DEVICE, "libOpenCL.so.1 has no %s: OpenCL 2.0 is needed", call.name);
  return SEGC_MODEL_OK;
}

/// Device number $SEGC_DEVICE (0) among those of all platforms that share virtual memory.
int chooseDevice(const Calls &calls, Handle &chosen) {
  constexpr ClUint kMost = 16;
  Handle platforms[kMost], devices[kMost];
  ClUint platformCount = 0;
  calls.getPlatformIDs(kMost, platforms, &platformCount);
  int wanted = deviceNumber();
  uint32_t all = 0;
  for (ClUint p = 0; p < platformCount && p < kMost; ++p) {
    ClUint count = 0;
    if (calls.getDeviceIDs(platforms[p], kAllDevices, kMost, devices, &count))
      continue;
    for (ClUint d = 0; d < count && d < kMost; ++d) {
      uint64_t svm = 0;
      ++all;
      if (!calls.getDeviceInfo(devices[d], kSvmCapabilities, sizeof svm, &svm, nullptr) && (svm & 1) &&
          wanted-- == 0) {
        chosen = devices[d];
        return SEGC_MODEL_OK;
      }
    }
  }
  return fail(SEGC_MODEL_NO_DEVICE,
              "OpenCL has no device number %d with shared virtual memory (%u devices of any kind); install a "
              "driver (pocl-opencl-icd) or set SEGC_DEVICE",
              deviceNumber(), all);
}

int openShared() {
  Shared next = {};
  if (int status = findCalls(next.calls))
    return status;
  if (int status = chooseDevice(next.calls, next.device))
    return status;
  ClInt error = 0;
  next.context = next.calls.createContext(nullptr, 1, &next.device, nullptr, nullptr, &error);
  if (!next.context)
    return fail(SEGC_MODEL_NO_DEVICE, "OpenCL cannot use its device: error %d", error);
  shared = next;
  isOpen = true;
  return SEGC_MODEL_OK;
}

int statusOf(ClInt error) {
  for (ClInt code : kNoMemory)
    if (error == code)
      return SEGC_MODEL_OUT_OF_MEMORY;
  return SEGC_MODEL_DEVICE_FAILED;
}

int open(Device &device) {
  pthread_mutex_lock(&openMutex);
  const int status = isOpen ? SEGC_MODEL_OK : openShared();
  pthread_mutex_unlock(&openMutex);
  if (status)
    return status;
  ClInt error = 0;
  device.stream = shared.calls.createCommandQueue(shared.context, shared.device, 0, &error);
  return device.stream ? SEGC_MODEL_OK : fail(statusOf(error), "OpenCL makes no queue: error %d", error);
}

void close(Device &device) {
  if (device.stream)
    shared.calls.releaseCommandQueue(device.stream);
}

int allocate(Device &, uint64_t bytes, const char *what, char **memory) {
  constexpr ClUint kAlignment = 128; // the largest that OpenCL promises
  *memory =
      static_cast<char *>(shared.calls.svmAlloc(shared.context, 1 /* read and write */, bytes, kAlignment));
  return *memory ? SEGC_MODEL_OK
                 : fail(SEGC_MODEL_OUT_OF_MEMORY, "the device has no memory for %llu bytes of %s",
                        (unsigned long long)bytes, what);
}

void release(Device &device, char *memory) {
  shared.calls.finish(device.stream);
  shared.calls.svmFree(shared.context, memory);
}

int copyBytes(Device &device, bool wait, void *to, const void *from, uint64_t bytes, const char *direction) {
  const ClInt error =
      bytes ? shared.calls.enqueueSVMMemcpy(device.stream, wait, to, from, bytes, 0, nullptr, nullptr) : 0;
  return error ? fail(statusOf(error), "copying %llu bytes %s the device failed: OpenCL error %d",
                      (unsigned long long)bytes, direction, error)
               : SEGC_MODEL_OK;
}
int upload(Device &device, char *to, const void *from, uint64_t bytes) {
  return copyBytes(device, true, to, from, bytes, "to");
}
int download(Device &device, void *to, const char *from, uint64_t bytes) {
  return copyBytes(device, true, to, from, bytes, "from");
}
int post(Device &device, char *to, const void *from, uint64_t bytes) {
  return copyBytes(device, false, to, from, bytes, "to");
}
int fetch(Device &device, void *to, const char *from, uint64_t bytes) {
  return copyBytes(device, false, to, from, bytes, "from");
}

/// OpenCL pins nothing by itself, and on a processor there is nothing to pin for.
int allocateHost(Device &, uint64_t bytes, char **memory) {
  constexpr size_t kAlignment = 64;
  void *block = nullptr;
  if (posix_memalign(&block, kAlignment, bytes))
    return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for %llu bytes on their way to the device",
                (unsigned long long)bytes);
  *memory = static_cast<char *>(block);
  return SEGC_MODEL_OK;
}
void releaseHost(Device &, char *memory) { free(memory); }
int copy(Device &device, char *to, const char *from, uint64_t bytes) {
  return copyBytes(device, false, to, from, bytes, "on");
}

int zero(Device &device, char *to, uint64_t pitch, uint64_t width, uint64_t rows) {
  static const unsigned char none = 0;
  for (uint64_t row = 0; row < rows && width; ++row)
    if (ClInt error = shared.calls.enqueueSVMMemFill(device.stream, to + row * pitch, &none, 1, width, 0,
                                                     nullptr, nullptr))
      return fail(statusOf(error), "writing zeros failed: OpenCL error %d", error);
  return SEGC_MODEL_OK;
}

int finish(Device &device) {
  const ClInt error = shared.calls.finish(device.stream);
  return error ? fail(statusOf(error), "the device failed: OpenCL error %d", error) : SEGC_MODEL_OK;
}

bool load(Device &device, const char *code, uint64_t bytes, Module &module) {
  const Calls &calls = shared.calls;
  ClInt error = 0;
  const size_t size = bytes;
  module.handle = calls.createProgramWithSource(shared.context, 1, &code, &size, &error);
  if (module.handle)
    error = calls.buildProgram(module.handle, 1, &shared.device, "", nullptr, nullptr);
  if (!error)
    return true;
  char log[300] = "";
  if (module.handle) {
    char whole[4096] = "";
    calls.getProgramBuildInfo(module.handle, shared.device, kBuildLog, sizeof whole - 1, whole, nullptr);
    for (size_t i = 0; i + 1 < sizeof log && whole[i]; ++i)
      log[i] = whole[i];
  }
  return failLaunch(device, SEGC_MODEL_DEVICE_FAILED, "OpenCL does not compile it (error %d): %s", error,
                    log);
}

void unload(Module &module) {
  for (uint32_t i = 0; i < module.count; ++i)
    shared.calls.releaseKernel(module.entries[i].function);
  shared.calls.releaseProgram(module.handle);
}

/// The entry's cl_kernel, made once.
Handle entryOf(Module &module, const char *name, ClInt &error) {
  for (uint32_t i = 0; i < module.count; ++i)
    if (module.entries[i].name == name)
      return module.entries[i].function;
  Handle kernel =
      module.count < Module::kMost ? shared.calls.createKernel(module.handle, name, &error) : nullptr;
  if (kernel)
    module.entries[module.count++] = {name, kernel};
  return kernel;
}

ClInt setArguments(Handle kernel, const Launch &launch) {
  ClUint i = 0;
  for (; launch.sizes[i]; ++i) {
    const ClInt error = launch.isBuffer[i]
                            ? shared.calls.setKernelArgSVMPointer(
                                  kernel, i, static_cast<halide_buffer_t *>(launch.args[i])->host)
                            : shared.calls.setKernelArg(kernel, i, launch.sizes[i], launch.args[i]);
    if (error)
      return error;
  }
  // Halide's kernels end with a pointer to the block's shared memory; nothing there is no argument.
  return shared.calls.setKernelArg(kernel, i, launch.sharedBytes ? launch.sharedBytes : 1, nullptr);
}

bool launch(Device &device, Module &module, const Launch &what) {
  pthread_mutex_lock(&launchMutex);
  ClInt error = 0;
  const Handle kernel = entryOf(module, what.entry, error);
  size_t global[3], local[3];
  for (int d = 0; d < 3; ++d) {
    local[d] = what.threads[d];
    global[d] = size_t(what.blocks[d]) * local[d];
  }
  if (kernel)
    error = setArguments(kernel, what);
  if (kernel && !error)
    error = shared.calls.enqueueNDRangeKernel(device.stream, kernel, 3, nullptr, global, local, 0, nullptr,
                                              nullptr);
  pthread_mutex_unlock(&launchMutex);
  if (!kernel)
    return failLaunch(device, SEGC_MODEL_DEVICE_FAILED, "its code has no entry '%s' (OpenCL error %d)",
                      what.entry, error);
  return !error || failLaunch(device, statusOf(error), "OpenCL does not start it: error %d", error);
}

} // namespace

const Driver kOpenClDriver = {"opencl", open,   close,  allocate, release, allocateHost, releaseHost, upload,
                              download, post,   fetch,  copy,     zero,    finish,       nullptr,     nullptr,
                              load,     unload, launch, nullptr,  nullptr, nullptr,      nullptr};

} // namespace segc::rt
