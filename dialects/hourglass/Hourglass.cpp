/// \file The dialect's registration and the helpers every family uses: shapes against types, requirements,
/// names.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Hourglass.h"
#include "dialects/hourglass/Layer.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/Twine.h"

using namespace mlir;

#include "dialects/hourglass/Dialect.cpp.inc"
#include "dialects/hourglass/Interfaces.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/hourglass/Ops.cpp.inc"

namespace segc::hg {

void HourglassDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/hourglass/Ops.cpp.inc"
      >();
}

ReceptiveField widest(ArrayRef<ReceptiveField> operands) {
  ReceptiveField result;
  for (const ReceptiveField &field : operands) {
    if (field.field >= result.field)
      result.centre = field.centre;
    result.field = std::max(result.field, field.field);
    result.jump = std::max(result.jump, field.jump);
    result.global |= field.global;
  }
  return result;
}

Shape shapeOf(SizeTable &table, Type type, uint32_t owner) {
  Shape shape;
  auto tensor = cast<RankedTensorType>(type);
  shape.element = tensor.getElementType();
  for (auto [axis, extent] : llvm::enumerate(tensor.getShape()))
    shape.dims.push_back(ShapedType::isDynamic(extent) ? table.symbol(owner, axis, 0)
                                                       : table.constant(extent));
  return shape;
}

RankedTensorType typeOf(const SizeTable &table, const Shape &shape) {
  SmallVector<int64_t, 4> extents;
  for (Size dim : shape.dims)
    extents.push_back(table.constantValue(dim).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(extents, shape.element);
}

/// Types of the results as the operands give them.
static FailureOr<SmallVector<RankedTensorType>> inferTypes(Operation *op) {
  SizeTable table;
  SmallVector<Shape> operands, results;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!type)
      return op->emitOpError("operand #") << index << " must have a rank";
    for (int64_t extent : type.getShape())
      if (extent == 0)
        return op->emitOpError("operand #") << index << " is empty: " << type;
    operands.push_back(shapeOf(table, type, index));
  }
  auto layer = cast<LayerOp>(op);
  if (failed(layer.checkAttributes()) || failed(layer.inferShapes(table, operands, results)))
    return failure();
  if (table.overflowed())
    return op->emitOpError("extents overflow: a size exceeds 2^40");
  SmallVector<RankedTensorType> types;
  constexpr int64_t kMaxElements = (int64_t(1) << 31) - 1;
  for (const Shape &shape : results) {
    types.push_back(typeOf(table, shape));
    int64_t elements = 1;
    for (int64_t extent : types.back().getShape()) {
      if (ShapedType::isDynamic(extent))
        continue;
      if (extent <= 0)
        return op->emitOpError("result would be empty: ") << types.back();
      if (elements > kMaxElements / extent)
        return op->emitOpError("result has more than 2^31 - 1 elements: ") << types.back();
      elements *= extent;
    }
  }
  return types;
}

LogicalResult verifyShapes(Operation *op) {
  auto types = inferTypes(op);
  if (failed(types))
    return failure();
  if (types->size() != op->getNumResults())
    return op->emitOpError("has ") << op->getNumResults() << " results, its shape function gives "
                                   << types->size();
  for (auto [index, pair] : llvm::enumerate(llvm::zip(*types, op->getResultTypes()))) {
    auto [inferred, declared] = pair;
    auto type = dyn_cast<RankedTensorType>(declared);
    bool fits =
        type && type.getElementType() == inferred.getElementType() && type.getRank() == inferred.getRank();
    for (unsigned axis = 0; fits && axis < type.getRank(); ++axis)
      fits = type.isDynamicDim(axis) || inferred.isDynamicDim(axis) ||
             type.getDimSize(axis) == inferred.getDimSize(axis);
    if (!fits)
      return op->emitOpError("result #")
             << index << " is " << declared << ", but the operands give " << inferred;
  }
  return success();
}

LogicalResult inferResultTypes(Operation *op) {
  auto types = inferTypes(op);
  if (failed(types))
    return failure();
  for (auto [result, type] : llvm::zip(op->getResults(), *types))
    result.setType(type);
  return success();
}

LogicalResult requireEqual(Operation *op, SizeTable &table, Size a, Size b, const Twine &message) {
  if (a == b)
    return success();
  auto ca = table.constantValue(a), cb = table.constantValue(b);
  if (ca && cb)
    return op->emitOpError(message) << " (" << *ca << " and " << *cb << ")";
  table.require({a, b, true, 0, layerName(op->getLoc()) + ": " + message.str()});
  return success();
}

LogicalResult requireAtLeast(Operation *op, SizeTable &table, Size size, int64_t least,
                             const Twine &message) {
  if (auto known = table.constantValue(size)) {
    if (*known >= least)
      return success();
    return op->emitOpError(message) << " (" << *known << ", at least " << least << ")";
  }
  table.require({size, size, false, least, layerName(op->getLoc()) + ": " + message.str()});
  return success();
}

bool isShapeOnly(OpOperand &operand) {
  Operation *owner = operand.getOwner();
  if (auto group = dyn_cast<GroupOp>(owner))
    return group.isShapeOnly(operand.getOperandNumber());
  auto layer = dyn_cast<LayerOp>(owner);
  return layer && operand.getOperandNumber() >= layer.firstShapeOperand();
}

std::string layerName(Location loc) {
  if (auto named = dyn_cast<NameLoc>(loc))
    return named.getName().str();
  if (auto fused = dyn_cast<FusedLoc>(loc)) {
    std::string joined;
    for (Location part : fused.getLocations()) {
      std::string name = layerName(part);
      if (!name.empty() && joined.find(name) == std::string::npos)
        joined += (joined.empty() ? "" : "+") + name;
    }
    return joined;
  }
  return "";
}

} // namespace segc::hg
