/// \file The epilogues alone, as a kernel of their own; without any it copies.
///
/// Result and operands may be the same memory, so every element is computed once from values at its own
/// place.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Whether a row of all buffers is one dense run and no operand depends on the channel, so that vectors need
/// not respect pixels.
bool isFlat(const KernelSpec &spec) {
  const int channels = spec.get("c");
  bool flat = spec.get("in") == channels && spec.get("out") == channels;
  for (const Epilogue &e : spec.epilogues)
    flat = flat && (e.signature().empty() || (e.signature() == "t" && e.stride == channels));
  return flat;
}

KernelBuild buildPointwise(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Epilogues epilogues(spec, channels, in.dim(1).extent(), in.dim(2).extent());
  const Rows rows(channels, isa, true);
  Func out("y");
  out(rows.c, rows.x, rows.y, rows.n) =
      epilogues.apply(in(rows.c, rows.x, rows.y, rows.n), rows.c, rows.x, rows.y, rows.n);
  describeActivation(out.output_buffer(), channels, spec.get("out"));
  if (channels % lanes(isa) != 0 && isFlat(spec)) {
    out.bound(rows.c, 0, channels);
    rows.parallelRows(out);
    rows.flatten(out, lanes(isa));
  } else
    rows.schedule(out);
  return kernelBuild(Pipeline(out), {in}, epilogues.operands());
}

} // namespace

Family pointwiseFamily() {
  return plainFamily("pointwise", "Epilogues on a tensor, by rows, also in place.", {"pointwise"},
                     buildPointwise);
}

} // namespace segc::schedules
