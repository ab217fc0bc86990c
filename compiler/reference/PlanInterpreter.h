/// \file Runs a plan as the executor would, in one arena that forgets: what a step reads must have been
/// written.
///
/// This checks buffers, views, aprons, slices and in-place writes without any kernel: launches evaluate their
/// bodies.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/reference/Interpreter.h"
#include <map>
#include <optional>

namespace segc::reference {

/// What a training step writes besides outputs: "gradient <weight>", "weight <running statistic>", "losses".
using NamedTensors = std::map<std::string, Tensor>;

/// How far a library of 16 bits may be from the plan it carries out.
struct Narrowing {
  double convolutions = 0; ///< results are wrong by up to so much of their largest value, at random
  uint64_t seed = 0;
};

/// Runs @prepare (where there is one) and @run of a module of plan programs on one tensor an input (a target
/// without channels as [N, 1, H, W]); returns one tensor an output. The arena has the offsets of the plan for
/// the model's own extents; for other extents, and where the plan has none yet, buffers lie one after the
/// other. Bytes of a buffer are lost after its last step. Emits an error and fails where a check of the
/// program does not hold, a step reads what was never written or is lost, or a view leaves its buffer.
/// `watcher` sees the ops of the bodies and every launch with what it writes. With `narrowing` what is
/// written to a buffer of bf16 or f16 is rounded to that type.
llvm::FailureOr<std::vector<Tensor>> runPlan(mlir::ModuleOp module, llvm::ArrayRef<Tensor> inputs,
                                             Interpreter::Weights weights = {},
                                             Interpreter::Observer watcher = {},
                                             NamedTensors *named = nullptr,
                                             std::optional<Narrowing> narrowing = std::nullopt);

} // namespace segc::reference
