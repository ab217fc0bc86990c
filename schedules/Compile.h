/// \file Compiles one kernel: problem and schedule text in, object code or readable stages out.
///
/// The only place where Halide's exceptions are caught. Halide's warnings about bounds ("explicit bounds too
/// small", "guaranteed to fail") mean wrong numbers without assertions, so they are errors here; so is a
/// temporary whose size is not a constant.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Family.h"
#include "schedules/Images.h"
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace segc::schedules {

struct KernelJob {
  std::string symbol;   ///< C name of the function; `<symbol>_argv` is the entry the executor calls
  std::string problem;  ///< KernelSpec text
  std::string schedule; ///< Schedule text
  Isa isa = Isa::Avx512;
  Images images = {}; ///< of GPUs' machine code beside the PTX
};

struct KernelArtifact {
  std::vector<uint8_t> object; ///< relocatable ELF, position independent, no Halide runtime inside
  uint64_t scratchBytes = 0;   ///< most that one thread has from halide_malloc at a time, in 128-byte blocks
  std::string stmt, llvm, assembly; ///< filled when `readable` is asked for
  std::string device;               ///< the same, of a GPU's kernel: PTX or OpenCL C
};

/// Compiles a job in a process of its own (a fork of this one), so that the object's bytes depend on the job
/// alone and a failed assertion of LLVM is an error message like any other. Any number of threads may call
/// it; the caller must not use Halide itself before. On failure a sentence that names the problem, the
/// schedule and the reason.
std::variant<KernelArtifact, std::string> compileKernel(const KernelJob &job, bool readable = false);

/// The same in this process: for tests and debuggers. Object bytes may depend on what was compiled before.
std::variant<KernelArtifact, std::string> compileKernelHere(const KernelJob &job, bool readable = false);

} // namespace segc::schedules
