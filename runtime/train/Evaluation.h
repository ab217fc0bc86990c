/// \file Evaluation: predicted against true labels, picture by picture, and the folder that tells of it.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Dataset.h"
#include "runtime/train/Metrics.h"
#include <set>

namespace segc::train {

struct EvaluationOptions {
  std::string folder;    ///< gets the report; empty: none is written
  std::string masks;     ///< folder that gets each picture's predicted classes as a palette PNG; empty: none
  int64_t sheetRows = 8; ///< pictures on the contact sheet: those with the least pixel accuracy
};

/// The folder has evaluation.json, confusion.png, sheet.png (picture, truth, prediction, errors), and for
/// each picture errors/NAME.png or, where colours are learnt, colours/NAME.png.
class Evaluation {
public:
  /// Makes the folders. `dataset` must outlive the evaluation.
  static Result<Evaluation> begin(const Dataset &dataset, const EvaluationOptions &options);

  /// Counts a picture and writes what belongs to it alone. The prediction has its extents.
  std::optional<Failure> add(const Item &item, const Example &example, const Labels &prediction);
  /// Writes what belongs to all.
  std::optional<Failure> finish() const;

  const ConfusionMatrix &matrix() const { return counts; }
  /// The table of scores.
  std::string text() const;
  /// The scores, the matrix, and the pixel accuracy and mIoU of each picture.
  Json json() const;

private:
  struct Row {
    double accuracy = 0;
    Picture cells[4];
    std::string name;
  };
  Evaluation(const Dataset &dataset, const EvaluationOptions &options);
  std::string uniqueName(const std::string &name);
  void keep(Row row);

  const Dataset *dataset;
  EvaluationOptions options;
  ConfusionMatrix counts;
  std::vector<std::string> classNames;
  std::set<std::string> names;
  std::vector<Json> pictures;
  std::vector<Row> rows; ///< worst first
};

} // namespace segc::train
