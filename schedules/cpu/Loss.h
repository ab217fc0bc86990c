/// \file What a loss is made of: its operands, the terms of an element or a labelled pixel, their
/// derivatives.
///
/// Formulas are in docs/kernels.md. A loss on labels with more than one channel goes through the softmax of a
/// pixel (PixelSoftmax); all others look at one element at a time.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/cpu/Logits.h"

namespace segc::schedules {

class Loss {
public:
  explicit Loss(const KernelSpec &spec);

  const std::string kind;
  const int channels;
  const bool overlap; ///< dice or soft_iou
  const bool softmax;

  /// x, target, [pixel weights].
  std::vector<Halide::ImageParam> inputs;
  /// Of the sums.
  int columns() const;
  Halide::Expr width() const { return inputs[0].dim(1).extent(); }
  Halide::Expr height() const { return inputs[0].dim(2).extent(); }

  Halide::Expr value(const Halide::Expr &c, const Pixel &pixel) const;
  /// Of the pixel, or for losses on elements of channel c.
  Halide::Expr target(const Halide::Expr &c, const Pixel &pixel) const;
  /// False where the target is to be ignored.
  Halide::Expr counts(const Halide::Expr &c, const Pixel &pixel) const;
  Halide::Expr pixelWeight(const Pixel &pixel) const;

  /// Without softmax: what an element adds to each column, in f64, 0 where it does not count.
  std::vector<Halide::Expr> elementColumns(const Halide::Expr &c, const Pixel &pixel) const;
  /// Without softmax: the gradient; coefficient(j) is number j of finish_loss.
  Halide::Expr elementGradient(const Halide::Expr &c, const Pixel &pixel,
                               const std::vector<Halide::Expr> &coefficients) const;

  /// cross_entropy and focal with softmax: Funcs of the pixel's variables that the caller schedules beside
  /// it. `parts` is log p of the label and 1 - p.
  struct LabelTerm {
    Halide::Func argument{"argument"}, logSum{"logSum"}, parts{"parts"};
  };
  LabelTerm labelTerm(const PixelSoftmax &soft, const Pixel &pixel) const;
  /// The term itself, and the factor of (p - y) in its gradient, both without weights.
  Halide::Expr labelLoss(const LabelTerm &term, const PixelSoftmax &soft, const Pixel &pixel) const;
  Halide::Expr labelSlope(const LabelTerm &term, const PixelSoftmax &soft, const Pixel &pixel) const;
  /// Class weight of the pixel's label.
  Halide::Expr classWeight(const PixelSoftmax &soft) const { return lookUp(weights, soft.labelIndex()); }

private:
  /// A number for each class, or one for all.
  struct Table {
    std::vector<double> values;
    Halide::Func func;
  };
  static Table table(const std::string &name, const std::vector<double> &values);
  static Halide::Expr lookUp(const Table &table, const Halide::Expr &label);

  const double gamma, beta;
  std::vector<double> ignored; ///< none or one
  Table weights, alpha;
};

/// Empty, or why no kernel computes this loss.
std::string whyNotLoss(const KernelSpec &spec);

} // namespace segc::schedules
