/// \file Kernels for GPUs run on the CPU: the same LLVM IR, compiled for the host, with an emulated warp
/// below it.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/emulate/Block.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace llvm {
class LLVMContext;
class Module;
namespace orc {
class LLJIT;
} // namespace orc
} // namespace llvm

namespace segc::emulate {

struct Launch {
  int64_t blocks;
  int phases, parts, threads, sharedBytes; ///< the grid is blocks, phases, parts
};

/// The kernels of one module, which calls the primitives by name and takes each kernel's arguments by
/// pointer.
class Kernels {
public:
  static llvm::Expected<Kernels> compile(std::unique_ptr<llvm::Module> module,
                                         std::unique_ptr<llvm::LLVMContext> context);
  Kernels(Kernels &&);
  ~Kernels();
  /// All blocks one after the other. Anything that a GPU would not do the same way every time is an error.
  llvm::Expected<Counts> run(const std::string &symbol, const Launch &launch, const void *arguments,
                             const std::vector<Range> &memory) const;

private:
  explicit Kernels(std::unique_ptr<llvm::orc::LLJIT> jit);
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

} // namespace segc::emulate
