/// \file The plan dialect's C++ face.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Sizes.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/plan/PlanDialect.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/plan/PlanTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.h.inc"

namespace segc::plan {

/// The `sizes` attribute of a program and back; indices are kept.
mlir::ArrayAttr printSizes(mlir::Builder &builder, const hg::SizeTable &table);
mlir::FailureOr<hg::SizeTable> parseSizes(mlir::ArrayAttr sizes);
/// The `checks` attribute: "equal a b: message", "least a value: message".
mlir::ArrayAttr printChecks(mlir::Builder &builder, const hg::SizeTable &table);
mlir::FailureOr<std::vector<hg::SizeTable::Requirement>> parseChecks(mlir::ArrayAttr checks);

/// The program's sizes with its checks as requirements. The program is verified.
hg::SizeTable sizeTable(ProgramOp program);

/// First and last step of a program that touch each buffer, in order of the allocs. Steps are launches and
/// borders.
struct Lifetime {
  AllocOp alloc;
  unsigned first = 0, last = 0;
  bool used = false;
};
llvm::SmallVector<Lifetime> lifetimes(ProgramOp program);
/// The program's steps in order.
llvm::SmallVector<mlir::Operation *> steps(ProgramOp program);
/// Bytes of a buffer for the given values of the size table; -1 where an extent is unknown.
int64_t bufferBytes(AllocOp alloc, llvm::ArrayRef<int64_t> sizes);
/// The buffers of plan.flat, in the order of rt::FlatBuffer.
llvm::ArrayRef<llvm::StringRef> flatBuffers();
/// Bytes of one element.
int64_t elementBytes(mlir::Type type);
/// Of a dense tensor of known extents.
int64_t tensorBytes(mlir::RankedTensorType type);

} // namespace segc::plan
