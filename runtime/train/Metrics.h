/// \file Metrics: how well predicted classes fit the true ones, from one matrix of counts.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Settings.h"

namespace segc::train {

/// Pixels by true and predicted class.
class ConfusionMatrix {
public:
  /// All zero; `classes` is at least 1.
  explicit ConfusionMatrix(int64_t classes);

  /// Counts `count` pixels. Those whose truth is `ignore` do not count at all, whatever was predicted there.
  /// Fails, and counts nothing, if another truth or a prediction is no class.
  std::optional<Failure> add(const int32_t *truth, const int32_t *prediction, int64_t count, int32_t ignore);
  /// The other has as many classes.
  void add(const ConfusionMatrix &other);
  void add(int64_t truth, int64_t prediction, int64_t count) { at(truth, prediction) += count; }

  int64_t classes() const { return extent; }
  int64_t operator()(int64_t truth, int64_t prediction) const {
    return counts[size_t(truth * extent + prediction)];
  }
  int64_t ofTruth(int64_t label) const;
  int64_t ofPrediction(int64_t label) const;
  int64_t total() const;

private:
  int64_t &at(int64_t truth, int64_t prediction) { return counts[size_t(truth * extent + prediction)]; }

  int64_t extent;
  std::vector<int64_t> counts;
};

/// Quotients; those without a denominator are missing.
struct ClassScore {
  std::optional<double> jaccard;   ///< TP / (TP + FP + FN): intersection over union
  std::optional<double> dice;      ///< 2 TP / (2 TP + FP + FN)
  std::optional<double> recall;    ///< TP / (TP + FN): the class's pixel accuracy
  std::optional<double> precision; ///< TP / (TP + FP)
};

struct Scores {
  std::vector<ClassScore> classes;
  /// Means leave out classes for which the quotient is missing. A class that is neither in truth nor
  /// predicted has no Jaccard and no Dice; one that was only predicted has 0.
  std::optional<double> pixelAccuracy, meanJaccard, meanDice, meanRecall;
};

Scores score(const ConfusionMatrix &matrix);

/// One line a class, then the means; missing numbers are `-`.
std::string scoreText(const ConfusionMatrix &matrix, const std::vector<std::string> &names);
/// The same with the matrix (rows are the truth); missing numbers are null.
Json scoreJson(const ConfusionMatrix &matrix, const std::vector<std::string> &names);

} // namespace segc::train
