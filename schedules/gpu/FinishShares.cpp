/// \file Losses, vectors of channels and norms of each image from partial sums on a GPU.
///
/// One thread a value would add 32 bands one after the other, each a trip to memory, and with them what the
/// other channels of its group or the other classes have, as all its neighbours do. Here a block owns a few
/// values, its threads have a band each, and totals lie in shared memory. Bands are added in order, in f64.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Bands.h"
#include "schedules/cpu/Rows.h"
#include "schedules/gpu/Families.h"
#include "schedules/gpu/Forget.h"
#include "schedules/gpu/Threads.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Channels that a block adds at a time, of 32 bands each.
constexpr int kMostLanes = 16;
/// Channels of which a block keeps three totals in shared memory, beside the bands of kMostLanes.
constexpr int kMostChannels = 1024;

struct Loops {
  const Var block{"gpuBlock"}, inner{"gpuInner"}, thread{"gpuThread"}, outer{"gpuOuter"}, band{"gpuBand"};
};

Func named(const std::vector<Func> &stages, const std::string &name) {
  for (const Func &stage : stages)
    if (plainName(stage) == name)
      return stage;
  return {};
}

/// Takes the bands, the first reduction of `total`, apart: the partial sums of each band, over all that is
/// left. There are at most 32; threads beyond the last one add nothing.
Func byBand(Func total, const Loops &v) {
  const RVar bands("gpuBands"), band("gpuBandOf");
  total.update().split(RVar(total.rvars()[0]), bands, band, kMostBands, TailStrategy::GuardWithIf);
  return total.update().rfactor(band, v.band);
}

/// The partial sums of a total's bands in shared memory, a thread for each band and each of `lanes` channels
/// (0: there are none).
void schedulePartial(Func partial, int lanes, const Loops &v) {
  const std::vector<Var> args = partial.args(); // [channel, [image]], band
  std::vector<VarOrRVar> threads, order;
  for (size_t i = 0; i + 1 < args.size(); i++)
    partial.bound_extent(args[i], i == 0 ? lanes : 1);
  if (lanes)
    threads.push_back(args[0]);
  threads.push_back(v.band);
  for (const RVar &r : partial.rvars())
    order.push_back(r);
  order.insert(order.end(), threads.begin(), threads.end());
  partial.store_in(MemoryType::GPUShared).bound(v.band, 0, kMostBands);
  for (Stage stage : {Stage(partial), partial.update().reorder(order)}) {
    lanes ? stage.gpu_threads(args[0], v.band) : stage.gpu_threads(v.band);
    stage.never_partition_all();
  }
}

/// Totals of `channels` channels (of one image) in shared memory, some of them at a time; the caller says
/// where.
void scheduleTotals(Func total, int channels, const Loops &v) {
  const Var c = total.args()[0];
  const int lanes = divisorUpTo(channels, kMostLanes);
  Func partial = byBand(total, v);
  total.store_in(MemoryType::GPUShared).bound_extent(c, channels);
  if (total.args().size() > 1)
    total.bound_extent(total.args()[1], 1);
  std::vector<VarOrRVar> order;
  for (const RVar &r : total.rvars())
    order.push_back(r);
  order.insert(order.end(), {v.thread, v.outer});
  for (Stage stage : {Stage(total), Stage(total.update())})
    stage.split(c, v.outer, v.thread, lanes).gpu_threads(v.thread).never_partition_all();
  total.update().reorder(order);
  partial.compute_at(total, v.outer);
  schedulePartial(partial, lanes, v);
}

/// The threads of a block of `out` that compute `values` neighbours of its first dimension, `lanes` at a
/// time; the blocks are those of the other dimensions too.
void dealOut(Func out, int values, int lanes, const Loops &v) {
  const std::vector<Var> args = out.args();
  out.split(args[0], v.block, v.inner, values, TailStrategy::GuardWithIf)
      .split(v.inner, v.outer, v.thread, lanes, TailStrategy::GuardWithIf)
      .never_partition_all();
  if (args.size() == 1)
    out.reorder(v.thread, v.outer, v.block).gpu_blocks(v.block).gpu_threads(v.thread);
  else
    out.reorder(args[1], v.thread, v.outer, v.block, args[2], args[3])
        .gpu_blocks(v.block, args[2], args[3])
        .gpu_threads(v.thread);
}

/// Vectors of channels from the sums of all bands and images; `total` makes them for `out`.
void scheduleVectors(Func out, Func total, int channels) {
  const Loops v;
  const int lanes = divisorUpTo(channels, kMostLanes);
  dealOut(out, lanes, lanes, v);
  Func partial = byBand(total, v);
  total.compute_at(out, v.thread).store_in(MemoryType::Register).bound_extent(total.args()[0], 1);
  partial.compute_at(out, v.block);
  schedulePartial(partial, lanes, v);
}

KernelBuild buildFinish(const KernelSpec &spec, Isa isa) {
  const KernelBuild build = borrow(spec, isa);
  scheduleVectors(build.pipeline.outputs()[0], named(stagesOf(build.pipeline), "total"), spec.get("c"));
  return build;
}

/// A loss from the sums of all bands and images, and beside it the coefficients of its gradient: a block
/// each. Each has totals of its own.
KernelBuild buildFinishTerms(const KernelSpec &spec, Isa isa) {
  const KernelBuild build = borrow(spec, isa);
  const std::vector<Func> stages = stagesOf(build.pipeline);
  for (Func out : build.pipeline.outputs()) {
    const Loops v;
    const bool isLoss = out.args().size() == 1;
    const std::string name = isLoss ? "loss" : "gradient";
    Func total = named(stages, name + "Total"), share = named(stages, name + "Share");
    const int values = isLoss || spec.word("kind") != "bce" ? 1 : 2;
    dealOut(out, values, values, v);
    share.compute_at(out, v.thread).store_in(MemoryType::Register);
    if (!total.defined()) // the gradient of a sum needs no totals
      continue;
    Func partial = byBand(total, v);
    total.compute_at(out, v.thread).store_in(MemoryType::Register);
    partial.compute_at(out, v.block);
    schedulePartial(partial, 0, v);
  }
  return build;
}

/// An overlap: a block for the loss, which takes one image after the other and has a thread for the ratio of
/// each class, and one for the coefficients of each image.
KernelBuild buildFinishOverlap(const KernelSpec &spec, Isa isa) {
  const KernelBuild build = borrow(spec, isa);
  const std::vector<Func> stages = stagesOf(build.pipeline);
  const int classes = spec.get("c"), lanes = divisorUpTo(classes, kMostLanes);
  for (Func out : build.pipeline.outputs()) {
    const Loops v;
    if (out.args().size() > 1) {
      dealOut(out, 2 * classes, lanes, v);
      Func total = named(stages, "gradientTotal");
      total.compute_at(out, v.block);
      scheduleTotals(total, classes, v);
      continue;
    }
    dealOut(out, 1, 1, v);
    Func mean = named(stages, "mean"), total = named(stages, "lossTotal");
    const Var ofClass("gpuClass");
    const RVar images(mean.rvars()[1]);
    Func ratios = mean.update().rfactor(RVar(mean.rvars()[0]), ofClass);
    mean.compute_at(out, v.thread).store_in(MemoryType::Register);
    ratios.compute_at(out, v.block).store_in(MemoryType::GPUShared).bound(ofClass, 0, classes);
    for (Stage stage : {Stage(ratios), Stage(ratios.update())})
      stage.split(ofClass, v.outer, v.thread, lanes).gpu_threads(v.thread).never_partition_all();
    ratios.update().reorder(v.thread, v.outer, images);
    total.compute_at(ratios, images);
    scheduleTotals(total, classes, v);
  }
  return build;
}

/// Channels of whole groups that a block of a norm of each image computes.
int channelsOfBlock(const KernelSpec &spec) {
  const int groups = spec.get("groups"), size = spec.get("c") / groups;
  return size * divisorUpTo(groups, std::max(1, 2 * kMostLanes / size));
}

/// A norm of each image: a block has whole groups of one image. Their channels are added by `lanes` threads a
/// group, whose sums are added in order.
KernelBuild buildFinishGroups(const KernelSpec &spec, Isa isa) {
  const KernelBuild build = borrow(spec, isa);
  const std::vector<Func> stages = stagesOf(build.pipeline);
  const Loops v;
  const int channels = channelsOfBlock(spec), size = spec.get("c") / spec.get("groups"),
            groups = channels / size;
  for (Func result : build.pipeline.outputs())
    if (result.args().size() == 1)
      scheduleVectors(result, named(stages, "vectors"), spec.get("c"));
  Func out = build.pipeline.outputs().back();
  dealOut(out, channels, divisorUpTo(channels, 2 * kMostLanes), v);
  Func total = named(stages, "total"), all = named(stages, "all"), group = named(stages, "group");
  const Var g = all.args()[0], lane("gpuLane");
  const RVar steps("gpuSteps"), laneOf("gpuLaneOf");
  all.update().split(RVar(all.rvars()[0]), steps, laneOf, divisorUpTo(size, kMostLanes));
  Func byLane = all.update().rfactor(laneOf, lane);
  for (Func f : {all, group, byLane}) {
    f.compute_at(out, v.block)
        .store_in(MemoryType::GPUShared)
        .bound_extent(g, groups)
        .bound_extent(f.args()[1], 1);
    std::vector<Stage> definitions = {Stage(f)};
    if (f.has_update_definition())
      definitions.push_back(f.update());
    for (Stage &stage : definitions) {
      if (f.name() == byLane.name())
        stage.reorder(lane, g).gpu_threads(lane, g);
      else
        stage.gpu_threads(g);
      stage.never_partition_all();
    }
  }
  total.compute_at(out, v.block);
  scheduleTotals(total, channels, v);
  return build;
}

bool isOverlap(const KernelSpec &spec) {
  return spec.op == "finish_loss" && (spec.word("kind") == "dice" || spec.word("kind") == "soft_iou");
}

bool isOfEachImage(const KernelSpec &spec) { return spec.op.rfind("finish_group", 0) == 0; }

KernelBuild build(const KernelSpec &spec, Isa isa) {
  return isOfEachImage(spec)        ? buildFinishGroups(spec, isa)
         : isOverlap(spec)          ? buildFinishOverlap(spec, isa)
         : spec.op == "finish_loss" ? buildFinishTerms(spec, isa)
                                    : buildFinish(spec, isa);
}

} // namespace

Family finishSharesFamily() {
  Family family =
      plainFamily("finish_shares",
                  "Losses, vectors of a channel each and norms of each image from partial sums on a GPU.",
                  {"finish_sum", "finish_stats", "finish_norm_grad", "finish_loss", "finish_group_stats",
                   "finish_group_norm_grad"},
                  build);
  const auto plain = family.whyNot;
  family.whyNot = [plain](const KernelSpec &spec, Isa isa) -> std::string {
    const std::string reason = plain(spec, isa);
    if (!reason.empty())
      return reason;
    if (!lender(spec, isa))
      return "no family of processors computes it either";
    if ((isOfEachImage(spec) && channelsOfBlock(spec) > kMostChannels) ||
        (isOverlap(spec) && spec.get("c") > kMostChannels))
      return "the totals of more than 1024 channels do not fit into shared memory";
    return "";
  };
  family.onGpu = true;
  return family;
}

} // namespace segc::schedules
