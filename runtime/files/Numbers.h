/// \file Element types: how numbers become bytes of a tensor file and back.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/files/Safetensors.h"

namespace segc::files {

/// The number at `bytes` (byteSize(dtype) of them).
double decode(DType dtype, const uint8_t *bytes);
/// Stores `value` at `bytes`: nearest, ties to even; integers clamped, NaN gives 0 there.
void encode(DType dtype, double value, uint8_t *bytes);

} // namespace segc::files
