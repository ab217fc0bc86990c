/// \file The object that holds a model's constant tables and refers to its kernels.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace segc {

/// What the data object says of one instruction-set variant.
struct VariantData {
  std::vector<uint8_t> table; ///< the block of runtime/core/ModelTable.h; empty in a library that only trains
  std::vector<std::string> kernels; ///< in the table's order; `<symbol>_argv` is what gets called
  std::vector<uint8_t> trainTable;  ///< the same for training; empty where there is none
  std::vector<std::string> trainKernels;
};

/// A relocatable x86-64 object that defines segc_model_variants and segc_model_variant_count
/// (runtime/core/ModelTable.h), or what LLVM said against it.
std::variant<std::vector<uint8_t>, std::string> dataObject(const std::vector<VariantData> &variants);

} // namespace segc
