/// \file Means over bins on a GPU: a block for each bin and 32 channels, its threads share the bin's pixels.
///
/// A mean of a whole picture has as many results as channels: one thread for each would leave a GPU idle and
/// walk the picture alone. Partial sums of every kShares-th pixel lie in shared memory and are added in a
/// fixed order, so the bits depend on the extents alone; all sums are in f64, as on processors.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/cpu/Rows.h"
#include "schedules/cpu/Taps.h"
#include "schedules/gpu/Families.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Neighbouring threads read neighbouring channels; 32 x 16 partial sums take 4 KB of shared memory.
constexpr int kChannels = 32, kShares = 16;

KernelBuild buildBinMeans(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Epilogues epilogues(spec, channels);
  const Rows rows(channels, isa, true);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;
  const Var share("share"), block("block"), thread("thread"), rest("rest");
  Func partial("partial"), total("total"), out("y");
  OutputImageParam result = rows.declare(out, spec.get("out"));
  result.dim(1).set_min(0);
  result.dim(2).set_min(0);
  const Taps h = tapsOf(spec, 1, x, sideOf(in, 1), sideOf(result, 1));
  const Taps v = tapsOf(spec, 0, y, sideOf(in, 2), sideOf(result, 2));

  // Pixels `share`, share + kShares, ... of the bin; channels beyond the last repeat it and are not stored.
  RDom r(0, (h.most * v.most + kShares - 1) / kShares, "r");
  const Expr pixel = r * kShares + share;
  r.where(pixel < h.count * v.count);
  partial(c, share, x, y, n) = Expr(0.0);
  partial(c, share, x, y, n) +=
      cast<double>(in(min(c, channels - 1), h.first + pixel % h.count, v.first + pixel / h.count, n));
  const RDom s(0, kShares, "s");
  total(c, x, y, n) = Expr(0.0);
  total(c, x, y, n) += partial(c, s, x, y, n);
  const Expr mean = cast<float>(total(c, x, y, n) / cast<double>(h.divisor * v.divisor));
  out(c, x, y, n) = epilogues.apply(mean, c, x, y, n);

  // x keeps a loop of its own: fused with y and n, Halide 21 loses it from the address that is stored to.
  out.bound(c, 0, channels);
  out.update()
      .split(c, block, thread, kChannels, TailStrategy::GuardWithIf)
      .fuse(y, n, rest)
      .reorder(thread, rest, x, block)
      .gpu_blocks(rest, x, block)
      .gpu_threads(thread)
      .never_partition_all();
  total.compute_at(out, thread).store_in(MemoryType::Register);
  partial.compute_at(out, rest)
      .store_in(MemoryType::GPUShared)
      .bound_extent(c, kChannels)
      .bound(share, 0, kShares);
  total.bound_extent(c, 1);
  for (Func stage : {partial, total})
    stage.bound_extent(x, 1).bound_extent(y, 1).bound_extent(n, 1);
  partial.gpu_threads(c, share);
  partial.update().reorder(r, c, share, x, y, n).gpu_threads(c, share);
  return kernelBuild(Pipeline(out), {in}, epilogues.operands());
}

} // namespace

Family binMeansFamily() {
  Family family = plainFamily("bin_means", "Means over bins on a GPU, a block for each bin and 32 channels.",
                              {"adaptive_avgpool"}, buildBinMeans);
  family.onGpu = true;
  return family;
}

} // namespace segc::schedules
