/// \file What all tools do first: read the flags that concern compiling, load and import the model.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/Compiler.h"
#include "compiler/frontend/Import.h"
#include "compiler/tools/ToolOptions.h"
#include "mlir/IR/MLIRContext.h"

namespace segc {

/// A model that was read, with everything its modules refer to.
struct LoadedModel {
  std::unique_ptr<Diagnostics> diagnostics;
  std::unique_ptr<mlir::MLIRContext> context;
  std::optional<Model> model;
  mlir::OwningOpRef<mlir::ModuleOp> graph;    ///< for inference; with -mode train for training
  mlir::OwningOpRef<mlir::ModuleOp> training; ///< with -mode both besides
  CompileOptions compile;
  std::string path;

  Graphs graphs() const {
    return isTraining(*graph) ? Graphs{{}, *graph} : Graphs{*graph, training ? *training : mlir::ModuleOp()};
  }

  /// Prints errors of later passes at the layers they concern; keep it alive while passes run.
  std::unique_ptr<mlir::ScopedDiagnosticHandler> handler;
};

/// Reads positional argument 0 and the compile flags. On failure prints why and sets `exitCode`.
std::unique_ptr<LoadedModel> loadModel(const ToolOptions &options, const std::vector<std::string> &tensors,
                                       bool everything, int &exitCode);
/// The same for a given file.
std::unique_ptr<LoadedModel> loadModel(const ToolOptions &options, const std::string &path,
                                       const std::vector<std::string> &tensors, bool everything,
                                       int &exitCode);

/// The flags that concern compiling; prints an error and returns nothing if one is wrong.
std::optional<CompileOptions> readCompileOptions(const ToolOptions &options);

} // namespace segc
