/// \file The compiler's table of contents: which passes run, in which order, and what holds after each.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/passes/Passes.h"
#include "mlir/Pass/PassManager.h"

namespace segc {

/// Where a compilation can stop, in order.
enum class Stage { Graph, Fused, Scheduled, Plan };

struct PipelineOptions {
  std::string isa = "avx512";
  std::vector<std::string> without; ///< schedule families that must not be used
  Stage stopAfter = Stage::Plan;
};

void buildPipeline(mlir::OpPassManager &passes, const PipelineOptions &options);
void registerDialects(mlir::DialectRegistry &registry);
/// `segc-infer`: the whole pipeline as one name for segc-opt.
void registerPipelines();

} // namespace segc
