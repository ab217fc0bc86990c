/// \file Compares the gradients of a training step with finite differences, stage by stage, and with the
/// library's.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/Compiler.h"
#include "compiler/frontend/Import.h"
#include "runtime/files/Safetensors.h"
#include <optional>

namespace segc {

struct GradientCheckOptions {
  double differences = 1e-6;               ///< of the differentiated graph, in double
  double tolerance = 1e-3;                 ///< of the library, in float
  std::vector<int> threads = {1, 2, 3, 8}; ///< numbers of threads whose bits must agree
  uint64_t seed = 0;
  /// Multiply-adds of one evaluation that are affordable: larger pictures are made smaller. In 16 bits the
  /// library has larger ones of its own, as few pixels make gradients that rounding turns into others.
  int64_t work = 3'000'000, narrowWork = 50'000'000;
};

/// One gradient, or the loss. Errors are relative to the largest element; NaN where there is none.
struct GradientRow {
  std::string name, shape;
  double differences = 0; ///< from finite differences
  int64_t kinks = 0;      ///< elements left out: a ReLU's edge or a pool's tie within the step
  bool judged = true;     ///< by differences: somewhere there was no kink
  double stages = 0;      ///< worst of the fused graph, the scheduled graph and the plan
  double noise = 0;       ///< how far it moves when values are rounded as in the library
  bool isNoise = false;   ///< rounding moves it by as much as is allowed at most: nothing can be said
  double library = 0;
  double rounded = 0; ///< in 16 bits with arithmetic of f32: the library's from the plan's that is so rounded
  bool ok = true;
};

struct GradientCheckResult {
  std::vector<GradientRow> rows;
  std::vector<std::string> problems;
  std::string extents; ///< of the inputs compared, where they are not the model's own
  bool ok() const;
};

/// Errors of the compiler are reported through `diagnostics` and give nothing.
std::optional<GradientCheckResult> checkModelGradients(mlir::MLIRContext &context, Diagnostics &diagnostics,
                                                       const Model &model, const CompileOptions &compile,
                                                       const GradientCheckOptions &options,
                                                       const std::optional<files::TensorFile> &weights);

} // namespace segc
