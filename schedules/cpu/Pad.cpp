/// \file Padding that is stored: zeros, the reflection of the image at its edge pixels, or the edge pixels.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"

using namespace Halide;

namespace segc::schedules {
namespace {

KernelBuild buildPad(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const std::string mode = spec.word("mode");
  const ImageParam in = boundedActivation("x", channels, spec.get("in"));
  const Rows rows(channels, isa, false);

  // Reflection mirrors at the first and the last pixel without repeating them: -1 -> 1, W -> W - 2.
  auto source = [&](const Expr &p, int d) {
    const Expr low = in.dim(d).min(), high = in.dim(d).max();
    const Expr mirrored = select(p<low, 2 * low - p, p> high, 2 * high - p, p);
    return nearest(mode == "reflect" ? mirrored : p, in, d);
  };
  Expr value = in(rows.c, source(rows.x, 1), source(rows.y, 2), rows.n);
  if (mode == "zero")
    value = select(exists(rows.x, in, 1) && exists(rows.y, in, 2), value, 0.f);
  Func out("y");
  out(rows.c, rows.x, rows.y, rows.n) = value;
  describeActivation(out.output_buffer(), channels, spec.get("out"));
  rows.schedule(out);
  return kernelBuild(Pipeline(out), {in});
}

} // namespace

Family padFamily() {
  return plainFamily("pad", "Zero, reflected and replicated borders by rows.", {"pad"}, buildPad);
}

} // namespace segc::schedules
