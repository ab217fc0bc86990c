/// \file From an op on weights or vectors to its kernel's problem.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include "schedules/KernelSpec.h"

namespace segc {

/// The problem of a norm_scale, norm_shift, finish_*, running_update, total_loss, finish_loss or sum_weights;
/// nothing for other ops. Its arguments are the op's operands and results in order.
std::optional<schedules::KernelSpec> describeVectorOp(mlir::Operation *op);

/// Sets the numbers that the formulas of a loss need: kind, classes and fields of its kind.
void describeLoss(hg::LossSumsOp op, schedules::KernelSpec &spec);
void describeLoss(hg::LossGradOp op, schedules::KernelSpec &spec);

} // namespace segc
