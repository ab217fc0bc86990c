/// \file Sums over many pixels on a GPU: the threads of a block share them and add their partial sums in
/// shared memory.
///
/// One thread a result would leave a GPU idle and walk its pixels alone. The algorithms are those of
/// processors with a thread for each lane of a vector (sharesOf): a block owns a band of an image and up to
/// 32 channels, or a part of a flat vector. Every thread adds in the order of its pixels, the totals in the
/// order of the threads, all in f64: the bits depend on the extents alone.
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

struct Loops {
  const Var block{"gpuBlock"}, thread{"gpuThread"};
};

/// A block for each band, image and block of channels; with one dimension for each element.
void dealOut(Func out, int channels, const Loops &v) {
  const std::vector<Var> args = out.args();
  const TailStrategy guard = TailStrategy::GuardWithIf;
  if (args.size() == 1) {
    out.split(args[0], v.block, v.thread, 1, guard).gpu_blocks(v.block).gpu_threads(v.thread);
    return;
  }
  out.split(args[0], v.block, v.thread, channels, guard)
      .reorder(args[1], v.thread, v.block, args[2], args[3])
      .unroll(args[1])
      .gpu_blocks(v.block, args[2], args[3])
      .gpu_threads(v.thread)
      .never_partition_all();
}

/// The partial sums, (lane, [channel], ...): a thread each, or all channels of a lane.
void schedulePartial(Func sums, Func out, const KernelSpec &spec, Isa isa, int channels, const Loops &v) {
  const std::vector<Var> args = sums.args();
  const bool hasChannel = args.size() == 4, byThread = hasChannel && spec.op == "channel_sums";
  sums.compute_at(out, v.block).store_in(MemoryType::GPUShared).bound(args[0], 0, sharesOf(spec, isa));
  for (size_t i = 1; i < args.size(); i++)
    sums.bound_extent(args[i], i == 1 && hasChannel ? channels : 1);
  for (Stage stage : {Stage(sums), Stage(sums.update())}) {
    std::vector<VarOrRVar> order;
    if (hasChannel && !byThread)
      order.push_back(args[1]);
    if (stage.name() != Stage(sums).name())
      for (const RVar &r : sums.rvars())
        order.push_back(r);
    if (byThread)
      order.push_back(args[1]);
    order.push_back(args[0]);
    stage.reorder(order).never_partition_all();
    byThread ? stage.gpu_threads(args[1], args[0]) : stage.gpu_threads(args[0]);
  }
}

KernelBuild buildShares(const KernelSpec &spec, Isa isa) {
  const KernelBuild build = borrow(spec, isa);
  Func out = build.pipeline.outputs()[0];
  const bool byClass = spec.op == "loss_sums" && spec.get("out") > 1;
  const int channels = byClass ? spec.get("out") : blockChannels(spec);
  const Loops v;
  dealOut(out, spec.op == "loss_sums" && !byClass ? 1 : channels, v);
  const std::vector<Func> stages = stagesOf(build.pipeline);
  Func sums;
  for (const Func &stage : stages)
    if (plainName(stage) == "sums" || plainName(stage) == "perLane")
      sums = stage;
  schedulePartial(sums, out, spec, isa, channels, v);
  // Behind the sums come their totals; before them what a pixel adds, beside each pixel.
  bool behind = false;
  for (Func stage : stages) {
    if (stage.name() == sums.name()) {
      behind = true;
      continue;
    }
    if (!stage.has_update_definition() && plainName(stage) != "common")
      continue;
    behind ? stage.compute_at(out, v.thread)
           : stage.compute_at(sums, sums.rvars()[spec.op == "sum_squares" ? 0 : 1]);
    stage.store_in(MemoryType::Register);
    for (const Var &argument : stage.args())
      stage.bound_extent(argument, 1);
  }
  return build;
}

} // namespace

Family sharesFamily() {
  Family family = plainFamily("shares", "Sums over many pixels on a GPU, shared by the threads of a block.",
                              {"channel_sums", "loss_sums", "sum_squares"}, buildShares);
  const auto plain = family.whyNot;
  family.whyNot = [plain](const KernelSpec &spec, Isa isa) {
    const std::string reason = plain(spec, isa);
    return !reason.empty() || lender(spec, isa) ? reason : "no family of processors computes it either";
  };
  family.onGpu = true;
  return family;
}

} // namespace segc::schedules
