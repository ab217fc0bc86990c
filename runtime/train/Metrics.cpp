/// \file Metrics: counting, quotients and their tables.
// SPDX-License-Identifier: MIT
#include "runtime/train/Metrics.h"
#include "runtime/train/Table.h"
#include <algorithm>
#include <numeric>

namespace segc::train {

ConfusionMatrix::ConfusionMatrix(int64_t classes) : extent(classes), counts(size_t(classes * classes), 0) {}

std::optional<Failure> ConfusionMatrix::add(const int32_t *truth, const int32_t *prediction, int64_t count,
                                            int32_t ignore) {
  auto isClass = [&](int32_t label) { return label >= 0 && label < extent; };
  for (int64_t i = 0; i < count; ++i) {
    const bool good = truth[i] == ignore || (isClass(truth[i]) && isClass(prediction[i]));
    if (!good)
      return "pixel " + std::to_string(i) + " has the " +
             (isClass(truth[i]) ? "prediction " + std::to_string(prediction[i])
                                : "label " + std::to_string(truth[i])) +
             "; classes are 0 to " + std::to_string(extent - 1) + ", ignored is " + std::to_string(ignore);
  }
  for (int64_t i = 0; i < count; ++i)
    if (truth[i] != ignore)
      ++at(truth[i], prediction[i]);
  return std::nullopt;
}

void ConfusionMatrix::add(const ConfusionMatrix &other) {
  for (size_t i = 0; i < counts.size(); ++i)
    counts[i] += other.counts[i];
}

int64_t ConfusionMatrix::ofTruth(int64_t label) const {
  const auto row = counts.begin() + ptrdiff_t(label * extent);
  return std::accumulate(row, row + ptrdiff_t(extent), int64_t(0));
}

int64_t ConfusionMatrix::ofPrediction(int64_t label) const {
  int64_t sum = 0;
  for (int64_t truth = 0; truth < extent; ++truth)
    sum += (*this)(truth, label);
  return sum;
}

int64_t ConfusionMatrix::total() const { return std::accumulate(counts.begin(), counts.end(), int64_t(0)); }

namespace {

std::optional<double> quotient(int64_t part, int64_t whole) {
  return whole ? std::optional<double>(double(part) / double(whole)) : std::nullopt;
}

/// The mean of one quotient over the classes that have it.
std::optional<double> mean(const std::vector<ClassScore> &classes, std::optional<double> ClassScore::*score) {
  double sum = 0;
  int64_t count = 0;
  for (const ClassScore &one : classes)
    if (one.*score) {
      sum += *(one.*score);
      ++count;
    }
  return count ? std::optional<double>(sum / double(count)) : std::nullopt;
}

std::string percent(const std::optional<double> &value) { return value ? fixed(100 * *value, 2) : "-"; }
Json orNull(const std::optional<double> &value) { return value ? Json(*value) : Json(nullptr); }

} // namespace

Scores score(const ConfusionMatrix &matrix) {
  Scores result;
  int64_t right = 0;
  for (int64_t c = 0; c < matrix.classes(); ++c) {
    const int64_t hits = matrix(c, c), truth = matrix.ofTruth(c), predicted = matrix.ofPrediction(c);
    right += hits;
    result.classes.push_back({quotient(hits, truth + predicted - hits), quotient(2 * hits, truth + predicted),
                              quotient(hits, truth), quotient(hits, predicted)});
  }
  result.pixelAccuracy = quotient(right, matrix.total());
  result.meanJaccard = mean(result.classes, &ClassScore::jaccard);
  result.meanDice = mean(result.classes, &ClassScore::dice);
  result.meanRecall = mean(result.classes, &ClassScore::recall);
  return result;
}

std::string scoreText(const ConfusionMatrix &matrix, const std::vector<std::string> &names) {
  const Scores scores = score(matrix);
  Table table({"class", "IoU %", "Dice %", "recall %", "precision %", "pixels"});
  for (size_t c = 0; c < scores.classes.size(); ++c) {
    const ClassScore &one = scores.classes[c];
    table.add({c < names.size() ? names[c] : std::to_string(c), percent(one.jaccard), percent(one.dice),
               percent(one.recall), percent(one.precision), std::to_string(matrix.ofTruth(int64_t(c)))});
  }
  table.add({"mean", percent(scores.meanJaccard), percent(scores.meanDice), percent(scores.meanRecall), "",
             std::to_string(matrix.total())});
  return table.text() + "pixel accuracy " + percent(scores.pixelAccuracy) + " %, mIoU " +
         percent(scores.meanJaccard) + " %\n";
}

Json scoreJson(const ConfusionMatrix &matrix, const std::vector<std::string> &names) {
  const Scores scores = score(matrix);
  Json result;
  result["pixel_accuracy"] = orNull(scores.pixelAccuracy);
  result["miou"] = orNull(scores.meanJaccard);
  result["mean_dice"] = orNull(scores.meanDice);
  result["mean_recall"] = orNull(scores.meanRecall);
  result["pixels"] = matrix.total();
  for (size_t c = 0; c < scores.classes.size(); ++c) {
    const ClassScore &one = scores.classes[c];
    Json row;
    row["name"] = c < names.size() ? names[c] : std::to_string(c);
    row["iou"] = orNull(one.jaccard);
    row["dice"] = orNull(one.dice);
    row["recall"] = orNull(one.recall);
    row["precision"] = orNull(one.precision);
    row["pixels"] = matrix.ofTruth(int64_t(c));
    result["classes"].push_back(std::move(row));
    Json counts = Json::array();
    for (int64_t prediction = 0; prediction < matrix.classes(); ++prediction)
      counts.push_back(matrix(int64_t(c), prediction));
    result["confusion"].push_back(std::move(counts));
  }
  return result;
}

} // namespace segc::train
