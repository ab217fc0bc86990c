/// \file Runs the tensor-core kernels of libraries that segc's tools open on the emulated warp: the function
/// that runtime/core/TensorCores.h names.
// SPDX-License-Identifier: MIT
#include "compiler/emulate/Emulate.h"
#include "runtime/core/TensorCores.h"
#include "schedules/gpu/TensorCores.h"
#include "schedules/tensorcore/Specialise.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include <cstdio>
#include <map>
#include <mutex>

using namespace llvm;

namespace segc {
namespace {

constexpr const char *kSymbol = "segc_emulated";

struct Convolution {
  tensorcore::Problem problem;
  tensorcore::Tile tile;
  emulate::Kernels kernels;
};

Expected<Convolution> compile(const rt::EmulatedLaunch &launch) {
  auto spec = schedules::KernelSpec::parse(launch.problem);
  auto schedule = schedules::Schedule::parse(launch.schedule);
  if (auto *why = std::get_if<std::string>(&spec))
    return createStringError(*why);
  if (auto *why = std::get_if<std::string>(&schedule))
    return createStringError(*why);
  Expected<tensorcore::Problem> problem = tensorcore::Problem::of(std::get<schedules::KernelSpec>(spec));
  if (!problem)
    return problem.takeError();
  // A kernel that has a variant for sm_90a is launched by that one's description.
  const auto &chosen = std::get<schedules::Schedule>(schedule);
  const std::optional<tensorcore::Tile> groups = schedules::groupTileOf(chosen);
  const tensorcore::Tile tile = groups ? *groups : schedules::tileOf(chosen);
  auto context = std::make_unique<LLVMContext>();
  auto module = tensorcore::specialiseModule(*problem, tile, kSymbol, tensorcore::Warp::External, *context);
  if (!module)
    return module.takeError();
  auto kernels = emulate::Kernels::compile(std::move(*module), std::move(context));
  if (!kernels)
    return kernels.takeError();
  return Convolution{*problem, tile, std::move(*kernels)};
}

/// Each convolution is compiled once in a program. One thread at a time: a block's fibers belong to it.
Error run(const rt::EmulatedLaunch &launch) {
  static std::mutex mutex;
  static std::map<std::string, Convolution> known;
  const std::lock_guard<std::mutex> lock(mutex);
  const std::string key = std::string(launch.problem) + "\n" + launch.schedule;
  auto found = known.find(key);
  if (found == known.end()) {
    Expected<Convolution> compiled = compile(launch);
    if (!compiled)
      return compiled.takeError();
    found = known.emplace(key, std::move(*compiled)).first;
  }
  const Convolution &convolution = found->second;
  const tensorcore::Arguments &a = *launch.arguments;
  const tensorcore::Extents extents = {a.images, a.height, a.width, a.inHeight, a.inWidth};
  std::vector<emulate::Range> memory;
  for (uint32_t i = 0; i < launch.rangeCount; ++i)
    memory.push_back({launch.ranges[i].begin, launch.ranges[i].bytes, launch.ranges[i].writable});
  for (const tensorcore::Kernel &kernel :
       tensorcore::kernelsOf(convolution.problem, convolution.tile, kSymbol)) {
    if (kernel.adds && (a.parts == 1 || convolution.problem.kind == tensorcore::Kind::WeightGradient))
      continue; // there is nothing to add, or another kernel of the library adds and unpacks
    const emulate::Launch grid = {tensorcore::blocks(kernel, convolution.problem, convolution.tile, extents),
                                  kernel.phases, kernel.adds ? 1 : a.parts, kernel.threads,
                                  kernel.sharedBytes};
    auto counts = convolution.kernels.run(kernel.symbol, grid, &a, memory);
    if (!counts)
      return counts.takeError();
  }
  return Error::success();
}

} // namespace
} // namespace segc

extern "C" bool segc_emulated_warp(const segc::rt::EmulatedLaunch *launch) {
  Error error = segc::run(*launch);
  if (!error)
    return true;
  std::snprintf(launch->error, launch->errorBytes, "%s", toString(std::move(error)).c_str());
  return false;
}
