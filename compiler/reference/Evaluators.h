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
void enterResizeOps(EvaluatorTable &table);
void enterPointwiseOps(EvaluatorTable &table);
void enterShapeOps(EvaluatorTable &table);
void enterWeightOps(EvaluatorTable &table);

/// Pixels of padding before the first pixel of an axis of `in` pixels.
inline int64_t padBefore(const hg::WindowMap &map, int64_t in) {
  hg::SizeTable table;
  return *table.constantValue(map.padBefore(table, table.constant(in)));
}

} // namespace segc::reference
