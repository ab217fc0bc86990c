/// \file Blocks and threads for any pipeline, and the family that borrows its algorithms from the
/// processors'.
///
/// A family of processors says what a kernel computes and then how; here the second half is taken off and the
/// rule put in its place. With lanes(isa) = 1 those algorithms have no structure of vectors in them.
// SPDX-License-Identifier: MIT
#include "schedules/gpu/Threads.h"
#include "schedules/gpu/Families.h"
#include "schedules/gpu/Forget.h"
#include <algorithm>
#include <set>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Ops whose stages, where they have any, are functions of (c, x, y, n) at the result's own channel: their
/// channels go in vectors.
bool isByChannel(const KernelSpec &spec) {
  static const std::set<std::string> ops = {"conv",
                                            "maxpool",
                                            "avgpool",
                                            "avgpool_transpose",
                                            "adaptive_avgpool",
                                            "unpool",
                                            "upsample",
                                            "pointwise",
                                            "adaptive_avgpool_transpose",
                                            "take",
                                            "pad",
                                            "upsample_transpose",
                                            "pad_transpose",
                                            "windows",
                                            "embed",
                                            "repeat"};
  return ops.count(spec.op) && spec.reduction().empty();
}

int channelsOf(const KernelSpec &spec) { return spec.get(spec.get("k") ? "k" : "c"); }

/// The widest vector whose elements are neighbours in every tensor.
int vectorOf(const KernelSpec &spec) {
  int vector = isByChannel(spec) ? vectorOfMemory(spec) : 1;
  auto limit = [&](int elements) {
    while (elements % vector)
      vector /= 2;
  };
  limit(channelsOf(spec));
  for (const char *field : {"out", "idx"})
    limit(spec.get(field));
  if (spec.op != "conv" || spec.get("g") == spec.get("c"))
    limit(spec.get("in"));
  for (const Epilogue &e : spec.epilogues)
    limit(e.stride);
  return vector;
}

/// Ops that make something of all channels of a pixel and store all channels.
bool isOverChannels(const KernelSpec &spec) {
  static const std::set<std::string> ops = {"softmax", "log_softmax", "softmax_grad", "log_softmax_grad"};
  return ops.count(spec.op) || ops.count(spec.reduction());
}

} // namespace

/// Winograd's works on tiles of its own.
const Family *lender(const KernelSpec &spec, Isa isa) {
  for (const Family &family : families())
    if (!family.onGpu && family.name.find("winograd") == std::string::npos &&
        family.whyNot(spec, isa).empty())
      return &family;
  return nullptr;
}

KernelBuild borrow(const KernelSpec &spec, Isa isa) {
  const Family *family = lender(spec, isa);
  const KernelBuild build = family->build(spec, family->choose(spec, isa), isa);
  forgetSchedule(build.pipeline);
  return build;
}

std::string plainName(const Func &func) { return func.name().substr(0, func.name().find('$')); }

namespace {

std::string whyNot(const KernelSpec &spec, Isa isa) {
  if (spec.op == "pack_winograd")
    return "Winograd's transforms are for processors";
  static const std::set<std::string> shared = {"conv_wgrad", "unpack_wgrad", "channel_sums", "loss_sums",
                                               "sum_squares"};
  if (shared.count(spec.op))
    return "one thread a result would leave a GPU idle";
  return lender(spec, isa) ? "" : "no family of processors computes it either";
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa) {
  std::vector<int> vectors;
  for (int v : {1, 2, 4, 8})
    if (vectorOf(spec) % v == 0)
      vectors.push_back(v);
  return {{"vector", "elements that one thread computes", vectors},
          {"block", "threads of a block", {32, 64, 128, 256}}};
}

Schedule choose(const KernelSpec &spec, Isa) {
  return {"threads", {{"vector", vectorOf(spec)}, {"block", 128}}};
}

Packing packing(const KernelSpec &spec, const Schedule &, Isa isa) {
  const Family *family = lender(spec, isa);
  return family->packing(spec, family->choose(spec, isa), isa);
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const KernelBuild build = borrow(spec, isa);
  if (const int vector = schedule.params.at("vector"); vector > 1) {
    for (const ImageParam &input : build.inputs)
      if (input.dimensions() == 4)
        promiseVectors(input, vector);
    for (Func result : build.pipeline.outputs())
      for (const OutputImageParam &buffer : result.output_buffers())
        promiseVectors(buffer, vector);
  }
  ThreadRule rule = {schedule.params.at("vector"), schedule.params.at("block"), isOverChannels(spec),
                     isa == Isa::Cuda};
  if (spec.op == "sgd" || spec.op == "adam")
    rule.kept = {"step"};
  if (spec.op == "finish_loss") // the ratios of one class after another
    rule.inside = {{"lossTotal", "mean"}};
  scheduleThreads(build.pipeline, rule);
  return build;
}

/// Names of loops; no family uses them for its own.
struct Loops {
  const Var lane{"gpuLane"}, element{"gpuElement"}, block{"gpuBlock"}, thread{"gpuThread"}, rest{"gpuRest"};
};

void dealOut(Stage stage, const std::vector<Var> &arguments, const ThreadRule &rule, const Loops &v) {
  // The loop that threads share, from the first dimension or with whole pixels from the second one on.
  const size_t next = rule.whole && arguments.size() > 1 ? 1 : 0;
  Var inner = arguments[next];
  if (rule.vector > 1)
    stage.split(inner, inner, v.lane, rule.vector);
  if (rule.vector > 1 && rule.simd)
    stage.vectorize(v.lane);
  else if (rule.vector > 1)
    stage.unroll(v.lane);
  if (next == 0 && arguments.size() > 1) {
    stage.fuse(inner, arguments[1], v.element);
    inner = v.element;
  }
  stage.split(inner, v.block, v.thread, rule.block, TailStrategy::GuardWithIf);
  if (arguments.size() < 3) { // never with whole pixels
    stage.gpu_blocks(v.block).gpu_threads(v.thread).never_partition_all();
    return;
  }
  // The grid's second dimension has fewer places than its first, which the other dimensions get together.
  Var rest = arguments[2];
  for (size_t d = 3; d < arguments.size(); d++) {
    stage.fuse(rest, arguments[d], v.rest);
    rest = v.rest;
  }
  if (next == 1)
    stage.reorder(arguments[0], v.thread, rest, v.block);
  else
    stage.reorder(v.thread, rest, v.block);
  stage.gpu_blocks(rest, v.block).gpu_threads(v.thread).never_partition_all();
}

/// The result that reads `stage`, directly or through other stages.
Func readerOf(const Func &stage, const Pipeline &pipeline) {
  for (const Func &result : pipeline.outputs())
    if (Internal::find_transitive_calls(result.function()).count(stage.name()))
      return result;
  throw CompileError("stage '" + stage.name() + "' has no reader");
}

} // namespace

void scheduleThreads(const Pipeline &pipeline, const ThreadRule &rule) {
  const Loops v;
  for (Func result : pipeline.outputs()) {
    if (!result.has_update_definition())
      dealOut(result, result.args(), rule, v);
    else // the first definition is undefined and leaves no code
      dealOut(result.update(result.num_update_definitions() - 1), result.args(), rule, v);
  }
  const std::vector<Func> stages = stagesOf(pipeline);
  for (Func stage : stages) {
    if (!stage.has_update_definition() && !rule.kept.count(plainName(stage)))
      continue;
    const auto inside = rule.inside.find(plainName(stage));
    for (const Func &outer : stages)
      if (inside != rule.inside.end() && plainName(outer) == inside->second) {
        stage.compute_at(outer, RVar(outer.rvars(0)[0]));
        for (const Var &argument : stage.args())
          stage.bound_extent(argument, 1);
      }
    if (inside == rule.inside.end())
      stage.compute_at(readerOf(stage, pipeline), v.thread);
    stage.store_in(MemoryType::Stack);
    if (rule.vector == 1)
      continue;
    const Var channel = stage.args()[0];
    stage.bound_extent(channel, rule.vector);
    std::vector<Stage> definitions = {stage};
    for (int i = 0; i < stage.num_update_definitions(); i++)
      definitions.push_back(stage.update(i));
    for (Stage &definition : definitions)
      rule.simd ? definition.vectorize(channel) : definition.unroll(channel);
  }
}

Family threadsFamily() {
  Family family = {
      "threads", "One thread for each vector of the result, on a GPU.", whyNot, parameters, choose, packing,
      build};
  family.onGpu = true;
  return family;
}

} // namespace segc::schedules
