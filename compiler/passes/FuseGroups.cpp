/// \file Forms the groups: each anchor with the pointwise ops that read nothing but its result.
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_FUSEGROUPS
#include "compiler/passes/Passes.h.inc"

namespace {

bool isView(Operation &op) { return isa<hg::ConcatOp, hg::InterleaveOp, hg::SliceOp>(op); }

bool isWeightOp(Operation &op) { return op.hasTrait<hg::OnWeights>() || isa<hg::StepSeedOp>(op); }

/// Ops that may follow an anchor in its kernel.
bool isEpilogue(Operation &op) {
  return isa<hg::ActivationOp, hg::AffineOp, hg::AddOp, hg::ActivationGradOp, hg::NormGradOp, hg::DropOp>(op);
}

/// Anchors whose kernels take epilogues (docs/kernels.md).
bool takesEpilogue(Operation &op) {
  return isa<hg::ConvOp, hg::MaxPoolOp, hg::UnpoolOp, hg::TakeOp, hg::UpsampleOp, hg::UpsampleTransposeOp,
             hg::PadTransposeOp>(op) ||
         isEpilogue(op);
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
      // Random numbers belong to elements of a whole tensor: kernels that compute tiles do not know which
      // those are.
      if (isa<hg::DropOp>(next) && !isEpilogue(anchor))
        return chain;
      // x + x reads the value twice: the chain ends before it. Only a sum can take it from either side.
      if (llvm::count(next->getOperands(), value) != 1 ||
          (!isa<hg::AddOp>(next) && next->getOperand(0) != value))
        return chain;
      chain.push_back(next);
    }
  }

  /// Replaces the chain by a group at the place of its last op, where all operands are known.
  static void makeGroup(ArrayRef<Operation *> chain) {
    Operation *last = chain.back();
    OpBuilder b(last);
    DenseSet<Operation *> inside(chain.begin(), chain.end());
    auto comesFromInside = [&](Value operand) {
      return operand.getDefiningOp() && inside.contains(operand.getDefiningOp());
    };
    // One input for each use: in x + conv(x) the convolution reads x with its padding, the addition without.
    SmallVector<Value> inputs;
    for (Operation *op : chain)
      llvm::copy_if(op->getOperands(), std::back_inserter(inputs),
                    [&](Value operand) { return !comesFromInside(operand); });
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
                                     inputs, StringAttr());
    Block *body = b.createBlock(&group.getBody());
    IRMapping mapping;
    for (Operation *op : chain)
      for (OpOperand &operand : b.clone(*op, mapping)->getOpOperands())
        if (!comesFromInside(op->getOperand(operand.getOperandNumber())))
          operand.set(body->addArgument(operand.get().getType(), operand.get().getLoc()));
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
