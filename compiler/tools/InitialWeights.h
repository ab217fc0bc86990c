/// \file The weights a model starts with, as a weights file.
// SPDX-License-Identifier: MIT
#pragma once
#include "mlir/IR/BuiltinOps.h"
#include "runtime/files/Safetensors.h"
#include <optional>

namespace segc {

/// One tensor for each weight of the graph, in its order. Errors are emitted at the weight concerned.
std::optional<files::TensorFile> initialWeights(mlir::ModuleOp graph, uint64_t seed);

} // namespace segc
