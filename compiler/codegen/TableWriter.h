/// \file Writes a plan as the constant tables of runtime/core/ModelTable.h.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/plan/Plan.h"
#include "mlir/IR/BuiltinOps.h"
#include "runtime/core/ModelTable.h"
#include <string>
#include <vector>

namespace segc {

struct ModelBlob {
  std::vector<uint8_t> bytes;       ///< the Header and everything behind it
  std::vector<std::string> kernels; ///< symbols in the order in which steps refer to them
};

/// What a table's kernels run on.
struct TableTarget {
  uint32_t isaBits; ///< those of rt::Isa
  rt::DeviceKind device = rt::DeviceKind::Cpu;
};

/// Writes the programs of a module: @prepare and @run, in training also @norm, @update, @average and
/// @accumulate. `laneScratch` is the most scratch bytes any kernel takes per thread.
mlir::FailureOr<ModelBlob> writeTables(mlir::ModuleOp planned, llvm::StringRef name,
                                       const TableTarget &target, uint64_t laneScratch);

} // namespace segc
