/// \file The graph as Graphviz text: a box a layer, skips as edges.
// SPDX-License-Identifier: MIT
#pragma once
#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace segc {

/// The imported graph; weights are left out.
std::string dot(mlir::ModuleOp graph);

} // namespace segc
