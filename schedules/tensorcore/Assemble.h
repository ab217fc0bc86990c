/// \file PTX to machine code by ptxas, where a CUDA toolkit is at hand; drivers do the same when they load
/// PTX.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace segc::tensorcore {

struct Cubin {
  std::string bytes;
  int registers = 0;  ///< of a thread, the most of the kernels
  int spillBytes = 0; ///< stores and loads of registers that did not fit, and stack
  std::string
      losses; ///< its lines of products that wait for each other, and of waits and fences it has added
};

/// In $CUDA_HOME/bin, in PATH, or where CUDA's packages put it.
std::optional<std::string> findPtxas();
/// What `ptxas --version` says, as one line.
llvm::Expected<std::string> ptxasVersion(const std::string &ptxas);

/// For one architecture: sm_80, sm_90, …
llvm::Expected<Cubin> assemble(const std::string &ptx, const std::string &arch, const std::string &ptxas);

} // namespace segc::tensorcore
