/// \file Direct convolution in bf16 on the matrix registers of AMX, for few pixels and large filters.
///
/// A block of pixels that goes through a panel's whole filter finds it in the L2 cache only if that holds it,
/// and otherwise reads all weights again. Here a task takes the filter in parts that the L1 cache holds, each
/// for all its blocks of pixels, whose sums wait in memory in between. Weights are read once, and blocks
/// fetch shares of the next part while they multiply. Two threads of a Xeon, 9 x 9 pixels: 7x7 filters of 512
/// to 4096 channels (205 MB, which take 5.6 ms to read) 10.1 instead of 15.5 ms, 14.4 without fetching; 1x1
/// of 4096 to 4096 1.37 instead of 1.61. Tiles of 9 pixels alone take 5.5 ms, because four sums do not hide
/// how long a product takes. Parts of 32 KB, and fetching line after line or into the L1 cache, are slower;
/// so are layers whose panels the L2 cache holds, by 5 to 25 % (3x3, 256 to 1024 channels, 16 x 16 pixels and
/// more).
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/AmxTile.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

constexpr int kTaskPixels = 512;                                         ///< whose sums, 64 KB, lie in memory
constexpr int kLineElements = 32;                                        ///< bf16 of a cache line
const std::vector<int> kAhead = {0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 32}; ///< legal values of ahead

std::string whyNot(const KernelSpec &spec, Isa isa) {
  if (const std::string why = findFamily("amx")->whyNot(spec, isa); !why.empty())
    return why;
  if (!spec.word("phases").empty())
    return "it computes one convolution a launch";
  if (!spec.pooling().empty())
    return "it makes no maxima";
  return isScaled(spec) ? "it does not scale what it reads" : "";
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa isa) {
  std::vector<Parameter> own;
  for (const Parameter &parameter : findFamily("amx")->parameters(spec, isa))
    if (parameter.name != "all" && parameter.name != "st" && parameter.name != "stream")
      own.push_back(parameter);
  own.push_back({"st", "products along the channels of a part of the filter", {1, 2, 4, 8, 16}});
  own.push_back({"ahead", "cache lines of the next part that a block fetches in each step", kAhead});
  return own;
}

/// Blocks of pixels of a task.
struct Blocks {
  explicit Blocks(const Schedule &schedule)
      : px(schedule.params.at("px")), down(px == 32 ? 1 : 2), rows(schedule.params.at("rows") / down),
        columns(std::max(1, kTaskPixels / schedule.params.at("rows") / px)) {}
  const int px, down;      ///< pixels of one along a row and a column
  const int rows, columns; ///< of blocks
};

/// Bytes of a panel's filter.
int64_t panelBytes(const KernelSpec &spec, int cv) {
  return int64_t(2) * cv * kAmxColumns * spec.get("c") * spec.get("r") * spec.get("r", 1);
}

/// Blocks, by amx's rule; each fetches its share of the next part.
Schedule choose(const KernelSpec &spec, Isa isa) {
  Schedule schedule = findFamily("amx")->choose(spec, isa);
  schedule.family = "amx_parts";
  schedule.params.erase("all");
  schedule.params.erase("stream");
  schedule.params["st"] = 8;
  const Blocks blocks(schedule);
  auto along = [](int pixels, int size, int most) {
    return pixels ? std::min(ceilDiv(pixels, size), most) : most;
  };
  const int share =
      along(spec.likelyWidth, blocks.px, blocks.columns) * along(spec.likelyHeight, blocks.down, blocks.rows);
  const int lines =
      ceilDiv(2 * AmxSteps(spec).pairs * schedule.params.at("cv") * kAmxColumns, kLineElements * share);
  schedule.params["ahead"] = *std::lower_bound(kAhead.begin(), kAhead.end(), lines);
  return schedule;
}

/// Where the L2 cache holds no panel, or memory takes longer to read the weights than products of so few
/// pixels.
bool pays(const KernelSpec &spec, Isa isa) {
  constexpr int64_t kMuch = 16 << 20, kMuchOfL2 = 1 << 20;
  const int cv = findFamily("amx")->choose(spec, isa).params.at("cv");
  const int64_t panel = panelBytes(spec, cv), pixels = int64_t(spec.likelyWidth) * spec.likelyHeight;
  const bool isSmall = pixels > 1 && pixels <= 128;
  return pixels != 1 && panel * ceilDiv(spec.get("k"), cv * kAmxColumns) >= kMuch &&
         (panel >= kMuchOfL2 || isSmall);
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  return AmxSteps(spec).packing(spec, schedule.params.at("cv"), isa);
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int k = spec.get("k"), cv = schedule.params.at("cv"), vector = lanes(isa), panel = cv * kAmxColumns;
  const AmxSteps products(spec);
  const int steps = divisorUpTo(products.count, schedule.params.at("st")),
            ahead = schedule.params.at("ahead");
  const Blocks blocks(schedule);
  const Var c("c"), x("x"), y("y"), n("n"), q("q"), xi("xi"), yi("yi"), bx("bx"), by("by"), xt("xt"),
      yt("yt"), co("co"), ci("ci"), cl("cl"), task("task"), tc("tc"), tx("tx"), tileC(kAmxChannels),
      tileX(kAmxPixels);
  const ImageParam in = activation("x", spec.get("c"), spec.get("in"), BFloat(16));
  const ImageParam w = denseParam("w", products.packing(spec, cv, isa).extents, BFloat(16));
  // Those of the result, whose own would be bounds that its values depend on.
  auto extent = [&](int axis) {
    const int window = (spec.get("r", axis) - 1) * spec.get("d", axis) + 1;
    return (in.dim(2 - axis).extent() - window) / spec.get("s", axis) + 1;
  };
  const Expr width = extent(1), height = extent(0);
  const Expr isWide = (cast<int>(width >= blocks.px) & cast<int>(height >= blocks.down)) == 1; // see Amx.cpp

  // (channel, pixel of the block, block, panel, n). The last block of a row moves left to end with it, and
  // that of a column up; where there is no room for a block its last pixels are repeated.
  Func sum("sum"), out("y");
  auto first = [&](const Expr &block, int size, const Expr &all) {
    return select(isWide, min(block * size, all - size), block * size);
  };
  auto pixel = [&](const Expr &block, const Expr &i, int size, const Expr &all) {
    return select(isWide, min(block * size, all - size) + i, min(block * size + i, all - 1));
  };
  const RDom r(0, 2, 0, products.pairs * products.count, 0, spec.get("r", 1), 0, spec.get("r"), "r");
  const Expr value = in(2 * products.channels(r.y) + r.x,
                        pixel(bx, xi, blocks.px, width) * spec.get("s", 1) + r.z * spec.get("d", 1),
                        pixel(by, yi, blocks.down, height) * spec.get("s") + r.w * spec.get("d"), n);
  Expr filter = w(2 * c + r.x, r.y, r.z, r.w, q);
  if (ahead) {
    const int stepElements = 2 * panel * products.pairs;
    const Expr columns = min((width + blocks.px - 1) / blocks.px, blocks.columns),
               block = by % blocks.rows * columns + bx % blocks.columns;
    filter = amxFetching(filter, steps * stepElements + block * (ahead * kLineElements), ahead);
  }
  sum(c, xi, yi, bx, by, q, n) = 0.f;
  sum(c, xi, yi, bx, by, q, n) += cast<float>(filter) * cast<float>(value);

  const Epilogues epilogues(spec, k);
  const bool masked = k % panel != 0;
  const Expr ofX = x / blocks.px, ofY = y / blocks.down;
  out(c, x, y, n) = epilogues.apply(sum(c % panel, x - first(ofX, blocks.px, width),
                                        y - first(ofY, blocks.down, height), ofX, ofY, c / panel, n),
                                    c, x, y, n, false, masked);
  describeActivation(out.output_buffer(), k, spec.get("out"));
  out.bound(c, 0, k);
  auto scheduleTasks = [&](Stage stage) {
    stage.split(c, co, cl, vector, masked ? TailStrategy::PredicateStores : TailStrategy::RoundUp)
        .split(co, co, ci, panel / vector, masked ? TailStrategy::GuardWithIf : TailStrategy::RoundUp)
        .split(x, bx, xi, blocks.px, TailStrategy::GuardWithIf)
        .split(bx, xt, bx, blocks.columns, TailStrategy::GuardWithIf)
        .split(y, by, yi, blocks.down, TailStrategy::GuardWithIf)
        .split(by, yt, by, blocks.rows, TailStrategy::GuardWithIf)
        .vectorize(cl)
        .unroll(ci)
        .reorder(cl, ci, xi, yi, bx, by, xt, co, yt, n)
        .partition(xt, Partition::Never) // one copy of the sums
        .fuse(co, yt, task)
        .fuse(task, n, task)
        .parallel(task);
  };
  // In functions of their own, each with registers of its own shapes.
  scheduleTasks(out.specialize(isWide));
  scheduleTasks(out);

  const RVar step(kAmxSteps), part("part"), tileP(kAmxPairs);
  sum.compute_at(out, xt)
      .store_in(MemoryType::Heap)
      .bound(c, 0, panel)
      .bound(xi, 0, blocks.px)
      .bound(yi, 0, blocks.down)
      .bound_storage(bx, blocks.columns)
      .bound_storage(by, blocks.rows)
      .bound_extent(q, 1)
      .bound_extent(n, 1)
      .vectorize(c, vector);
  auto scheduleTiles = [&](Stage stage, int pixels) -> Stage {
    return stage.split(c, tc, tileC, kAmxColumns)
        .split(xi, tx, tileX, pixels)
        .split(r.y, step, tileP, products.pairs)
        .split(step, part, step, steps)
        .unroll(tc);
  };
  Stage few = sum.update();
  scheduleTiles(few.specialize(isWide), std::min(blocks.px, kAmxRows))
      .reorder({r.x, tileP, tileX, tileC, tc, tx, yi, step, bx, by, part, r.z, r.w, q, n})
      .unroll(tx)
      .unroll(yi);
  scheduleTiles(few, 1).reorder({r.x, tileP, tileX, tileC, tc, step, tx, yi, bx, by, part, r.z, r.w, q, n});
  KernelBuild kernel = kernelBuild(Pipeline(out), {in, w}, epilogues.operands());
  lowerAmxProducts(kernel.pipeline, sum, w.name(), r.x, true);
  return kernel;
}

} // namespace

Family amxPartsFamily() {
  return {"amx_parts",
          "Direct convolution of bf16 on matrix tiles (AMX) in parts of a large filter, for few pixels.",
          whyNot,
          parameters,
          choose,
          packing,
          build,
          false,
          pays};
}

} // namespace segc::schedules
