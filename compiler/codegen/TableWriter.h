/// \file Writes a plan as the constant tables of runtime/core/ModelTable.h.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/plan/Plan.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace segc {

struct ModelBlob {
  std::vector<uint8_t> bytes;       ///< the Header and everything behind it
  std::vector<std::string> kernels; ///< symbols in the order in which steps refer to them
};

/// Writes the programs of a module: @prepare and @run, in training also @norm, @update, @average and
/// @accumulate. `isaBits` are those of rt::Isa, `laneScratch` the most scratch bytes any kernel takes per
/// thread.
mlir::FailureOr<ModelBlob> writeTables(mlir::ModuleOp planned, llvm::StringRef name, uint32_t isaBits,
                                       uint64_t laneScratch);

} // namespace segc
