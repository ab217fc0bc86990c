/// \file Compares a compiled network, layer by layer, with what the reference interpreter says it should
/// compute.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/Compiler.h"
#include "compiler/frontend/Import.h"
#include "runtime/files/Safetensors.h"
#include <optional>

namespace segc {

struct CheckOptions {
  double tolerance = 1e-4;              ///< for the library: max |y - r| <= tolerance * max |r|
  double fromInputTolerance = 0;        ///< for its outputs from the input on; 0: the same
  double stageTolerance = 1e-6;         ///< for the interpreter on later stages; both compute in double
  std::vector<int> threads = {1, 2, 3}; ///< numbers of threads whose results must agree bit for bit
  uint64_t seed = 0;                    ///< of the inputs and of what is added to constant weights
  bool stages = true;                   ///< also evaluate the stages of the compiler
  /// Extents (N, C, H, W) of each input at which to compare; empty: the model's own, 16 x 16 where open. The
  /// library is compiled for the model's own in any case.
  std::vector<std::vector<int64_t>> extents;
};

/// One layer, or one output of the library without additional outputs. Errors are relative to the maximum of
/// the reference; NaN where extents differ or a value is none.
struct CheckRow {
  std::string name;
  std::string shape;
  double stages = 0;    ///< worst of the fused graph, the scheduled graph and the plan
  double alone = 0;     ///< of the layer on the library's own values of the layers before it
  double fromInput = 0; ///< of everything up to this layer
  bool ok = true;
};

struct CheckResult {
  std::vector<CheckRow> layers;
  std::vector<CheckRow> outputs;     ///< of the library as users get it; only fromInput counts
  std::vector<std::string> problems; ///< what differed besides: threads, batches, errors of the library
  bool ok() const;
};

/// Initial weights of all layers that lead to the values of `graph`; those that are not drawn at random
/// (biases, norms, identities) get something random added, so that a mistake with them shows.
std::optional<files::TensorFile> checkWeights(mlir::ModuleOp graph, uint64_t seed);

/// Compiles `model` twice, as it is and with every layer as an output, runs both and compares:
///  - the interpreter on the fused graph, the scheduled graph (with @prepare) and the plan with the imported
///  graph;
///  - each layer of the library with the interpreter, on the library's own operands, so that a maximum which
///  rounding
///    moved to another pixel counts as an error neither here nor behind;
///  - the outputs of the plain library with the interpreter's from the input on. Of an argmax counts by how
///  much the
///    chosen channel's value is less than the greatest. Behind an unpool, where rounding may move values, the
///    mean error counts instead of the maximum, at 100 times the tolerance;
///  - results with several numbers of threads and in a batch of one image more, bit for bit.
/// `weights` are the model's or nothing for checkWeights. Errors of the compiler are reported through
/// `diagnostics` (a handler of the context's diagnostics must be the caller's) and give nothing.
std::optional<CheckResult> checkModel(mlir::MLIRContext &context, Diagnostics &diagnostics,
                                      const Model &model, const CompileOptions &compile,
                                      const CheckOptions &options,
                                      const std::optional<files::TensorFile> &weights = std::nullopt);

/// Extents at which the interpreter needs about `limit` multiply-adds or fewer, if the network takes such:
/// the own ones where those suffice, else the largest legal ones of about the same shape, at least the least
/// legal ones.
std::vector<std::vector<int64_t>> affordableExtents(mlir::ModuleOp graph, const CompileOptions &compile,
                                                    int64_t limit);

} // namespace segc
