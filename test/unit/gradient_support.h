/// \file What the tests of gradients share: numbers off the kinks, and comparison with finite differences.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/reference/FiniteDifferences.h"
#include "test/unit/reference_support.h"
#include <cmath>

namespace segc::reference::test {

/// Numbers in [low, high) with all their digits, so that none lies on a kink and no two tie.
inline Tensor scattered(llvm::ArrayRef<int64_t> extents, uint64_t salt, double low = -2, double high = 2) {
  Tensor tensor(extents);
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    uint64_t z = (salt + 1) * 0xd1342543de82ef95u + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    tensor.data[i] = low + (high - low) * static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }
  return tensor;
}

/// A case parsed once, for many evaluations.
class Function {
public:
  explicit Function(const OpCase &test) : module(moduleOf(test)) {}
  /// The first result; NaN in its place where the case cannot be evaluated.
  Tensor operator()(llvm::ArrayRef<Tensor> operands) const {
    auto results = evaluate(firstOp(*module), operands);
    EXPECT_TRUE(mlir::succeeded(results));
    return mlir::succeeded(results) ? (*results)[0] : Tensor({1}, NAN);
  }

private:
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// Fails unless `gradient` is that of `f` at `x` to 1e-6, element by element, with no kink near.
inline void expectGradient(llvm::function_ref<double(const Tensor &)> f, const Tensor &x,
                           const Tensor &gradient) {
  DifferenceOptions options;
  options.elements = 1 << 20;
  GradientError result = compareGradient(f, x, gradient, options);
  EXPECT_LT(result.error, 1e-6);
  EXPECT_EQ(result.checked, static_cast<int64_t>(x.data.size()));
  EXPECT_EQ(result.kinked, 0);
}

/// `tensors` with number `index` replaced.
inline std::vector<Tensor> with(std::vector<Tensor> tensors, size_t index, const Tensor &value) {
  tensors[index] = value;
  return tensors;
}

} // namespace segc::reference::test
