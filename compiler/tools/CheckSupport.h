/// \file What the checks of values and of gradients share: random tensors, comparisons, a library made for
/// one check.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/Compiler.h"
#include "compiler/reference/Interpreter.h"
#include "compiler/tools/RunTensors.h"

namespace segc {

/// SplitMix64 of (stream, index) in [-1, 1): equal everywhere, no state.
double uniform(uint64_t stream, uint64_t index);
/// Values that the input's type holds exactly.
reference::Tensor randomInput(const std::string &dtype, llvm::ArrayRef<int64_t> extents, uint64_t stream);
/// "1x3x8x8"
std::string shapeText(llvm::ArrayRef<int64_t> shape);

/// |y - r| relative to the maximum of the reference.
struct Difference {
  double maximum = 0, mean = 0;
};
/// NaN where extents differ or a value is none.
Difference compare(const reference::Tensor &value, const reference::Tensor &expected);
reference::Tensor tensorOf(const OutputTensor &output);
bool sameBits(const OutputTensor &a, const OutputTensor &b);

/// The tensors of `file` for the interpreter.
reference::Interpreter::Weights weightsOf(mlir::MLIRContext &context, const files::TensorFile &file);

/// A library that was compiled for one check, with its weights.
class CheckedLibrary {
public:
  /// Failures of the compiler are diagnostics; those of the library go to `problem`.
  bool build(Graphs graphs, const std::string &name, const CompileOptions &options,
             llvm::ArrayRef<uint8_t> weights, std::string &problem);
  bool setThreads(int threads, std::string &problem);

private:
  TemporaryDirectory directory;
  std::unique_ptr<Library> library;

public:
  std::unique_ptr<Instance> instance; ///< goes before the library
};

} // namespace segc
