/// \file Asks the CUDA driver for the numbers of units, their clocks and the width of the memory.
// SPDX-License-Identifier: MIT
#include "compiler/tools/GpuRoof.h"
#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>

namespace segc {
namespace {

/// CU_DEVICE_ATTRIBUTE_...; clocks in kHz, the bus in bits.
enum Attribute { Clock = 13, Processors = 16, MemoryClock = 36, MemoryBus = 37, Major = 75, Minor = 76 };

/// Multiply-adds of a processor in a cycle: f32 units, tensor cores on 16 bits with f32 sums (NVIDIA's
/// whitepapers of Ampere, Ada, Hopper and Blackwell; cards for games do half of the latter).
struct Units {
  int capability, single, tensor;
};
constexpr Units kUnits[] = {{80, 64, 1024},  {86, 128, 512},   {87, 128, 512},   {89, 128, 512},
                            {90, 128, 2048}, {100, 128, 4096}, {103, 128, 4096}, {120, 128, 512}};

/// The newest that is known and not newer than the device.
const Units &unitsOf(int capability) {
  const Units *best = kUnits;
  for (const Units &units : kUnits)
    if (units.capability <= capability)
      best = &units;
  return *best;
}

} // namespace

double GpuRoof::leastMilliseconds(double operations, double bytes, const std::string &problem) const {
  const std::string dtype = problem.substr(std::min(problem.size(), problem.rfind(' ') + 1));
  const double rate = dtype == "f32" ? single : dtype == "tf32" ? tensor / 2 : tensor;
  return 1e-6 * std::max(operations / rate, bytes / memory);
}

std::optional<GpuRoof> gpuRoof() {
  void *const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return std::nullopt;
  auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(library, "cuInit"));
  auto get = reinterpret_cast<int (*)(int *, int)>(dlsym(library, "cuDeviceGet"));
  auto name = reinterpret_cast<int (*)(char *, int, int)>(dlsym(library, "cuDeviceGetName"));
  auto ask = reinterpret_cast<int (*)(int *, int, int)>(dlsym(library, "cuDeviceGetAttribute"));
  const char *number = std::getenv("SEGC_DEVICE");
  int device = 0;
  if (!init || !get || !name || !ask || init(0) || get(&device, number ? std::atoi(number) : 0))
    return std::nullopt;
  auto value = [&](Attribute attribute) {
    int result = 0;
    ask(&result, attribute, device);
    return result;
  };
  char text[128] = "";
  name(text, sizeof text, device);
  const Units &units = unitsOf(10 * value(Major) + value(Minor));
  const double cycles = 1e3 * value(Clock) * value(Processors); // of all processors in a second
  const double memory = 2.0 * 1e3 * value(MemoryClock) * value(MemoryBus) / 8; // two transfers a cycle
  if (cycles <= 0 || memory <= 0)
    return std::nullopt;
  return GpuRoof{text, 2e-9 * cycles * units.single, 2e-9 * cycles * units.tensor, 1e-9 * memory};
}

} // namespace segc
