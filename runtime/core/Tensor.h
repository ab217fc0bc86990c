/// \file Checks the tensors a caller passes to run().
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"
#include "runtime/include/segc/model.h"

namespace segc::rt {

/// The bytes from a tensor's first to its last element, end excluded.
struct Span {
  uintptr_t begin, end;
  bool meets(const Span &other) const { return begin < other.end && other.begin < end; }
};

/// Shape, type, strides (positive, no two elements at one address, at most 2^31 - 1 elements apart),
/// alignment. `what` is "input" or "output", `shape` what the extents must be, of the table that `desc` is
/// in. Fills `span`; a status of the C interface.
int checkTensor(const char *what, const Header &table, const TensorDesc &desc, const int64_t *shape,
                const segc_model_tensor &tensor, Span &span);

/// Strides of dense memory; `channelsLast` puts C innermost. Rank 3 (N, H, W) has one dense order. Other
/// ranks are left.
void fillDenseStrides(segc_model_tensor &tensor, bool channelsLast);

} // namespace segc::rt
