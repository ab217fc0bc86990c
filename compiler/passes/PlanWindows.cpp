/// \file Windows of convolutions (with their padding), pools, crops and pads.
// SPDX-License-Identifier: MIT
#include "compiler/passes/PlanWindows.h"

using namespace mlir;

namespace segc {

static hg::Size negated(hg::SizeTable &table, hg::Size size) { return table.sub(table.constant(0), size); }

/// What the windows of `out` pixels cover, padding included.
template <typename OpT>
static Window covered(hg::SizeTable &table, OpT op, const hg::Shape &in, const hg::Shape &out) {
  hg::Size extents[2], origin[2];
  for (unsigned axis = 0; axis < 2; ++axis) {
    hg::WindowMap map = op.window(axis);
    extents[axis] = table.plus(table.mul(table.plus(out.dims[2 + axis], -1), map.stride), map.reach());
    origin[axis] = negated(table, map.padBefore(table, in.dims[2 + axis]));
  }
  return {extents[0], extents[1], origin[0], origin[1]};
}

/// The whole value, in the coordinates of a pool's windows.
template <typename OpT> static Window padded(hg::SizeTable &table, OpT op, const hg::Shape &value) {
  return {value.dims[2], value.dims[3], negated(table, op.window(0).padBefore(table, value.dims[2])),
          negated(table, op.window(1).padBefore(table, value.dims[3])), true};
}

std::optional<Window> readWindow(hg::SizeTable &table, Operation *anchor, const hg::Shape &in,
                                 const hg::Shape &out) {
  if (auto conv = dyn_cast<hg::ConvOp>(anchor))
    return covered(table, conv, in, out);
  if (auto grad = dyn_cast<hg::ConvWeightGradOp>(anchor))
    return covered(table, grad, in, out);
  if (auto pool = dyn_cast<hg::MaxPoolOp>(anchor))
    return padded(table, pool, in);
  if (auto pool = dyn_cast<hg::AvgPoolOp>(anchor))
    return padded(table, pool, in);
  if (auto take = dyn_cast<hg::TakeOp>(anchor))
    return padded(table, take, in);
  if (auto crop = dyn_cast<hg::CropOp>(anchor))
    return Window{out.dims[2], out.dims[3], crop.start(table, 0, in.dims[2], out.dims[2]),
                  crop.start(table, 1, in.dims[3], out.dims[3])};
  if (auto pad = dyn_cast<hg::PadOp>(anchor))
    return Window{in.dims[2], in.dims[3], negated(table, pad.start(table, 0, in.dims[2], out.dims[2])),
                  negated(table, pad.start(table, 1, in.dims[3], out.dims[3])), true};
  return std::nullopt;
}

std::optional<Window> writeWindow(hg::SizeTable &table, Operation *anchor, const hg::Shape &out) {
  if (auto unpool = dyn_cast<hg::UnpoolOp>(anchor))
    return padded(table, unpool, out);
  if (auto pool = dyn_cast<hg::AvgPoolTransposeOp>(anchor))
    return padded(table, pool, out);
  return std::nullopt;
}

} // namespace segc
