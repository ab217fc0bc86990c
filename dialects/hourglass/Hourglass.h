/// \file The hourglass dialect's C++ face: ops, interfaces and the helpers that every family uses.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Sizes.h"
#include "dialects/hourglass/WindowMap.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace segc::hg {
class LayerBuilder;

/// Extents of one value. Rank 4 is N, C, H, W.
struct Shape {
  llvm::SmallVector<Size, 4> dims;
  mlir::Type element;
  Size height() const { return dims[2]; }
  Size width() const { return dims[3]; }
};

/// The receptive field of a value that sees all operands.
ReceptiveField widest(llvm::ArrayRef<ReceptiveField> operands);
/// The shape of a tensor type; unknown extents become fresh symbols of pseudo-input `owner`.
Shape shapeOf(SizeTable &table, mlir::Type type, uint32_t owner);
/// The tensor type of a shape; what is no constant becomes `?`.
mlir::RankedTensorType typeOf(const SizeTable &table, const Shape &shape);
/// Infers the shapes of `op` and compares them with its result types.
mlir::LogicalResult verifyShapes(mlir::Operation *op);
/// Infers the shapes of `op` and sets its result types.
mlir::LogicalResult inferResultTypes(mlir::Operation *op);
/// Error unless the extents can be equal; symbolic extents are recorded as a requirement of the table.
mlir::LogicalResult requireEqual(mlir::Operation *op, SizeTable &table, Size a, Size b,
                                 const llvm::Twine &message);
/// Error if `size` is known and below `least`; recorded otherwise.
mlir::LogicalResult requireAtLeast(mlir::Operation *op, SizeTable &table, Size size, int64_t least,
                                   const llvm::Twine &message);
/// True if `operand` is read for its extents only.
bool isShapeOnly(mlir::OpOperand &operand);
/// How many bands of rows the sums over a value of this height have: min(height, 32).
Size bandsOf(SizeTable &table, Size height);
/// Is a loss's target the number of a class (else a tensor of the input's extents)?
bool isLabelLoss(llvm::StringRef type);
/// Columns of the loss's sums.
int64_t lossColumns(llvm::StringRef type);
/// The layer name that a location carries ("enc1.0"; several joined by "+"), or "".
std::string layerName(mlir::Location loc);

/// The trait of ops that make weights or vectors: they join no group.
template <typename OpT> class OnWeights : public mlir::OpTrait::TraitBase<OpT, OnWeights> {};

} // namespace segc::hg

#include "dialects/hourglass/Interfaces.h.inc"

#include "dialects/hourglass/Dialect.h.inc"
#define GET_OP_CLASSES
#include "dialects/hourglass/Ops.h.inc"

namespace segc::hg {

/// Does the tensor keep its value as long as the library is loaded? Trainable weights and running statistics
/// that a norm of this function updates do not.
bool isConstant(WeightOp weight);

/// What a reshape to [N, C*H*W, 1, 1] made `value` from; null for all other values.
mlir::Value flattenedFrom(mlir::Value value);

/// Creates an op with inferred result types; null after an error.
template <typename OpT, typename... Args>
OpT createInferred(mlir::OpBuilder &builder, mlir::Location loc, Args &&...args) {
  OpT op = OpT::create(builder, loc, std::forward<Args>(args)...);
  return mlir::succeeded(inferResultTypes(op)) ? op : OpT();
}

} // namespace segc::hg
