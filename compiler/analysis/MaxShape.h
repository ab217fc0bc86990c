/// \file Bounds of the inputs' extents: `-max-shape`.
///
/// An input's bounds are its argument's attribute `hourglass.max`, [N, C, H, W]. A library refuses shapes
/// beyond them, and its memory is known: that of the largest shape.
// SPDX-License-Identifier: MIT
#pragma once
#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace segc {

/// Sets the bounds that `text` names: "4x3x1024x1024" for the only input, "image=4x3x1024x1024" for one of
/// several. Returns what is wrong with it, or "".
std::string setMaxShape(mlir::ModuleOp graph, llvm::StringRef text);

} // namespace segc
