/// \file Holds a differentiated module against finite differences of the graph it came from.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/reference/FiniteDifferences.h"
#include "compiler/reference/Interpreter.h"

namespace segc::reference {

struct GradientReport {
  /// One gradient: of a weight ("enc1.weight") or an input ("grad.image").
  struct Gradient {
    std::string name;
    GradientError result;
  };
  /// Updated running statistics of a norm.
  struct Running {
    std::string name;
    double error; ///< largest difference, relative to the largest value
  };
  double loss = 0;      ///< of the graph, in training
  double lossError = 0; ///< of the differentiated module, relative; at least 1 counts as the loss's size
  std::vector<Gradient> gradients;
  std::vector<Running> running;
  /// The largest error of all.
  double worst() const;
};

/// `forward`: the graph stage, whose @main returns the total loss; it is evaluated as in training (norms with
/// the statistics of the batch, dropout with seed {0, 0}). `differentiated`: the module after
/// hg-differentiate, whose results are named by the attributes hourglass.gradient, hourglass.name and
/// hourglass.running. `inputs` are the model's inputs and targets. Fails, having said why, where a module
/// cannot be evaluated or a trainable weight has no gradient.
llvm::FailureOr<GradientReport> checkGradients(mlir::ModuleOp forward, mlir::ModuleOp differentiated,
                                               llvm::ArrayRef<Tensor> inputs,
                                               const Interpreter::Weights &weights,
                                               const DifferenceOptions &options = {});

} // namespace segc::reference
