/// \file report.json: what was compiled, so that a script can recompute peak, work and copies.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/report/Summary.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace segc {

/// The report of one planned variant as JSON text. Per kernel: problem, family, parameters, launches. Per
/// step: layers, kernel, FLOPs, bytes, buffers read and written with their channels. Per buffer: extents,
/// apron, bytes, offset, first and last step. Totals: arena, liveness bound, prepared bytes, copies elided
/// and made. `training`, the plan of the training step in a library that does both, may be null.
std::string report(mlir::ModuleOp planned, llvm::StringRef name, const Summary &summary,
                   mlir::ModuleOp training = {});
/// The most bytes of buffers alive in one step: no arena can be smaller.
int64_t livenessBound(mlir::ModuleOp planned);
/// Bytes of what is made of the weights before the first run: packed filters, folded norms.
uint64_t preparedBytes(mlir::ModuleOp planned);
/// The same as sentences for -opt-report: one line a kernel, one a remaining copy.
std::string optimisationReport(mlir::ModuleOp planned);

} // namespace segc
