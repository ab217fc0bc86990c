/// \file Asks the CUDA driver what runtime/core/Cuda.cpp asks when the first handle is made.
// SPDX-License-Identifier: MIT
#include "compiler/tools/GpuReady.h"
#include "compiler/tools/ToolOptions.h"
#include "runtime/core/CudaNeeds.h"
#include <cstdio>
#include <dlfcn.h>

namespace segc {
namespace {

const char *const kInstead = "; -device emulated runs GPU code on processors, segc compiles it without a GPU";

/// Empty, or what is missing. A driver that lacks one of these functions is left to the library, as is a
/// device that cannot be had.
std::string whyNoGpu() {
  void *const library = dlopen(rt::kCudaLibrary, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return std::string("-target cuda runs on NVIDIA GPUs, but there is no driver (") + rt::kCudaLibrary +
           ")" + kInstead;
  rt::CudaQuestions ask = {};
  const auto find = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    return function != nullptr;
  };
  if (!find(ask.init, "cuInit") || !find(ask.driverGetVersion, "cuDriverGetVersion") ||
      !find(ask.deviceGetCount, "cuDeviceGetCount") || !find(ask.deviceGet, "cuDeviceGet") ||
      !find(ask.deviceGetAttribute, "cuDeviceGetAttribute"))
    return "";
  const rt::CudaMachine machine = rt::askCuda(ask);
  switch (machine.lack) {
  case rt::CudaLack::Start:
    return "CUDA does not start (error " + std::to_string(machine.error) + ")" + kInstead;
  case rt::CudaLack::Driver: {
    char text[128];
    std::snprintf(text, sizeof text, rt::kOldDriver, machine.version / 1000, machine.version % 1000 / 10);
    return text;
  }
  case rt::CudaLack::Number:
    return "there is no CUDA device number " + std::to_string(machine.number) + ": the machine has " +
           std::to_string(machine.count) + " (-device, SEGC_DEVICE, CUDA_VISIBLE_DEVICES)" + kInstead;
  case rt::CudaLack::Capability:
    return "the GPU is sm_" + std::to_string(machine.architecture()) + "; there is code for sm_" +
           std::to_string(rt::kLeastCapability) + " and newer" + kInstead;
  case rt::CudaLack::Nothing:
  case rt::CudaLack::Device:
    break;
  }
  return "";
}

} // namespace

bool gpuReady(const CompileOptions &compile) {
  const std::string why = compile.variants.front() == schedules::Isa::Cuda ? whyNoGpu() : "";
  return why.empty() || (fail(why), false);
}

} // namespace segc
