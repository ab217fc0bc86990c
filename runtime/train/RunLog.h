/// \file RunLog: what a run writes down as it goes: one JSON object a line, one row of numbers an evaluation.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Curves.h"
#include "runtime/train/Settings.h"

namespace segc::train {

/// A text that appears as a whole or not at all (files::writeWhole).
std::optional<Failure> writeText(const std::string &path, const std::string &text);

/// log.jsonl: appended line by line, each with one write, so that a crash leaves whole lines but perhaps the
/// last.
class JsonLog {
public:
  /// Begins anew, or with `lastStep` keeps the lines of an interrupted run whose "step" is not above it:
  /// what came after a checkpoint will be written again.
  static Result<std::unique_ptr<JsonLog>> open(const std::string &path,
                                               std::optional<int64_t> lastStep = std::nullopt);
  ~JsonLog();
  JsonLog(const JsonLog &) = delete;
  JsonLog &operator=(const JsonLog &) = delete;

  std::optional<Failure> append(const Json &line);

private:
  JsonLog(std::string path, int file) : path(std::move(path)), file(file) {}
  std::string path;
  int file;
};

/// The whole lines of a log; a broken last one is left out, a broken one before is an error.
Result<std::vector<Json>> readLog(const std::string &path);
/// The numbers under `field` over those under "step", from the lines that have both; null is not finite.
Series seriesOf(const std::vector<Json> &lines, const std::string &field, const std::string &name);

/// results.csv: rewritten as a whole with each row. The first column is the step.
class ResultsCsv {
public:
  /// As JsonLog::open. Fails if rows to keep have other columns.
  static Result<ResultsCsv> open(const std::string &path, std::vector<std::string> columns,
                                 std::optional<int64_t> lastStep = std::nullopt);
  /// As many numbers as columns; those that are not finite stay empty.
  std::optional<Failure> append(const std::vector<double> &row);

private:
  std::string path, text;
  size_t columns = 0;
};

} // namespace segc::train
