/// \file Declarations of the passes (Passes.td) and of the checks between phases.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include "dialects/plan/Plan.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace segc {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/passes/Passes.h.inc"
} // namespace segc
