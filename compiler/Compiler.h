/// \file From an imported graph to files: plans for each instruction set, kernels, tables, library, header,
/// report.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/report/Summary.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "schedules/Family.h"
#include <string>
#include <vector>

namespace segc {

enum class Stage;

struct CompileOptions {
  std::vector<schedules::Isa> variants; ///< best first; at least one
  bool winograd = true;
  std::string cacheDirectory; ///< empty: none
  std::string executable;     ///< of segc, for its kernel workers
  unsigned workers = 0;       ///< 0: one a core
  uint64_t memoryLimit = 0;   ///< bytes of arena; 0: none
  bool verbose = false;
};

/// Runs the pipeline on a copy of `graph` up to `stage`. Errors are emitted as MLIR diagnostics; null then.
mlir::OwningOpRef<mlir::ModuleOp> lower(mlir::ModuleOp graph, Stage stage, schedules::Isa isa, bool winograd);

/// Compiles the graph and writes lib<name>.a, lib<name>.so, <name>.h and <name>.report.json into `directory`,
/// all or none. Errors as diagnostics at the graph; what was written otherwise.
mlir::FailureOr<std::vector<std::string>> compileLibrary(mlir::ModuleOp graph, const CompileOptions &options,
                                                         const std::string &directory);

/// The text of <name>.h for a plan of the graph whose kernels take `laneScratch` bytes a thread.
std::string headerText(mlir::ModuleOp graph, mlir::ModuleOp planned, const CompileOptions &options,
                       uint64_t laneScratch);

/// The variants that -mcpu names ("native", "avx512,avx2"); empty with `error` set if one is unknown.
std::vector<schedules::Isa> parseVariants(llvm::StringRef text, std::string &error);

} // namespace segc
