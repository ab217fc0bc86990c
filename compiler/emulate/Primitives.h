/// \file The emulated primitives by name, and the number formats of tensors.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

namespace segc::emulate {

const std::vector<std::pair<const char *, void *>> &primitives();

float bf16ToFloat(uint16_t bits);
float f16ToFloat(uint16_t bits);
/// To nearest, ties to even; NaN becomes 0x7fff, as on GPUs.
uint16_t floatToBf16(float v);
uint16_t floatToF16(float v);

} // namespace segc::emulate
