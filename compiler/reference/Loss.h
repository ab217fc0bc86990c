/// \file The fields of the loss ops with the defaults of the model format, and the labels they accept.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/reference/Evaluators.h"

namespace segc::reference {

/// What hourglass.loss and the ops it becomes have in common.
struct LossFields {
  llvm::StringRef kind;
  bool mean, perImage, balanced; ///< balanced: the positive weight is "auto"
  double ignoreIndex, posWeight, gamma, eps, beta;
  llvm::ArrayRef<double> classWeights, alpha;

  template <typename OpT>
  explicit LossFields(OpT op)
      : kind(op.getKind()), mean(op.getReduction() == "mean"), perImage(op.getPerImage()),
        balanced(!op.getPosWeight()),
        ignoreIndex(static_cast<double>(static_cast<int64_t>(op.getIgnoreIndex()))),
        posWeight(number(op.getPosWeight(), 1)), gamma(number(op.getGamma(), 2)), eps(number(op.getEps(), 1)),
        beta(number(op.getBeta(), 1)), classWeights(op.getClassWeights().value_or(llvm::ArrayRef<double>())),
        alpha(op.getAlpha().value_or(llvm::ArrayRef<double>(kAlpha))) {}
  /// Does an element with this target count? Targets of mse, l1, smooth_l1 and score are measurements: all
  /// count.
  bool counts(double target) const {
    return kind == "mse" || kind == "l1" || kind == "smooth_l1" || kind == "score" || target != ignoreIndex;
  }
  double classWeight(int64_t label) const { return classWeights.empty() ? 1 : classWeights[label]; }
  double alphaOf(int64_t label) const { return alpha.size() == 1 ? alpha[0] : alpha[label]; }

private:
  static constexpr double kAlpha[] = {0.25};
  static double number(const std::optional<llvm::APFloat> &field, double fallback) {
    return field ? field->convertToDouble() : fallback;
  }
};

/// Error unless every target that counts is a label in [0, classes), where the loss reads labels of several
/// classes.
llvm::LogicalResult checkLabels(mlir::Operation *op, const LossFields &fields, const Tensor &x,
                                const Tensor &target);

} // namespace segc::reference
