/// \file What a library for CUDA needs of the machine: asked by the library when its first handle is made,
/// and by segc's commands before they compile what they run.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Device.h"

namespace segc::rt {

constexpr const char *kCudaLibrary = "libcuda.so.1";
constexpr int kLeastDriver = 11000; ///< CUDA 11.0: the first that reads PTX 7.0 for sm_80
constexpr int kLeastCapability = 80;
/// Where the driver's version is less: takes the two parts of its number.
constexpr const char *kOldDriver =
    "NVIDIA's driver is too old: it is for CUDA %d.%d, needed is 11.0 (driver 450) or newer";

/// The driver's functions that answer.
struct CudaQuestions {
  int (*init)(unsigned);
  int (*driverGetVersion)(int *);
  int (*deviceGetCount)(int *);
  int (*deviceGet)(int *, int);
  int (*deviceGetName)(char *, int, int); ///< may be null
  int (*deviceGetAttribute)(int *, int, int);
};

enum class CudaLack {
  Nothing,
  Start,     ///< the driver does not start: `error`
  Driver,    ///< it is too old: `version`
  Number,    ///< there is no device of this number
  Device,    ///< the device cannot be had: `error`
  Capability ///< the device is too old
};

/// What is there, up to the first that lacks.
struct CudaMachine {
  CudaLack lack;
  int error, version, count, number, device, major, minor;
  char name[128];
  int architecture() const { return 10 * major + minor; } ///< 80 of sm_80
};

/// Static: cores share no symbols between models but the pool's.
static inline CudaMachine askCuda(const CudaQuestions &ask) {
  constexpr int kCapabilityMajor = 75, kCapabilityMinor = 76; // CU_DEVICE_ATTRIBUTE_COMPUTE_...
  CudaMachine machine = {CudaLack::Start, 0, 0, 0, deviceNumber(), 0, 0, 0, "?"};
  if ((machine.error = ask.init(0)))
    return machine;
  machine.lack = CudaLack::Driver;
  ask.driverGetVersion(&machine.version);
  if (machine.version < kLeastDriver)
    return machine;
  machine.lack = CudaLack::Number;
  ask.deviceGetCount(&machine.count);
  if (machine.number >= machine.count)
    return machine;
  machine.lack = CudaLack::Device;
  if ((machine.error = ask.deviceGet(&machine.device, machine.number)))
    return machine;
  if (ask.deviceGetName)
    ask.deviceGetName(machine.name, sizeof machine.name, machine.device);
  ask.deviceGetAttribute(&machine.major, kCapabilityMajor, machine.device);
  ask.deviceGetAttribute(&machine.minor, kCapabilityMinor, machine.device);
  machine.lack = machine.architecture() < kLeastCapability ? CudaLack::Capability : CudaLack::Nothing;
  return machine;
}

} // namespace segc::rt
