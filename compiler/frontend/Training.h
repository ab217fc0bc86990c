/// \file The `training` section of a description, read and checked: what the network learns, and how.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/ModelInput.h"
#include <optional>

namespace segc {

class Symbols;

struct Loss {
  std::string type;
  std::string input;    ///< as written: a layer or an instance
  std::string producer; ///< the layer's full name
  std::string target;
  std::string pixelWeight; ///< a target, or empty
  double weight = 1;
  bool resizeTarget = false;
  std::string reduction = "mean";
  // Those that the type does not have keep their defaults.
  int64_t ignoreIndex = 255;
  std::vector<double> classWeights;    ///< one a class, or none
  std::optional<double> posWeight = 1; ///< absent: "auto"
  std::vector<double> alpha = {0.25};  ///< one for all or one a class
  double gamma = 2, eps = 1, beta = 1;
  bool perImage = false;
  std::string title; ///< for messages: "loss 0 (dice of 'logits')"
  llvm::SMLoc loc;

  bool has(llvm::StringRef field) const; ///< Is it a field of this type? Of fields that not every type has.
};

/// The learning rate of update t = 0, 1, ...; formulas in docs/model-format.md.
struct LearningRate {
  std::string type = "constant"; ///< constant, step, poly, cosine
  double base = 1e-3;
  int64_t warmup = 0;
  int64_t steps = 0;               ///< of poly and cosine
  double power = 0.9;              ///< of poly
  double gamma = 0.1;              ///< of step, with stepSize or milestones
  int64_t stepSize = 0;            ///< 0: milestones
  std::vector<int64_t> milestones; ///< rising
};

/// Values that the type does not use are the defaults of those that do.
struct Optimizer {
  std::string type = "sgd"; ///< sgd, adam, adamw
  LearningRate rate;
  double momentum = 0;
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weightDecay = 0;
  double clipNorm = 0; ///< 0: none
  double ema = 0;      ///< 0: none
};

/// A pattern of names: `*`, `?`, `[a-c]`. Its text outlives compiled forms.
struct NamePattern {
  std::string text;
  llvm::SMLoc loc;
};

struct Phase {
  std::optional<std::vector<NamePattern>> freeze; ///< absent: as in the section
  std::optional<std::vector<Loss>> losses;        ///< absent: as in the section
  int64_t steps = 0;                              ///< 0: to the end
  llvm::SMLoc loc;
};

struct InputName {
  std::string name;
  llvm::SMLoc loc;
};

struct Training {
  std::vector<ModelInput> targets;
  std::vector<Loss> losses;
  Optimizer optimizer;
  std::vector<NamePattern> freeze;
  std::vector<std::pair<NamePattern, double>> rateScales;
  std::vector<InputName> wrt; ///< inputs whose gradients are wanted
  std::vector<Phase> phases;
  llvm::SMLoc loc;

  /// What holds in a phase; -1: in none of them.
  const std::vector<Loss> &lossesIn(int phase) const;
  const std::vector<NamePattern> &freezeIn(int phase) const;
  /// All patterns of `freeze`, in the section and its phases, and of `lr_scale`.
  std::vector<NamePattern> patterns() const;
};

/// Reads the section, in which parameters were substituted, and adds its targets to `symbols`, which has the
/// whole network. Reports the first error.
llvm::FailureOr<Training> readTraining(const Value &section, llvm::ArrayRef<ModelInput> inputs,
                                       Symbols &symbols, Diagnostics &diagnostics);

// Its parts.

/// `title` is "loss 0"; `targets` are all of the section.
llvm::FailureOr<Loss> readLoss(const Value &given, llvm::StringRef title, llvm::ArrayRef<ModelInput> targets,
                               const Symbols &symbols, Diagnostics &diagnostics);
llvm::FailureOr<Optimizer> readOptimizer(const Value &given, Diagnostics &diagnostics);

} // namespace segc
