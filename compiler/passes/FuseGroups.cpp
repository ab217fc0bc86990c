/// \file Forms the groups: each anchor with the pointwise ops that read nothing but its result. The attribute
/// `end` of a group says why it is not larger, for the report.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/Shapes.h"
#include "compiler/passes/Passes.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_FUSEGROUPS
#include "compiler/passes/Passes.h.inc"

namespace {

bool isView(Operation &op) { return isa<hg::ConcatOp, hg::InterleaveOp, hg::SliceOp, hg::PositionsOp>(op); }

bool isWeightOp(Operation &op) { return op.hasTrait<hg::OnWeights>() || isa<hg::StepSeedOp>(op); }

/// Ops that may follow an anchor in its kernel.
bool isEpilogue(Operation &op) {
  return isa<hg::ActivationOp, hg::AffineOp, hg::AddOp, hg::MulOp, hg::SubOp, hg::ScaleOp,
             hg::ActivationGradOp, hg::NormGradOp, hg::DropOp>(op);
}

/// What may be made of all channels of a pixel at the end of a kernel.
bool isReduction(Operation &op) { return isa<hg::SoftmaxOp, hg::LogSoftmaxOp, hg::ArgmaxOp>(op); }

/// A convolution that is a product of matrices: each pixel by itself.
bool isPointwise(hg::ConvOp conv) {
  ArrayRef<int64_t> weight = cast<RankedTensorType>(conv.getWeight().getType()).getShape();
  return isAll(weight.drop_front(2), 1) && isAll(conv.getStride(), 1) && isAll(conv.getPadding(), 0) &&
         conv.getGroups() == 1 && !conv.getLike() && !conv.getWhole();
}

/// The channels of a pixel must fit a tile in the cache (schedules/cpu/Head.cpp). Winograd's convolutions are
/// faster than what could reduce their scores at once.
bool canReduce(Operation &anchor) {
  int64_t channels = cast<RankedTensorType>(anchor.getResult(0).getType()).getDimSize(1);
  auto conv = dyn_cast<hg::ConvOp>(anchor);
  return conv ? isPointwise(conv) && channels <= 64 : isa<hg::UpsampleOp>(anchor) && channels <= 256;
}

/// A depthwise convolution with its activation, whose result a 1x1 convolution may read from a tile in the
/// cache (schedules/cpu/Separable.cpp).
bool isDepthwisePart(ArrayRef<Operation *> chain) {
  auto conv = dyn_cast<hg::ConvOp>(chain.front());
  if (!conv || chain.size() > 2 || !conv.getBias() || conv.getLike())
    return false;
  ArrayRef<int64_t> weight = cast<RankedTensorType>(conv.getWeight().getType()).getShape();
  auto between = dyn_cast<hg::ActivationOp>(chain.back());
  return static_cast<int64_t>(conv.getGroups()) == weight[0] && weight[0] > 1 &&
         cast<RankedTensorType>(conv.getX().getType()).getDimSize(1) == weight[0] &&
         (chain.size() == 1 ||
          (between && llvm::is_contained({"relu", "relu6", "hardswish"}, between.getFunction())));
}

/// Anchors whose kernels take epilogues (docs/kernels.md).
bool takesEpilogue(Operation &op) {
  return isa<hg::ConvOp, hg::MaxPoolOp, hg::UnpoolOp, hg::TakeOp, hg::UpsampleOp, hg::UpsampleTransposeOp,
             hg::AvgPoolOp, hg::AvgPoolTransposeOp, hg::AdaptiveAvgPoolOp, hg::AdaptiveAvgPoolTransposeOp,
             hg::PadTransposeOp>(op) ||
         isEpilogue(op);
}

struct FuseGroupsPass : impl::FuseGroupsBase<FuseGroupsPass> {
  using FuseGroupsBase::FuseGroupsBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    for (Operation &op : getOperation().getBody().front().without_terminator()) {
      // The kernel starts from the operand that has all extents.
      if (isa<hg::AddOp, hg::MulOp>(op) && absorbable(op.getOperand(0)) && !absorbable(op.getOperand(1)))
        op.setOperands({op.getOperand(1), op.getOperand(0)});
      if (!isView(op) && !isWeightOp(op) && !isa<hg::GroupOp>(op))
        ops.push_back(&op);
    }
    llvm::erase_if(ops, vanishes);
    DenseSet<Operation *> taken;
    for (Operation *op : ops) {
      if (taken.contains(op) || scalesForReader(*op))
        continue;
      std::string end;
      SmallVector<Operation *> chain = chainFrom(*op, end);
      if (Operation *scale = scaleOf(*op); scale && !taken.contains(scale))
        chain.insert(chain.begin(), scale);
      taken.insert(chain.begin(), chain.end());
      fused += chain.size() - 1;
      makeGroup(chain)->setAttr("end", StringAttr::get(&getContext(), end));
    }
    for (hg::BroadcastOp broadcast :
         llvm::make_early_inc_range(getOperation().getBody().front().getOps<hg::BroadcastOp>()))
      if (broadcast.use_empty())
        broadcast.erase();
  }

  /// A broadcast along N, H, W is how a kernel reads an operand; channels lie side by side in its vectors.
  static bool absorbable(Value value) {
    auto broadcast = value.getDefiningOp<hg::BroadcastOp>();
    return broadcast && !broadcast.repeatsChannel();
  }

  static bool isAbsorbed(OpOperand &use) {
    return isa<hg::AddOp, hg::MulOp, hg::SubOp>(use.getOwner()) && use.getOperandNumber() == 1 &&
           absorbable(use.get());
  }

  /// The product with a factor for each channel and image that the 1x1 convolution `op` can do when it reads
  /// (what squeeze-and-excitation ends with), or null.
  static Operation *scaleOf(Operation &op) {
    auto conv = dyn_cast<hg::ConvOp>(op);
    auto product = conv ? conv.getX().getDefiningOp<hg::MulOp>() : hg::MulOp();
    if (!product || !isPointwise(conv) || !product->hasOneUse() || !isAbsorbed(product->getOpOperand(1)))
      return nullptr;
    auto factor = product.getB().getDefiningOp<hg::BroadcastOp>().getX();
    ArrayRef<int64_t> extents = cast<RankedTensorType>(factor.getType()).getShape();
    return extents[2] == 1 && extents[3] == 1 ? product.getOperation() : nullptr;
  }

  /// Is `op` such a product, so that it starts no kernel?
  static bool scalesForReader(Operation &op) {
    return isa<hg::MulOp>(op) && op.hasOneUse() && scaleOf(**op.user_begin()) == &op;
  }

  /// Is the op a broadcast that no kernel computes, since all its readers absorb it?
  static bool vanishes(Operation *op) {
    return isa<hg::BroadcastOp>(op) && llvm::all_of(op->getUses(), [](OpOperand &use) {
             return hg::isShapeOnly(use) || isAbsorbed(use);
           });
  }

  /// The ops that read the pixels of `value`.
  static SmallVector<Operation *> readersOf(Value value) {
    SmallVector<Operation *> readers;
    for (OpOperand &use : value.getUses())
      if (!hg::isShapeOnly(use))
        readers.push_back(use.getOwner());
    return readers;
  }

  static std::string nameOf(Operation *op) {
    if (isa<func::ReturnOp>(op))
      return "an output";
    std::string layer = hg::layerName(op->getLoc()), kind = op->getName().stripDialect().str();
    return layer.empty() ? kind : layer + " (" + kind + ")";
  }

  /// Why the kernel that ends with `last` does not go on, or "" if it does, with `next`.
  std::string whyItEnds(ArrayRef<Operation *> chain, Operation *&next) {
    Operation &anchor = *chain.front();
    Value value = chain.back()->getResult(0);
    SmallVector<Operation *> readers = readersOf(value);
    if (readers.empty())
      return "nothing reads it";
    if (readers.size() > 1) {
      std::string names;
      for (Operation *reader : llvm::reverse(readers)) // uses are listed from the last to the first
        names += (names.empty() ? "" : ", ") + nameOf(reader);
      return std::to_string(readers.size()) + " readers: " + names;
    }
    next = readers[0];
    if (isa<func::ReturnOp>(next))
      return "it is an output";
    if (isView(*next))
      return "it lies in " + nameOf(next) + ", where others read it";
    if (isReduction(*chain.back()))
      return "a kernel ends with what it makes of all channels";
    auto conv = dyn_cast<hg::ConvOp>(next);
    bool isSecond = separable && conv && isDepthwisePart(chain) && isPointwise(conv) && conv.getX() == value;
    bool reduces = isReduction(*next) && canReduce(anchor) && !scaleOf(anchor);
    if (!isEpilogue(*next) && !isSecond && !reduces)
      return nameOf(next) + " has a kernel of its own";
    if (!takesEpilogue(anchor))
      return "the kernel of " + nameOf(&anchor) + " takes nothing behind it";
    // A second result that is read (a pool's index) pins the anchor to its place.
    if (llvm::any_of(llvm::drop_begin(anchor.getResults()), [](Value extra) { return !extra.use_empty(); }))
      return "the index of " + nameOf(&anchor) + " is read too";
    if (next->getBlock() != anchor.getBlock())
      return nameOf(next) + " lies elsewhere";
    // Random numbers belong to elements of a whole tensor: kernels that compute tiles do not know which
    // those are.
    if (isa<hg::DropOp>(next) && !isEpilogue(anchor))
      return nameOf(next) + " numbers the elements of the whole tensor";
    // x + x reads the value twice: the chain ends before it. Only sums and products take it from either side.
    if (llvm::count(next->getOperands(), value) != 1 ||
        (!isa<hg::AddOp, hg::MulOp>(next) && next->getOperand(0) != value))
      return nameOf(next) + " does not start from it";
    // The group stands where `next` stands: nobody may ask for the extents of what vanishes in it before.
    for (Operation *op : chain)
      for (OpOperand &use : op->getResult(0).getUses())
        if (hg::isShapeOnly(use) && !vanishes(use.getOwner()) &&
            (isa<hg::ArgmaxOp>(next) || use.getOwner()->isBeforeInBlock(next)))
          return nameOf(use.getOwner()) + " needs its extents before " + nameOf(next);
    return "";
  }

  /// The ops of the kernel of `anchor`, and why they are not more.
  SmallVector<Operation *> chainFrom(Operation &anchor, std::string &end) {
    SmallVector<Operation *> chain{&anchor};
    while (true) {
      Operation *next = nullptr;
      end = whyItEnds(chain, next);
      if (!end.empty())
        return chain;
      chain.push_back(next);
    }
  }

  /// Replaces the chain by a group at the place of its last op, where all operands are known.
  static hg::GroupOp makeGroup(ArrayRef<Operation *> chain) {
    Operation *last = chain.back();
    OpBuilder b(last);
    DenseSet<Operation *> inside(chain.begin(), chain.end());
    auto comesFromInside = [&](Value operand) {
      return operand.getDefiningOp() && inside.contains(operand.getDefiningOp());
    };
    // One input for each use: in x + conv(x) the convolution reads x with its padding, the addition without.
    SmallVector<Value> inputs;
    for (Operation *op : chain)
      for (OpOperand &operand : op->getOpOperands())
        if (!comesFromInside(operand.get()))
          inputs.push_back(isAbsorbed(operand) ? operand.get().getDefiningOp<hg::BroadcastOp>().getX()
                                               : operand.get());
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
    auto addArgument = [&](Value of) { return body->addArgument(of.getType(), of.getLoc()); };
    for (Operation *op : chain) {
      Operation *copy = b.clone(*op, mapping);
      for (OpOperand &operand : op->getOpOperands()) {
        unsigned index = operand.getOperandNumber();
        if (comesFromInside(operand.get()))
          continue;
        if (!isAbsorbed(operand)) {
          copy->setOperand(index, addArgument(operand.get()));
          continue;
        }
        // Repeated to the extents of what the kernel has by then.
        auto broadcast = operand.get().getDefiningOp<hg::BroadcastOp>();
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(copy);
        copy->setOperand(index, hg::BroadcastOp::create(b, broadcast.getLoc(), broadcast.getY().getType(),
                                                        addArgument(broadcast.getX()), copy->getOperand(0)));
      }
    }
    SmallVector<Value> yielded;
    for (Value output : outputs)
      yielded.push_back(mapping.lookup(output));
    hg::YieldOp::create(b, group.getLoc(), yielded);
    for (auto [output, result] : llvm::zip(outputs, group.getOutputs()))
      output.replaceAllUsesWith(result);
    for (Operation *op : llvm::reverse(chain))
      op->erase();
    return group;
  }
};

} // namespace
} // namespace segc
