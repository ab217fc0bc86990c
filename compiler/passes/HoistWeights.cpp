/// \file Cuts @main in two: what depends on constant weights only becomes @prepare, run once after load.
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_HOISTWEIGHTS
#include "compiler/passes/Passes.h.inc"

namespace {

struct HoistWeightsPass : impl::HoistWeightsBase<HoistWeightsPass> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main) {
      getOperation().emitError("has no @main");
      return signalPassFailure();
    }
    if (getOperation().lookupSymbol("prepare")) {
      getOperation().emitError("already has a @prepare");
      return signalPassFailure();
    }
    Block &block = main.getBody().front();
    SmallVector<Operation *> hoisted;
    DenseSet<Operation *> constant;
    for (Operation &op : block.without_terminator()) {
      auto weight = dyn_cast<hg::WeightOp>(op);
      bool fromWeights = op.hasTrait<hg::OnWeights>() && (!weight || hg::isConstant(weight)) &&
                         llvm::all_of(op.getOperands(), [&](Value operand) {
                           return operand.getDefiningOp() && constant.contains(operand.getDefiningOp());
                         });
      if (fromWeights) {
        constant.insert(&op);
        hoisted.push_back(&op);
      }
    }
    llvm::SetVector<Value> needed;
    for (Operation *op : hoisted)
      for (Value result : op->getResults())
        for (Operation *user : result.getUsers())
          if (!constant.contains(user))
            needed.insert(result);
    makePrepare(main, hoisted, needed);
    passAsArguments(main, needed, constant);
    for (Operation *op : llvm::reverse(hoisted))
      op->erase();
  }

  static void makePrepare(func::FuncOp main, ArrayRef<Operation *> hoisted,
                          const llvm::SetVector<Value> &needed) {
    OpBuilder b(main);
    auto type = b.getFunctionType({}, ValueRange(needed.getArrayRef()).getTypes());
    auto prepare = func::FuncOp::create(b, main.getLoc(), "prepare", type);
    b.setInsertionPointToStart(prepare.addEntryBlock());
    IRMapping mapping;
    for (Operation *op : hoisted)
      b.clone(*op, mapping);
    SmallVector<Value> results;
    for (Value value : needed)
      results.push_back(mapping.lookup(value));
    func::ReturnOp::create(b, main.getLoc(), results);
  }

  static void passAsArguments(func::FuncOp main, const llvm::SetVector<Value> &needed,
                              const DenseSet<Operation *> &hoisted) {
    Builder b(main.getContext());
    for (auto [index, value] : llvm::enumerate(needed)) {
      unsigned position = main.getNumArguments();
      auto mark = b.getDictionaryAttr(b.getNamedAttr("hourglass.prepared", b.getI64IntegerAttr(index)));
      if (failed(main.insertArgument(position, value.getType(), mark, value.getLoc())))
        llvm_unreachable("an argument can always be appended");
      Value(value).replaceUsesWithIf(main.getArgument(position), [&](OpOperand &use) {
        return use.getOwner()->getParentOp() == main && !hoisted.contains(use.getOwner());
      });
    }
  }
};

} // namespace
} // namespace segc
