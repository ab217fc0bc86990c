/// \file Whether GPU code can run here.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdlib>
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

} // namespace segc::test
