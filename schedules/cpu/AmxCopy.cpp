/// \file Convolutions on the matrix registers of AMX that read a copy of their pixels.
///
/// A product takes up to 32 values that lie side by side. Where a row of the filter has fewer, as in first
/// layers, it takes all of them, columns times channels, instead of a column's; and input channels that are
/// no whole number of steps end in zeros. For both a task copies the pixels it reads, a chunk of some rows at
/// a time, each with as many values as the products take. Two threads of a Xeon, in ms, before (in f32, or
/// `amx` for 8 channels) and now:
///
///   3x3, 3 to 64 channels, 512x512    3.08   1.03       2x2, 21 to 21, 33x33        0.023  0.008
///   7x7 by steps of 2, 3 to 64, 112   0.80   0.13       1x1, 34 to 64, 128x128      0.65   0.09
///   3x3, 8 to 64, 256x256             0.57   0.31       3x3, 255 to 64, 128x128     6.0    2.0
///
/// Of 3x3 filters of three channels all rows would fit into one product. What that saves its copy costs, of
/// 10 values a pixel and row, in shuffles: 1.2 ms.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/AmxTile.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

constexpr int kBlock = 2 * kAmxRows; ///< pixels that are multiplied at a time

/// How many values a copied pixel has, and what a product takes of a filter's row: some of its columns, or a
/// part of one. As few products as can be, then as few values.
struct Steps {
  int values = 0, pairs = 0;  ///< of a pixel, of a product
  int columns = 0, parts = 0; ///< of a product, of a column
  int ofRow = 0;              ///< products of a row

  explicit Steps(const KernelSpec &spec) {
    constexpr int kMostZeros = 8;
    const int width = spec.get("r", 1), even = (spec.get("c") + 1) / 2 * 2;
    for (int more = even; more < even + kMostZeros; more += 2) {
      const int ofColumn = more / 2, each = divisorUpTo(ofColumn, kAmxRows);
      const int together = each < ofColumn ? 1 : divisorUpTo(width, kAmxRows / each);
      const int products = ofColumn / each * (width / together);
      if (each * together < 2 || (ofRow && products >= ofRow))
        continue;
      values = more, pairs = each * together;
      columns = together, parts = ofColumn / each;
      ofRow = products;
    }
  }
};

std::string whyNot(const KernelSpec &spec, Isa isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  if (const std::string why = whyNotPlain(spec); !why.empty())
    return why;
  if (isa != Isa::Amx || spec.dtype != "bf16")
    return "it needs bf16 operands and matrix tiles (amx)";
  if (spec.get("g") != 1)
    return "a tile multiplies all input channels";
  if (spec.get("r", 1) > 1 && spec.get("d", 1) != 1)
    return "the columns of the filter do not follow each other";
  return "";
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa) {
  return {{"cv", "channel vectors of a block", amxVectors(spec)},
          {"px", "pixels of a row that are copied at a time", {32, 64, 128, 256}},
          {"rows", "rows of results of a task", {2, 4, 8, 16}}};
}

/// Chunks that the L1 cache holds, and some tasks for each thread.
Schedule choose(const KernelSpec &spec, Isa) {
  constexpr int kValues = 1536, kTasks = 8;
  int px = 256, rows = 8;
  while (px > kBlock && px * Steps(spec).values > kValues)
    px /= 2;
  while (rows > 2 && spec.likelyHeight && ceilDiv(spec.likelyHeight, rows) < kTasks)
    rows /= 2;
  return {"amx_copy", {{"cv", amxVectors(spec).back()}, {"px", px}, {"rows", rows}}};
}

/// Where a row of the filter is one product, and where `amx` does not multiply at all.
bool pays(const KernelSpec &spec, Isa isa) {
  const bool isSingle = spec.likelyWidth == 1 && spec.likelyHeight == 1; // as amx's own rule has it
  const bool isRow = spec.get("r", 1) > 1 && Steps(spec).ofRow == 1;
  return !isSingle && (isRow || !findFamily("amx")->whyNot(spec, isa).empty());
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  KernelSpec filled = spec;
  filled.fields["c"] = {Steps(spec).values};
  return convPacking(filled, schedule.params.at("cv"), isa, true);
}

/// The pixels of `in` with `values` values each, the last ones 0.
class Copy {
public:
  Copy(const ImageParam &in, int channels, int values) : channels(channels), values(values) {
    const Expr zero = reinterpret(BFloat(16), cast<uint16_t>(0));
    if (isFew()) {
      pixels(c, x, y, n) = values == channels ? Expr(in(c, x, y, n))
                                              : select(c < channels, in(min(c, channels - 1), x, y, n), zero);
      return;
    }
    const int vector = vectorOf();
    channel = RDom(0, vector, 0, ceilDiv(channels, vector), "channel");
    const Expr from = min(channel.y * vector, channels - vector) + channel.x;
    pixels(c, x, y, n) = undef(BFloat(16));
    pixels(from, x, y, n) = in(from, x, y, n);
    if (values > channels) {
      behind = RDom(channels, values - channels, "behind");
      pixels(behind, x, y, n) = zero;
    }
  }

  Expr operator()(const Expr &c, const Expr &x, const Expr &y, const Expr &n) const {
    return pixels(c, x, y, n);
  }

  /// Beside `level`, for as many columns and rows at most.
  void schedule(const LoopLevel &level, int columns, int rows) {
    pixels.compute_at(level)
        .store_in(MemoryType::Heap)
        .bound(c, 0, values)
        .bound_storage(x, columns)
        .bound_storage(y, rows);
    if (isFew()) { // a vector of pixels for each channel, which are shuffled
      const Var xi("xi");
      pixels.split(x, x, xi, lanes(Isa::Amx), TailStrategy::GuardWithIf)
          .reorder(xi, c, x, y, n)
          .unroll(c)
          .vectorize(xi);
      return;
    }
    pixels.update(0)
        .reorder({channel.x, channel.y, x, y, n})
        .allow_race_conditions()
        .vectorize(channel.x)
        .unroll(channel.y);
    if (values > channels)
      pixels.update(1).reorder({behind.x, x, y, n}).unroll(behind.x);
  }

private:
  bool isFew() const { return channels <= 8; }
  int vectorOf() const { return std::min(2 * lanes(Isa::Amx), powerOfTwoBelow(channels)); }
  const int channels, values;
  const Var c{"c"}, x{"x"}, y{"y"}, n{"n"};
  Func pixels{"pixels"};
  RDom channel, behind;
};

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const Steps steps(spec);
  const int k = spec.get("k"), panel = schedule.params.at("cv") * kAmxColumns,
            chunk = schedule.params.at("px"), rows = schedule.params.at("rows");
  const Var c("c"), x("x"), y("y"), n("n"), q("q"), xi("xi"), xo("xo"), yi("yi"), yb("yb"), co("co"),
      cl("cl"), task("task"), tc("tc"), tx("tx"), tileC(kAmxChannels), tileX(kAmxPixels);
  const ImageParam in = activation("x", spec.get("c"), spec.get("in"), BFloat(16));
  const ImageParam w = denseParam("w", packing(spec, schedule, isa).extents, BFloat(16));
  const Epilogues epilogues(spec, k);
  const bool masked = k % panel != 0;

  Copy pixels(in, spec.get("c"), steps.values);
  // The pair's element, the pair, the part of a column, the columns of a product, the row.
  const RDom r(0, 2, 0, steps.pairs, 0, steps.parts, 0, spec.get("r", 1) / steps.columns, 0, spec.get("r"),
               "r");
  const int ofColumn = steps.values / 2;
  const bool isPart = steps.parts > 1;
  const Expr pair = isPart ? r[1] + r[2] * steps.pairs : r[1] % ofColumn;
  const Expr column = isPart ? Expr(r[3]) : r[1] / ofColumn + r[3] * steps.columns;
  Func sum("sum"), out("y");
  sum(c, q, x, y, n) = 0.f;
  sum(c, q, x, y, n) += cast<float>(w(2 * c + r[0], pair, column, r[4], q)) *
                        cast<float>(pixels(2 * pair + r[0], x * spec.get("s", 1) + column,
                                           y * spec.get("s") + r[4] * spec.get("d"), n));
  out(c, x, y, n) = epilogues.apply(sum(c % panel, c / panel, x, y, n), c, x, y, n, false, masked);

  // Loops: task (image, block of rows) > chunk, copied > row > block of pixels > panel. Two vectors of
  // channels are stored at once: half as many stores, 7 to 10 % less.
  describeActivation(out.output_buffer(), k, spec.get("out"));
  const Expr isWide = out.output_buffer().dim(1).extent() >= kBlock;
  out.bound(c, 0, k);
  auto scheduleTasks = [&](Stage stage, int perChunk, std::vector<VarOrRVar> block) {
    block.insert(block.begin(), cl);
    block.insert(block.end(), {co, x, yi, xo, yb, n});
    stage.split(c, co, cl, panel, masked ? TailStrategy::PredicateStores : TailStrategy::RoundUp)
        .split(y, yb, yi, rows, TailStrategy::GuardWithIf)
        .split(x, xo, x, perChunk, TailStrategy::GuardWithIf)
        .vectorize(cl)
        .reorder(block)
        .fuse(yb, n, task)
        .parallel(task);
  };
  // The last block of a row moves left to end with it; rows shorter than one are computed pixel by pixel.
  Stage blocks = out.specialize(isWide);
  blocks.split(x, x, xi, kBlock, TailStrategy::ShiftInwards);
  scheduleTasks(blocks, chunk / kBlock, {xi});
  scheduleTasks(out, chunk, {});

  const std::string prefix = kAmxSteps;
  const RVar tileP(kAmxPairs), part(prefix), columns(prefix + "_x"), row(prefix + "_y");
  sum.compute_at(out, co).store_in(MemoryType::Stack).bound(c, 0, panel).bound_extent(q, 1);
  auto scheduleTiles = [&](Stage stage, int pixelsOfTile) {
    stage.split(c, tc, tileC, kAmxColumns)
        .split(x, tx, tileX, pixelsOfTile)
        .rename(r[1], tileP)
        .rename(r[2], part)
        .rename(r[3], columns)
        .rename(r[4], row)
        .reorder({r[0], tileP, tileX, tileC, tc, tx, part, columns, row, y, q, n})
        .unroll(tc)
        .unroll(tx);
  };
  Stage few = sum.update();
  scheduleTiles(few.specialize(isWide), kAmxRows);
  scheduleTiles(few, 1);

  auto reach = [&](int results, int axis) {
    return (results - 1) * spec.get("s", axis) + (spec.get("r", axis) - 1) * spec.get("d", axis) + 1;
  };
  pixels.schedule(LoopLevel(out, xo), reach(chunk, 1), reach(rows, 0));
  KernelBuild kernel = kernelBuild(Pipeline(out), {in, w}, epilogues.operands());
  lowerAmxProducts(kernel.pipeline, sum, w.name(), r[0]);
  return kernel;
}

} // namespace

Family amxCopyFamily() {
  return {"amx_copy",
          "Convolution of bf16 on matrix tiles (AMX) from a copy of its pixels: few or oddly many channels.",
          whyNot,
          parameters,
          choose,
          packing,
          build,
          false,
          pays};
}

} // namespace segc::schedules
