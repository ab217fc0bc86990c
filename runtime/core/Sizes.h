/// \file Evaluates the extents that depend on the caller's shapes, with every operation checked.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"

namespace segc::rt {

constexpr int64_t kMaxExtent = int64_t(1) << 24;
constexpr int64_t kMaxElements = (int64_t(1) << 31) - 1; ///< of one buffer: kernels index with 32 bits

/// Where axis 0 N, 1 C, 2 H, 3 W lies in a shape of this rank: rank 3 is N, H, W. kNone if it has no such
/// axis.
uint32_t axisPosition(uint32_t axis, uint32_t rank);

/// True if no input extent is left open ("?") by the model.
bool hasDefaultShape(const Header &table);

/// Values of all size nodes. `shapes`: 4 extents for each input in logical order, or null for the model's
/// own. Returns a status of the C interface; the text names the input, its extent and what would be right.
int evaluateSizes(const Header &table, const int64_t *shapes, int64_t *values);

/// product of extents, each in [1, 2^24], at most 2^31 - 1; -1 if not.
int64_t checkedElements(const int64_t *extents, uint32_t count);

} // namespace segc::rt
