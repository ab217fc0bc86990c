/// \file A tensor that the caller of a library hands in: an input of the model or a target of its training.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Json.h"

namespace segc {

constexpr int64_t kAnyExtent = -1; ///< "?": known when the library is called

struct ModelInput {
  std::string name;
  std::vector<int64_t> shape; ///< logical order, [N, C, H, W] for rank 4; kAnyExtent where open
  std::string dtype;          ///< f32, f16, bf16, i8, u8, i32
  llvm::SMLoc loc;
};

/// Reads an input or, where `isTarget`, a target: the object with parameters substituted. Reports the first
/// error.
llvm::FailureOr<ModelInput> readModelInput(const Value &object, bool isTarget, Diagnostics &diagnostics);

} // namespace segc
