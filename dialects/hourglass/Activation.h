/// \file The table of elementwise functions: name, value, derivative. NaN propagates through every row.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace segc::hg {

struct ActivationFunction {
  llvm::StringRef name;
  bool hasAlpha;
  double defaultAlpha;
  double (*value)(double x, double alpha);
  double (*derivative)(double x, double alpha);
  /// The derivative from y = f(x), where y says enough; null where it needs x. For leaky_relu alpha must be
  /// positive.
  double (*derivativeOfValue)(double y, double alpha) = nullptr;
};

llvm::ArrayRef<ActivationFunction> activationFunctions();
/// Null if there is no such function. `prelu` is a leaky_relu whose alpha is a weight.
const ActivationFunction *findActivation(llvm::StringRef name);

} // namespace segc::hg
