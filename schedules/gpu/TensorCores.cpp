/// \file Convolutions on tensor cores as a schedule family: what they take, which tile, how their weights
/// lie.
///
/// Halide makes no such kernels: schedules/tensorcore does, and its objects join those of Halide.
// SPDX-License-Identifier: MIT
#include "schedules/gpu/TensorCores.h"
#include "schedules/gpu/Families.h"
#include "schedules/tensorcore/Object.h"
#include "schedules/tensorcore/TileChoice.h"
#include <algorithm>

namespace segc::schedules {
namespace {

using tensorcore::Problem;
using tensorcore::Tile;

/// A model whose extents are open is taken for pictures of this size.
constexpr int kLikelyExtent = 256;

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.op != "conv" && spec.op != "conv_wgrad")
    return "it computes convolutions and their weight gradients only";
  auto problem = Problem::of(spec);
  return problem ? "" : toString(problem.takeError());
}

bool isGradient(const KernelSpec &spec) { return spec.op == "conv_wgrad"; }
/// What the rows and columns of a block are.
std::string rowsOf(const KernelSpec &spec) { return isGradient(spec) ? "output channels" : "pixels"; }
std::string columnsOf(const KernelSpec &spec) {
  return isGradient(spec) ? "taps times input channels" : "output channels";
}

bool pays(const KernelSpec &spec, Isa) { return spec.dtype != "f32" || spec.tf32; }

tensorcore::Extents likelyExtents(const KernelSpec &spec) {
  auto orLikely = [](int extent, int likely) { return extent > 0 ? extent : likely; };
  auto read = [&](int pixels, int axis) {
    return (pixels - 1) * spec.get("s", axis) + (spec.get("r", axis) - 1) * spec.get("d", axis) + 1;
  };
  const int height = orLikely(spec.likelyHeight, kLikelyExtent),
            width = orLikely(spec.likelyWidth, kLikelyExtent);
  return {orLikely(spec.likelyImages, 1), height, width, read(height, 0), read(width, 1)};
}

std::vector<int> powers(int from, int to) {
  std::vector<int> values;
  for (int v = from; v <= to; v *= 2)
    values.push_back(v);
  return values;
}

/// Which of them go together is the matter of tensorcore::check().
std::vector<Parameter> parameters(const KernelSpec &spec, Isa) {
  const int perRow = spec.dtype == "f32" ? 16 : 32; // 64 bytes
  return {{"m", rowsOf(spec) + " of a block", powers(32, 256)},
          {"n", columnsOf(spec) + " of a block", powers(32, 256)},
          {"k", "terms of the sum that are multiplied between two barriers", {perRow, 2 * perRow}},
          {"wm", rowsOf(spec) + " of a warp", powers(16, 64)},
          {"wn", columnsOf(spec) + " of a warp", powers(16, 64)},
          {"stages", "buffers of the pipeline", {2, 3, 4, 5, 6}},
          {"parts", "of the sum, which a second kernel adds up in order", tensorcore::legalParts()},
          {"width", "of a block's rectangle of pixels; 0: a run of pixels", {0, 2, 4, 8, 16, 32}}};
}

/// At the likely extents; where those are too many pixels for one launch, as the runtime will say, at others.
template <class Choose> auto chooseBy(Choose choose, const KernelSpec &spec) {
  const Problem problem = cantFail(Problem::of(spec)); // whyNot() was asked
  const tensorcore::Device device;
  auto likely = choose(problem, likelyExtents(spec), device);
  if (likely)
    return *likely;
  consumeError(likely.takeError());
  return cantFail(choose(problem, {1, kLikelyExtent, kLikelyExtent, kLikelyExtent, kLikelyExtent}, device));
}

tensorcore::Choice chooseForAll(const KernelSpec &spec) {
  auto choose = [](const Problem &problem, const tensorcore::Extents &extents,
                   const tensorcore::Device &device) { return chooseTile(problem, extents, device); };
  return chooseBy(choose, spec);
}

Schedule scheduleOf(const Tile &tile) {
  return {"tensor_cores",
          {{"m", tile.m},
           {"n", tile.n},
           {"k", tile.k},
           {"wm", tile.warpM},
           {"wn", tile.warpN},
           {"stages", tile.stages},
           {"parts", tile.parts},
           {"width", tile.width}}};
}

Schedule choose(const KernelSpec &spec, Isa) { return scheduleOf(chooseForAll(spec).tile); }

std::string whyNoGroups(const KernelSpec &spec, Isa isa) {
  if (!isNarrow(spec.dtype))
    return "warpgroups multiply convolutions in bf16 and f16 only";
  return whyNot(spec, isa);
}

/// Where the library may have code for sm_90a, and the estimate says that it is faster than the other's.
bool groupsPay(const KernelSpec &spec, Isa) {
  return spec.sm90a && chooseBy(tensorcore::chooseBoth, spec).groups.estimate.microseconds <
                           chooseForAll(spec).estimate.microseconds;
}

/// The parts of a weight gradient are a buffer of the plan: both kernels have as many. Its blocks are no
/// rectangles of pixels.
std::vector<Parameter> parametersWithGroups(const KernelSpec &spec, Isa isa) {
  std::vector<Parameter> all = parameters(spec, isa);
  const int least = isGradient(spec) ? 64 : 32;
  for (const Parameter &added :
       {Parameter{"gm", "on sm_90a: " + rowsOf(spec) + " of a block, 64 terms of the sum a step",
                  powers(64, 256)},
        {"gn", "on sm_90a: " + columnsOf(spec) + " of a block", powers(least, 256)},
        {"gwm", "on sm_90a: " + rowsOf(spec) + " of a warpgroup", powers(64, 128)},
        {"gwn", "on sm_90a: " + columnsOf(spec) + " of a warpgroup", powers(least, 256)},
        {"gstages", "on sm_90a: buffers of the pipeline", {3, 4, 5, 6}}})
    all.push_back(added);
  if (!isGradient(spec))
    for (const Parameter &added :
         {Parameter{"gparts", "on sm_90a: of the sum", tensorcore::legalParts()},
          {"gwidth", "on sm_90a: of a block's rectangle of pixels", {0, 2, 4, 8, 16, 32}}})
      all.push_back(added);
  return all;
}

Schedule chooseWithGroups(const KernelSpec &spec, Isa) {
  const tensorcore::Both both = chooseBy(tensorcore::chooseBoth, spec);
  const Tile tile = both.groups.tile;
  Schedule schedule = scheduleOf(both.all.tile);
  schedule.family = "tensor_cores_90a";
  schedule.params.insert(
      {{"gm", tile.m}, {"gn", tile.n}, {"gwm", tile.warpM}, {"gwn", tile.warpN}, {"gstages", tile.stages}});
  if (!isGradient(spec))
    schedule.params.insert({{"gparts", tile.parts}, {"gwidth", tile.width}});
  return schedule;
}

/// Weights as output channel, tap, input channel: panels of one channel. Their gradient leaves the kernel in
/// the same order, a panel of all input channels, part after part.
Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa) {
  const int c = spec.get("c"), k = spec.get("k"), rh = spec.get("r"), rw = spec.get("r", 1);
  if (spec.op == "conv_wgrad")
    return {"unpack_wgrad panel" + std::to_string(c) + " lanes=c : f32",
            {c, rh * rw, k, 1, schedule.params.at("parts")}};
  const bool narrow = spec.dtype != "f32"; // pairs of input channels are an axis of their own
  const std::string dtype = narrow ? spec.dtype : "f32";
  const int pair = narrow ? 2 : 1;
  return {"pack_conv panel1 g1 scale0 from=conv step1x1 : " + dtype, {pair, c / pair, rw, rh, k}};
}

std::variant<KernelArtifact, std::string> compile(const KernelJob &job, const KernelSpec &spec,
                                                  const Schedule &schedule, bool readable) {
  auto problem = Problem::of(spec);
  if (!problem)
    return toString(problem.takeError());
  const std::optional<Tile> groups = groupTileOf(schedule);
  auto artifact =
      tensorcore::compileObject(job, *problem, tileOf(schedule), groups ? &*groups : nullptr, readable);
  if (!artifact)
    return toString(artifact.takeError());
  return std::move(*artifact);
}

} // namespace

Tile tileOf(const Schedule &schedule) {
  auto get = [&](const char *name) { return schedule.params.at(name); };
  return {get("m"), get("n"), get("k"), get("wm"), get("wn"), get("stages"), get("parts"), get("width")};
}

std::optional<Tile> groupTileOf(const Schedule &schedule) {
  if (schedule.family != "tensor_cores_90a")
    return std::nullopt;
  auto get = [&](const char *name) { return schedule.params.at(name); };
  const bool isGradient = !schedule.params.count("gparts");
  return Tile{get("gm"),
              get("gn"),
              64,
              get("gwm"),
              get("gwn"),
              get("gstages"),
              get(isGradient ? "parts" : "gparts"),
              isGradient ? 0 : get("gwidth"),
              true};
}

Family tensorCores90aFamily() {
  Family family = tensorCoresFamily();
  family.name = "tensor_cores_90a";
  family.doc =
      "tensor_cores with a second kernel in the object, for sm_90a (H100, H200) alone, where warpgroups "
      "multiply (wgmma): with -arch=sm_90a, where its estimate is the better one.";
  family.whyNot = whyNoGroups;
  family.parameters = parametersWithGroups;
  family.choose = chooseWithGroups;
  family.pays = groupsPay;
  return family;
}

Family tensorCoresFamily() {
  Family family = {
      "tensor_cores",
      "Convolutions and their weight gradients by the matrix instructions of an NVIDIA GPU: bf16, "
      "f16, or f32 as TF32 where that is asked for.",
      whyNot,
      parameters,
      choose,
      packing,
      nullptr};
  family.onGpu = true;
  family.pays = pays;
  family.compile = compile;
  family.granule = 8;
  return family;
}

} // namespace segc::schedules
