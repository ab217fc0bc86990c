/// \file CUDA libraries in tests with the driver of fake_cuda.cpp: that driver, and libraries built for it.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/Library.h"
#include <dlfcn.h>

namespace segc::test {

/// libcuda.so.1 of this process once it is open, and what it has noted.
struct FakeCuda {
  void *library = nullptr;
  const char *(*takeTrace)() = nullptr;
  int (*replays)() = nullptr, (*misuses)() = nullptr, (*graphs)() = nullptr, (*pinned)() = nullptr;
  int (*takeMisuses)() = nullptr, (*blocks)() = nullptr, (*modules)() = nullptr;
  void (*when)(const char *call, void (*)(void *), void *) = nullptr;

  template <typename FunctionT> void find(FunctionT &function, const char *name) const {
    function = reinterpret_cast<FunctionT>(dlsym(library, name));
  }
  void open() {
    library = dlopen(SEGC_FAKE_CUDA, RTLD_NOW);
    find(takeTrace, "fake_cuda_take_trace");
    find(replays, "fake_cuda_replays");
    find(misuses, "fake_cuda_misuses");
    find(graphs, "fake_cuda_graphs");
    find(pinned, "fake_cuda_pinned");
    find(takeMisuses, "fake_cuda_take_misuses");
    find(blocks, "fake_cuda_blocks");
    find(modules, "fake_cuda_modules");
    find(when, "fake_cuda_when");
  }
};

/// The library of a model's description, whose name is `name`, for CUDA, in a directory of its own, and
/// weights for it. Null with a failure of the test.
struct CudaModel {
  TemporaryDirectory directory;
  std::unique_ptr<Library> library;
  std::vector<uint8_t> weights;
  int (*setDeviceTensors)(segc_model_model *, int, int) = nullptr;
  int (*setStream)(segc_model_model *, void *) = nullptr;
};
std::unique_ptr<CudaModel> buildCuda(const std::string &name, const std::string &json);

} // namespace segc::test
