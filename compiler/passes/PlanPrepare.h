/// \file Lowers @prepare: every value it computes becomes a slot of the prepared block.
// SPDX-License-Identifier: MIT
#pragma once
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "schedules/Family.h"

namespace segc {

/// Emits `plan.program @prepare` at the end of the module. Slots 0, 1, … are the results of @prepare in
/// order, the ones behind them intermediate values. Scaling and taking a phase happen inside the packing
/// kernel.
mlir::LogicalResult planPrepare(mlir::func::FuncOp prepare, mlir::ModuleOp module, schedules::Isa target);

} // namespace segc
