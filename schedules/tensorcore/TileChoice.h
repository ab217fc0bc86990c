/// \file Which tile a problem gets: an estimate of the time of each that fits, by waves, bytes and
/// instructions.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/TensorCores.h"
#include "schedules/tensorcore/Problem.h"

namespace segc::tensorcore {

/// What the estimate knows of a GPU. Rates are per SM and cycle.
struct Device {
  int sms = 132;
  int sharedPerSm = 228 * 1024, sharedPerBlock = 227 * 1024; ///< 48 * 1024 where the launch asks for no more
  int64_t partialBytes = rt::kPartialBytes;                  ///< what the parts of one reduction may take
  double gigahertz = 1.7;
  double multiplies = 1280; ///< of bf16 by mma.sync: 62 % of what wgmma reaches on sm_90; tf32 half of it
  double groupMultiplies = 2048; ///< of bf16 by wgmma: 989 dense TFLOP/s are 132 SMs at 1.83 GHz with so many
  double sharedBytes = 128, cacheBytes = 48; ///< shared memory, L2 cache
  double memoryBytes = 4.3e12;               ///< per second, of all SMs
};

struct Estimate {
  double microseconds = 0;
  int64_t blocks = 0;
  int perSm = 0;     ///< blocks that an SM holds at once
  double waves = 0;  ///< blocks over those that run at once
  int registers = 0; ///< of a thread
};

Estimate estimate(const Problem &problem, const Tile &tile, const Extents &extents, const Device &device);

/// All tiles of the family, without parts, for a problem's element; each passes check() for some problem.
std::vector<Tile> tiles(const Problem &problem);
/// Those of warpgroups, for sm_90a alone; none for what wgmma does not compute.
std::vector<Tile> groupTiles(const Problem &problem);

/// The numbers of parts that are tried, in order: beside powers of two those that fill 132 SMs once or twice
/// with the blocks of usual layers.
const std::vector<int> &legalParts();

struct Choice {
  Tile tile;
  Estimate estimate;
};

/// The tile with the least estimate, of those that fit, with parts where there are too few blocks. Extents
/// must all be known: a model's defaults where they are the run's. `parts`: 0, or how many there have to be.
llvm::Expected<Choice> chooseTile(const Problem &problem, const Extents &extents, const Device &device = {},
                                  int parts = 0);
/// The same of the tiles of warpgroups; an error too where there is none.
llvm::Expected<Choice> chooseGroupTile(const Problem &problem, const Extents &extents,
                                       const Device &device = {}, int parts = 0);

struct Both {
  Choice all, groups; ///< the tile for all GPUs and the one of warpgroups
};
/// Both of one library. Those of a weight gradient have the same number of parts, since these are a buffer of
/// the plan: of the numbers with which warpgroups lose nothing to speak of the best one for the other tile.
llvm::Expected<Both> chooseBoth(const Problem &problem, const Extents &extents, const Device &device = {});

} // namespace segc::tensorcore
