/// \file Random networks of all layers that the compiler knows, as JSON.
// SPDX-License-Identifier: MIT
#pragma once
#include "mlir/IR/MLIRContext.h"
#include <cstdint>
#include <string>

namespace segc::test {

/// A description of 1 to 10 layers that segc accepts: depends on `seed` only. What a network may contain is
/// decided by the importer: a layer that it refuses (too large a kernel, extents that do not fit) is thrown
/// again.
std::string randomModel(mlir::MLIRContext &context, uint64_t seed);
/// The same, smaller, with a `training` section: a random loss on each value that nothing reads.
std::string randomTraining(mlir::MLIRContext &context, uint64_t seed);

} // namespace segc::test
