/// \file The transpose of a reflecting or replicating pad: every pixel gathers the places that repeat it.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// One axis: the places of the padded image, with `before` pixels in front and `after` behind, that show
/// pixel i.
struct Places {
  int most;   ///< of them
  Expr place; ///< number `q` of them, inside the axis
  Expr exists;

  Places(const KernelSpec &spec, int axis, const Expr &i, const Expr &q, const Expr &padded)
      : most(spec.word("mode") == "reflect" ? 3 : spec.get("before", axis) + spec.get("after", axis) + 1) {
    const int before = spec.get("before", axis), after = spec.get("after", axis);
    const Expr last = padded - before - after - 1;
    if (spec.word("mode") == "reflect") { // itself, mirrored at the first and at the last pixel
      place = select(q == 0, before + i, q == 1, before - i, before + 2 * last - i);
      exists =
          select(q == 0, Internal::const_true(), q == 1, i > 0 && i <= before, i < last && i >= last - after);
    } else { // the edge pixels have the whole border
      const Expr first = select(i == 0, 0, before + i), end = select(i == last, padded - 1, before + i);
      place = first + q;
      exists = place <= end;
    }
    place = clamp(place, 0, padded - 1);
  }
};

KernelBuild buildPadTranspose(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Epilogues epilogues(spec, channels);
  const bool inPlace = std::any_of(spec.epilogues.begin(), spec.epilogues.end(),
                                   [](const Epilogue &e) { return e.isTensor(); });
  const Rows rows(channels, isa, inPlace, true);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;
  const Expr width = in.dim(1).extent(), height = in.dim(2).extent();
  const RDom r(0, Places(spec, 1, 0, 0, width).most, 0, Places(spec, 0, 0, 0, height).most, "r");
  const Places h(spec, 1, x, r.x, width), v(spec, 0, y, r.y, height);
  Func sum("sum"), out("y");
  sum(c, x, y, n) = 0.f;
  sum(c, x, y, n) += select(h.exists && v.exists, in(c, h.place, v.place, n), 0.f);
  out(c, x, y, n) = epilogues.apply(sum(c, x, y, n), c, x, y, n);
  describeActivation(out.output_buffer(), channels, spec.get("out"));
  rows.scheduleStaged(out, {sum});
  return kernelBuild(Pipeline(out), {in}, epilogues.operands());
}

} // namespace

Family padTransposeFamily() {
  return plainFamily("pad_transpose", "The transpose of reflected and replicated borders, by rows.",
                     {"pad_transpose"}, buildPadTranspose);
}

} // namespace segc::schedules
