/// \file Single kernels in this process: compiled by segc's workers as for a library, linked as they are, and
/// run on the thread pool of libraries.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/codegen/Jobs.h"
#include "runtime/core/Lane.h"
#include "runtime/core/ModelTable.h"
#include <HalideRuntime.h>
#include <memory>
#include <string>
#include <vector>

namespace llvm::orc {
class LLJIT;
}

namespace segc {

struct LoadedKernel {
  rt::KernelFn function = nullptr;
  uint64_t scratchBytes = 0;
  std::string error; ///< why there is no function
};

class KernelCode {
public:
  /// Null with `error` set if this process cannot take code.
  static std::unique_ptr<KernelCode> create(std::string &error);
  ~KernelCode();

  struct Job {
    std::string problem, schedule;
  };
  /// Compiles the jobs, at a time where that is possible, and links them. A job that fails has an error.
  std::vector<LoadedKernel> load(const std::vector<Job> &jobs, schedules::Isa isa, const JobOptions &options);

private:
  KernelCode() = default;
  LoadedKernel link(const schedules::KernelArtifact &artifact);
  std::unique_ptr<llvm::orc::LLJIT> linker;
  unsigned count = 0;
};

/// The lanes that kernels run on, as a library has them.
class KernelThreads {
public:
  KernelThreads(int threads, uint64_t scratchBytes);
  ~KernelThreads();
  KernelThreads(const KernelThreads &) = delete;
  /// 0 or the error that the kernel returned.
  int run(rt::KernelFn function, const std::vector<halide_buffer_t *> &arguments);
  bool isReady() const { return ready; } ///< the threads were there

private:
  std::vector<rt::Lane> lanes;
  std::vector<std::vector<char>> scratch;
  rt::Crew crew;
  bool ready;
};

} // namespace segc
