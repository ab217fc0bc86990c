/// \file From the expanded model to the hourglass dialect: @main with one op a layer.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Model.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace segc {

struct ImportOptions {
  std::vector<std::string> tensors; ///< layers whose values become outputs too
  bool everything = false;          ///< also layers that nothing needs (for the weights of auxiliary heads)
  bool training = false;            ///< the losses of the `training` section instead of the outputs
  int phase = -1;                   ///< of its `phases`; -1: none
};

/// The ops that a model may name: hourglass ops that can import themselves. Loads the dialect.
std::vector<std::string> importableOps(mlir::MLIRContext &context);

/// Builds `func @main` in a module with `hourglass.name`. Arguments and results carry `hourglass.name`,
/// arguments also `hourglass.dtype`. Locations are the layers' names over their places in the file. Errors
/// are reported through `diagnostics`; the result is then null.
/// For training the targets follow the inputs (`hourglass.target`; `hourglass.rank3` where the description's
/// shape is [N, H, W]; `hourglass.classes` and `hourglass.ignore` where labels are read), the only result is
/// the total loss (`hourglass.losses`: "dice:logits", ...), and `hourglass.training` of the module has the
/// optimizer and the inputs in `wrt`.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, Diagnostics &diagnostics,
                                              const Model &model, const ImportOptions &options = {});

/// Reports an MLIR diagnostic at the layer it is about.
void report(Diagnostics &diagnostics, mlir::Diagnostic &diagnostic);

} // namespace segc
