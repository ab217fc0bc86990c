/// \file What is generated into the template: the epilogue and the kernels' entries.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/tensorcore/Specialise.h"

namespace llvm {
class Function;
} // namespace llvm

namespace segc::tensorcore {

/// Gives segc_epilogue of the template its body: the steps of the problem, one after the other, on eight
/// channels.
llvm::Error generateEpilogue(llvm::Module &module, const Problem &problem);

/// Gives segc_warp_wgmma its body, the instruction of the tile's width, and shared memory the alignment that
/// its operands need.
void generateWgmma(llvm::Module &module, const Problem &problem, const Tile &tile);

/// The kernel's entry around a function of the template that takes a pointer to Arguments.
llvm::Expected<llvm::Function *> generateEntry(llvm::Module &module, const Kernel &kernel, const char *body,
                                               Warp warp);

} // namespace segc::tensorcore
