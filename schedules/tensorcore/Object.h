/// \file A convolution's kernels as an object like those that Halide makes: PTX, what it is launched with,
/// and an entry for the executor.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Compile.h"
#include "schedules/tensorcore/Specialise.h"

namespace segc::tensorcore {

/// The job's object for a problem and a tile, and with `groups` for sm_90a with that tile of warpgroups.
/// Where the job is not for CUDA it holds no code: the emulated warp makes its own from problem and schedule.
llvm::Expected<schedules::KernelArtifact> compileObject(const schedules::KernelJob &job,
                                                        const Problem &problem, const Tile &tile,
                                                        const Tile *groups, bool readable);

} // namespace segc::tensorcore
