/// \file Whether GPU code can run here, and on what.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Family.h"
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

namespace segc::test {

/// Whether OpenCL has a driver. What it compiles is kept beside the build.
inline bool hasOpenCl() {
  setenv("POCL_CACHE_DIR", SEGC_POCL_CACHE, 0);
  void *library = dlopen("libOpenCL.so.1", RTLD_NOW);
  using Platforms = int (*)(unsigned, void *, unsigned *);
  auto platforms = library ? reinterpret_cast<Platforms>(dlsym(library, "clGetPlatformIDs")) : nullptr;
  unsigned count = 0;
  return platforms && platforms(0, nullptr, &count) == 0 && count > 0;
}

/// Whether there is a GPU of sm_80 or later.
inline bool hasCuda() {
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  if (!library)
    return false;
  auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(library, "cuInit"));
  auto get = reinterpret_cast<int (*)(int *, int)>(dlsym(library, "cuDeviceGet"));
  auto ask = reinterpret_cast<int (*)(int *, int, int)>(dlsym(library, "cuDeviceGetAttribute"));
  int device = 0, major = 0;
  const int capabilityMajor = 75;
  return init && get && ask && init(0) == 0 && get(&device, 0) == 0 &&
         ask(&major, capabilityMajor, device) == 0 && major >= 8;
}

/// What tests of whole libraries run on: a GPU where there is one, else a processor by OpenCL, which
/// SEGC_TEST_DEVICE=opencl always asks for.
inline schedules::Isa gpuIsa() {
  const char *asked = std::getenv("SEGC_TEST_DEVICE");
  static const bool isCuda = !(asked && !std::strcmp(asked, "opencl")) && hasCuda();
  return isCuda ? schedules::Isa::Cuda : schedules::Isa::OpenCl;
}
inline bool runsGpuCode() { return gpuIsa() == schedules::Isa::Cuda || hasOpenCl(); }

} // namespace segc::test
