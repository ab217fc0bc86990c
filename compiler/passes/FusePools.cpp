/// \file Lets the kernel of a convolution make the maxima of its own pixels.
///
/// A 2x2 max-pool behind a kernel of Winograd's joins it: a tile of results has whole windows in registers.
/// So does a block of pixels on tensor cores or on AMX. Where others read the pixels too (a skip connection),
/// the kernel writes both: its four phases, which interleave to the pixels without a copy, and the maxima,
/// all of the same extents. That needs even extents, which the requirements of the network must imply.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/GroupSpec.h"
#include "compiler/analysis/Shapes.h"
#include "compiler/passes/Passes.h"
#include "schedules/Family.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_FUSEPOOLS
#include "compiler/passes/Passes.h.inc"

namespace {

/// The max-pool that is all of the group, if its windows are 2x2 pixels side by side without padding.
hg::MaxPoolOp poolOf(hg::GroupOp group) {
  Block &body = group.getBody().front();
  auto pool = dyn_cast<hg::MaxPoolOp>(body.front());
  if (!pool || pool->getNextNode() != body.getTerminator() || pool.getCeil() || pool.getSame() ||
      !isAll(pool.getKernel(), 2) || !isAll(pool.getStride(), 2) || !isAll(pool.getPadding(), 0) ||
      !isAll(pool.getDilation(), 1))
    return {};
  return pool;
}

/// Does a family compute the group that could make maxima too: AMX's and Winograd's on processors, tensor
/// cores on GPUs? Operands that repeat along an axis would repeat to the extents of the maxima.
bool isPoolable(hg::GroupOp group, schedules::Isa target, bool winograd) {
  if (group->getNumResults() != 1 || !group.getBody().front().getOps<hg::BroadcastOp>().empty() ||
      group.getBody().front().getOps<hg::ConvOp>().empty())
    return false;
  auto kernel = describeGroup(group);
  if (failed(kernel) || !kernel->spec.reduction().empty())
    return false;
  if (!schedules::isGpu(target))
    return schedules::findFamily("amx")->whyNot(kernel->spec, target).empty() ||
           (winograd &&
            schedules::findFamily("winograd")->whyNot(kernel->spec, schedules::Isa::Avx512).empty());
  const schedules::Family *family = schedules::findFamily("tensor_cores");
  return family->whyNot(kernel->spec, target).empty() && family->pays(kernel->spec, target) &&
         !readsOddSlice(group, family->granule);
}

/// Has the result of a convolution as many pixels as what it reads, whatever their number?
bool keepsExtents(hg::ConvOp conv) {
  return llvm::all_of(ArrayRef<unsigned>{0, 1}, [&](unsigned axis) {
    hg::WindowMap map = conv.window(axis);
    return map.stride == 1 && (map.same || map.before + map.after == (map.kernel - 1) * map.dilation);
  });
}

struct FusePoolsPass : impl::FusePoolsBase<FusePoolsPass> {
  using FusePoolsBase::FusePoolsBase;

  void runOnOperation() override {
    auto parsed = schedules::parseIsa(instructionSet);
    if (!parsed) {
      getOperation().emitError("unknown instruction set '") << instructionSet << "'";
      return signalPassFailure();
    }
    hg::SizeTable table;
    auto shapes = inferShapes(getOperation(), table);
    if (failed(shapes))
      return signalPassFailure();
    SmallVector<hg::GroupOp> groups(getOperation().getOps<hg::GroupOp>());
    for (hg::GroupOp second : groups) {
      hg::MaxPoolOp pool = poolOf(second);
      auto first = pool ? second.getInputs()[0].getDefiningOp<hg::GroupOp>() : hg::GroupOp();
      if (!first || !isPoolable(first, *parsed, winograd))
        continue;
      Value pixels = first.getOutputs()[0];
      if (schedules::isGpu(*parsed))
        askAnother(first, second);
      bool keeps = !pixels.hasOneUse(), hasIndex = second->getNumResults() > 1;
      const hg::Shape &extents = shapes->find(pixels)->second;
      if (keeps && (hasIndex || !isEven(table, extents.dims[2]) || !isEven(table, extents.dims[3])))
        continue;
      merge(first, second, pool, keeps);
      ++fused;
    }
  }

  /// Where all other readers of the pixels ask for their extents only, as unpoolings do, they ask an operand
  /// of the convolution that has the same.
  static void askAnother(hg::GroupOp first, hg::GroupOp second) {
    Value pixels = first.getOutputs()[0];
    SmallVector<OpOperand *> asking;
    for (OpOperand &use : pixels.getUses()) {
      if (use.getOwner() == second)
        continue;
      if (!hg::isShapeOnly(use))
        return;
      asking.push_back(&use);
    }
    auto conv = *first.getBody().front().getOps<hg::ConvOp>().begin();
    auto read = dyn_cast<BlockArgument>(conv.getX());
    Value other = read ? first.getInputs()[read.getArgNumber()] : Value();
    if (!other || other.getType() != pixels.getType() || !keepsExtents(conv))
      return;
    for (OpOperand *use : asking)
      use->set(other);
  }

  /// One group of both in the place of `first`.
  static void merge(hg::GroupOp first, hg::GroupOp second, hg::MaxPoolOp pool, bool keeps) {
    OpBuilder b(first);
    Location loc = FusedLoc::get(b.getContext(), {first.getLoc(), second.getLoc()});
    Block &body = first.getBody().front();
    Value pixels = cast<hg::YieldOp>(body.getTerminator()).getValues()[0];
    SmallVector<Value> values;
    b.setInsertionPoint(body.getTerminator());
    if (keeps)
      for (int64_t row : {0, 1})
        for (int64_t column : {0, 1})
          values.push_back(hg::createInferred<hg::PhaseOp>(b, loc, pixels.getType(), pixels,
                                                           b.getDenseI64ArrayAttr({2, 2}),
                                                           b.getDenseI64ArrayAttr({row, column}))
                               .getY());
    IRMapping mapping;
    mapping.map(pool.getX(), pixels);
    Operation *copy = b.clone(*pool, mapping);
    llvm::append_range(values, copy->getResults().take_front(second->getNumResults()));
    body.getTerminator()->setOperands(values);

    b.setInsertionPoint(first);
    auto group = hg::GroupOp::create(b, loc, ValueRange(values).getTypes(), first.getInputs(), StringAttr());
    group.getBody().takeBody(first.getBody());
    group->setAttr("end", b.getStringAttr("a kernel ends with the maxima of its pixels"));
    size_t kept = keeps ? 4 : 0;
    if (keeps) {
      auto whole = hg::createInferred<hg::InterleaveOp>(b, first.getLoc(), pixels.getType(),
                                                        ValueRange(group.getOutputs().take_front(kept)),
                                                        b.getDenseI64ArrayAttr({2, 2}));
      first.getOutputs()[0].replaceAllUsesExcept(whole.getY(), second);
    }
    second->replaceAllUsesWith(group.getOutputs().drop_front(kept));
    second.erase();
    first.erase();
  }
};

} // namespace
} // namespace segc
