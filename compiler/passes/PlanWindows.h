/// \file Which window of a value a kernel reads or writes, where it is not just its pixels.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include <optional>

namespace segc {

/// `h` x `w` pixels from pixel (y0, x0) on, which may lie in the apron. `bounded`: the window is the value
/// itself, and the origin is where the kernel's coordinates start.
struct Window {
  hg::Size h, w, y0, x0;
  bool bounded = false;
};

/// The window of the first operand, of shape `in`, that the anchor of a group reads to make `out`; for a
/// weight gradient `out` is the shape of dy.
std::optional<Window> readWindow(hg::SizeTable &table, mlir::Operation *anchor, const hg::Shape &in,
                                 const hg::Shape &out);
/// The window of the result of shape `out` that it writes.
std::optional<Window> writeWindow(hg::SizeTable &table, mlir::Operation *anchor, const hg::Shape &out);

} // namespace segc
