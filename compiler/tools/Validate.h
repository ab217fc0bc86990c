/// \file Validate: scores of the current weights on a split of the data, with pictures to look at.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/Library.h"
#include "runtime/pictures/Canvas.h"
#include "runtime/train/Dataset.h"
#include "runtime/train/Metrics.h"

namespace segc {

struct Validation {
  explicit Validation(int64_t classes) : matrix(classes) {}
  train::ConfusionMatrix matrix;
  /// Three for each of the first pictures: input, truth, prediction.
  std::vector<pictures::SheetCell> cells;
};

/// Predicts the classes of every picture of the split, whole, and counts them. `samples` pictures are kept to
/// be shown. On failure a sentence.
std::optional<std::string> validate(Instance &instance, const train::Dataset &dataset,
                                    const std::string &split, int64_t samples, Validation &result);

} // namespace segc
