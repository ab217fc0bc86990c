/// \file Legal extents by trying them.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/LegalSizes.h"

namespace segc {

static constexpr int64_t kLargest = 2048;

bool isLegal(const hg::SizeTable &table, llvm::ArrayRef<llvm::SmallVector<int64_t, 4>> inputs) {
  std::vector<int64_t> values = table.evaluate(inputs);
  for (const hg::SizeTable::Requirement &r : table.requirements())
    if (r.equal ? values[r.a] != values[r.b] : values[r.a] < r.least)
      return false;
  return true;
}

std::string LegalSizes::print() const {
  auto number = [](int64_t value) { return std::to_string(value); };
  std::string less = below ? ", and up to " + number(below) + " less" : "";
  if (first == 0)
    return "none up to " + number(kLargest);
  if (step == 0)
    return number(first) + " only" + less;
  if (step == 1)
    return first == 1 ? "any" : "any from " + number(first) + " on";
  if (first == step)
    return "multiples of " + number(step) + less;
  return number(first) + ", " + number(first + step) + ", " + number(first + 2 * step) + ", ... (steps of " +
         number(step) + ")" + less;
}

LegalSizes legalSizes(const hg::SizeTable &table, llvm::ArrayRef<llvm::SmallVector<int64_t, 4>> defaults,
                      unsigned axis) {
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
  // Runs of legal extents, [first, last].
  std::vector<std::pair<int64_t, int64_t>> runs;
  for (int64_t extent = 1; extent <= kLargest; ++extent) {
    if (!legal(extent))
      continue;
    if (runs.empty() || runs.back().second + 1 < extent)
      runs.emplace_back(extent, extent);
    runs.back().second = extent;
  }
  LegalSizes result;
  if (runs.empty())
    return result;
  auto [first, last] = runs.back();
  if (last == kLargest &&
      (runs.size() == 1 || last - first > runs[runs.size() - 2].second - runs[runs.size() - 2].first)) {
    result.first = first; // open towards the end
    result.step = 1;
    return result;
  }
  if (last == kLargest && runs.size() > 1)
    runs.pop_back(); // it may be cut off
  // The progression that the last runs are part of; what stands irregularly at the start is left out.
  size_t from = runs.size() - 1;
  result.below = runs[from].second - runs[from].first;
  if (from > 0)
    result.step = runs[from].second - runs[from - 1].second;
  while (from > 0 && runs[from].second - runs[from - 1].second == result.step &&
         runs[from - 1].second - runs[from - 1].first == result.below)
    --from;
  result.first = runs[from].second;
  return result;
}

} // namespace segc
