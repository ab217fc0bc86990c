/// \file Splits deconvolutions into the convolutions that make their phases.
///
/// y[s*q + r] sums w[k] * x[(s*q + r + p - d*k) / s] over the taps k for which the division is exact: with g
/// = gcd(d, s) and phase f = (r + p) mod s, these are k = first + (s/g)*m where d*first = f (mod s), none if
/// g does not divide f. Then the index is q + e - (d/g)*m with e = (r + p - d*first) / s: a correlation with
/// the taps reversed, dilation d/g and (d/g)*(taps - 1) - e pixels of padding before. There are in + ceil((c
/// - r) / s) such pixels for out = s*in + c, which gives the padding after. (Dumoulin and Visin 2016, section
/// 4, for the unit case.)
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"
#include <numeric>

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_SPLITDECONV
#include "compiler/passes/Passes.h.inc"

namespace {

/// One axis of one phase: which taps, and the convolution's geometry.
struct PhaseAxis {
  int64_t first, step, taps, dilation, before, after;
};

PhaseAxis phaseAxis(const hg::WindowMap &map, int64_t r, int64_t c) {
  int64_t s = map.stride, d = map.dilation, g = std::gcd(d, s);
  int64_t pixels = -hg::floorDiv(r - c, s); // ceil((c - r) / s)
  int64_t first = 0;
  while (first < s / g && (d * first - r - map.before) % s != 0)
    ++first;
  int64_t taps = first < s / g && first < map.kernel ? (map.kernel - first + s / g - 1) / (s / g) : 0;
  if (taps == 0) // nothing reaches this phase: one tap beyond the filter, that is zero
    return {map.kernel, 1, 1, 1, 0, pixels};
  int64_t e = (r + map.before - d * first) / s, dilation = d / g;
  return {first, s / g, taps, dilation, dilation * (taps - 1) - e, pixels + e};
}

struct SplitDeconvPass : impl::SplitDeconvBase<SplitDeconvPass> {
  void runOnOperation() override {
    SmallVector<hg::DeconvOp> deconvs(getOperation().getOps<hg::DeconvOp>());
    for (hg::DeconvOp deconv : deconvs)
      if (failed(split(deconv)))
        return signalPassFailure();
  }

  /// out - s * in along an axis; the same for all sizes unless `like` says otherwise, which with stride 1 it
  /// cannot.
  FailureOr<int64_t> excess(hg::DeconvOp op, unsigned axis) {
    hg::WindowMap map = op.window(axis);
    if (map.stride == 1 && op.getSame())
      return 0;
    if (map.stride == 1 || !op.getLike())
      return map.reach() - map.before - map.after - map.stride +
             (op.getLike() ? 0 : op.getOutputPadding()[axis]);
    auto in = cast<RankedTensorType>(op.getX().getType()), out = cast<RankedTensorType>(op.getY().getType());
    if (in.isDynamicDim(2 + axis) || out.isDynamicDim(2 + axis))
      return op.emitOpError("the gradient of what a strided convolution reads depends on its extents: give "
                            "the inputs numbers instead of \"?\" for height and width");
    return out.getDimSize(2 + axis) - map.stride * in.getDimSize(2 + axis);
  }

  LogicalResult split(hg::DeconvOp op) {
    OpBuilder b(op);
    auto in = cast<RankedTensorType>(op.getX().getType()), out = cast<RankedTensorType>(op.getY().getType());
    hg::WindowMap maps[2] = {op.window(0), op.window(1)};
    int64_t c[2];
    bool enlarged = false;
    for (unsigned axis = 0; axis < 2; ++axis) {
      auto value = excess(op, axis);
      if (failed(value))
        return failure();
      c[axis] = *value;
      if (op.getSame()) { // a convolution's padding: the same for all sizes, or known here as its extents are
        hg::SizeTable table;
        maps[axis].before =
            maps[axis].stride == 1
                ? maps[axis].usualBefore()
                : *table.constantValue(maps[axis].padBefore(table, table.constant(out.getDimSize(2 + axis))));
        maps[axis].same = false;
      }
      // A result of fewer pixels than phases: make it larger, crop afterwards.
      if (!in.isDynamicDim(2 + axis) &&
          in.getDimSize(2 + axis) * maps[axis].stride + c[axis] < maps[axis].stride) {
        c[axis] = 0;
        enlarged = true;
      }
    }
    SmallVector<Value, 0> phases;
    for (int64_t row = 0; row < maps[0].stride; ++row)
      for (int64_t column = 0; column < maps[1].stride; ++column) {
        PhaseAxis y = phaseAxis(maps[0], row, c[0]), x = phaseAxis(maps[1], column, c[1]);
        auto filter = hg::createInferred<hg::PhaseWeightOp>(
            b, op.getLoc(), op.getWeight().getType(), op.getWeight(),
            b.getDenseI64ArrayAttr({y.first, x.first}), b.getDenseI64ArrayAttr({y.step, x.step}),
            b.getDenseI64ArrayAttr({y.taps, x.taps}), op.getGroupsAttr());
        if (!filter)
          return failure();
        auto phase = hg::createInferred<hg::ConvOp>(
            b, op.getLoc(), op.getY().getType(), op.getX(), filter.getFilter(), op.getBias(), Value(),
            b.getDenseI64ArrayAttr({1, 1}), b.getDenseI64ArrayAttr({y.before, x.before, y.after, x.after}),
            UnitAttr(), b.getDenseI64ArrayAttr({y.dilation, x.dilation}), op.getGroupsAttr());
        if (!phase)
          return failure();
        if (Attribute again = op->getAttr("hourglass.again"))
          phase->setAttr("hourglass.again", again); // must not be merged with the first
        phases.push_back(phase.getY());
      }
    Value result = phases[0];
    if (phases.size() > 1 && failed(pushThrough(op, phases, b)))
      return failure();
    if (phases.size() > 1) {
      auto whole =
          hg::createInferred<hg::InterleaveOp>(b, op.getLoc(), op.getY().getType(), phases,
                                               b.getDenseI64ArrayAttr({maps[0].stride, maps[1].stride}));
      if (!whole)
        return failure();
      result = whole.getY();
    }
    if (enlarged) {
      auto crop = hg::createInferred<hg::CropOp>(b, op.getLoc(), op.getY().getType(), result, ValueRange(),
                                                 b.getDenseI64ArrayAttr(out.getShape().drop_front(2)),
                                                 b.getDenseI64ArrayAttr({0, 0}));
      if (!crop)
        return failure();
      result = crop.getY();
    }
    op.getY().replaceAllUsesWith(result);
    op.erase();
    return success();
  }

  /// Activations and affines behind the deconvolution work on each phase, where they fuse.
  LogicalResult pushThrough(hg::DeconvOp op, SmallVectorImpl<Value> &phases, OpBuilder &b) {
    while (op.getY().hasOneUse()) {
      Operation *user = *op.getY().user_begin();
      bool unary = isa<hg::ActivationOp, hg::AffineOp>(user) && user->getOperand(0) == op.getY();
      if (!unary)
        return success();
      b.setInsertionPoint(user);
      for (Value &phase : phases) {
        Operation *copy = b.clone(*user);
        copy->setOperand(0, phase);
        if (failed(hg::inferResultTypes(copy)))
          return failure();
        phase = copy->getResult(0);
      }
      user->getResult(0).replaceAllUsesWith(op.getY());
      user->erase();
      b.setInsertionPointAfter(phases.back().getDefiningOp());
    }
    return success();
  }
};

} // namespace
} // namespace segc
