/// \file Where values without pixels live in @run: prepared slots, weights, gradients, or the arena.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/passes/PlanVectors.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace segc {

class RunVectors {
public:
  RunVectors(mlir::func::FuncOp main, mlir::OpBuilder &b, hg::SizeTable &table)
      : main(main), b(b), table(table) {}

  /// The view of a value of rank other than 4, or of weights.
  mlir::FailureOr<mlir::Value> view(mlir::Value value, bool write, bool flat = false);
  /// The results of @main whose memory is not where their producer writes, with the views they belong in.
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> copies();
  /// True if the op only gives another name to its operand's memory: a vector that needs no packing.
  bool isAlias(mlir::Operation &op) const;

private:
  mlir::Value resultView(unsigned result, mlir::Value value, bool flat);
  std::optional<unsigned> ownResult(mlir::Value value) const;
  mlir::Value buffer(mlir::Value value);
  plan::ViewType typeOf(mlir::Value value) const;

  mlir::func::FuncOp main;
  mlir::OpBuilder &b;
  hg::SizeTable &table;
  llvm::DenseMap<mlir::Value, mlir::Value> buffers;
};

} // namespace segc
