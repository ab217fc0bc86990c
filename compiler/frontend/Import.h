/// \file From the expanded model to the hourglass dialect: @main with one op a layer.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Model.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace segc {

struct ImportOptions {
  std::vector<std::string> tensors; ///< layers whose values become outputs too
  bool everything = false;          ///< also layers that no output needs (for the weights of auxiliary heads)
};

/// The ops that a model may name: hourglass ops that can import themselves. Loads the dialect.
std::vector<std::string> importableOps(mlir::MLIRContext &context);

/// Builds `func @main` in a module with `hourglass.name`. Arguments and results carry `hourglass.name`,
/// arguments also `hourglass.dtype`. Locations are the layers' names over their places in the file. Errors
/// are reported through `diagnostics`; the result is then null.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, Diagnostics &diagnostics,
                                              const Model &model, const ImportOptions &options = {});

/// Reports an MLIR diagnostic at the layer it is about.
void report(Diagnostics &diagnostics, mlir::Diagnostic &diagnostic);

} // namespace segc
