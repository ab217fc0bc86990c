/// \file Which heights and widths a network takes, found by evaluating its size table.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Sizes.h"
#include <string>

namespace segc {

/// Legal extents of one axis: first, first + step, … and the `below` extents under each, as far as looked
/// (2048); step 0 means only these, and first 0 none.
struct LegalSizes {
  int64_t first = 0, step = 0;
  int64_t below = 0;         ///< a stride that rounds up leads several extents to the same one
  std::string print() const; ///< "multiples of 16", "188, 204, 220, … (steps of 16)", "256 only"
};

/// True if all requirements hold for these extents of the inputs (N, C, H, W each).
bool isLegal(const hg::SizeTable &table, llvm::ArrayRef<llvm::SmallVector<int64_t, 4>> inputs);

/// Legal extents of axis 2 (H) or 3 (W) of all inputs together, the other axes at their defaults (or `other`
/// where unknown).
LegalSizes legalSizes(const hg::SizeTable &table, llvm::ArrayRef<llvm::SmallVector<int64_t, 4>> defaults,
                      unsigned axis);

} // namespace segc
