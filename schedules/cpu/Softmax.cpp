/// \file Softmax, its logarithm, and the channel of the maximum of tensors in memory, by rows.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/PixelScores.h"

using namespace Halide;

namespace segc::schedules {
namespace {

KernelBuild buildScores(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam in = activation("x", channels, spec.get("in"));
  PixelScores scores(spec.op, channels, isa, in);
  // What lies across pixels is stored as one channel's values are, whatever the number of channels it is made
  // of.
  const Rows rows(scores.across ? scores.results : channels, isa, false);
  Func out("y");
  out(rows.c, rows.x, rows.y, rows.n) = scores.result();
  describeActivation(out.output_buffer(), scores.results, spec.get("out"));
  if (scores.isArgmax && !scores.across) {
    out.bound(rows.c, 0, 1);
    rows.parallelRows(out);
  } else
    rows.schedule(out);
  scores.schedule(LoopLevel(out, rows.x));
  return kernelBuild(Pipeline(out), {in});
}

} // namespace

Family softmaxFamily() {
  return plainFamily("softmax", "Softmax over the channels of each pixel.", {"softmax", "log_softmax"},
                     buildScores);
}

Family argmaxFamily() {
  return plainFamily("argmax", "The first channel with the largest value.", {"argmax"}, buildScores);
}

} // namespace segc::schedules
