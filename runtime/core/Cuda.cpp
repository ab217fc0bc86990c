/// \file The CUDA driver as a back end: opened by name, the primary context of one device, a stream a handle.
///
/// Declarations as in the CUDA driver API's reference; the names with _v2 are those of 64-bit sizes.
// SPDX-License-Identifier: MIT
#include "runtime/core/CudaNeeds.h"
#include "runtime/core/Device.h"
#include "runtime/core/Error.h"
#include "runtime/core/Images.h"
#include <HalideRuntime.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace segc::rt {
namespace {

using Handle = void *;
using Address = unsigned long long; ///< CUdeviceptr

struct Calls {
  int (*init)(unsigned);
  int (*driverGetVersion)(int *);
  int (*deviceGetCount)(int *);
  int (*deviceGet)(int *, int);
  int (*deviceGetName)(char *, int, int);
  int (*deviceGetAttribute)(int *, int, int);
  int (*devicePrimaryCtxRetain)(Handle *, int);
  int (*ctxPushCurrent)(Handle);
  int (*ctxPopCurrent)(Handle *);
  int (*memAlloc)(Address *, size_t);
  int (*memFree)(Address);
  int (*memGetInfo)(size_t *, size_t *);
  int (*memHostAlloc)(void **, size_t, unsigned flags);
  int (*memFreeHost)(void *);
  int (*memcpyHtoDAsync)(Address, const void *, size_t, Handle);
  int (*memcpyDtoHAsync)(void *, Address, size_t, Handle);
  int (*memcpyDtoDAsync)(Address, Address, size_t, Handle);
  int (*memsetD2D8Async)(Address, size_t pitch, unsigned char, size_t width, size_t height, Handle);
  int (*streamCreate)(Handle *, unsigned);
  int (*streamDestroy)(Handle);
  int (*streamSynchronize)(Handle);
  int (*streamGetCtx)(Handle, Handle *context);
  int (*streamIsCapturing)(Handle, int *status);
  int (*threadExchangeStreamCaptureMode)(int *mode);
  int (*pointerGetAttribute)(void *value, int attribute, Address);
  int (*moduleLoadDataEx)(Handle *, const void *, unsigned, int *, void **);
  int (*moduleUnload)(Handle);
  int (*moduleGetFunction)(Handle *, Handle, const char *);
  int (*funcSetAttribute)(Handle, int, int);
  int (*launchKernel)(Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Handle,
                      void **, void **);
  int (*getErrorString)(int, const char **);
  // Graphs; a driver of CUDA 11.3 or older lacks them.
  int (*streamBeginCapture)(Handle, int mode);
  int (*streamEndCapture)(Handle, Handle *graph);
  int (*graphInstantiateWithFlags)(Handle *executable, Handle graph, unsigned long long flags);
  int (*graphLaunch)(Handle executable, Handle stream);
  int (*graphExecDestroy)(Handle);
  int (*graphDestroy)(Handle);
};

/// CU_POINTER_ATTRIBUTE_..., and the value of the first for memory of a device.
constexpr int kMemoryType = 2, kIsManaged = 8, kDeviceOrdinal = 9, kRangeStart = 11, kRangeSize = 12;
constexpr unsigned kDeviceMemory = 2;
constexpr int kErrorOutOfMemory = 2, kCapabilityOf90a = 90;
constexpr int kLeastDriverOf90a = 12000;     ///< the first that reads PTX 8.0 for sm_90a
constexpr uint32_t kSharedBytes = 48 * 1024; ///< what every launch may have; above it the kernel has to ask
constexpr int kMaxDynamicSharedSize = 8;     ///< CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
constexpr unsigned kNonBlocking = 1;         ///< the stream does not wait for the default one
constexpr int kThreadLocal = 1;              ///< other threads may do what a capture forbids
constexpr int kRelaxed = 2;                  ///< this thread may, whatever others capture
constexpr int kErrorLogBuffer = 5, kErrorLogBytes = 6; ///< CU_JIT_ERROR_LOG_BUFFER, ..._SIZE_BYTES

/// What all handles of the library share; made once, under the mutex.
struct Shared {
  Calls calls;
  Handle context;
  int device;
  int architecture; ///< 80 of sm_80
  bool hasGraphs, runs90a;
};
Shared shared;
bool isOpen = false;
pthread_mutex_t openMutex = PTHREAD_MUTEX_INITIALIZER;

const char *textOf(int error) {
  const char *text = nullptr;
  return shared.calls.getErrorString && !shared.calls.getErrorString(error, &text) && text ? text
                                                                                           : "unknown error";
}

int findCalls(Calls &calls) {
  void *const library = openDriverLibrary(kCudaLibrary);
  if (!library)
    return fail(SEGC_MODEL_NO_DEVICE,
                "this library runs on NVIDIA GPUs, but libcuda.so.1 is missing: install "
                "NVIDIA's driver, or compile the model with -target cpu");
  const struct {
    const char *name;
    void *place;
  } wanted[] = {{"cuInit", &calls.init},
                {"cuDriverGetVersion", &calls.driverGetVersion},
                {"cuDeviceGetCount", &calls.deviceGetCount},
                {"cuDeviceGet", &calls.deviceGet},
                {"cuDeviceGetName", &calls.deviceGetName},
                {"cuDeviceGetAttribute", &calls.deviceGetAttribute},
                {"cuDevicePrimaryCtxRetain", &calls.devicePrimaryCtxRetain},
                {"cuCtxPushCurrent_v2", &calls.ctxPushCurrent},
                {"cuCtxPopCurrent_v2", &calls.ctxPopCurrent},
                {"cuMemAlloc_v2", &calls.memAlloc},
                {"cuMemFree_v2", &calls.memFree},
                {"cuMemGetInfo_v2", &calls.memGetInfo},
                {"cuMemHostAlloc", &calls.memHostAlloc},
                {"cuMemFreeHost", &calls.memFreeHost},
                {"cuMemcpyHtoDAsync_v2", &calls.memcpyHtoDAsync},
                {"cuMemcpyDtoHAsync_v2", &calls.memcpyDtoHAsync},
                {"cuMemcpyDtoDAsync_v2", &calls.memcpyDtoDAsync},
                {"cuMemsetD2D8Async", &calls.memsetD2D8Async},
                {"cuStreamCreate", &calls.streamCreate},
                {"cuStreamDestroy_v2", &calls.streamDestroy},
                {"cuStreamSynchronize", &calls.streamSynchronize},
                {"cuStreamGetCtx", &calls.streamGetCtx},
                {"cuStreamIsCapturing", &calls.streamIsCapturing},
                {"cuThreadExchangeStreamCaptureMode", &calls.threadExchangeStreamCaptureMode},
                {"cuPointerGetAttribute", &calls.pointerGetAttribute},
                {"cuModuleLoadDataEx", &calls.moduleLoadDataEx},
                {"cuModuleUnload", &calls.moduleUnload},
                {"cuModuleGetFunction", &calls.moduleGetFunction},
                {"cuFuncSetAttribute", &calls.funcSetAttribute},
                {"cuLaunchKernel", &calls.launchKernel},
                {"cuGetErrorString", &calls.getErrorString}};
  for (const auto &call : wanted)
    if (!(*static_cast<void **>(call.place) = findDriverCall(library, call.name)))
      return fail(SEGC_MODEL_NO_DEVICE,
                  "NVIDIA's driver is too old: its libcuda.so.1 has no %s; CUDA 11.0 "
                  "(driver 450) or newer is needed",
                  call.name);
  const struct {
    const char *name;
    void *place;
  } optional[] = {{"cuStreamBeginCapture_v2", &calls.streamBeginCapture},
                  {"cuStreamEndCapture", &calls.streamEndCapture},
                  {"cuGraphInstantiateWithFlags", &calls.graphInstantiateWithFlags},
                  {"cuGraphLaunch", &calls.graphLaunch},
                  {"cuGraphExecDestroy", &calls.graphExecDestroy},
                  {"cuGraphDestroy", &calls.graphDestroy}};
  shared.hasGraphs = true;
  for (const auto &call : optional)
    shared.hasGraphs &= (*static_cast<void **>(call.place) = findDriverCall(library, call.name)) != nullptr;
  return SEGC_MODEL_OK;
}

/// Device number $SEGC_DEVICE (0), if its architecture runs our code.
int chooseDevice(const Calls &calls, CudaMachine &machine) {
  machine = askCuda({calls.init, calls.driverGetVersion, calls.deviceGetCount, calls.deviceGet,
                     calls.deviceGetName, calls.deviceGetAttribute});
  switch (machine.lack) {
  case CudaLack::Nothing:
    return SEGC_MODEL_OK;
  case CudaLack::Start:
    return fail(SEGC_MODEL_NO_DEVICE, "CUDA does not start: %s (error %d)", textOf(machine.error),
                machine.error);
  case CudaLack::Driver:
    return fail(SEGC_MODEL_NO_DEVICE, kOldDriver, machine.version / 1000, machine.version % 1000 / 10);
  case CudaLack::Number:
    return fail(SEGC_MODEL_NO_DEVICE,
                "there is no CUDA device number %d: the machine has %d (SEGC_DEVICE, "
                "CUDA_VISIBLE_DEVICES)",
                machine.number, machine.count);
  case CudaLack::Device:
    return fail(SEGC_MODEL_NO_DEVICE, "CUDA device %d cannot be used: %s", machine.number,
                textOf(machine.error));
  case CudaLack::Capability:
    break;
  }
  return fail(SEGC_MODEL_NO_DEVICE, "'%s' is sm_%d%d; the library has code for sm_%d and newer", machine.name,
              machine.major, machine.minor, kLeastCapability);
}

int openShared() {
  if (int status = findCalls(shared.calls))
    return status;
  CudaMachine machine;
  if (int status = chooseDevice(shared.calls, machine))
    return status;
  shared.device = machine.device;
  shared.architecture = machine.architecture();
  shared.runs90a = shared.architecture == kCapabilityOf90a && machine.version >= kLeastDriverOf90a;
  if (int error = shared.calls.devicePrimaryCtxRetain(&shared.context, shared.device))
    return fail(error == kErrorOutOfMemory ? SEGC_MODEL_OUT_OF_MEMORY : SEGC_MODEL_NO_DEVICE,
                "the GPU cannot be used: %s", textOf(error));
  isOpen = true;
  return SEGC_MODEL_OK;
}

/// Our context while one lives; then the caller's again.
struct InContext {
  InContext() { shared.calls.ctxPushCurrent(shared.context); }
  ~InContext() {
    Handle ours;
    shared.calls.ctxPopCurrent(&ours);
  }
  InContext(const InContext &) = delete;
};

/// The same for what CUDA calls potentially unsafe while anybody makes a graph (cuMemAlloc, cuModuleLoad,
/// ...): it fails, and breaks the graph, if a thread captures in the global mode, as PyTorch does by default.
/// No capture depends on what a handle does for itself.
struct Aside : InContext {
  Aside() { shared.calls.threadExchangeStreamCaptureMode(&mode); }
  ~Aside() { shared.calls.threadExchangeStreamCaptureMode(&mode); }
  int mode = kRelaxed; ///< the caller's while this lives
};

/// Where work is sent to.
Handle streamOf(const Device &device) { return device.recorder ? device.recorder : device.stream; }

int statusOf(int error) {
  return error == kErrorOutOfMemory ? SEGC_MODEL_OUT_OF_MEMORY : SEGC_MODEL_DEVICE_FAILED;
}
int check(int error, const char *what) {
  return error ? fail(statusOf(error), "%s failed: %s (CUDA error %d)", what, textOf(error), error)
               : SEGC_MODEL_OK;
}

int open(Device &device) {
  pthread_mutex_lock(&openMutex);
  const int status = isOpen ? SEGC_MODEL_OK : openShared();
  pthread_mutex_unlock(&openMutex);
  if (status)
    return status;
  const char *const graphs = getenv("SEGC_CUDA_GRAPHS");
  device.records = shared.hasGraphs && !(graphs && !strcmp(graphs, "0"));
  const char *const wanted90a = getenv("SEGC_CUDA_90A");
  device.runs90a = shared.runs90a && !(wanted90a && !strcmp(wanted90a, "0"));
  Aside context;
  const int made = check(shared.calls.streamCreate(&device.ownStream, kNonBlocking), "making a stream");
  device.stream = device.ownStream;
  return made;
}

void close(Device &device) {
  Aside context;
  if (device.ownStream)
    shared.calls.streamDestroy(device.ownStream);
}

int allocate(Device &, uint64_t bytes, const char *what, char **memory) {
  Aside context;
  Address address = 0;
  const int error = shared.calls.memAlloc(&address, bytes);
  *memory = reinterpret_cast<char *>(address);
  if (!error)
    return SEGC_MODEL_OK;
  size_t left = 0, total = 0;
  shared.calls.memGetInfo(&left, &total);
  return fail(statusOf(error), "the GPU gives no %llu bytes of %s: %s; %llu of its %llu bytes are free",
              (unsigned long long)bytes, what, textOf(error), (unsigned long long)left,
              (unsigned long long)total);
}

void release(Device &, char *memory) {
  Aside context;
  shared.calls.memFree(reinterpret_cast<Address>(memory));
}

int allocateHost(Device &, uint64_t bytes, char **memory) {
  Aside context;
  void *block = nullptr;
  const int error = shared.calls.memHostAlloc(&block, bytes, 0);
  *memory = static_cast<char *>(block);
  return error ? fail(statusOf(error), "the driver pins no %llu bytes of the host's memory: %s",
                      (unsigned long long)bytes, textOf(error))
               : SEGC_MODEL_OK;
}

void releaseHost(Device &, char *memory) {
  Aside context;
  shared.calls.memFreeHost(memory);
}

int finish(Device &device) {
  Aside context;
  return check(shared.calls.streamSynchronize(device.stream), "the GPU");
}

int post(Device &device, char *to, const void *from, uint64_t bytes) {
  InContext context;
  return check(shared.calls.memcpyHtoDAsync(reinterpret_cast<Address>(to), from, bytes, streamOf(device)),
               "copying to the GPU");
}

int upload(Device &device, char *to, const void *from, uint64_t bytes) {
  const int status = post(device, to, from, bytes);
  return status ? status : finish(device);
}

int fetch(Device &device, void *to, const char *from, uint64_t bytes) {
  InContext context;
  return check(shared.calls.memcpyDtoHAsync(to, reinterpret_cast<Address>(from), bytes, streamOf(device)),
               "copying from the GPU");
}

int download(Device &device, void *to, const char *from, uint64_t bytes) {
  const int status = fetch(device, to, from, bytes);
  return status ? status : finish(device);
}

int copy(Device &device, char *to, const char *from, uint64_t bytes) {
  InContext context;
  return check(shared.calls.memcpyDtoDAsync(reinterpret_cast<Address>(to), reinterpret_cast<Address>(from),
                                            bytes, streamOf(device)),
               "copying on the GPU");
}

int zero(Device &device, char *to, uint64_t pitch, uint64_t width, uint64_t rows) {
  if (!width || !rows)
    return SEGC_MODEL_OK;
  InContext context;
  return check(
      shared.calls.memsetD2D8Async(reinterpret_cast<Address>(to), pitch, 0, width, rows, streamOf(device)),
      "writing zeros");
}

int setStream(Device &device, void *stream) {
  InContext context;
  Handle owner = nullptr;
  if (stream && (shared.calls.streamGetCtx(stream, &owner) || owner != shared.context))
    return fail(SEGC_MODEL_INVALID_ARGUMENT,
                "the stream is none of the primary context of device %d, on which the model runs",
                shared.device);
  device.stream = stream ? stream : device.ownStream;
  return SEGC_MODEL_OK;
}

/// Memory that CUDA does not know is the host's; managed memory is everybody's.
int checkPlace(Device &, const void *data, uint64_t bytes, bool onDevice, const char *what,
               const char *name) {
  InContext context;
  const Address at = reinterpret_cast<Address>(data);
  const auto ask = [&](auto &value, int attribute) {
    return !shared.calls.pointerGetAttribute(&value, attribute, at);
  };
  unsigned type = 0, managed = 0;
  int device = shared.device;
  Address start = 0;
  size_t size = 0;
  const bool isDevices = ask(type, kMemoryType) && type == kDeviceMemory;
  if (isDevices && ask(managed, kIsManaged) && managed)
    return SEGC_MODEL_OK;
  if (isDevices != onDevice)
    return fail(SEGC_MODEL_INVALID_TENSOR,
                onDevice
                    ? "%s '%s' lies in the host's memory; segc_model_set_device_tensors said the GPU's"
                    : "%s '%s' lies in a GPU's memory: say so by segc_model_set_device_tensors, or copy it",
                what, name);
  if (!onDevice)
    return SEGC_MODEL_OK;
  if (ask(device, kDeviceOrdinal) && device != shared.device)
    return fail(SEGC_MODEL_INVALID_TENSOR, "%s '%s' lies on device %d, the model runs on %d", what, name,
                device, shared.device);
  if (ask(start, kRangeStart) && ask(size, kRangeSize) && at + bytes > start + size)
    return fail(SEGC_MODEL_INVALID_TENSOR, "%s '%s' takes %llu bytes, its memory ends after %llu", what, name,
                (unsigned long long)bytes, (unsigned long long)(start + size - at));
  return SEGC_MODEL_OK;
}

/// Machine code for this GPU if there is some that the driver takes: one that is older than the assembler may
/// not. Else the PTX, which every driver compiles that is as new as it.
bool load(Device &device, const char *code, uint64_t bytes, Module &module) {
  Aside context;
  uint64_t architecture;
  const char *const image = chooseImage(code, bytes, uint64_t(shared.architecture), &architecture);
  if (image && !shared.calls.moduleLoadDataEx(&module.handle, image, 0, nullptr, nullptr))
    return true;
  char log[300] = "";
  int options[] = {kErrorLogBuffer, kErrorLogBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
  const int error = shared.calls.moduleLoadDataEx(&module.handle, code, 2, options, values);
  if (!error)
    return true;
  char images[80] = "";
  if (image)
    snprintf(images, sizeof images, ", nor its machine code for sm_%llu", (unsigned long long)architecture);
  else if (hasImages(code, bytes))
    snprintf(images, sizeof images, "; none of its machine code is for sm_%d", shared.architecture);
  return failLaunch(device, statusOf(error), "the driver does not load its code%s: %s (CUDA error %d) %s",
                    images, textOf(error), error, log);
}

void unload(Module &module) {
  Aside context;
  shared.calls.moduleUnload(module.handle);
}

bool launch(Device &device, Module &module, const Launch &what) {
  InContext context;
  Handle function;
  if (int error = shared.calls.moduleGetFunction(&function, module.handle, what.entry))
    return failLaunch(device, SEGC_MODEL_DEVICE_FAILED, "its code has no entry '%s' (CUDA error %d)",
                      what.entry, error);
  if (what.sharedBytes > kSharedBytes)
    if (int error = shared.calls.funcSetAttribute(function, kMaxDynamicSharedSize, int(what.sharedBytes)))
      return failLaunch(device, statusOf(error),
                        "the GPU has no %u bytes of shared memory for a block: %s "
                        "(CUDA error %d)",
                        what.sharedBytes, textOf(error), error);
  constexpr uint32_t kMost = 256;
  void *arguments[kMost];
  for (uint32_t i = 0; what.sizes[i]; ++i) {
    if (i == kMost)
      return failLaunch(device, SEGC_MODEL_DEVICE_FAILED, "it has more than %u arguments", kMost);
    // A buffer's argument is its address, read from where the host field is.
    arguments[i] = what.isBuffer[i] ? static_cast<void *>(&static_cast<halide_buffer_t *>(what.args[i])->host)
                                    : what.args[i];
  }
  const int error = shared.calls.launchKernel(function, what.blocks[0], what.blocks[1], what.blocks[2],
                                              what.threads[0], what.threads[1], what.threads[2],
                                              what.sharedBytes, streamOf(device), arguments, nullptr);
  return !error || failLaunch(device, statusOf(error), "the GPU does not start it: %s (CUDA error %d)",
                              textOf(error), error);
}

/// Recorded is what goes to the handle's own stream, wherever it is replayed: the default stream cannot be
/// captured, and while another blocking one is, other threads may not use the default stream. Work that the
/// caller captures becomes part of his graph.
bool record(Device &device) {
  InContext context;
  int capturing = 0;
  if (shared.calls.streamIsCapturing(device.stream, &capturing) || capturing ||
      shared.calls.streamBeginCapture(device.ownStream, kThreadLocal))
    return false;
  device.recorder = device.ownStream;
  return true;
}

/// A capture that something forbidden has invalidated ends with an error and without a graph.
void *keep(Device &device, bool wanted) {
  Aside context;
  Handle graph = nullptr, executable = nullptr;
  shared.calls.streamEndCapture(device.recorder, &graph);
  device.recorder = nullptr;
  if (graph && wanted && shared.calls.graphInstantiateWithFlags(&executable, graph, 0))
    executable = nullptr;
  if (graph)
    shared.calls.graphDestroy(graph);
  return executable;
}

int replay(Device &device, void *recorded) {
  Aside context;
  return check(shared.calls.graphLaunch(recorded, device.stream), "starting the kernels as a graph");
}

void forget(void *recorded) {
  Aside context;
  shared.calls.graphExecDestroy(recorded);
}

} // namespace

const Driver kCudaDriver = {"cuda",      open,   close,     allocate,   release, allocateHost,
                            releaseHost, upload, download,  post,       fetch,   copy,
                            zero,        finish, setStream, checkPlace, load,    unload,
                            launch,      record, keep,      replay,     forget};

} // namespace segc::rt
