/// \file Sums over whole pictures on a GPU: a block for each image and 32 channels, its threads share the
/// pixels.
///
/// As in BinMeans, partial sums of every kShares-th pixel lie in shared memory and are added in a fixed
/// order, in f64: the bits depend on the extents alone.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Rows.h"
#include "schedules/gpu/Families.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Neighbouring threads read neighbouring channels; where these are summed too, neighbouring pixels.
constexpr int kChannels = 32, kShares = 16, kPixelShares = 256;

bool sumsOver(const KernelSpec &spec, char axis) { return spec.word("axes").find(axis) != std::string::npos; }

KernelBuild buildAxisSums(const KernelSpec &spec, Isa) {
  const int channels = spec.get("c");
  const bool overChannels = sumsOver(spec, 'c'), overImages = sumsOver(spec, 'n');
  const int results = overChannels ? 1 : channels, shares = overChannels ? kPixelShares : kShares,
            width = overChannels ? 1 : kChannels;
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Var c("c"), x("x"), y("y"), n("n"), share("share"), block("block"), thread("thread"), rest("rest");
  const Expr w = in.dim(1).extent(), h = in.dim(2).extent(),
             pixels = w * h * (overImages ? in.dim(3).extent() : Expr(1));
  const RDom all(0, overChannels ? channels : 1, 0, (pixels + shares - 1) / shares, "r");
  RDom r = all;
  const Expr pixel = r.y * shares + share;
  r.where(pixel < pixels);
  Func partial("partial"), total("total"), out("y");
  partial(c, share, n) = Expr(0.0);
  partial(c, share, n) += cast<double>(in(overChannels ? Expr(r.x) : min(c, channels - 1), pixel % w,
                                          pixel / w % h, overImages ? pixel / (w * h) : Expr(n)));
  const RDom s(0, shares, "s");
  total(c, n) = Expr(0.0);
  total(c, n) += partial(c, s, n);
  out(c, x, y, n) = cast<float>(total(c, n));
  describeActivation(out.output_buffer(), results, spec.get("out"));

  out.bound(c, 0, results)
      .split(c, block, thread, width, TailStrategy::GuardWithIf)
      .fuse(y, n, rest)
      .reorder(thread, rest, x, block)
      .gpu_blocks(rest, x, block)
      .gpu_threads(thread)
      .never_partition_all();
  total.compute_at(out, thread).store_in(MemoryType::Register).bound_extent(c, 1).bound_extent(n, 1);
  partial.compute_at(out, rest)
      .store_in(MemoryType::GPUShared)
      .bound_extent(c, width)
      .bound(share, 0, shares)
      .bound_extent(n, 1);
  partial.gpu_threads(c, share);
  partial.update().reorder(all.x, all.y, c, share, n).gpu_threads(c, share).never_partition_all();
  return kernelBuild(Pipeline(out), {in});
}

std::string whyNot(const KernelSpec &spec) {
  return sumsOver(spec, 'h') && sumsOver(spec, 'w') ? "" : "it sums over whole pictures";
}

} // namespace

Family axisSumsFamily() {
  Family family =
      checkedFamily(plainFamily("axis_sums", "Sums over pictures on a GPU, a block for each 32 channels.",
                                {"reduce_sum"}, buildAxisSums),
                    whyNot);
  family.onGpu = true;
  return family;
}

} // namespace segc::schedules
