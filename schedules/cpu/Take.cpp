/// \file The transpose of unpooling: each window reads the pixel its index points at.
///
/// Coordinates are those of the padded input, as in pooling. Without `sum` a window gets 0 where a later one
/// (in row-major order) points at the same pixel, for unpooling would have kept that one's value.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Windows of up to this many taps are unrolled.
constexpr int kMostTaps = 9;

class Take {
public:
  Take(const KernelSpec &spec, Isa isa)
      : spec(spec), channels(spec.get("c")), in(boundedActivation("x", channels, spec.get("in"))),
        index(activation("index", channels, spec.get("idx"), UInt(8))), epilogues(spec, channels),
        rows(channels, isa,
             std::any_of(spec.epilogues.begin(), spec.epilogues.end(),
                         [](const Epilogue &e) { return e.isTensor(); }),
             true) {}

  KernelBuild build() {
    const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;
    const RDom r(0, spec.get("r", 1), 0, spec.get("r"), "r");
    Func value("value"), out("y");
    value(c, x, y, n) = 0.f;
    value(c, x, y, n) = select(index(c, x, y, n) == cast<uint8_t>(r.y * spec.get("r", 1) + r.x),
                               in(c, nearest(x * spec.get("s", 1) + r.x * spec.get("d", 1), in, 1),
                                  nearest(y * spec.get("s") + r.y * spec.get("d"), in, 2), n),
                               value(c, x, y, n));
    Expr result = value(c, x, y, n);
    const bool overlaps = reach(0) > 0 || reach(1) > 0;
    const bool last = overlaps && spec.word("overlap") != "sum";
    Func later("later");
    if (last) {
      pointedAtLater(later);
      result = select(later(c, x, y, n) != 0, 0.f, result);
    }
    out(c, x, y, n) = epilogues.apply(result, c, x, y, n);
    describeActivation(out.output_buffer(), channels, spec.get("out"));
    rows.scheduleStaged(out, last ? std::vector<Func>{value, later} : std::vector<Func>{value});
    if (rows.overChannels && spec.get("r") * spec.get("r", 1) <= kMostTaps)
      value.update().unroll(r.x).unroll(r.y);
    return kernelBuild(Pipeline(out), {in, index}, epilogues.operands());
  }

private:
  /// How many windows further one can still reach a pixel of this one.
  int reach(int axis) const { return (spec.get("r", axis) - 1) * spec.get("d", axis) / spec.get("s", axis); }

  /// The pixel, along an axis, that `window` points at with index `i`.
  Expr pixel(const Expr &window, const Expr &i, int axis) const {
    const Expr tap = axis ? i % spec.get("r", 1) : i / spec.get("r", 1);
    return window * spec.get("s", axis) + tap * spec.get("d", axis);
  }

  /// Does a later window point at the pixel that window (y, x) points at?
  void pointedAtLater(Func later) const {
    const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;
    const RDom q(-reach(1), 2 * reach(1) + 1, 0, reach(0) + 1, "q");
    const Expr ox = x + q.x, oy = y + q.y, width = index.dim(1).extent(), height = index.dim(2).extent();
    const Expr exists = (q.y > 0 || q.x > 0) && ox >= 0 && ox < width && oy < height;
    const Expr own = cast<int32_t>(index(c, x, y, n)),
               other = cast<int32_t>(index(c, clamp(ox, 0, width - 1), clamp(oy, 0, height - 1), n));
    const Expr same = pixel(x, own, 1) == pixel(ox, other, 1) && pixel(y, own, 0) == pixel(oy, other, 0);
    later(c, x, y, n) = 0;
    later(c, x, y, n) = select(exists && same, 1, later(c, x, y, n));
  }

  const KernelSpec &spec;
  const int channels;
  const ImageParam in, index;
  const Epilogues epilogues;
  const Rows rows;
};

KernelBuild buildTake(const KernelSpec &spec, Isa isa) { return Take(spec, isa).build(); }

} // namespace

Family takeFamily() {
  return plainFamily("take", "What a pool's index points at, one vector of windows in registers.", {"take"},
                     buildTake);
}

} // namespace segc::schedules
