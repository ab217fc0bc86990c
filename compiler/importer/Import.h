/// \file From the expanded model to the hourglass dialect: @main with one op a layer.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/importer/Model.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace segc {

struct ImportOptions {
  std::vector<std::string> tensors; ///< layers whose values become outputs too
  bool everything = false;          ///< also layers that no output needs (for the weights of auxiliary heads)
};

/// Builds `func @main` in a module with `hourglass.name`. Arguments and results carry `hourglass.name`, arguments also
/// `hourglass.dtype`. Locations are the layers' names over their places in the file. Errors are reported through
/// `diagnostics`; the result is then null.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, Diagnostics &diagnostics, const Model &model,
                                              const ImportOptions &options = {});

} // namespace segc
