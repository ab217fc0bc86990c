/// \file Asks the CUDA driver what runtime/core/Cuda.cpp asks when the first handle is made.
// SPDX-License-Identifier: MIT
#include "compiler/tools/GpuReady.h"
#include "compiler/tools/ToolOptions.h"
#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>

namespace segc {
namespace {

constexpr int kLeastDriver = 11000, kLeastCapability = 80, kCapabilityMajor = 75, kCapabilityMinor = 76;
const char *const kInstead = "; -device emulated runs GPU code on processors, segc compiles it without a GPU";

/// Empty, or what is missing. A driver that lacks one of these functions is left to the library.
std::string whyNoGpu() {
  void *const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return std::string("-target cuda runs on NVIDIA GPUs, but there is no driver (libcuda.so.1)") + kInstead;
  auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(library, "cuInit"));
  auto ask = reinterpret_cast<int (*)(int *)>(dlsym(library, "cuDriverGetVersion"));
  auto count = reinterpret_cast<int (*)(int *)>(dlsym(library, "cuDeviceGetCount"));
  auto get = reinterpret_cast<int (*)(int *, int)>(dlsym(library, "cuDeviceGet"));
  auto attribute = reinterpret_cast<int (*)(int *, int, int)>(dlsym(library, "cuDeviceGetAttribute"));
  if (!init || !ask || !count || !get || !attribute)
    return "";
  if (const int error = init(0))
    return "CUDA does not start (error " + std::to_string(error) + ")" + kInstead;
  int version = 0, devices = 0, device = 0, major = 0, minor = 0;
  ask(&version);
  if (version < kLeastDriver)
    return "NVIDIA's driver is too old: it is for CUDA " + std::to_string(version / 1000) + "." +
           std::to_string(version % 1000 / 10) + ", needed is 11.0 (driver 450) or newer";
  const char *const text = std::getenv("SEGC_DEVICE");
  const int number = text ? std::max(std::atoi(text), 0) : 0;
  count(&devices);
  if (number >= devices)
    return "there is no CUDA device number " + std::to_string(number) + ": the machine has " +
           std::to_string(devices) + " (-device, SEGC_DEVICE, CUDA_VISIBLE_DEVICES)" + kInstead;
  if (get(&device, number))
    return "";
  attribute(&major, kCapabilityMajor, device);
  attribute(&minor, kCapabilityMinor, device);
  if (10 * major + minor < kLeastCapability)
    return "the GPU is sm_" + std::to_string(10 * major + minor) + "; there is code for sm_80 and newer" +
           kInstead;
  return "";
}

} // namespace

bool gpuReady(const CompileOptions &compile) {
  const std::string why = compile.variants.front() == schedules::Isa::Cuda ? whyNoGpu() : "";
  return why.empty() || (fail(why), false);
}

} // namespace segc
