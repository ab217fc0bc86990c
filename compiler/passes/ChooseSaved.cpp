/// \file Chooses what the forward pass keeps for the backward pass and what the latter computes again.
///
/// A minimum cut between what cannot be computed again and what the backward ops read, where cutting a value
/// costs its bytes: so of conv, norm, relu only the convolution's result is kept. Ops that stream through
/// memory once (pointwise, pools, resizing, norms with known statistics) are computed again, but for pools of
/// what is kept anyway, convolutions only when asked to. (Chen et al. 2016; as a minimum cut: Horace He et
/// al. 2021, the partitioner of functorch.)
// SPDX-License-Identifier: MIT
#include "compiler/analysis/GroupSpec.h"
#include "compiler/analysis/MinCut.h"
#include "compiler/passes/Passes.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_CHOOSESAVED
#include "compiler/passes/Passes.h.inc"

namespace {

/// A clone is used again by the next ops that need the value, but not kept for long: what was cheap to
/// compute twice is cheaper to compute thrice than to keep.
constexpr unsigned kReach = 12;

bool isCheap(Operation *op) {
  return isa<hg::ActivationOp, hg::NormOp, hg::GroupNormOp, hg::AffineOp, hg::AddOp, hg::SubOp, hg::MulOp,
             hg::ScaleOp, hg::BroadcastOp, hg::ReshapeOp, hg::TransposeOp, hg::WindowsOp, hg::ConcatOp,
             hg::SliceOp, hg::CropOp, hg::PadOp, hg::DropOp, hg::MaxPoolOp, hg::AvgPoolOp,
             hg::AdaptiveAvgPoolOp, hg::UnpoolOp, hg::UpsampleOp, hg::SoftmaxOp, hg::LogSoftmaxOp>(op);
}

/// Only places in memory: there as long as their operands are.
bool isView(Operation *op) { return isa<hg::ConcatOp, hg::SliceOp>(op); }

int64_t bytesOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  constexpr int64_t kTypical = 64; // for extents known at run time only
  int64_t bytes = (storedType(value).getIntOrFloatBitWidth() + 7) / 8;
  for (int64_t extent : type.getShape())
    bytes *= ShapedType::isDynamic(extent) ? kTypical : extent;
  return bytes;
}

class Chooser {
public:
  Chooser(func::FuncOp main, unsigned recompute) : block(main.getBody().front()), recompute(recompute) {}

  void run() {
    for (auto [index, op] : llvm::enumerate(block))
      position[&op] = index;
    findBackward();
    if (backward.empty())
      return;
    chooseConvolutions();
    keepConcats();
    keepPools();
    cut();
    for (Operation &op : llvm::make_early_inc_range(block.without_terminator()))
      if (backward.contains(&op))
        for (OpOperand &operand : op.getOpOperands())
          if (!hg::isShapeOnly(operand) && isForward(operand.get()))
            operand.set(provide(operand.get(), &op));
  }

private:
  bool isForward(Value value) {
    Operation *op = value.getDefiningOp();
    return !op || (!isa<hg::WeightOp, hg::StepSeedOp>(op) && !backward.contains(op));
  }

  /// What depends on the gradient of a loss.
  void findBackward() {
    for (Operation &op : block.without_terminator())
      if (isa<hg::LossGradOp>(op) || llvm::any_of(op.getOpOperands(), [&](OpOperand &operand) {
            return !hg::isShapeOnly(operand) && operand.get().getDefiningOp() &&
                   backward.contains(operand.get().getDefiningOp());
          }))
        backward.insert(&op);
  }

  /// The convolutions that are computed again: those with the least work a byte they save.
  void chooseConvolutions() {
    SmallVector<std::pair<double, Operation *>> ranked;
    for (Operation &op : block)
      if (isa<hg::ConvOp, hg::DeconvOp>(op) && !backward.contains(&op))
        ranked.push_back({double(cast<hg::LayerOp>(op).macs()) / double(bytesOf(op.getResult(0))), &op});
    llvm::stable_sort(ranked, [](auto &a, auto &b) { return a.first < b.first; });
    for (auto [work, op] : ArrayRef(ranked).take_front(recompute))
      again.insert(op);
  }

  /// A concat whose parts cannot all be computed again is kept as it is, and its parts with it: they share
  /// its memory.
  void keepConcats() {
    for (hg::ConcatOp concat : block.getOps<hg::ConcatOp>()) {
      bool isRead = llvm::any_of(concat.getY().getUses(), [&](OpOperand &use) {
        return !hg::isShapeOnly(use) && backward.contains(use.getOwner());
      });
      bool isCheaplyMade = llvm::all_of(concat.getInputs(), [&](Value part) {
        return part.getDefiningOp() &&
               (isCheap(part.getDefiningOp()) || again.contains(part.getDefiningOp()));
      });
      if (!isRead || isCheaplyMade || backward.contains(concat))
        continue;
      kept.insert(concat.getY());
      for (Value part : concat.getInputs())
        kept.insert(part);
    }
  }

  /// A pool of what is kept: its maxima and their places are 5/16 of the bytes that making them again reads,
  /// which no cache holds any more (U-Net at 256x256: 1.7 of 3.4 ms for 10 MB). Not where memory is short.
  void keepPools() {
    if (recompute > 0)
      return;
    for (hg::MaxPoolOp pool : block.getOps<hg::MaxPoolOp>())
      if (!backward.contains(pool) && kept.contains(pool.getX()))
        kept.insert(pool->result_begin(), pool->result_end());
  }

  void cut() {
    MinCut graph;
    unsigned source = graph.addNode(), sink = graph.addNode();
    DenseMap<Value, unsigned> nodes; // its node before the cut; the one behind it follows
    auto node = [&](Value value) {
      auto [entry, isNew] = nodes.try_emplace(value, 0);
      if (isNew) {
        entry->second = graph.addNode();
        graph.addNode();
        Operation *op = value.getDefiningOp();
        graph.addEdge(entry->second, entry->second + 1,
                      op && isView(op) ? MinCut::kUncuttable : bytesOf(value));
        if (!op || (!isCheap(op) && !again.contains(op)))
          graph.addEdge(source, entry->second, MinCut::kUncuttable);
      }
      return entry->second;
    };
    for (Operation &op : block.without_terminator()) {
      bool isBackward = backward.contains(&op);
      if (!isBackward && !isCheap(&op) && !again.contains(&op))
        continue;
      for (OpOperand &operand : op.getOpOperands()) {
        if (hg::isShapeOnly(operand) || !isForward(operand.get()) || kept.contains(operand.get()))
          continue;
        unsigned from = node(operand.get()) + 1;
        if (isBackward)
          graph.addEdge(from, sink, MinCut::kUncuttable);
        else
          for (Value result : op.getResults()) {
            unsigned to = node(result);
            graph.addEdge(from, to, MinCut::kUncuttable);
          }
      }
    }
    std::vector<bool> side = graph.sinkSide(source, sink);
    for (auto [value, first] : nodes)
      if (side[first])
        remade.insert(value);
  }

  /// The value for backward op `user`: the forward one if it is kept, else one computed again.
  Value provide(Value value, Operation *user) {
    Operation *op = value.getDefiningOp();
    if (!op || !remade.contains(value))
      return value;
    auto known = clones.find(value);
    if (known != clones.end() && position[user] - known->second.lastUse <= kReach) {
      known->second.lastUse = position[user];
      return known->second.value;
    }
    SmallVector<Value> operands;
    bool changed = false;
    for (OpOperand &operand : op->getOpOperands()) {
      bool reads = !hg::isShapeOnly(operand) && isForward(operand.get());
      operands.push_back(reads ? provide(operand.get(), user) : operand.get());
      changed |= operands.back() != operand.get();
    }
    if (isView(op) && !changed)
      return value;
    OpBuilder b(user);
    Operation *clone = b.clone(*op);
    clone->setOperands(operands);
    // Equal ops are merged later: these must stay apart.
    clone->setAttr("hourglass.again", b.getI64IntegerAttr(++count));
    for (auto [result, copy] : llvm::zip(op->getResults(), clone->getResults()))
      clones[result] = {copy, position[user]};
    return clones[value].value;
  }

  struct Clone {
    Value value;
    unsigned lastUse;
  };
  Block &block;
  unsigned recompute, count = 0;
  DenseMap<Operation *, unsigned> position;
  DenseSet<Operation *> backward, again;
  DenseSet<Value> kept, remade;
  DenseMap<Value, Clone> clones;
};

struct ChooseSavedPass : impl::ChooseSavedBase<ChooseSavedPass> {
  using ChooseSavedBase::ChooseSavedBase;
  void runOnOperation() override {
    if (auto main = getOperation().lookupSymbol<func::FuncOp>("main"))
      Chooser(main, recompute).run();
  }
};

} // namespace
} // namespace segc
