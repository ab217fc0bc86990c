/// \file Makes <prefix>.h, the C header of one compiled model.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>
#include <vector>

namespace segc {

/// An input or output. An extent the model leaves open is 0.
struct HeaderTensor {
  std::string name;
  rt::DType dtype = rt::DType::F32;
  std::vector<int64_t> shape; ///< logical order: N, C, H, W or N, H, W
};

/// What is said about one model on top of the common interface. Texts may hold any bytes.
struct HeaderInfo {
  std::string name; ///< as in the model's description
  std::vector<HeaderTensor> inputs, outputs;
  std::vector<std::string> legalSizes; ///< a sentence each: "H: a multiple of 16, at least 32"
  std::vector<std::string> variants;   ///< instruction sets, best first
  uint64_t parameters = 0;             ///< numbers in the weights file
  uint64_t workspaceBytes = 0;         ///< for the shapes above and one thread; 0 where an extent is open
};

/// The text of the header: `headerTemplate` with the model's prefix (Link.h) for segc_model_ and its upper
/// case for SEGC_MODEL_; a comment about the model and macros for its numbers stand at the line
/// "/*@model@*/".
std::string modelHeader(const HeaderInfo &info, llvm::StringRef headerTemplate);

} // namespace segc
