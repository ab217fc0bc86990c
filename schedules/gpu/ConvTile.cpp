/// \file Convolution on a GPU: each thread sums a tile of output channels x pixels in its registers.
///
/// Threads that are neighbours have neighbouring channels, so that their weights are one run of memory, and
/// the same pixels, which the first cache hands to all of them at once. Per four input channels a tile of 8 x
/// 4 loads 12 vectors for 128 multiply-adds. (Halide's own matrix product does the same without shared memory
/// and reaches three quarters of cuBLAS: apps/cuda_mat_mul.) Nothing is shared between threads, so there is
/// nothing to synchronise and no shared memory to exceed.
// SPDX-License-Identifier: MIT
#include "schedules/Epilogue.h"
#include "schedules/gpu/Families.h"
#include "schedules/gpu/Threads.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Threads of a block; with 8 x 4 sums each keeps below 128 registers, four blocks of them fill a processor.
constexpr int kThreads = 128;
/// Elements of a vector of registers.
constexpr int kVector = 4;

bool isScaled(const KernelSpec &spec) { return spec.word("read") == "scaled"; }

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.op != "conv" || !spec.reduction().empty())
    return "it computes convolutions that store all channels only";
  return spec.get("g") == 1 ? "" : "it needs a convolution without groups";
}

/// Input channels that one load brings, from what is known of the pixels' places.
int inputVector(const KernelSpec &spec) {
  int vector = vectorOfMemory(spec);
  while (spec.get("c") % vector || spec.get("in") % vector)
    vector /= 2;
  return vector;
}

/// Output channels that one store writes and one load of an epilogue's operand brings.
int outputVector(const KernelSpec &spec) {
  int vector = vectorOfMemory(spec);
  auto limit = [&](int elements) {
    while (elements % vector)
      vector /= 2;
  };
  limit(spec.get("k"));
  limit(spec.get("out"));
  for (const Epilogue &e : spec.epilogues)
    limit(e.stride);
  return vector;
}

/// The powers of two up to `most`.
std::vector<int> vectorsUpTo(int most) {
  std::vector<int> vectors;
  for (int v = 1; v <= most; v *= 2)
    vectors.push_back(v);
  return vectors;
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa) {
  std::vector<int> channels = {4};
  if (spec.get("k") % 8 == 0)
    channels.push_back(8);
  return {{"load", "input channels that one load brings", vectorsUpTo(inputVector(spec))},
          {"store", "output channels that one store writes", vectorsUpTo(outputVector(spec))},
          {"tk", "output channels of a thread", channels},
          {"tp", "pixels of a thread, side by side", {1, 2, 4, 8}},
          {"bk", "threads of a block along the channels", {1, 2, 4, 8, 16}}};
}

Schedule choose(const KernelSpec &spec, Isa) {
  const int k = spec.get("k"), tk = k % 8 == 0 ? 8 : 4;
  int bk = 1;
  while (bk < 16 && bk * tk * 2 <= std::min(k, kVectorPadding))
    bk *= 2;
  return {"conv_tile",
          {{"load", inputVector(spec)}, {"store", outputVector(spec)}, {"tk", tk}, {"tp", 4}, {"bk", bk}}};
}

/// Panels as wide as a block, so that a block's weights of one tap and channel are one run.
int panelOf(const Schedule &schedule) { return schedule.params.at("tk") * schedule.params.at("bk"); }

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa) {
  const int panel = panelOf(schedule);
  KernelSpec pack;
  pack.op = "pack_conv";
  pack.fields = {{"panel", {panel}}, {"g", {1}}, {"scale", {0}}, {"tap", {0, 0}}, {"step", {1, 1}}};
  pack.words = {{"from", "conv"}};
  return {pack.print(),
          {panel, spec.get("c"), spec.get("r", 1), spec.get("r"), ceilDiv(spec.get("k"), panel)}};
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int k = spec.get("k"), vector = schedule.params.at("load"), tk = schedule.params.at("tk"),
            store = std::min(schedule.params.at("store"), tk), tp = schedule.params.at("tp"),
            bk = schedule.params.at("bk"), panel = panelOf(schedule);
  const bool simd = isa == Isa::Cuda;
  const Var c("c"), x("x"), y("y"), n("n"), co("co"), ci("ci"), xo("xo"), xi("xi"), pixels("pixels"),
      tapX("tapX"), tapY("tapY"), blockK("blockK"), threadK("threadK"), blockP("blockP"), threadP("threadP");
  const ImageParam in = activation("x", spec.get("c"), spec.get("in"));
  const ImageParam w = denseParam("w", packing(spec, schedule, isa).extents);
  const Epilogues epilogues(spec, k);
  std::vector<ImageParam> inputs = {in, w};

  // Pixels beyond a row's end repeat the last one and are not stored; channels beyond the last have weights
  // 0.
  const RDom r(0, spec.get("c"), 0, spec.get("r", 1), 0, spec.get("r"), "r");
  const Expr last = in.dim(1).extent() - ((spec.get("r", 1) - 1) * spec.get("d", 1) + 1);
  const Expr column = min(x * spec.get("s", 1), last) + tapX * spec.get("d", 1),
             row = y * spec.get("s") + tapY * spec.get("d");
  // What tap (tapX, tapY) of result pixel (x, y) multiplies: a stage of its own, vectors in registers.
  Func read("read"), sum("sum"), out("y");
  Expr value = in(c, column, row, n);
  if (isScaled(spec)) {
    inputs.push_back(activation("s", spec.get("c"), 0));
    value = value * inputs.back()(c, 0, 0, n);
  }
  read(c, x, y, n, tapX, tapY) = value;
  sum(c, x, y, n) = epilogues.initial(c);
  sum(c, x, y, n) += w(c % panel, r.x, r.y, r.z, c / panel) * read(r.x, x, y, n, r.y, r.z);
  const bool masked = k % tk != 0;
  out(c, x, y, n) = epilogues.apply(sum(c, x, y, n), c, x, y, n, true, masked);

  describeActivation(out.output_buffer(), k, spec.get("out"));
  out.bound(c, 0, k)
      .split(c, co, ci, tk, masked ? TailStrategy::GuardWithIf : TailStrategy::RoundUp)
      .split(co, blockK, threadK, bk, TailStrategy::GuardWithIf)
      .split(x, xo, xi, tp, TailStrategy::GuardWithIf)
      .fuse(xo, y, pixels)
      .fuse(pixels, n, pixels)
      .split(pixels, blockP, threadP, kThreads / bk, TailStrategy::GuardWithIf)
      .reorder(ci, xi, threadK, threadP, blockP, blockK)
      .gpu_blocks(blockP, blockK)
      .gpu_threads(threadK, threadP)
      .unroll(xi)
      .never_partition_all();
  if (simd && store > 1)
    out.vectorize(ci, store);
  out.unroll(ci);
  if (vector > 1)
    promiseVectors(in, vector);
  if (store > 1) {
    promiseVectors(out.output_buffer(), store);
    for (const ImageParam &operand : epilogues.operands())
      if (operand.dimensions() == 4)
        promiseVectors(operand, store);
  }
  sum.compute_at(out, threadK)
      .store_in(MemoryType::Register)
      .bound_extent(c, tk)
      .bound_extent(x, tp)
      .bound_extent(y, 1)
      .bound_extent(n, 1);
  const RVar outer("outer"), inner("inner");
  for (Stage stage : {Stage(sum), Stage(sum.update())}) {
    stage.unroll(x);
    if (simd)
      stage.vectorize(c, kVector);
    stage.unroll(c);
  }
  if (vector > 1)
    sum.update().split(r.x, outer, inner, vector).reorder(c, x, inner, outer, r.y, r.z, y, n).unroll(inner);
  else
    sum.update().reorder(c, x, r.x, r.y, r.z, y, n);
  if (vector > 1) {
    read.compute_at(sum, outer)
        .store_in(MemoryType::Register)
        .bound_extent(c, vector)
        .bound_extent(x, tp)
        .unroll(x);
    for (const Var &v : {y, n, tapX, tapY})
      read.bound_extent(v, 1);
    simd ? read.vectorize(c) : read.unroll(c);
  }
  KernelBuild result{inputs, Pipeline(out)};
  result.inputs.insert(result.inputs.end(), epilogues.operands().begin(), epilogues.operands().end());
  return result;
}

} // namespace

Family convTileFamily() {
  Family family = {
      "conv_tile", "Convolution on a GPU, a tile of channels and pixels in each thread's registers.",
      whyNot,      parameters,
      choose,      packing,
      build};
  family.onGpu = true;
  return family;
}

} // namespace segc::schedules
