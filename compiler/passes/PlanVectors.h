/// \file Lowers ops on weights to launches, for @prepare and for what of them training repeats in each @run.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include "dialects/plan/Plan.h"
#include "schedules/Family.h"
#include <functional>

namespace segc {

class VectorLowering {
public:
  /// The plan view of a value, to read it or (`write`) as the launch's result; `flat` as one row.
  using ViewOf = std::function<mlir::FailureOr<mlir::Value>(mlir::Value value, bool write, bool flat)>;
  VectorLowering(mlir::OpBuilder &b, schedules::Isa target, ViewOf viewOf)
      : b(b), target(target), viewOf(std::move(viewOf)) {}

  /// Emits the op's launch. Weights need none; scaling a weight and taking a phase of it are part of the
  /// packing kernel.
  mlir::LogicalResult lower(mlir::Operation &op);

  /// Emits one launch that computes `results` by the ops of `chain`; `firstTap` as in plan.weight, of the
  /// first operand.
  mlir::LogicalResult launch(llvm::ArrayRef<mlir::Operation *> chain, mlir::ValueRange operands,
                             mlir::ValueRange results, const schedules::KernelSpec &spec,
                             mlir::DenseI64ArrayAttr firstTap = {});

  /// The view of a weight; `padded`, `flat` as in plan.dense.
  static mlir::Value weightView(mlir::OpBuilder &b, hg::WeightOp weight, bool padded, bool flat);

private:
  mlir::LogicalResult lowerPack(hg::PackOp pack);
  mlir::OpBuilder &b;
  schedules::Isa target;
  ViewOf viewOf;
};

} // namespace segc
