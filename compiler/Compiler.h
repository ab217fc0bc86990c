/// \file From an imported graph to files: plans for each instruction set, kernels, tables, library, header,
/// report.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/report/Summary.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "schedules/Family.h"
#include "schedules/Images.h"
#include <string>
#include <vector>

namespace segc {

enum class Stage;

struct CompileOptions {
  std::vector<schedules::Isa> variants; ///< best first; at least one
  bool winograd = true;
  std::string precision = "f32"; ///< of activations in memory, of inference: f32, bf16 or f16
  bool tensorCores = true;       ///< for OpenCL these are segc's emulated warp, which only its tools have
  schedules::Images images = {}; ///< machine code beside the PTX of objects for CUDA
  bool sm90a = false;            ///< code for sm_90a beside that for all GPUs, where it is faster
  std::string cacheDirectory;    ///< empty: none
  std::string executable;        ///< of segc, for its kernel workers
  unsigned workers = 0;          ///< 0: one a core
  uint64_t memoryLimit = 0;      ///< bytes of arena and of what is made of weights; 0: none
  /// That the user wants, each "LAYER: FAMILY [key=value ...]"; LAYER * is whatever the family computes.
  std::vector<std::string> asked = {};
  bool verbose = false;
};

/// A model imported for what its library is to do; one of them may be null.
struct Graphs {
  mlir::ModuleOp infer, train;
  mlir::ModuleOp first() const { return infer ? infer : train; }
};

/// Was the graph imported for training: does it return a loss?
bool isTraining(mlir::ModuleOp graph);

/// Runs the pipeline on a copy of `graph` up to `stage`; `savings` are steps to less memory: of training
/// convolutions that the backward pass computes again, else convolutions that take smaller filters, and
/// behind the last of them those that take none of Winograd's. Errors are emitted as MLIR diagnostics; null
/// then.
mlir::OwningOpRef<mlir::ModuleOp> lower(mlir::ModuleOp graph, Stage stage, const CompileOptions &options,
                                        schedules::Isa isa, unsigned savings = 0);

/// The plan of a graph within options.memoryLimit, with as few savings as that takes.
mlir::OwningOpRef<mlir::ModuleOp> planWithinLimit(mlir::ModuleOp graph, const CompileOptions &options,
                                                  schedules::Isa isa);

/// The plans of Graphs for one variant.
struct Plans {
  mlir::OwningOpRef<mlir::ModuleOp> infer, train;
};

/// Compiles the graphs and writes lib<name>.a, lib<name>.so, <name>.h and <name>.report.json into
/// `directory`, all or none. Errors as diagnostics at the graph; what was written otherwise, and in `plans`,
/// if given, what the first variant was made from.
mlir::FailureOr<std::vector<std::string>> compileLibrary(Graphs graphs, const CompileOptions &options,
                                                         const std::string &directory,
                                                         Plans *plans = nullptr);

/// The text of <name>.h for `plans` of the graphs whose kernels take `laneScratch` bytes a thread.
std::string headerText(Graphs graphs, Graphs plans, const CompileOptions &options, uint64_t laneScratch);

/// The variants that -mcpu names ("native", "avx512,avx2"); empty with `error` set if one is unknown. Native
/// is the best that this processor runs, with dot products of bf16 if the precision is that.
std::vector<schedules::Isa> parseVariants(llvm::StringRef text, std::string &error,
                                          llvm::StringRef precision = "f32");

} // namespace segc
