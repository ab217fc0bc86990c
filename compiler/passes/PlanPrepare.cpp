/// \file The @prepare program: norm scales and shifts, packed weights.
// SPDX-License-Identifier: MIT
#include "compiler/passes/PlanPrepare.h"
#include "compiler/passes/PlanVectors.h"

using namespace mlir;

namespace segc {

LogicalResult planPrepare(func::FuncOp prepare, ModuleOp module, schedules::Isa target) {
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  auto program =
      plan::ProgramOp::create(b, prepare.getLoc(), "prepare", b.getArrayAttr({}), b.getArrayAttr({}));
  b.setInsertionPointToStart(&program.getBody().emplaceBlock());
  Block &block = prepare.getBody().front();
  DenseMap<Value, int64_t> slots;
  for (auto [index, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
    slots[value] = index;
    if (auto weight = value.getDefiningOp<hg::WeightOp>())
      return weight.emitOpError("must be packed before @main reads it");
  }
  int64_t nextSlot = block.getTerminator()->getNumOperands();
  VectorLowering lowering(b, target, [&](Value value, bool, bool flat) -> FailureOr<Value> {
    if (auto weight = value.getDefiningOp<hg::WeightOp>())
      return VectorLowering::weightView(b, weight, /*padded=*/false, flat);
    auto type = plan::ViewType::get(b.getContext(), cast<RankedTensorType>(value.getType()));
    auto [slot, isNew] = slots.try_emplace(value, nextSlot);
    nextSlot += isNew;
    return plan::PreparedOp::create(b, value.getLoc(), type, slot->second).getView();
  });
  for (Operation &op : block.without_terminator())
    if (failed(lowering.lower(op)))
      return failure();
  return success();
}

} // namespace segc
