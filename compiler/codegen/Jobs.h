/// \file Compiles the kernels of a model: each job once, from the cache or in worker processes.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/codegen/Cache.h"
#include "compiler/codegen/Worker.h"
#include <string>
#include <variant>
#include <vector>

namespace segc {

struct JobOptions {
  std::string executable;        ///< started as `executable --kernel-worker`; it must call runKernelWorker()
  unsigned workers = 0;          ///< processes at a time; 0: one a processor, fewer where memory is short
  unsigned timeoutSeconds = 300; ///< for one job; a kernel takes well below one
  std::string cacheDirectory;    ///< empty: no cache
};

struct CompiledKernels {
  std::vector<schedules::KernelArtifact> artifacts; ///< one for each job, in their order
  unsigned compiled = 0, cached = 0;                ///< distinct jobs
};

/// Compiles `jobs`; equal ones are compiled once. Workers serve several jobs each, as starting one costs more
/// than most kernels do. A worker that dies is replaced, and its job tried once more when nothing else runs;
/// one that exceeds the time-out is killed. The first job that fails ends the compilation: the text then
/// carries its problem, schedule, the reason, the end of what the worker printed and the name of a job file,
/// kept in the system's directory for temporary files, with which `segc --kernel-worker FILE` repeats it.
/// Only the calling thread is used; no shell and no search of PATH.
std::variant<CompiledKernels, std::string> compileKernels(const std::vector<schedules::KernelJob> &jobs,
                                                          const JobOptions &options);

} // namespace segc
