/// \file Resizing; the extents of input and result decide the scale.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Resize.h"
#include "schedules/cpu/Rows.h"

using namespace Halide;

namespace segc::schedules {
namespace {

KernelBuild buildUpsample(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Epilogues epilogues(spec, channels);
  const Rows rows(channels, isa, true);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;

  Func out("y");
  OutputImageParam result = rows.declare(out, spec.get("out"));
  result.dim(1).set_min(0);
  result.dim(2).set_min(0);
  const std::string mode = spec.word("mode");
  const Expr value = resized(spec, in, c, x, y, n, result.dim(1).extent(), result.dim(2).extent());
  out(c, x, y, n) = epilogues.apply(value, c, x, y, n);
  if (rows.overChannels || mode == "nearest" || mode == "zeros") {
    rows.scheduleValues(out);
  } else {
    // Vectors across pixels would gather every neighbour. The last vector ends with the channels; what it
    // shares with the one before keeps its values.
    const Var co("co"), ci("ci");
    out.bound(c, 0, channels);
    rows.parallelRows(out.update());
    out.update()
        .split(c, co, ci, powerOfTwoBelow(channels), TailStrategy::ShiftInwardsAndBlend)
        .vectorize(ci)
        .unroll(co);
  }
  return kernelBuild(Pipeline(out), {in}, epilogues.operands());
}

} // namespace

Family upsampleFamily() {
  return checkedFamily(plainFamily("upsample", "Resizing by rows.", {"upsample"}, buildUpsample),
                       whyNotReduced);
}

} // namespace segc::schedules
