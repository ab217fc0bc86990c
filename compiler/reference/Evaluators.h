/// \file The table op name -> evaluator that the families fill and the interpreter drives.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/reference/Tensor.h"
#include "dialects/hourglass/Hourglass.h"
#include "llvm/ADT/StringMap.h"
#include <type_traits>

namespace segc::reference {

/// Computes an op's results. They arrive with their extents and zeros; operands fit the op's types.
using Evaluator = llvm::LogicalResult (*)(mlir::Operation *op, llvm::ArrayRef<Tensor> operands,
                                          llvm::MutableArrayRef<Tensor> results);
using EvaluatorTable = llvm::StringMap<Evaluator>;

namespace detail {
template <typename FunctionT> struct FirstArgument;
template <typename ResultT, typename OpT, typename... Rest> struct FirstArgument<ResultT (*)(OpT, Rest...)> {
  using Op = OpT;
  using Result = ResultT;
};
} // namespace detail

/// Enters `Function(OpT op, operands, results)`, which returns nothing or a LogicalResult, under OpT's name.
template <auto Function> void enter(EvaluatorTable &table) {
  using Signature = detail::FirstArgument<decltype(Function)>;
  using OpT = typename Signature::Op;
  table[OpT::getOperationName()] = [](mlir::Operation *op, llvm::ArrayRef<Tensor> operands,
                                      llvm::MutableArrayRef<Tensor> results) -> llvm::LogicalResult {
    if constexpr (std::is_void_v<typename Signature::Result>) {
      Function(llvm::cast<OpT>(op), operands, results);
      return llvm::success();
    } else {
      return Function(llvm::cast<OpT>(op), operands, results);
    }
  };
}

void enterWindowOps(EvaluatorTable &table);
void enterPoolOps(EvaluatorTable &table);
void enterMeanPoolOps(EvaluatorTable &table);
void enterResizeOps(EvaluatorTable &table);
void enterPointwiseOps(EvaluatorTable &table);
void enterShapeOps(EvaluatorTable &table);
void enterLayoutOps(EvaluatorTable &table);
void enterWeightOps(EvaluatorTable &table);
void enterGradientOps(EvaluatorTable &table);
void enterSumOps(EvaluatorTable &table);
void enterGroupNormOps(EvaluatorTable &table);
void enterLossOps(EvaluatorTable &table);
void enterLossGradientOps(EvaluatorTable &table);

/// y = x with elements dropped as hourglass.drop says; `seed` is a value of hourglass.step_seed.
void drop(const Tensor &x, double rate, uint32_t site, const Tensor &seed, Tensor &y);
/// What an op of the graph computes in training, where that is not what it computes otherwise; null for all
/// others.
using TrainingEvaluator = void (*)(mlir::Operation *op, llvm::ArrayRef<Tensor> operands, const Tensor &seed,
                                   Tensor &result);
TrainingEvaluator findTrainingEvaluator(mlir::Operation *op);

/// Pixels of padding before the first pixel of an axis of `in` pixels.
inline int64_t padBefore(const hg::WindowMap &map, int64_t in) {
  hg::SizeTable table;
  return *table.constantValue(map.padBefore(table, table.constant(in)));
}

/// Calls `at(band, row)` for all rows of the bands over which sums per channel run (hourglass.channel_sums).
template <typename AtT> void forEachBand(int64_t height, AtT at) {
  hg::SizeTable table;
  int64_t bands = *table.constantValue(hg::bandsOf(table, table.constant(height)));
  for (int64_t band = 0; band < bands; ++band)
    for (int64_t row = band * height / bands; row < (band + 1) * height / bands; ++row)
      at(band, row);
}

} // namespace segc::reference
