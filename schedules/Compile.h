/// \file Compiles one kernel: problem and schedule text in, object code or readable stages out.
///
/// The only place where Halide's exceptions are caught. Halide's warnings about bounds ("explicit bounds too small",
/// "guaranteed to fail") mean wrong numbers without assertions, so they are errors here; so is heap use in a kernel.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Family.h"
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
};

struct KernelArtifact {
  std::vector<uint8_t> object; ///< relocatable ELF, position independent, no Halide runtime inside
  std::string stmt, llvm, assembly; ///< filled when `readable` is asked for
};

/// Compiles a job. On failure a sentence that names the problem, the schedule and the reason.
std::variant<KernelArtifact, std::string> compileKernel(const KernelJob &job, bool readable = false);

} // namespace segc::schedules
