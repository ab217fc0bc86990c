/// \file The functions of Halide's runtime that GPU kernels call: they load code once a library and launch it
/// in the stream of the handle that runs.
///
/// Kernels get device addresses in the host field of their buffers, so nothing is ever copied or allocated
/// for them here.
// SPDX-License-Identifier: MIT
#include "runtime/core/Device.h"
#include "runtime/core/Lane.h"
#include "runtime/include/segc/model.h"
#include <HalideRuntime.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

namespace segc::rt {
namespace {

/// The code of one kernel object that is loaded, and the object's variable that says so.
struct Loaded {
  Module module;
  void **state;
  Loaded *next;
};

/// Guards what all handles of the library share: the list and their number.
pthread_mutex_t loadMutex = PTHREAD_MUTEX_INITIALIZER;
Loaded *allLoaded = nullptr;
int openHandles = 0;

Device &deviceOf(void *userContext) { return *static_cast<Lane *>(userContext)->crew->device; }

} // namespace

/// `state` is a variable of the kernel object; it keeps its module while the library has handles. What is
/// loaded takes no lock: the driver may compile another handle's code for seconds, under the lock.
bool loadCode(Device &device, void **state, const char *code, uint64_t bytes) {
  if (__atomic_load_n(state, __ATOMIC_ACQUIRE))
    return true;
  pthread_mutex_lock(&loadMutex);
  bool ok = *state != nullptr;
  if (!ok) {
    Loaded *one = static_cast<Loaded *>(calloc(1, sizeof(Loaded)));
    if (!one) {
      failLaunch(device, SEGC_MODEL_OUT_OF_MEMORY, "no memory for a kernel's code");
    } else if ((ok = device.driver->load(device, code, bytes, one->module))) {
      one->state = state;
      one->next = allLoaded;
      allLoaded = one;
      __atomic_store_n(state, static_cast<void *>(&one->module), __ATOMIC_RELEASE);
    } else {
      free(one);
    }
  }
  pthread_mutex_unlock(&loadMutex);
  return ok;
}

namespace {

int load(void *userContext, void **state, const char *code, int bytes) {
  return loadCode(deviceOf(userContext), state, code, uint64_t(bytes))
             ? 0
             : halide_error_code_device_interface_no_device;
}

int run(void *userContext, void *state, const char *entry, const int grid[6], int sharedBytes,
        const uint64_t *sizes, void **args, const int8_t *isBuffer) {
  Device &device = deviceOf(userContext);
  Launch launch = {entry,
                   {uint32_t(grid[0]), uint32_t(grid[1]), uint32_t(grid[2])},
                   {uint32_t(grid[3]), uint32_t(grid[4]), uint32_t(grid[5])},
                   uint32_t(sharedBytes),
                   args,
                   sizes,
                   isBuffer};
  const bool empty = grid[0] <= 0 || grid[1] <= 0 || grid[2] <= 0;
  if (device.loading || empty || !state)
    return 0; // without a state loading failed, and the device knows why
  return device.driver->launch(device, *static_cast<Module *>(state), launch)
             ? 0
             : halide_error_code_device_run_failed;
}

} // namespace

int openDevice(Device &device) {
  const int status = device.driver->open(device);
  pthread_mutex_lock(&loadMutex);
  openHandles += !status;
  pthread_mutex_unlock(&loadMutex);
  return status;
}

void closeDevice(Device &device) {
  device.driver->finish(device);
  if (device.partial)
    device.driver->release(device, device.partial);
  device.driver->close(device);
  pthread_mutex_lock(&loadMutex);
  if (--openHandles == 0)
    while (Loaded *one = allLoaded) {
      allLoaded = one->next;
      *one->state = nullptr;
      device.driver->unload(one->module);
      free(one);
    }
  pthread_mutex_unlock(&loadMutex);
}

const Driver *driverOf(DeviceKind kind) {
  return kind == DeviceKind::OpenCl ? &kOpenClDriver : kind == DeviceKind::Cuda ? &kCudaDriver : nullptr;
}

void *openDriverLibrary(const char *name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }
void *findDriverCall(void *library, const char *name) { return dlsym(library, name); }

bool failLaunch(Device &device, int status, const char *format, ...) {
  device.status = status;
  va_list list;
  va_start(list, format);
  vsnprintf(device.text, sizeof device.text, format, list);
  va_end(list);
  return false;
}

} // namespace segc::rt

using segc::rt::load;
using segc::rt::run;

extern "C" {

int halide_opencl_initialize_kernels(void *userContext, void **state, const char *code, int bytes) {
  return load(userContext, state, code, bytes);
}
int halide_cuda_initialize_kernels(void *userContext, void **state, const char *code, int bytes) {
  return load(userContext, state, code, bytes);
}
void halide_opencl_finalize_kernels(void *, void *) {}
void halide_cuda_finalize_kernels(void *, void *) {}

int halide_opencl_run(void *userContext, void *state, const char *entry, int bx, int by, int bz, int tx,
                      int ty, int tz, int sharedBytes, size_t *sizes, void **args, int8_t *isBuffer) {
  const int grid[6] = {bx, by, bz, tx, ty, tz};
  return run(userContext, state, entry, grid, sharedBytes, reinterpret_cast<uint64_t *>(sizes), args,
             isBuffer);
}
int halide_cuda_run(void *userContext, void *state, const char *entry, int bx, int by, int bz, int tx, int ty,
                    int tz, int sharedBytes, size_t *sizes, void **args, int8_t *isBuffer) {
  const int grid[6] = {bx, by, bz, tx, ty, tz};
  return run(userContext, state, entry, grid, sharedBytes, reinterpret_cast<uint64_t *>(sizes), args,
             isBuffer);
}

// Buffers are where they must be before a kernel is called.
const halide_device_interface_t *halide_opencl_device_interface() { return nullptr; }
const halide_device_interface_t *halide_cuda_device_interface() { return nullptr; }
int halide_copy_to_device(void *, halide_buffer_t *, const halide_device_interface_t *) { return 0; }
int halide_copy_to_host(void *, halide_buffer_t *) { return 0; }
int halide_device_malloc(void *, halide_buffer_t *, const halide_device_interface_t *) { return 0; }
int halide_device_free(void *, halide_buffer_t *) { return 0; }
void halide_device_free_as_destructor(void *, void *) {}
}
