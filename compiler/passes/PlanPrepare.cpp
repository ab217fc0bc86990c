/// \file The @prepare program: norm scales and shifts, packed weights.
// SPDX-License-Identifier: MIT
#include "compiler/passes/PlanPrepare.h"
#include "compiler/passes/PlanVectors.h"

using namespace mlir;

namespace segc {

static bool isVector(hg::WeightOp weight) { return cast<RankedTensorType>(weight.getType()).getRank() == 1; }

static constexpr int64_t kLarge = int64_t(1) << 23; ///< elements of a weight

static int64_t elements(hg::PackOp pack) {
  return cast<RankedTensorType>(pack.getWeight().getType()).getNumElements();
}

LogicalResult planPrepare(func::FuncOp prepare, ModuleOp module, schedules::Isa target) {
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  auto program =
      plan::ProgramOp::create(b, prepare.getLoc(), "prepare", b.getArrayAttr({}), b.getArrayAttr({}));
  b.setInsertionPointToStart(&program.getBody().emplaceBlock());
  Block &block = prepare.getBody().front();
  DenseMap<Value, int64_t> slots;
  for (auto [index, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
    slots[value] = index;
    if (auto weight = value.getDefiningOp<hg::WeightOp>(); weight && !isVector(weight))
      return weight.emitOpError("must be packed before @main reads it");
  }
  int64_t nextSlot = block.getTerminator()->getNumOperands();
  VectorLowering lowering(b, target, [&](Value value, bool write, bool flat) -> FailureOr<Value> {
    if (auto weight = value.getDefiningOp<hg::WeightOp>(); weight && !write)
      return VectorLowering::weightView(b, weight, /*padded=*/false, flat);
    auto type = plan::ViewType::get(b.getContext(), cast<RankedTensorType>(value.getType()));
    auto [slot, isNew] = slots.try_emplace(value, nextSlot);
    nextSlot += isNew;
    return plan::PreparedOp::create(b, value.getLoc(), type, slot->second).getView();
  });
  // While a weight is packed it lies in memory twice: the largest ones come first, when little else is there.
  SmallVector<hg::PackOp> large;
  for (auto pack : block.getOps<hg::PackOp>())
    if (elements(pack) >= kLarge && pack.getWeight().getDefiningOp<hg::WeightOp>())
      large.push_back(pack);
  llvm::stable_sort(large, [](hg::PackOp a, hg::PackOp b) { return elements(a) > elements(b); });
  for (hg::PackOp pack : large)
    if (failed(lowering.lower(*pack)))
      return failure();
  for (Operation &op : block.without_terminator())
    if (!llvm::is_contained(large, &op) && failed(lowering.lower(op)))
      return failure();
  // Vectors that kernels on vectors read as they are.
  schedules::KernelSpec copy;
  copy.op = "copy_vector";
  for (Value value : block.getTerminator()->getOperands())
    if (value.getDefiningOp<hg::WeightOp>() && failed(lowering.launch({}, value, value, copy)))
      return failure();
  return success();
}

} // namespace segc
