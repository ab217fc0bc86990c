/// \file Packed weight gradients to the layout of the weights file: adds the bands, transposes the panels.
///
/// Bound by memory, so blocks of lanes x rows are summed and transposed in registers and every line of both
/// sides is touched once. All extents but the filter's come with the buffers: one kernel finishes the
/// gradients of all layers of one filter size.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include "schedules/cpu/Wgrad.h"

using namespace Halide;

namespace segc::schedules {
namespace {

KernelBuild buildUnpack(const KernelSpec &spec, Isa isa) {
  const int vector = spec.get("panel");
  const bool inputLanes = spec.word("lanes") == "c";
  const ImageParam packed = wgrad::packedParam(vector);

  // The bounds of a result exist only once the Func has a definition; the undefined one leaves no code.
  Var kw("kw"), kh("kh"), ci("ci"), co("co"), l("l"), row("row"), q("q");
  Func out("dw"), sum("sum");
  out(kw, kh, ci, co) = undef<float>();
  OutputImageParam result = out.output_buffer();
  result.dim(0).set_min(0).set_stride(1);
  for (int d : {1, 2, 3})
    result.dim(d).set_min(0);
  const Expr taps = result.dim(0).extent() * result.dim(1).extent(), inputs = result.dim(2).extent();
  const Expr outputs = result.dim(3).extent(), channels = inputLanes ? inputs : outputs;
  RDom part(0, packed.dim(4).extent(), "part");
  // Both sides are dense, so (kw, kh, ci) and (tap, row) are one index each, here in the place of the first.
  sum(l, row, q) = 0.f;
  sum(l, row, q) += packed(l, min(row, taps * packed.dim(2).extent() - 1), 0, q, part);
  if (inputLanes || vector != lanes(isa)) { // few values: vectors are scattered
    RDom all(0, vector, 0, (channels + vector - 1) / vector, 0, taps * (inputLanes ? outputs : inputs),
             "all");
    const Expr channel = wgrad::vectorStart(all.y, vector, channels) + all.x;
    out(inputLanes ? all.z % taps + taps * channel : Expr(all.z), 0, 0, inputLanes ? all.z / taps : channel) =
        sum(all.x, all.z, all.y);
    out.update().allow_race_conditions(); // the lanes of a vector are different channels
    out.update().vectorize(all.x).parallel(all.z, 16, TailStrategy::GuardWithIf);
    sum.compute_at(out, all.y).store_in(MemoryType::Register);
    sum.bound(l, 0, vector).bound_extent(row, 1).bound_extent(q, 1).vectorize(l);
    sum.update().vectorize(l);
    return kernelBuild(Pipeline(out), {packed});
  }
  RDom flat(0, inputs * taps, 0, outputs, "flat");
  const Expr v = flat.y / vector, lane = flat.y - wgrad::vectorStart(v, vector, channels);
  // Blocks of vector x vector values are transposed in two steps, each of which interleaves kWays vectors.
  constexpr int kWays = 4;
  Var a("a"), b("b"), f("f"), tile("tile");
  Func half("half"), block("block");
  const int others = vector / kWays;
  half(a, l, b, tile, q) = sum(l, tile * vector + a * kWays + b, q);
  block(b, f, tile, q) = half(f % others, f / others, b, tile, q);
  const Expr within = flat.x % vector;
  out(flat.x, 0, 0, flat.y) = block(within % kWays, within / kWays + others * lane, flat.x / vector, v);

  // Loops: task (panel, blocks) > some blocks > output channel > elements.
  RVar rows("rows"), line("line"), element("element"), panel("panel"), k("k"), task("task");
  constexpr int kTaskBlocks = 4;
  const int length = 4 * vector;
  const TailStrategy guard = TailStrategy::GuardWithIf;
  out.update()
      .split(flat.y, panel, k, vector, guard)
      .split(flat.x, line, element, length, guard)
      .split(line, rows, line, kTaskBlocks, guard)
      .reorder(element, k, line, rows, panel)
      .vectorize(element, vector)
      .fuse(rows, panel, task)
      .parallel(task);
  block.compute_at(out, line)
      .store_in(MemoryType::Stack)
      .bound(b, 0, kWays)
      .bound(f, 0, others * vector)
      .bound_extent(tile, length / vector)
      .bound_extent(q, 1)
      .reorder(f, b, tile, q)
      .split(f, f, a, vector)
      .reorder(a, b, f, tile, q)
      .vectorize(a)
      .unroll(b)
      .unroll(f);
  half.compute_at(block, tile)
      .store_in(MemoryType::Stack)
      .bound(a, 0, others)
      .bound(l, 0, vector)
      .bound(b, 0, kWays)
      .bound_extent(tile, 1)
      .bound_extent(q, 1)
      .reorder(l, a, b, tile, q)
      .vectorize(l)
      .unroll(a)
      .unroll(b);
  sum.compute_at(half, tile)
      .store_in(MemoryType::Register)
      .bound(l, 0, vector)
      .bound_extent(row, vector)
      .bound_extent(q, 1)
      .vectorize(l)
      .unroll(row);
  sum.update().reorder(l, row, part, q).vectorize(l).unroll(row);
  return kernelBuild(Pipeline(out), {packed});
}

} // namespace

Family unpackWgradFamily() {
  return plainFamily("unpack_wgrad",
                     "Sums the bands of a packed weight gradient and brings it to the file's layout.",
                     {"unpack_wgrad"}, buildUnpack);
}

} // namespace segc::schedules
