/// \file Sums over axes, and one channel repeated: what broadcasting needs beside views of step 0.
///
/// Sums are in f64 and in the order of n, y, x, c; a task is one result (or one vector of channels), so that
/// the bits depend on the extents alone.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

KernelBuild buildReduceSum(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const std::string axes = spec.word("axes");
  auto sums = [&](char axis) { return axes.find(axis) != std::string::npos; };
  const bool overChannels = sums('c');
  const int vector = std::min(lanes(isa), powerOfTwoBelow(channels));
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Var c("c"), x("x"), y("y"), n("n"), co("co"), task("task");
  auto extent = [&](char axis, int d) { return sums(axis) ? in.dim(d).extent() : Expr(1); };
  // Blocks of `vector` channels where they are summed.
  const int blocks = overChannels ? ceilDiv(channels, vector) : 1;
  const RDom r(0, blocks, 0, extent('w', 1), 0, extent('h', 2), 0, extent('n', 3), "r");
  const Expr channel = overChannels ? r[0] * vector + c : Expr(c);
  Expr value = in(min(channel, channels - 1), sums('w') ? Expr(r[1]) : x, sums('h') ? Expr(r[2]) : y,
                  sums('n') ? Expr(r[3]) : n);
  if (channels % vector != 0 && overChannels)
    value = select(channel < channels, value, 0.f);
  Func total("total"), out("y");
  total(c, x, y, n) = cast<double>(0);
  total(c, x, y, n) += cast<double>(value);
  const int results = overChannels ? 1 : channels;
  if (overChannels) {
    Expr sum = total(0, x, y, n);
    for (int l = 1; l < vector; l++)
      sum = sum + total(l, x, y, n);
    out(c, x, y, n) = cast<float>(sum);
    describeActivation(out.output_buffer(), results, spec.get("out"));
    out.bound(c, 0, 1).fuse(y, n, task).parallel(task);
    total.compute_at(out, x).bound(c, 0, vector);
  } else {
    out(c, x, y, n) = cast<float>(total(c, x, y, n));
    describeActivation(out.output_buffer(), results, spec.get("out"));
    // Where images have one pixel left, tasks are vectors of channels, else rows.
    const bool onePixel = sums('h') && sums('w');
    out.bound(c, 0, channels).split(c, co, c, vector, TailStrategy::ShiftInwards).vectorize(c);
    if (onePixel)
      out.reorder(c, x, y, co, n).fuse(co, n, task);
    else
      out.reorder(c, co, x, y, n).fuse(y, n, task);
    if (!onePixel || channels % vector == 0) // otherwise two tasks would write the same elements
      out.parallel(task);
    total.compute_at(out, onePixel ? x : co).bound_extent(c, vector);
  }
  total.bound_extent(x, 1).bound_extent(y, 1).bound_extent(n, 1);
  total.store_in(MemoryType::Register).vectorize(c).update().vectorize(c);
  return kernelBuild(Pipeline(out), {in});
}

KernelBuild buildRepeat(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam in = activation("x", 1, spec.get("in"));
  const Rows rows(channels, isa, false);
  Func out("y");
  out(rows.c, rows.x, rows.y, rows.n) = in(0, rows.x, rows.y, rows.n);
  describeActivation(out.output_buffer(), channels, spec.get("out"));
  rows.schedule(out);
  return kernelBuild(Pipeline(out), {in});
}

KernelBuild build(const KernelSpec &spec, Isa isa) {
  return spec.op == "repeat" ? buildRepeat(spec, isa) : buildReduceSum(spec, isa);
}

} // namespace

Family reduceSumFamily() {
  return plainFamily("reduce_sum", "Sums over axes, one channel repeated.", {"reduce_sum", "repeat"}, build);
}

} // namespace segc::schedules
