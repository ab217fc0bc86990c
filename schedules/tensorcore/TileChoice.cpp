/// \file The cost model. It has to rank tiles, not to predict times; docs/tensorcore.md has its choices for
/// U-Net.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/TileChoice.h"
#include "schedules/tensorcore/Specialise.h"
#include <algorithm>
#include <cmath>

namespace segc::tensorcore {
namespace {

constexpr double launchMicroseconds = 2; ///< of one more kernel in a graph
constexpr double latencyCycles = 900; ///< until a block's first copies have come, and its last stores are out
constexpr int warpsToHideLatency = 8; ///< of an SM, for mma.sync to follow each other without gaps
constexpr int warpsToKeepGroups = 4;  ///< likewise for wgmma, of which a step is under way beside the next
constexpr int registersBesideTiles = 40;  ///< addresses, predicates: from ptxas over the tiles below
constexpr int registersBesideSums = 60;   ///< likewise of warpgroups, which have no fragments
constexpr double nothingToSpeakOf = 1.02; ///< of times by this estimate

int64_t pixels(const Extents &e) { return int64_t(e.images) * e.height * e.width; }

/// Of the reduction, rounded up to whole steps.
int64_t steps(const Problem &p, const Tile &t, const Extents &e) {
  const int64_t length = p.kind == Kind::WeightGradient ? pixels(e) : int64_t(p.taps()) * p.channels();
  return (length + t.k - 1) / t.k;
}

int64_t partialBytesOfPart(const Problem &p, const Extents &e) {
  return p.kind == Kind::WeightGradient ? partialBytes(p, Tile(), e)
                                        : rt::partBytes(gridOf(p, Tile()), e.images, e.height, e.width);
}

int registersOf(const Tile &t) {
  if (t.wgmma)
    return t.warpM * t.warpN / 128 + registersBesideSums;
  return t.warpM * t.warpN / 32 + (t.warpM + t.warpN) / 4 + registersBesideTiles;
}

/// Bytes that must come from and go to memory at least once.
double memoryTraffic(const Problem &p, const Extents &e) {
  const double input = double(e.images) * e.inHeight * e.inWidth * p.channels() * bytesOf(p.element);
  const double values =
      p.kind == Kind::Convolution ? (p.keep ? 1 : 0) + (p.pool ? 0.25 : 0) : 1; // of each pixel and channel
  const double result = double(pixels(e)) * p.k * values *
                        (p.resultF32 && p.kind == Kind::Convolution ? 4 : bytesOf(p.element));
  const double weights =
      double(p.taps()) * p.channels() * p.k * (p.kind == Kind::WeightGradient ? 4 : bytesOf(p.element));
  return input + p.phases * (result + weights);
}

/// As far as each has four steps left, and up to sixteen rounds of all SMs with a block each.
std::vector<int> partsToTry(const Problem &problem, Tile tile, const Extents &extents, const Device &device) {
  tile.parts = 1;
  const int64_t alone = blocks(kernelsOf(problem, tile, "").front(), problem, tile, extents) * problem.phases;
  const int64_t most =
      std::min({steps(problem, tile, extents) / 4, 16 * device.sms / alone,
                device.partialBytes / std::max<int64_t>(1, partialBytesOfPart(problem, extents))});
  std::vector<int> result = {1};
  for (const int parts : legalParts())
    if (parts > 1 && parts <= most)
      result.push_back(parts);
  return result;
}

/// A pool needs rectangles of pixels.
Tile shaped(const Problem &problem, Tile tile) {
  if (problem.pool)
    tile.width = tile.m >= 128 ? 16 : 8;
  return tile;
}

} // namespace

const std::vector<int> &legalParts() {
  static const std::vector<int> parts = {1,  2,  3,  4,  6,  7,  8,  11, 12, 13, 14, 16, 22,
                                         24, 26, 29, 32, 33, 44, 48, 52, 64, 66, 88, 96, 128};
  return parts;
}

std::vector<Tile> tiles(const Problem &problem) {
  // m, n, warpM, warpN. The larger a warp's tile, the fewer bytes of shared memory a product: 64x64 takes two
  // thirds of what 64x32 takes, but 200 registers.
  static const int shapes[][4] = {
      {256, 128, 64, 64}, {128, 256, 64, 64}, {128, 128, 64, 64}, {256, 64, 64, 64}, {64, 256, 64, 64},
      {256, 64, 64, 32},  {128, 128, 64, 32}, {128, 64, 64, 32},  {128, 32, 32, 32}, {64, 128, 32, 64},
      {64, 64, 32, 32},   {64, 32, 32, 16},   {32, 64, 16, 32}};
  std::vector<Tile> result;
  const int perRow = 64 / bytesOf(problem.element);
  for (const int *s : shapes)
    for (const int k : {perRow, 2 * perRow})
      result.push_back(shaped(problem, {s[0], s[1], k, s[2], s[3], k == perRow ? 4 : 3, 1, 0}));
  return result;
}

std::vector<Tile> groupTiles(const Problem &problem) {
  if (problem.kind == Kind::Pack || problem.element == Element::TF32)
    return {};
  // m, n, rows and columns of a warpgroup, stages. Wide instructions read a's rows from shared memory for
  // more columns; three stages leave room for a second block on the SM.
  static const int shapes[][5] = {{128, 256, 64, 256, 4}, {256, 128, 128, 128, 4}, {128, 128, 64, 128, 4},
                                  {128, 128, 64, 128, 3}, {64, 256, 64, 128, 4},   {256, 64, 128, 64, 4},
                                  {128, 64, 64, 64, 4},   {64, 128, 64, 128, 4},   {64, 64, 64, 64, 4},
                                  {128, 32, 64, 32, 4},   {64, 32, 64, 32, 4}};
  std::vector<Tile> result;
  for (const int *s : shapes)
    if (problem.kind != Kind::WeightGradient || s[3] >= 64)
      result.push_back(shaped(problem, {s[0], s[1], 64, s[2], s[3], s[4], 1, 0, true}));
  return result;
}

Estimate estimate(const Problem &p, const Tile &t, const Extents &e, const Device &device) {
  const Kernel gemm = kernelsOf(p, t, "").front();
  Estimate result;
  result.registers = registersOf(t);
  result.blocks = blocks(gemm, p, t, e) * p.phases * t.parts;
  const int byShared = device.sharedPerSm / (gemm.sharedBytes + 1024), byThreads = 2048 / gemm.threads;
  const int byRegisters = 65536 / (result.registers * gemm.threads);
  result.perSm = std::max(1, std::min({byShared, byThreads, byRegisters, 32}));

  // One step of one block: products, fragments read by all warps, copies.
  const double bytes = bytesOf(p.element),
               rate = t.wgmma ? device.groupMultiplies : device.multiplies * 2 / bytes;
  const double multiply = double(t.m) * t.n * t.k / rate;
  // A warpgroup reads all columns for each 64 of its rows.
  const double readers = t.wgmma ? t.warps() / 4 : t.warps(),
               rows = t.wgmma ? t.warpM + t.warpM / 64 * t.warpN : t.warpM + t.warpN;
  const double fragments = readers * rows * t.k * bytes / device.sharedBytes;
  const double copies = double(t.m + t.n) * t.k * bytes;
  const double step =
      std::max({multiply, fragments + copies / device.sharedBytes, copies / device.cacheBytes});

  // The blocks of an SM share its units; few warps leave gaps. The last wave may be a partial one.
  const double share = double(result.blocks) / device.sms,
               together = std::min<double>(result.perSm, std::ceil(share));
  const double busy = std::min(1., together * t.warps() / (t.wgmma ? warpsToKeepGroups : warpsToHideLatency));
  const double stepsOfBlock = std::ceil(double(steps(p, t, e)) / t.parts);
  const double epilogue = double(t.m) * t.n * 16 / device.sharedBytes;
  const double round = together * (stepsOfBlock * step / busy + epilogue) + latencyCycles;
  result.waves = share / result.perSm;
  const double cycles = std::ceil(share / together) * round;

  double seconds = 0;
  if (const double partial = double(partialBytes(p, t, e)); partial > 0)
    seconds = 2 * partial / device.memoryBytes + launchMicroseconds * 1e-6;
  seconds += std::max(cycles / (device.gigahertz * 1e9), memoryTraffic(p, e) / device.memoryBytes);
  result.microseconds = seconds * 1e6;
  return result;
}

static llvm::Expected<Choice> chooseOf(const std::vector<Tile> &all, const Problem &problem,
                                       const Extents &extents, const Device &device, int givenParts) {
  if (pixels(extents) <= 0 || extents.inHeight <= 0 || extents.inWidth <= 0)
    return llvm::createStringError(problem.print() +
                                   ": a tile is chosen for known extents, which must be positive");
  if (llvm::Error error = checkExtents(problem, extents))
    return error;
  std::string reason;
  Choice best;
  best.estimate.microseconds = INFINITY;
  for (Tile tile : all) {
    if (llvm::Error error = check(problem, tile, device.sharedPerBlock)) {
      reason = llvm::toString(std::move(error));
      continue;
    }
    for (const int parts :
         givenParts ? std::vector<int>{givenParts} : partsToTry(problem, tile, extents, device)) {
      tile.parts = parts;
      const Estimate e = estimate(problem, tile, extents, device);
      if (e.microseconds < best.estimate.microseconds)
        best = {tile, e};
    }
  }
  if (std::isinf(best.estimate.microseconds))
    return llvm::createStringError(reason);
  return best;
}

llvm::Expected<Choice> chooseTile(const Problem &problem, const Extents &extents, const Device &device,
                                  int parts) {
  return chooseOf(tiles(problem), problem, extents, device, parts);
}

llvm::Expected<Choice> chooseGroupTile(const Problem &problem, const Extents &extents, const Device &device,
                                       int parts) {
  const std::vector<Tile> all = groupTiles(problem);
  if (all.empty())
    return llvm::createStringError(problem.print() +
                                   ": warpgroups multiply convolutions in bf16 and f16 only");
  return chooseOf(all, problem, extents, device, parts);
}

llvm::Expected<Both> chooseBoth(const Problem &problem, const Extents &extents, const Device &device) {
  llvm::Expected<Choice> all = chooseTile(problem, extents, device);
  if (!all)
    return all.takeError();
  llvm::Expected<Choice> groups = chooseGroupTile(problem, extents, device);
  if (!groups)
    return groups.takeError();
  Both best = {*all, *groups};
  if (problem.kind != Kind::WeightGradient)
    return best;
  best.all.estimate.microseconds = INFINITY;
  const int64_t most = std::min(steps(problem, groups->tile, extents) / 4,
                                device.partialBytes / partialBytesOfPart(problem, extents));
  for (const int parts : legalParts()) {
    if (parts > 1 && parts > most)
      break;
    const Both both = {llvm::cantFail(chooseTile(problem, extents, device, parts)),
                       llvm::cantFail(chooseGroupTile(problem, extents, device, parts))};
    if (both.groups.estimate.microseconds <= nothingToSpeakOf * groups->estimate.microseconds &&
        both.all.estimate.microseconds < best.all.estimate.microseconds)
      best = both;
  }
  return best;
}

} // namespace segc::tensorcore
