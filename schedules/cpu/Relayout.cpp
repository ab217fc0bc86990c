/// \file Elements at other places: reshape, transpose, windows as a batch, their way back, and embedding
/// among zero channels.
///
/// Each element of the result computes where it comes from and is stored once. Kernels know the logical order
/// N, C, H, W only through these formulas; memory is (c, x, y, n) on both sides.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// The extents of the result that formulas may need.
struct Sizes {
  Expr width, height;
};
using Coordinates = std::vector<Expr>; ///< c, x, y, n

/// Row-major element i of one side is row-major element i of the other.
Expr reshaped(const KernelSpec &spec, const ImageParam &in, const Coordinates &at, const Sizes &size) {
  auto whole = [](const Expr &e) { return cast<uint32_t>(e); };
  const Expr w = whole(in.dim(1).extent()), h = whole(in.dim(2).extent());
  const Expr c = Expr(uint32_t(spec.get("c")));
  const Expr element =
      ((whole(at[3]) * Expr(uint32_t(spec.get("k"))) + whole(at[0])) * whole(size.height) + whole(at[2])) *
          whole(size.width) +
      whole(at[1]);
  const Expr row = element / w, plane = row / h;
  // Halide cannot see that they lie inside.
  auto inside = [&](const Expr &e, int d) {
    return unsafe_promise_clamped(cast<int>(e), 0, in.dim(d).extent() - 1);
  };
  return in(inside(plane % c, 0), inside(element % w, 1), inside(row % h, 2), inside(plane / c, 3));
}

/// Axis k of the result, of N, C, H, W, is axis perm[k] of the operand.
Expr transposed(const KernelSpec &spec, const ImageParam &in, const Coordinates &at) {
  const std::string perm = spec.word("perm");
  const Expr logical[] = {at[3], at[0], at[2], at[1]};
  Expr from[4];
  for (int k = 0; k < 4; k++)
    from[perm[k] - '0'] = logical[k];
  return in(from[1], from[3], from[2], from[0]);
}

/// One axis of an image and a window that moves over it.
struct Axis {
  int kernel, stride, before, after;
  Axis(const KernelSpec &spec, int axis)
      : kernel(spec.get("r", axis)), stride(spec.get("s", axis)), before(spec.get("before", axis)),
        after(spec.get("after", axis)) {}
  Expr positions(const Expr &extent) const { return (extent + (before + after - kernel)) / stride + 1; }
  bool isPadded() const { return before || after; }
  /// How many windows may reach one pixel.
  int most() const { return ceilDiv(kernel, stride); }
};

/// Window (n*P + p)*Q + q begins at pixel (p*s - before, q*s - before) of image n.
Expr windowed(const KernelSpec &spec, const ImageParam &in, const Coordinates &at) {
  const Axis v(spec, 0), h(spec, 1);
  const Expr width = in.dim(1).extent(), height = in.dim(2).extent();
  const Expr columns = h.positions(width), rows = v.positions(height);
  const Expr q = at[3] % columns, p = at[3] / columns % rows, n = at[3] / columns / rows;
  const Expr x = q * h.stride - h.before + at[1], y = p * v.stride - v.before + at[2];
  if (!h.isPadded() && !v.isPadded())
    return in(at[0], x, y, n);
  return select(x >= 0 && x < width && y >= 0 && y < height,
                in(at[0], clamp(x, 0, width - 1), clamp(y, 0, height - 1), n), 0.f);
}

/// What window number `back`, counted from the last one that starts at or before the pixel, adds to it.
Expr fromWindow(const KernelSpec &spec, const ImageParam &in, const Coordinates &at, const Sizes &size,
                const Expr &aside, const Expr &back) {
  const Axis v(spec, 0), h(spec, 1);
  const Expr columns = h.positions(size.width), rows = v.positions(size.height);
  const Expr x = at[1] + h.before, y = at[2] + v.before;
  const Expr q = x / h.stride - aside, p = y / v.stride - back;
  const Expr i = y - p * v.stride, j = x - q * h.stride;
  const Expr exists = q >= 0 && q < columns && p >= 0 && p < rows && i < v.kernel && j < h.kernel;
  const Expr window = (at[3] * rows + clamp(p, 0, rows - 1)) * columns + clamp(q, 0, columns - 1);
  return select(exists, in(at[0], clamp(j, 0, h.kernel - 1), clamp(i, 0, v.kernel - 1), window), 0.f);
}

/// Channels [offset, offset + c) are the operand's.
Expr embedded(const KernelSpec &spec, const ImageParam &in, const Coordinates &at) {
  const int offset = spec.get("offset"), channels = spec.get("c");
  const Expr c = at[0] - offset;
  return select(c >= 0 && c < channels, in(clamp(c, 0, channels - 1), at[1], at[2], at[3]), 0.f);
}

KernelBuild buildRelayout(const KernelSpec &spec, Isa isa) {
  const ImageParam in = activation("x", spec.get("c"), spec.get("in"));
  const bool overlaps = spec.op == "windows_transpose" && Axis(spec, 0).most() * Axis(spec, 1).most() > 1;
  const Rows rows(spec.get("k"), isa, true, overlaps);
  const Coordinates at = {rows.c, rows.x, rows.y, rows.n};
  Func out("y");
  OutputImageParam result = rows.declare(out, spec.get("out"));
  result.dim(1).set_min(0);
  result.dim(2).set_min(0);
  const Sizes size{result.dim(1).extent(), result.dim(2).extent()};
  if (overlaps) {
    const RDom r(0, Axis(spec, 1).most(), 0, Axis(spec, 0).most(), "r");
    Func sum("sum");
    sum(at) = 0.f;
    sum(at) += fromWindow(spec, in, at, size, r.x, r.y);
    out(at) = sum(at);
    rows.scheduleValues(out, {sum});
    return kernelBuild(Pipeline(out), {in});
  }
  out(at) = spec.op == "reshape"     ? reshaped(spec, in, at, size)
            : spec.op == "transpose" ? transposed(spec, in, at)
            : spec.op == "windows"   ? windowed(spec, in, at)
            : spec.op == "embed"     ? embedded(spec, in, at)
                                     : fromWindow(spec, in, at, size, 0, 0);
  rows.scheduleValues(out);
  return kernelBuild(Pipeline(out), {in});
}

std::string whyNotRelayout(const KernelSpec &spec) {
  if (spec.op == "transpose") {
    std::string axes = spec.word("perm");
    std::sort(axes.begin(), axes.end());
    if (axes != "0123")
      return "perm must hold each of 0, 1, 2, 3 once";
  }
  if (spec.op.substr(0, 7) == "windows" && spec.get("c") != spec.get("k"))
    return "windows keep the number of channels";
  return "";
}

} // namespace

Family relayoutFamily() {
  return checkedFamily(
      plainFamily("relayout", "Elements at other places, each computing where it comes from.",
                  {"reshape", "transpose", "windows", "windows_transpose", "embed"}, buildRelayout),
      whyNotRelayout);
}

} // namespace segc::schedules
