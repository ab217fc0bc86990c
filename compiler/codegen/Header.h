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
  bool infers = true;
  std::vector<HeaderTensor> inputs, outputs; ///< of run()
  bool trains = false;
  std::vector<HeaderTensor> trainInputs, trainOutputs; ///< of grad(): inputs, targets; gradients of inputs
  std::vector<std::string> losses;                     ///< "cross_entropy:logits", without the total
  std::vector<std::string> legalSizes; ///< a sentence each: "H: a multiple of 16, at least 32"
  std::vector<std::string> variants;   ///< instruction sets, best first
  uint64_t parameters = 0;             ///< numbers in the weights file
  uint64_t workspaceBytes =
      0; ///< for the largest shapes (-max-shape, else those above) and one thread; 0 where an extent is open
  uint64_t trainWorkspaceBytes = 0; ///< the same of training
};

/// The text of the header: `headerTemplate` with the model's prefix (Link.h) for segc_model_ and its upper
/// case for SEGC_MODEL_; a comment about the model and macros for its numbers stand at the line
/// "/*@model@*/". What stands between "/*@train@*/" and "/*@end@*/" is for libraries that train.
std::string modelHeader(const HeaderInfo &info, llvm::StringRef headerTemplate);

} // namespace segc
