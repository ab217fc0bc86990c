/// \file Direct convolution in bf16 on the matrix registers of AMX.
///
/// A task is `rows` rows of results of one panel; for each block of pixels it goes through the panel's whole
/// filter, which comes from the L2 cache, and stores the sums to the L1 cache, where the epilogues take them.
/// A Xeon of 3.2 GHz multiplies tiles at 3100 GFLOP/s a thread, at 2600 if their operands come from the L1
/// cache and at 2350 if the filter comes from the L2 cache; 3x3 layers of 64 to 512 channels get to 1900.
/// Pixels packed side by side, filters in parts that the L1 cache holds for several rows, prefetches of them,
/// and blocks of one or four tiles of pixels were not faster in plain loops of intrinsics, nor were several
/// blocks of sums before their epilogues. In U-Net neither prefetches (of the next block's pixels and
/// results, of the next panel's filter), nor a step's loads before its products, nor stores of whole cache
/// lines in place of halves, nor the four phases of a deconvolution in one kernel by itself changed anything;
/// the phases together and large results past the caches do (`stream`).
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/AmxTile.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/PooledResults.h"
#include "schedules/cpu/Rows.h"
#include "schedules/cpu/Stream.h"
#include <algorithm>
#include <deque>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Convolutions of a launch: one, or those that a deconvolution of stride 2 is made of.
constexpr int kPhases = 4;
int phasesOf(const KernelSpec &spec) { return int(spec.number("phases", 1)); }

std::string whyNot(const KernelSpec &spec, Isa isa) {
  if (spec.op != "conv")
    return "it computes convolutions only";
  if (const std::string why = spec.pooling().empty() ? whyNotReduced(spec) : whyNotScaled(spec); !why.empty())
    return why;
  if (isa != Isa::Amx || spec.dtype != "bf16")
    return "it needs bf16 operands and matrix tiles (amx)";
  if (isScaled(spec) && (spec.get("r") != 1 || spec.get("r", 1) != 1))
    return "it scales what it reads for 1x1 filters only";
  if (spec.get("g") != 1)
    return "a tile multiplies all input channels";
  if (spec.get("c") % 2 || spec.get("c") < 4)
    return "the input channels are no two pairs or more";
  if (const int phases = phasesOf(spec); phases != 1) {
    if (phases != kPhases)
      return "a launch computes one convolution or four";
    if (isScaled(spec) || !spec.pooling().empty())
      return "phases have neither scales nor a pool";
    for (const Epilogue &epilogue : spec.epilogues)
      if (epilogue.isTensor())
        return "phases share the operands of their epilogues, which may be no tensors";
  }
  return "";
}

/// Pixels of a row in a block, and rows: two tiles, as far as the rows are long enough. A pool needs both of
/// its rows.
int rowsOf(const Schedule &schedule) { return schedule.params.at("px") == 32 ? 1 : 2; }
std::vector<int> legalPixels(const KernelSpec &spec) {
  return spec.pooling().empty() ? std::vector<int>{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 32}
                                : std::vector<int>{8, 16};
}

/// Of rows that are no longer than two tiles the fewest pixels that make as few blocks: each block goes
/// through the whole filter (7x7, 512 to 4096 channels, 9 x 9 pixels: 5 blocks of 2 x 9 instead of 10 of
/// 2 x 8), and a product takes as long as its tile has rows.
int choosePixels(const KernelSpec &spec, int width) {
  const std::vector<int> legal = legalPixels(spec);
  if (width == 0 || width >= legal.back())
    return legal.back();
  const int blocks = ceilDiv(width, kAmxRows);
  for (int px : legal)
    if (ceilDiv(width, px) <= blocks)
      return px;
  return legal.front();
}

/// Two vectors of channels are a cache line; a block with those of all panels waits on the stack.
bool canStream(const KernelSpec &spec) {
  constexpr int kMostChannels = 1024; // 64 KB of 32 pixels
  return spec.get("k") % (2 * kAmxColumns) == 0 && spec.get("k") * phasesOf(spec) <= kMostChannels;
}

const std::vector<int> kSteps = {1, 2, 4, 8, 128}; ///< legal values of st

std::vector<Parameter> parameters(const KernelSpec &spec, Isa) {
  return {{"cv", "channel vectors of a block", amxVectors(spec)},
          {"px", "pixels of a block along a row; 32: of one row, else of two", legalPixels(spec)},
          {"rows", "rows of results of a task", {2, 4, 8, 16}},
          {"all", "1: a block has the channels of all panels, 0: a task is of one",
           isScaled(spec) ? std::vector<int>{1} : std::vector<int>{0, 1}},
          {"st", "products along the channels before the next tap", kSteps},
          {"stream", "1: results pass the caches by, if their blocks are of one row",
           canStream(spec) ? std::vector<int>{0, 1} : std::vector<int>{0}}};
}

/// All panels of a block of pixels one after another read an image once that no cache holds and write whole
/// pixels. It takes filters that stay in the L2 cache (bf16 U-Net at 512 x 512 pixels, two threads: 64
/// channels with a pool 12.2 -> 8.8 ms, a deconvolution of 128 to 64 channels 7.8 -> 6.8, the network 155 ->
/// 148); of small images it leaves fewer tasks and is up to 4 % slower.
bool choosesAll(const KernelSpec &spec) {
  constexpr double kLargeImages = 6e6, kSmallFilter = 320e3; // bytes
  const double pixels = double(spec.likelyWidth) * spec.likelyHeight * (spec.pooling().empty() ? 1 : 4);
  const double filter = 2. * spec.get("c") * spec.get("k") * spec.get("r") * spec.get("r", 1);
  return isScaled(spec) || (spec.get("k") > amxVectors(spec).back() * kAmxColumns && filter <= kSmallFilter &&
                            2 * pixels * (spec.get("c") + spec.get("k")) >= kLargeImages);
}

/// Of many channels the L1 cache does not hold what the nine taps of a 3x3 filter share: 128 of them at a
/// time take 2 to 11 % less (two threads: 672 channels at 64x64 9.5 -> 8.5 ms, 1024 to 512 at 32x32 2.89 ->
/// 2.76), while up to 256, with dilation and for 7x7 filters all together are as fast or up to 3 % faster.
int chooseSteps(const KernelSpec &spec) {
  const bool shares =
      spec.get("r") == 3 && spec.get("r", 1) == 3 && spec.get("d") == 1 && spec.get("d", 1) == 1;
  return shares && spec.get("c") > 256 ? 4 : kSteps.back();
}

/// What a dilated filter reads for so many rows of results, in bytes.
int64_t bytesRead(const KernelSpec &spec, int rows) {
  const int r = spec.get("r"), reach = (r - 1) * spec.get("d");
  return int64_t(std::min(rows + reach, rows * r)) *
         (spec.likelyWidth + (spec.get("r", 1) - 1) * spec.get("d", 1)) * spec.get("in") * 2;
}

/// Bytes of all pixels that are stored, maxima apart.
double bytesStored(const KernelSpec &spec) {
  return 2. * spec.likelyWidth * spec.likelyHeight * spec.get("k") * phasesOf(spec);
}

/// The phases of a deconvolution and the pixels of a skip fill every second half or quarter of what they
/// store to, which takes three to five times as long as whole tensors where they come from memory (two
/// threads of a Xeon 5 instead of 14 GB/s each; past the caches 26). Bf16 U-Net at 512 x 512, two threads:
/// its deconvolutions 13.8 -> 8.9 ms, convolutions with skips of 16 MB and more 13.0 -> 12.1. Skips of 8 MB,
/// which caches hold, take a quarter longer so, since the registers' shapes are loaded again behind each
/// call, and so would results that the next kernel reads.
bool choosesStream(const KernelSpec &spec) {
  constexpr double kLargeSkip = 16e6;
  return canStream(spec) &&
         (phasesOf(spec) > 1 || (spec.pooling() == "keep_pool" && bytesStored(spec) >= kLargeSkip));
}

/// Rows of a task: some 512 pixels share what the L2 cache holds of the filter; half of them where only so
/// many leave it room for what a dilated filter reads (336 to 672 channels, dilation 16, 64x64: 6.1 -> 5.8
/// ms).
Schedule choose(const KernelSpec &spec, Isa) {
  const int width = spec.likelyWidth * (spec.pooling().empty() ? 1 : 2);
  const int px = choosePixels(spec, width);
  int rows = 4;
  while (width && rows < 16 && rows * width < 512)
    rows *= 2;
  constexpr int64_t kHalfOfL2 = 1 << 20;
  if (spec.get("d") > 1 && rows > 2 && bytesRead(spec, rows) > kHalfOfL2 &&
      bytesRead(spec, rows / 2) <= kHalfOfL2)
    rows /= 2;
  return {"amx",
          {{"cv", amxVectors(spec).back()},
           {"px", px},
           {"rows", isScaled(spec) ? 2 : rows},
           {"st", chooseSteps(spec)},
           {"all", choosesAll(spec)},
           {"stream", choosesStream(spec)}}};
}

/// On single pixels (squeeze-excite) a convolution reads its weights once, whatever multiplies. What they
/// decide holds for whole images, so they are not rounded: a scale of LR-ASPP is off by 2e-3, not by 2.4e-2.
/// Phases share their input and a way past the caches, which pays for large results (8 MB: 1.35 -> 0.79 ms;
/// of 4 MB each by itself is as fast or up to 8 % faster).
bool pays(const KernelSpec &spec, Isa) {
  constexpr double kLargeResult = 8e6;
  if (phasesOf(spec) > 1)
    return choosesStream(spec) && bytesStored(spec) >= kLargeResult;
  return spec.likelyWidth != 1 || spec.likelyHeight != 1;
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  return AmxSteps(spec).packing(spec, schedule.params.at("cv"), isa);
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int k = spec.get("k"), px = schedule.params.at("px"), rows = schedule.params.at("rows"),
            vector = lanes(isa);
  const PooledResults results(spec);
  const int side = results.side, down = rowsOf(schedule) / side; // results of a block along a column
  const bool all = schedule.params.at("all"),
             stream = schedule.params.at("stream") && down == 1 && schedule.params.at("cv") == 2;
  const Var c("c"), x("x"), y("y"), n("n"), xi(stream ? kStreamed : "xi"), yi("yi"), yb("yb"), yt("yt"),
      co(stream && all ? kStreamedPanels : "co"), ci("ci"), cl("cl"), task("task");
  const Epilogues epilogues(beforePool(spec), k);
  std::vector<ImageParam> inputs;
  std::deque<ReadOperand> reads;
  std::deque<AmxTile> tiles;
  for (int phase = 0; phase < phasesOf(spec); phase++) {
    const std::string suffix = phase ? std::to_string(phase) : "";
    inputs.push_back(
        activation("x" + suffix, spec.get("c"), spec.get("in"), isScaled(spec) ? Float(32) : BFloat(16)));
    reads.emplace_back(spec, inputs.back(), true);
    tiles.emplace_back(spec, schedule.params.at("cv"), isa, reads.back().source, suffix);
  }
  AmxTile &tile = tiles.front();
  const bool masked = k % tile.panel != 0;
  Func out("y");
  std::vector<Expr> values;
  for (const AmxTile &each : tiles) {
    const std::vector<Expr> own = results.values(x, y, [&](const Expr &i, const Expr &j) {
      return epilogues.apply(each.at(c, i, j, n), c, i, j, n, false, masked);
    });
    values.insert(values.end(), own.begin(), own.end());
  }
  if (stream) // but for maxima, which are read next
    for (size_t v = 0; v < values.size() - (results.side > 1); v++)
      values[v] = streamed(values[v]);
  out(c, x, y, n) = Tuple(values);

  results.describe(out.output_buffers(), k);
  const OutputImageParam buffer = out.output_buffers()[0];
  // As one number: where it is false, Halide must know it to be, and of two conditions it would know neither.
  Expr isWide = buffer.dim(1).extent() >= px / side;
  if (down > 1)
    isWide = (cast<int>(isWide) & cast<int>(buffer.dim(2).extent() >= down)) == 1;
  out.bound(c, 0, k);
  auto scheduleTasks = [&](Stage stage, int perTask, std::vector<VarOrRVar> block) {
    block.insert(block.begin(), {cl, ci});
    if (all) // those that are scaled are so once
      block.insert(block.end(), {co, x, yi, yb, n});
    else
      block.insert(block.end(), {x, yi, co, yb, n});
    stage.split(c, co, cl, vector, masked ? TailStrategy::PredicateStores : TailStrategy::RoundUp)
        .split(co, co, ci, tile.panel / vector, masked ? TailStrategy::GuardWithIf : TailStrategy::RoundUp)
        .split(y, yb, yi, perTask, TailStrategy::GuardWithIf)
        .vectorize(cl)
        .unroll(ci)
        .reorder(block);
    if (all)
      stage.fuse(yb, n, task).parallel(task);
    else
      stage.fuse(co, yb, task).fuse(task, n, task).parallel(task);
  };
  // The last block of a row moves left to end with it, and that of a column up; where there is no room for a
  // block results are computed one by one.
  Stage blocks = out.specialize(isWide);
  blocks.split(x, x, xi, px / side, TailStrategy::ShiftInwards);
  if (down > 1) {
    blocks.split(y, y, yt, down, TailStrategy::ShiftInwards);
    scheduleTasks(blocks, rows / down, {xi, yt});
  } else
    scheduleTasks(blocks, rows, {xi});
  scheduleTasks(out, rows, {});
  for (AmxTile &each : tiles) {
    each.schedule(LoopLevel(out, all ? co : x), isWide, px, side, schedule.params.at("st"));
    inputs.push_back(each.w);
  }
  if (isScaled(spec)) {
    ReadOperand &read = reads.front();
    read.schedule(LoopLevel(out, x), MemoryType::Heap, isa);
    inputs.insert(inputs.end(), read.factors.begin(), read.factors.end());
  }
  KernelBuild kernel = kernelBuild(Pipeline(out), inputs, epilogues.operands());
  for (const AmxTile &each : tiles)
    each.lower(kernel.pipeline);
  return kernel;
}

} // namespace

Family amxFamily() {
  return {"amx",  "Direct convolution of bf16 on matrix tiles (AMX); any filter, stride and dilation.",
          whyNot, parameters,
          choose, packing,
          build,  false,
          pays};
}

} // namespace segc::schedules
