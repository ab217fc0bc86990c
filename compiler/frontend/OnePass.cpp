/// \file Follows where the pixels of each value lie, and emits the ops with the strides and dilations of one
/// pass.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/OnePass.h"
#include <numeric>

using namespace mlir;

namespace segc {

OnePass::OnePass(const SlidingWindow &window, func::FuncOp body, bool training)
    : window(window), body(body), training(training) {
  analyse();
}

void OnePass::analyse() {
  Block &block = body.getBody().front();
  Tracks &image = tracks[block.getArgument(0)];
  for (unsigned axis = 0; axis < 2; ++axis)
    image[axis] = {window.kernel[axis], 1, 1, 0};
  for (Operation &op : block.without_terminator()) {
    if (isa<hg::WeightOp>(op))
      continue;
    std::string why = follow(op);
    if (why.empty())
      continue;
    found = {&op, why};
    return;
  }
  if (Value result = block.getTerminator()->getOperand(0); flat.contains(result))
    found = {result.getDefiningOp(), "it is flattened and its pixels are the result"};
}

/// The tracks of the op's result from those of its operands; returns why it cannot be part of one pass.
std::string OnePass::follow(Operation &op) {
  if (auto conv = dyn_cast<hg::ConvOp>(op))
    return followConvolution(conv);
  if (op.getNumOperands() && flat.contains(op.getOperand(0)) &&
      !(isa<hg::ActivationOp, hg::DropoutOp, hg::ScaleOp>(op) && op.getNumOperands() == 1))
    return "it works on the channels of a flattened window";
  if (Value image = hg::flattenedFrom(op.getNumResults() ? op.getResult(0) : Value())) {
    Tracks result = tracks[image];
    tracks[op.getResult(0)] = result;
    if (result[0].extent > 1 || result[1].extent > 1)
      flat.insert(op.getResult(0));
    return "";
  }
  if (auto pool = dyn_cast<hg::MaxPoolOp>(op)) {
    if (!pool.getIndex().use_empty())
      return "its positions belong to one window";
    return followWindow(op, poolGeometry(pool), false, true);
  }
  if (auto pool = dyn_cast<hg::AvgPoolOp>(op)) {
    std::array<Geometry, 2> geometry = poolGeometry(pool);
    if (pool.getCeil() &&
        (geometry[0].after != pool.getPadding()[2] || geometry[1].after != pool.getPadding()[3]))
      return "its last mean is one of fewer pixels";
    return followWindow(op, geometry, false, false);
  }
  if (auto pool = dyn_cast<hg::AdaptiveAvgPoolOp>(op)) {
    const Tracks &in = tracks[pool.getX()];
    auto out = cast<RankedTensorType>(pool.getY().getType()).getShape();
    if (out[2] != 1 || out[3] != 1)
      return "its bins have no fixed size";
    return followWindow(op, {Geometry{in[0].extent}, Geometry{in[1].extent}}, true, false);
  }
  if (auto pad = dyn_cast<hg::PadOp>(op); pad && pad.getMode() == "zero") {
    ArrayRef<int64_t> amount = *pad.getAmount();
    return followWindow(
        op, {Geometry{1, 1, 1, amount[0], amount[2]}, Geometry{1, 1, 1, amount[1], amount[3]}}, false, true);
  }
  if (isa<hg::ActivationOp, hg::AddOp, hg::SubOp, hg::MulOp, hg::ScaleOp, hg::DropoutOp, hg::ConcatOp,
          hg::SliceOp, hg::SoftmaxOp, hg::LogSoftmaxOp, hg::NormOp>(op))
    return followSame(op);
  if (isa<hg::GroupNormOp>(op))
    return "its statistics are those of one window";
  return "it treats the window as an image of its own";
}

/// A dense layer on a flattened value has the weights of one on the pixels.
std::string OnePass::followConvolution(hg::ConvOp conv) {
  std::array<Geometry, 2> geometry;
  for (unsigned axis = 0; axis < 2; ++axis) {
    hg::WindowMap map = conv.window(axis);
    hg::SizeTable table;
    int64_t in = tracks[conv.getX()][axis].extent, before = map.before, after = map.after;
    if (map.same) {
      before = *table.constantValue(map.padBefore(table, table.constant(in)));
      int64_t out = (in + map.stride - 1) / map.stride;
      after = std::max<int64_t>((out - 1) * map.stride + map.reach() - in, 0) - before;
    }
    geometry[axis] = {map.kernel, map.stride, map.dilation, before, after};
    if (flat.contains(conv.getX()))
      geometry[axis].kernel = in;
  }
  if (flat.contains(conv.getX()) && (!conv.getWhole() || !conv.getWeight().hasOneUse()))
    return "it works on the channels of a flattened window";
  return followWindow(*conv, geometry, conv.getWhole(), true);
}

/// Ops on the pixels of one place.
std::string OnePass::followSame(Operation &op) {
  const Tracks *first = nullptr;
  for (Value operand : op.getOperands()) {
    auto entry = tracks.find(operand);
    if (entry == tracks.end())
      continue; // a weight
    if (first && !(*first == entry->second))
      return "its inputs lie on different grids of pixels";
    first = &entry->second;
    if (flat.contains(operand))
      flat.insert(op.getResult(0));
  }
  Tracks result = *first;
  auto norm = dyn_cast<hg::NormOp>(op);
  if (training && norm && !norm.getFrozen() && (result[0].extent > 1 || result[1].extent > 1))
    return "training takes the statistics of all windows, in which pixels count as often as windows see them";
  tracks[op.getResult(0)] = result;
  return "";
}

/// The geometry of a pool on one window; with `ceil` the pixels that the last window lacks are padding.
template <typename PoolT> std::array<OnePass::Geometry, 2> OnePass::poolGeometry(PoolT pool) {
  std::array<Geometry, 2> geometry;
  auto out = cast<RankedTensorType>(pool.getY().getType()).getShape();
  for (unsigned axis = 0; axis < 2; ++axis) {
    hg::WindowMap map = pool.window(axis);
    hg::SizeTable table;
    int64_t in = tracks[pool.getX()][axis].extent;
    int64_t before = *table.constantValue(map.padBefore(table, table.constant(in)));
    int64_t missing = (out[2 + axis] - 1) * map.stride + map.reach() - in - before;
    geometry[axis] = {map.kernel, map.stride, map.dilation, before,
                      map.same ? std::max<int64_t>(missing, 0) : std::max(missing, map.after)};
  }
  return geometry;
}

/// Ops with a window; `collapses` if it is the whole value, `dilates` if the op can read pixels apart.
std::string OnePass::followWindow(Operation &op, std::array<Geometry, 2> geometry, bool collapses,
                                  bool dilates) {
  Value y = op.getResult(0);
  auto out = cast<RankedTensorType>(y.getType()).getShape();
  Tracks result;
  for (unsigned axis = 0; axis < 2; ++axis) {
    Geometry &g = geometry[axis];
    const Track in = tracks[op.getOperand(0)][axis];
    bool pads = g.before || g.after;
    padded |= pads;
    if (pads && !window.imageBorder)
      return "it pads at the edge of each window; \"border\": \"image\" would pad at the image's edge only";
    // Of a single pixel only the windows' own positions are needed. Inside an image's border, later layers
    // may still look at its neighbours.
    bool single = collapses || (out[2 + axis] == 1 && !window.imageBorder);
    int64_t jump = single ? window.stride[axis] : in.jump * g.stride;
    int64_t grid = std::gcd(window.stride[axis], jump), apart = in.jump / in.grid;
    result[axis] = {out[2 + axis], jump, grid,
                    in.reach + in.jump * (g.dilation * (g.kernel - 1) - g.before - g.after)};
    if (apart > 1 && g.kernel > 1 && !dilates)
      return "its window would have " + std::to_string(apart) +
             " pixels from one to the next, which means cannot";
    g = {g.kernel, grid / in.grid, g.kernel > 1 ? g.dilation * apart : 1, g.before * apart, g.after * apart};
    if (isa<hg::MaxPoolOp, hg::AvgPoolOp>(op) &&
        2 * std::max(g.before, g.after) > g.dilation * (g.kernel - 1) + 1)
      return "its padding would be more than half of its window";
  }
  tracks[y] = result;
  adapted[&op] = geometry;
  return "";
}

/// The op on the image.
Operation *OnePass::adapt(OpBuilder &b, Operation &op, IRMapping &mapping) {
  auto entry = adapted.find(&op);
  if (entry == adapted.end() && isa<hg::ReshapeOp>(op)) {
    mapping.map(op.getResult(0), mapping.lookup(op.getOperand(0)));
    return nullptr;
  }
  if (entry == adapted.end())
    return b.clone(op, mapping);
  const auto &[v, h] = entry->second;
  auto stride = b.getDenseI64ArrayAttr({v.stride, h.stride});
  auto dilation = b.getDenseI64ArrayAttr({v.dilation, h.dilation});
  auto padding = b.getDenseI64ArrayAttr({v.before, h.before, v.after, h.after});
  if (isa<hg::AdaptiveAvgPoolOp>(op)) {
    Value x = mapping.lookup(op.getOperand(0));
    auto mean =
        hg::AvgPoolOp::create(b, op.getLoc(), x.getType(), x, b.getDenseI64ArrayAttr({v.kernel, h.kernel}),
                              stride, padding, UnitAttr(), UnitAttr(), UnitAttr());
    mapping.map(op.getResult(0), mean.getY());
    return mean;
  }
  Operation *copy = b.clone(op, mapping);
  if (flat.contains(op.getOperand(0))) { // [units, C*H*W, 1, 1] is [units, C, H, W]
    auto weight = cast<hg::ConvOp>(copy).getWeight().getDefiningOp<hg::WeightOp>();
    auto shape = cast<RankedTensorType>(weight.getType()).getShape();
    weight.getValue().setType(RankedTensorType::get(
        {shape[0], shape[1] / (v.kernel * h.kernel), v.kernel, h.kernel}, b.getF32Type()));
  }
  if (isa<hg::PadOp>(op)) {
    copy->setAttr("amount", padding);
    return copy;
  }
  copy->setAttr("stride", stride);
  copy->setAttr("padding", padding);
  if (!isa<hg::AvgPoolOp>(op))
    copy->setAttr("dilation", dilation);
  for (StringRef key : {"same", "ceil", "whole"})
    copy->removeAttr(key);
  return copy;
}

Value OnePass::emit(OpBuilder &b, Location loc, Value image, IRMapping &mapping) {
  Block &block = body.getBody().front();
  Value result = block.getTerminator()->getOperand(0);
  const Tracks &last = tracks[result];
  auto positions = [&](ArrayRef<int64_t> kernel, ArrayRef<int64_t> stride, ArrayRef<int64_t> padding) {
    auto op =
        hg::createInferred<hg::PositionsOp>(b, loc, image.getType(), image, b.getDenseI64ArrayAttr(kernel),
                                            b.getDenseI64ArrayAttr(stride), b.getDenseI64ArrayAttr(padding));
    return op ? op.getY() : Value();
  };
  auto cropLike = [&](Value value, Value like) {
    auto op = like ? hg::createInferred<hg::CropOp>(b, loc, value.getType(), value, ValueRange{like},
                                                    DenseI64ArrayAttr(), b.getDenseI64ArrayAttr({0, 0}))
                   : hg::CropOp();
    return op ? op.getY() : Value();
  };
  // The last pixels of a window may be read by no layer: then there would be windows too many. Where nothing
  // inside pads, they are left out of the image, else the result is cropped.
  std::array<int64_t, 2> unread;
  for (unsigned axis = 0; axis < 2; ++axis)
    unread[axis] = window.kernel[axis] - 1 - last[axis].reach;
  bool tooMany = unread[0] > 0 || unread[1] > 0;
  std::array<int64_t, 4> padding = window.padding;
  Value like = tooMany && padded ? positions(window.kernel, window.stride, window.padding) : Value();
  if (tooMany && padded && !like)
    return {};
  if (tooMany && !padded) {
    std::array<int64_t, 2> cut = unread;
    for (unsigned axis = 0; axis < 2; ++axis) {
      int64_t less = std::min(cut[axis], padding[axis + 2]);
      padding[axis + 2] -= less;
      cut[axis] -= less;
    }
    if (cut[0] || cut[1])
      image = cropLike(image, positions({cut[0] + 1, cut[1] + 1}, {1, 1}, {0, 0, 0, 0}));
    if (!image)
      return {};
  }
  if (llvm::any_of(padding, [](int64_t pixels) { return pixels != 0; })) {
    auto pad = hg::createInferred<hg::PadOp>(b, loc, image.getType(), image, Value(),
                                             b.getDenseI64ArrayAttr(padding), b.getStringAttr("zero"));
    if (!pad)
      return {};
    image = pad.getY();
  }
  mapping.map(block.getArgument(0), image);
  for (Operation &op : block.without_terminator())
    if (!isa<hg::WeightOp>(op))
      if (Operation *copy = adapt(b, op, mapping); copy && failed(hg::inferResultTypes(copy)))
        return {};
  Value value = mapping.lookup(result);
  // Windows further apart than the grid of the last layer.
  std::array<int64_t, 2> step{window.stride[0] / last[0].grid, window.stride[1] / last[1].grid};
  if (step[0] > 1 || step[1] > 1) {
    auto each = hg::createInferred<hg::MaxPoolOp>(
        b, loc, TypeRange{value.getType(), value.getType()}, value, b.getDenseI64ArrayAttr({1, 1}),
        b.getDenseI64ArrayAttr(step), b.getDenseI64ArrayAttr({0, 0, 0, 0}), UnitAttr(),
        b.getDenseI64ArrayAttr({1, 1}), UnitAttr());
    value = each ? each.getY() : Value();
  }
  return value && like ? cropLike(value, like) : value;
}

} // namespace segc
