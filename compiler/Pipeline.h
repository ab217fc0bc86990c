/// \file The compiler's table of contents: which passes run, in which order, and what holds after each.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/passes/Passes.h"
#include "mlir/Pass/PassManager.h"

namespace segc {

/// Where a compilation can stop, in order.
enum class Stage { Graph, Gradient, Fused, Scheduled, Plan };

struct PipelineOptions {
  std::string isa = "avx512";
  std::vector<std::string> without; ///< schedule families that must not be used
  std::string precision = "f32";    ///< of activations in memory: f32, bf16 or f16
  Stage stopAfter = Stage::Plan;
  bool training = false;               ///< the graph returns a total loss: differentiate it
  unsigned recompute = 0;              ///< convolutions that the backward pass may compute again
  unsigned thrifty = 0;                ///< steps towards small filters
  std::vector<std::string> asked = {}; ///< schedules that the user wants: "LAYER: FAMILY key=value ..."
};

void buildPipeline(mlir::OpPassManager &passes, const PipelineOptions &options);
void registerDialects(mlir::DialectRegistry &registry);
/// `segc-infer`, `segc-train`: the whole pipelines as names for segc-opt.
void registerPipelines();

} // namespace segc
