/// \file The launches of the tensor-core tests on a GPU, where one is at hand.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/emulate/Memory.h"
#include "schedules/tensorcore/Specialise.h"

namespace segc::tensorcore::test {

/// The first CUDA device, through the driver alone.
class Gpu {
public:
  /// nullptr where there is no driver, no device, or one before sm_80.
  static const Gpu *find();
  /// Whether it is for kernels with this tile.
  bool runs(const Tile &tile) const;
  /// Runs the kernels with copies of `memory` in place of it, twice; copies the writable ranges back. Empty,
  /// or what went wrong: an error of the driver, or results that differ between the runs.
  std::string run(const Problem &problem, const Tile &tile, const Extents &extents,
                  const Arguments &arguments, const std::vector<emulate::Range> &memory) const;
};

} // namespace segc::tensorcore::test
