/// \file Legal extents by trying them.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/LegalSizes.h"

namespace segc {

bool isLegal(const hg::SizeTable &table, llvm::ArrayRef<llvm::SmallVector<int64_t, 4>> inputs) {
  std::vector<int64_t> values = table.evaluate(inputs);
  for (const hg::SizeTable::Requirement &r : table.requirements())
    if (r.equal ? values[r.a] != values[r.b] : values[r.a] < r.least)
      return false;
  return true;
}

std::string LegalSizes::print() const {
  auto number = [](int64_t value) { return std::to_string(value); };
  if (first == 0)
    return "none up to 2048";
  if (step == 0)
    return number(first) + " only";
  if (step == 1)
    return first == 1 ? "any" : "any from " + number(first) + " on";
  if (first == step)
    return "multiples of " + number(step);
  return number(first) + ", " + number(first + step) + ", " + number(first + 2 * step) + ", ... (steps of " +
         number(step) + ")";
}

LegalSizes legalSizes(const hg::SizeTable &table, llvm::ArrayRef<llvm::SmallVector<int64_t, 4>> defaults,
                      unsigned axis) {
  constexpr int64_t kLargest = 2048;
  // The other axis may only fit together with this one where it is unknown: try both equal first.
  auto legal = [&](int64_t extent) {
    llvm::SmallVector<llvm::SmallVector<int64_t, 4>> inputs(defaults.begin(), defaults.end());
    for (auto &shape : inputs) {
      for (int64_t &known : shape)
        known = known > 0 ? known : &known == &shape[0] ? 1 : extent;
      shape[axis] = extent;
    }
    return isLegal(table, inputs);
  };
  LegalSizes result;
  int64_t previous = 0;
  for (int64_t extent = 1; extent <= kLargest; ++extent) {
    if (!legal(extent))
      continue;
    if (!result.first)
      result.first = extent;
    else if (!result.step)
      result.step = extent - previous;
    else if (extent - previous != result.step) { // irregular at the start: begin the progression here
      result.first = previous;
      result.step = extent - previous;
    }
    previous = extent;
  }
  return result;
}

} // namespace segc
