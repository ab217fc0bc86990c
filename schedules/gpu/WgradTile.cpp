/// \file Weight gradients on a GPU: each thread sums a tile of output channels x input channels x taps over a
/// band of rows.
///
/// Per pixel a tile of 8 x 8 loads four vectors for 64 multiply-adds. Threads that are neighbours have
/// neighbouring channels of the same pixels, which the first cache hands to all of them at once; nothing is
/// shared between threads. A gradient has a fixed number of bands (`parts`), enough of them that small layers
/// fill a GPU too; `unpack_wgrad` adds the bands in order, so that the bits depend on the extents alone.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Wgrad.h"
#include "schedules/gpu/Families.h"
#include "schedules/gpu/Threads.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

using namespace wgrad;

/// Threads of a block at most: with 64 sums each keeps below 128 registers.
constexpr int kThreads = 128;
/// A block's third dimension, which has the bands.
constexpr int kMostBlockParts = 64;

bool depthwise(const KernelSpec &spec) {
  return spec.get("g") == spec.get("c") && spec.get("c") == spec.get("k");
}
/// Input channels that meet one output channel.
int rowsOf(const KernelSpec &spec) { return spec.get("c") / spec.get("g"); }
/// Output channels among which a tile must lie.
int groupOf(const KernelSpec &spec) {
  return depthwise(spec) ? spec.get("k") : spec.get("k") / spec.get("g");
}

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.op != "conv_wgrad")
    return "it computes gradients of convolution weights only";
  return whyNoGroups(spec);
}

/// The largest power of two up to `most` that divides all of `values`.
int vectorFor(int most, std::initializer_list<int> values) {
  int vector = most;
  for (int value : values)
    while (value % vector)
      vector /= 2;
  return vector;
}

/// Output channels of a tile: as many as there are; with groups none may straddle two of them.
int tileChannels(const KernelSpec &spec) {
  int tile = 8;
  while (tile > groupOf(spec) || (spec.get("g") > 1 && groupOf(spec) % tile))
    tile /= 2;
  return tile;
}

std::vector<int> powersUpTo(int most) {
  std::vector<int> powers;
  for (int v = 1; v <= most; v *= 2)
    powers.push_back(v);
  return powers;
}

/// Elements that one load may bring: of dy along a tile's output channels, of x along its input channels, of
/// a depthwise convolution both alike.
int mostOutputVector(const KernelSpec &spec) {
  const int vector = vectorFor(4, {tileChannels(spec), spec.get("k"), spec.get("dy")});
  return depthwise(spec) ? vectorFor(vector, {spec.get("in")}) : vector;
}
int mostInputVector(const KernelSpec &spec) {
  return depthwise(spec) ? 1 : vectorFor(4, {rowsOf(spec), spec.get("in"), spec.get("c")});
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa) {
  const std::vector<int> taps =
      spec.get("r", 1) > 1 ? std::vector<int>{1, spec.get("r", 1)} : std::vector<int>{1};
  return {{"vector", "output channels that one load brings", powersUpTo(mostOutputVector(spec))},
          {"load", "input channels that one load brings", powersUpTo(mostInputVector(spec))},
          {"ti", "input channels of a thread", upTo(rowsOf(spec), {1, 2, 3, 4, 8})},
          {"tx", "taps of a row of a thread", taps},
          {"bk", "threads of a block along the output channels", {1, 2, 4, 8, 16}},
          {"bi", "threads of a block along the input channels", {1, 2, 4, 8, 16}},
          {"bp", "bands of a block", {1, 2, 4, 8, 16, 32, 64}},
          {"parts", "bands with sums of their own", powersUpTo(512)}};
}

/// Tiles of a gradient.
struct Tiling {
  int tk, ti, tx, vectors, rows, blocks;
  Tiling(const KernelSpec &spec, const Schedule &schedule)
      : tk(tileChannels(spec)), ti(schedule.params.at("ti")), tx(schedule.params.at("tx")),
        vectors(ceilDiv(spec.get("k"), tk)), rows(ceilDiv(rowsOf(spec), ti)),
        blocks(vectors * rows * spec.get("r") * spec.get("r", 1) / tx) {}
};

/// Bands until there are threads for a large GPU, while their sums take 32 MB at most.
int partsFor(const KernelSpec &spec, const Tiling &t) {
  constexpr int kThreadsWanted = 1 << 16, kMostParts = 512;
  constexpr double kMostBytes = 32 << 20;
  const double bytes = 4.0 * spec.get("k") * rowsOf(spec) * spec.get("r") * spec.get("r", 1);
  int parts = 1;
  while (parts < kMostParts && t.blocks * parts < kThreadsWanted && 2 * parts * bytes <= kMostBytes)
    parts *= 2;
  return parts;
}

Schedule choose(const KernelSpec &spec, Isa) {
  constexpr int kMostSums = 72;
  Schedule schedule = {"wgrad_tile",
                       {{"vector", mostOutputVector(spec)},
                        {"load", mostInputVector(spec)},
                        {"ti", upTo(rowsOf(spec), {1, 2, 3, 4, 8}).back()},
                        {"tx", 1},
                        {"bk", 1},
                        {"bi", 1},
                        {"bp", 1},
                        {"parts", 1}}};
  if (tileChannels(spec) * schedule.params["ti"] * spec.get("r", 1) <= kMostSums)
    schedule.params["tx"] = spec.get("r", 1);
  const Tiling t(spec, schedule);
  const int parts = partsFor(spec, t);
  int &bk = schedule.params["bk"], &bi = schedule.params["bi"], &bp = schedule.params["bp"];
  schedule.params["parts"] = parts;
  while (bk < 16 && bk * 2 <= t.vectors)
    bk *= 2;
  while (bi < 16 && bk * bi < kThreads && bi * 2 <= t.rows)
    bi *= 2;
  while (bp < kMostBlockParts && bk * bi * bp < kThreads && bp * 2 <= parts)
    bp *= 2;
  return schedule;
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa) {
  const Tiling t(spec, schedule);
  return packedGradient(t.tk, spec.get("r") * spec.get("r", 1), t.rows * t.ti, t.vectors,
                        schedule.params.at("parts"), false);
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const Tiling t(spec, schedule);
  auto param = [&](const char *name) { return schedule.params.at(name); };
  const int rw = spec.get("r", 1), parts = param("parts"), bandsOfBlock = std::min(param("bp"), parts),
            vector = param("vector"), load = vectorFor(param("load"), {t.ti}), rows = rowsOf(spec);
  const bool simd = isa == Isa::Cuda;
  const ImageParam x = activation("x", spec.get("c"), spec.get("in"));
  const ImageParam dy = activation("dy", spec.get("k"), spec.get("dy"));
  const Expr width = dy.dim(1).extent(), height = dy.dim(2).extent(), lines = height * dy.dim(3).extent();

  const Var l("l"), v("v"), t0("tapInTile"), tile("tapTile"), i("i"), part("part"), tap("tap"), px("px"),
      py("py");
  const RDom pixel(0, width, 0, (lines + parts - 1) / parts, "pixel");
  RDom inside = pixel;
  const Expr band = bandStart(lines, part, parts), at = band + pixel.y;
  inside.where(at < bandStart(lines, part + 1, parts));
  // A tile beyond the last input channel repeats whole loads of it; what it computes is never looked at.
  const Expr first = vectorStart(v, t.tk, spec.get("k"));
  const Expr row = t.rows * t.ti == rows ? Expr(i) : min(i / load, (rows - 1) / load) * load + i % load;
  const Expr channel = depthwise(spec)      ? first + l
                       : spec.get("g") == 1 ? row
                                            : first / groupOf(spec) * rows + row;
  // What a tap multiplies: a stage of its own, vectors in registers. Depthwise it depends on the output
  // channel, else on the input channel.
  Func read("read"), sum("sum"), out("packed");
  const Var side = depthwise(spec) ? l : i;
  const Expr rx = t.tx == rw ? Expr(t0) : tile % rw, ry = t.tx == rw ? Expr(tile) : tile / rw;
  const Expr line = band + py; // plain variables as arguments: Halide does not cancel sums of them
  read(side, v, t0, tile, px, py, part) =
      x(channel, px * spec.get("s", 1) + rx * spec.get("d", 1),
        line % height * spec.get("s") + ry * spec.get("d"), line / height);
  sum(l, v, t0, tile, i, part) = 0.f;
  sum(l, v, t0, tile, i, part) +=
      dy(first + l, inside.x, at % height, at / height) * read(side, v, t0, tile, inside.x, inside.y, part);
  out(l, tap, i, v, part) = sum(l, v, tap % t.tx, tap / t.tx, i, part);

  const Var vo("vo"), io("io"), ii("ii"), po("po"), threadK("threadK"), threadI("threadI"),
      threadP("threadP"), channels("channels");
  const TailStrategy guard = TailStrategy::GuardWithIf;
  declarePacked(out, packing(spec, schedule, isa).extents);
  out.split(tap, tile, t0, t.tx)
      .split(v, vo, threadK, param("bk"), guard)
      .split(i, io, ii, t.ti)
      .split(io, io, threadI, param("bi"), guard)
      .split(part, po, threadP, bandsOfBlock)
      .fuse(vo, io, channels)
      .reorder(l, ii, t0, threadK, threadI, threadP, channels, tile, po)
      .gpu_blocks(channels, tile, po)
      .gpu_threads(threadK, threadI, threadP)
      .unroll(ii)
      .unroll(t0)
      .never_partition_all();
  if (simd && vector > 1)
    out.vectorize(l, vector);
  out.unroll(l);
  if (load > 1)
    promiseVectors(x, load);
  if (vector > 1)
    promiseVectors(dy, vector);
  if (depthwise(spec) && vector > 1)
    promiseVectors(x, vector);
  sum.compute_at(out, threadK)
      .store_in(MemoryType::Register)
      .bound_extent(l, t.tk)
      .bound_extent(v, 1)
      .bound_extent(t0, t.tx)
      .bound_extent(tile, 1)
      .bound_extent(i, t.ti)
      .bound_extent(part, 1);
  for (Stage stage : {Stage(sum), Stage(sum.update())}) {
    stage.unroll(i).unroll(t0);
    if (simd && vector > 1)
      stage.vectorize(l, vector);
    stage.unroll(l);
  }
  sum.update().reorder(l, i, t0, pixel.x, pixel.y, v, tile, part).never_partition_all();
  const int wide = depthwise(spec) ? vector : load;
  read.compute_at(sum, pixel.x)
      .store_in(MemoryType::Register)
      .bound_extent(side, depthwise(spec) ? t.tk : t.ti)
      .bound_extent(t0, t.tx)
      .unroll(t0);
  for (const Var &one : {v, tile, px, py, part})
    read.bound_extent(one, 1);
  if (simd && wide > 1)
    read.vectorize(side, wide);
  read.unroll(side);
  return {{x, dy}, Pipeline(out)};
}

/// dw from the packed sums of the bands. Neighbouring threads read neighbours of the packed gradient.
KernelBuild buildUnpack(const KernelSpec &spec, Isa) {
  constexpr int kBlock = 128;
  const int panel = spec.get("panel");
  const ImageParam packed = packedParam(panel);

  // The bounds of a result exist only once the Func has a definition; the undefined one leaves no code.
  const Var kw("kw"), kh("kh"), ci("ci"), co("co"), e("e");
  const RVar lane("lane"), q("q"), block("block"), thread("thread");
  Func out("dw"), sum("sum");
  out(kw, kh, ci, co) = undef<float>();
  OutputImageParam result = out.output_buffer();
  result.dim(0).set_min(0).set_stride(1);
  for (int d : {1, 2, 3})
    result.dim(d).set_min(0);
  // Both sides are dense, so (kw, kh, ci) and (tap, row) are one index each, here in the place of the first.
  const Expr elements = result.dim(0).extent() * result.dim(1).extent() * result.dim(2).extent();
  const RDom part(0, packed.dim(4).extent(), "part"), all(0, elements, 0, result.dim(3).extent(), "all");
  if (spec.word("lanes") == "c") {
    const Expr taps = result.dim(0).extent() * result.dim(1).extent(), inputs = result.dim(2).extent();
    const RDom each(0, inputs, 0, taps, 0, result.dim(3).extent(), "each");
    const Expr from = vectorStart(e / panel, panel, inputs);
    sum(e, co) = 0.f; // of input channel e; co: tap and output channel
    sum(e, co) += packed(e - from, co, 0, e / panel, part);
    out(each.y + taps * each.x, 0, 0, each.z) = sum(each.x, each.y + taps * each.z);
    out.update()
        .allow_race_conditions()
        .fuse(each.x, each.y, thread)
        .split(thread, block, thread, kBlock, TailStrategy::GuardWithIf)
        .gpu_blocks(block, each.z)
        .gpu_threads(thread)
        .never_partition_all();
    sum.compute_at(out, thread).store_in(MemoryType::Register).bound_extent(e, 1).bound_extent(co, 1);
    return {{packed}, Pipeline(out)};
  }
  const Expr v = co / panel, first = vectorStart(v, panel, result.dim(3).extent());
  sum(e, co) = 0.f;
  sum(e, co) += packed(co - first, e, 0, v, part);
  out(all.x, 0, 0, all.y) = sum(all.x, all.y);
  out.update()
      .allow_race_conditions() // every element is written once
      .split(all.y, q, lane, panel, TailStrategy::GuardWithIf)
      .reorder(lane, all.x, q)
      .fuse(lane, all.x, thread)
      .split(thread, block, thread, kBlock, TailStrategy::GuardWithIf)
      .gpu_blocks(block, q)
      .gpu_threads(thread)
      .never_partition_all();
  sum.compute_at(out, thread).store_in(MemoryType::Register).bound_extent(e, 1).bound_extent(co, 1);
  return {{packed}, Pipeline(out)};
}

std::string whyNotUnpack(const KernelSpec &spec, Isa) {
  return spec.op == "unpack_wgrad" ? "" : "it adds the bands of weight gradients";
}

} // namespace

Family wgradTileFamily() {
  Family family = {
      "wgrad_tile", "Weight gradients on a GPU, a tile of channels and taps in each thread's registers.",
      whyNot,       parameters,
      choose,       packing,
      build};
  family.onGpu = true;
  return family;
}

Family unpackTileFamily() {
  Family family = {"unpack_tile",
                   "Adds the bands of a weight gradient on a GPU, a thread for each element.",
                   whyNotUnpack,
                   [](const KernelSpec &, Isa) { return std::vector<Parameter>(); },
                   [](const KernelSpec &, Isa) { return Schedule{"unpack_tile", {}}; },
                   [](const KernelSpec &, const Schedule &, Isa) { return Packing(); },
                   [](const KernelSpec &spec, const Schedule &, Isa isa) { return buildUnpack(spec, isa); }};
  family.onGpu = true;
  return family;
}

} // namespace segc::schedules
