/// \file From a problem and a tile to kernels: the embedded template with constants, optimised by LLVM.
///
/// Pure: no state outlives a call, equal arguments give equal text. What is wrong comes back as an error.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/TensorCores.h"
#include "schedules/tensorcore/Problem.h"
#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace segc::tensorcore {

/// How one kernel is launched: grid (blocks(), phases, parts), `threads` in a row, dynamic shared memory, the
/// structure Arguments by value as the only argument.
struct Kernel {
  std::string symbol;
  bool adds; ///< adds the parts of a split reduction up
  int threads, sharedBytes, phases, parts;
};

/// The kernels in the order of their launches: the GEMM, then the sum of its parts if there are any (always
/// for a weight gradient, whose sum writes the file's layout).
std::vector<Kernel> kernelsOf(const Problem &problem, const Tile &tile, const std::string &symbol);
/// What the grids of a convolution's kernels depend on beside extents.
rt::TensorCoreGrid gridOf(const Problem &problem, const Tile &tile);
/// The first extent of a kernel's grid for a result of these extents.
int64_t blocks(const Kernel &kernel, const Problem &problem, const Tile &tile, const Extents &extents);
/// Bytes of Arguments::partial; 0 where nothing is split.
int64_t partialBytes(const Problem &problem, const Tile &tile, const Extents &extents);

struct Specialised {
  std::vector<Kernel> kernels;
  std::string ptx; ///< of all of them, for sm_80 and later; of wgmma tiles for sm_90a
};

/// What the primitives of device/Primitives.h are in a module.
enum class Warp { Nvvm, External };

/// The optimised module: a function for each kernel, which takes Arguments by value (Nvvm) or by pointer
/// (External).
llvm::Expected<std::unique_ptr<llvm::Module>> specialiseModule(const Problem &problem, const Tile &tile,
                                                               const std::string &symbol, Warp warp,
                                                               llvm::LLVMContext &context);
llvm::Expected<Specialised> specialise(const Problem &problem, const Tile &tile, const std::string &symbol);

} // namespace segc::tensorcore
