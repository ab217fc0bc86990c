/// \file Forms the groups: each anchor with the pointwise ops that read nothing but its result.
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_FUSEGROUPS
#include "compiler/passes/Passes.h.inc"

namespace {

bool isView(Operation &op) { return isa<hg::ConcatOp, hg::InterleaveOp>(op); }

bool isWeightOp(Operation &op) {
  return isa<hg::WeightOp, hg::NormScaleOp, hg::NormShiftOp, hg::ScaleWeightOp, hg::PhaseWeightOp, hg::PackOp>(op);
}

/// Ops that may follow an anchor in its kernel.
bool isEpilogue(Operation &op) { return isa<hg::ActivationOp, hg::AffineOp, hg::AddOp>(op); }

/// Anchors whose kernels take epilogues (docs/kernels.md).
bool takesEpilogue(Operation &op) {
  return isa<hg::ConvOp, hg::MaxPoolOp, hg::UnpoolOp, hg::UpsampleOp>(op) || isEpilogue(op);
}

struct FuseGroupsPass : impl::FuseGroupsBase<FuseGroupsPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    for (Operation &op : getOperation().getBody().front().without_terminator())
      if (!isView(op) && !isWeightOp(op) && !isa<hg::GroupOp>(op))
        ops.push_back(&op);
    DenseSet<Operation *> taken;
    for (Operation *op : ops) {
      if (taken.contains(op))
        continue;
      SmallVector<Operation *> chain = chainFrom(*op);
      taken.insert(chain.begin(), chain.end());
      fused += chain.size() - 1;
      makeGroup(chain);
    }
  }

  /// The only op that reads the pixels of `value`, or null.
  static Operation *soleReader(Value value) {
    Operation *reader = nullptr;
    for (OpOperand &use : value.getUses()) {
      if (hg::isShapeOnly(use))
        continue;
      if (reader || isa<func::ReturnOp>(use.getOwner()))
        return nullptr;
      reader = use.getOwner();
    }
    return reader;
  }

  static SmallVector<Operation *> chainFrom(Operation &anchor) {
    SmallVector<Operation *> chain{&anchor};
    if (!takesEpilogue(anchor))
      return chain;
    // A second result that is read (a pool's index) pins the anchor to its place.
    if (llvm::any_of(llvm::drop_begin(anchor.getResults()), [](Value extra) { return !extra.use_empty(); }))
      return chain;
    while (true) {
      Value value = chain.back()->getResult(0);
      Operation *next = soleReader(value);
      if (!next || !isEpilogue(*next) || next->getBlock() != anchor.getBlock())
        return chain;
      // x + x reads the value twice: the chain ends before it.
      if (llvm::count(next->getOperands(), value) != 1)
        return chain;
      chain.push_back(next);
    }
  }

  /// Replaces the chain by a group at the place of its last op, where all operands are known.
  static void makeGroup(ArrayRef<Operation *> chain) {
    Operation *last = chain.back();
    OpBuilder b(last);
    llvm::SetVector<Value> inputs;
    DenseSet<Operation *> inside(chain.begin(), chain.end());
    for (Operation *op : chain)
      for (Value operand : op->getOperands())
        if (!operand.getDefiningOp() || !inside.contains(operand.getDefiningOp()))
          inputs.insert(operand);
    // Results: the last op's, then the index of a pool if somebody reads it.
    SmallVector<Value> outputs{last->getResult(0)};
    for (Value extra : llvm::drop_begin(chain.front()->getResults()))
      if (!extra.use_empty())
        outputs.push_back(extra);
    // Extents of values that vanish inside are those of the result.
    for (Operation *op : chain.drop_back())
      op->getResult(0).replaceUsesWithIf(last->getResult(0), [&](OpOperand &use) {
        return hg::isShapeOnly(use) && !inside.contains(use.getOwner());
      });
    SmallVector<Location> locs;
    for (Operation *op : chain)
      locs.push_back(op->getLoc());
    auto group = hg::GroupOp::create(b, FusedLoc::get(b.getContext(), locs), ValueRange(outputs).getTypes(),
                                     inputs.getArrayRef(), StringAttr());
    Block *body = b.createBlock(&group.getBody());
    IRMapping mapping;
    for (Value input : inputs)
      mapping.map(input, body->addArgument(input.getType(), input.getLoc()));
    for (Operation *op : chain)
      b.clone(*op, mapping);
    SmallVector<Value> yielded;
    for (Value output : outputs)
      yielded.push_back(mapping.lookup(output));
    hg::YieldOp::create(b, group.getLoc(), yielded);
    for (auto [output, result] : llvm::zip(outputs, group.getOutputs()))
      output.replaceAllUsesWith(result);
    for (Operation *op : llvm::reverse(chain))
      op->erase();
  }
};

} // namespace
} // namespace segc
