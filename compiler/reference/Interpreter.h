/// \file The reference interpreter: what hourglass IR means, by naive loops in double, at any stage of the
/// compiler.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/reference/Tensor.h"
#include "mlir/IR/Operation.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringRef.h"
#include <functional>
#include <vector>

namespace mlir {
class ModuleOp;
namespace func {
class FuncOp;
}
} // namespace mlir

namespace segc::reference {

using Extents = llvm::SmallVector<int64_t, 4>;

/// Can `evaluate` compute ops of this name ("hourglass.conv")?
bool hasEvaluator(llvm::StringRef opName);

/// Extents of an op's results for operands of the given extents, from the op's own shape function; unknown
/// extents (`?`) take what the operands have. Emits an error at the op and fails where the operands do not
/// fit its types or its rules, or where a result would be empty or have more than 2^31 - 1 elements.
llvm::FailureOr<llvm::SmallVector<Extents>> resultExtents(mlir::Operation *op,
                                                          llvm::ArrayRef<Tensor> operands, bool exact = true);

/// Evaluates one op: `operands` has one tensor an operand, the result one a result. A group evaluates its
/// body. A weight has no operands to compute from and fails: it needs an Interpreter.
llvm::FailureOr<std::vector<Tensor>> evaluate(mlir::Operation *op, llvm::ArrayRef<Tensor> operands);

/// Evaluates whole functions.
class Interpreter {
public:
  /// The tensor of the weights file named `name`; `extents` are those the model expects. The provider may
  /// fail, having said why.
  using Weights =
      std::function<llvm::FailureOr<Tensor>(llvm::StringRef name, llvm::ArrayRef<int64_t> extents)>;
  /// Sees every op after it was evaluated, with its results: also the ops inside groups and called functions
  /// (before the group or the call itself).
  using Observer = std::function<void(mlir::Operation *op, llvm::ArrayRef<Tensor> results)>;

  explicit Interpreter(Weights provider = {}, Observer watcher = {})
      : weights(std::move(provider)), observer(std::move(watcher)) {}

  /// Runs `function` on one tensor an argument; returns what it returns. Calls to other functions of the
  /// module are followed. Errors are emitted at the op concerned.
  llvm::FailureOr<std::vector<Tensor>> run(mlir::func::FuncOp function, llvm::ArrayRef<Tensor> inputs);

  /// Runs @main of `module`; the results of @prepare, where there is one, follow `inputs` as its arguments.
  llvm::FailureOr<std::vector<Tensor>> run(mlir::ModuleOp module, llvm::ArrayRef<Tensor> inputs);

  /// Evaluates the ops of a block that takes `arguments`; returns the operands of its terminator.
  llvm::FailureOr<std::vector<Tensor>> runBlock(mlir::Block &block, llvm::ArrayRef<Tensor> arguments);

  /// Types of the ops bind ranks only from now on.
  void allowOtherExtents() { exact = false; }

  /// From now on ops of the graph mean what they mean in training: a norm that is not frozen takes mean and
  /// biased variance of its batch, dropout drops.
  void train() { training = true; }

  /// From now on results of convolutions are wrong by up to `amplitude` of their largest value, at random,
  /// and what ops leave in f32 is rounded to it: what depends on rounding shows.
  void disturb(double amplitude, uint64_t seed) {
    noise = amplitude;
    noiseSeed = seed;
  }

  /// The value of hourglass.step_seed; {0, 0} unless set.
  void setSeed(int32_t seed, int32_t step) { stepSeed = Tensor({2}, {double(seed), double(step)}); }
  const Tensor &seedTensor() const { return stepSeed; }

  /// Evaluates one op with this interpreter's weights and observer.
  llvm::FailureOr<std::vector<Tensor>> evaluate(mlir::Operation *op, llvm::ArrayRef<Tensor> operands);

private:
  llvm::FailureOr<std::vector<Tensor>> dispatch(mlir::Operation *op, llvm::ArrayRef<Tensor> operands);
  Weights weights;
  Observer observer;
  unsigned callDepth = 0;
  bool exact = true, training = false;
  double noise = 0;
  uint64_t noiseSeed = 0;
  Tensor stepSeed{{2}, 0.0};
};

} // namespace segc::reference
