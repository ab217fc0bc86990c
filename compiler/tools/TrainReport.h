/// \file TrainReport: what a run tells as it goes: the bar, the log, the table of results, curves, samples.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/Validate.h"
#include "runtime/train/Progress.h"
#include "runtime/train/RunFolder.h"
#include "runtime/train/RunLog.h"

namespace segc {

/// Seconds of a clock that only goes forward.
double steadySeconds();

class TrainReport {
public:
  /// Opens log.jsonl and results.csv; after an interruption what lies behind step `done` is taken out, to be
  /// written again.
  static train::Result<std::unique_ptr<TrainReport>> open(const train::RunFolder &folder,
                                                          const train::Dataset &dataset, int64_t total,
                                                          int64_t done, bool resumed);

  /// Redraws the bar.
  void step(int64_t steps, int64_t pictures, double loss, int64_t total);
  /// A line of the log: the mean losses of the steps since the last one.
  std::optional<train::Failure> losses(int64_t steps, int64_t epoch, int64_t phase,
                                       const std::vector<std::string> &names,
                                       const std::vector<double> &means, double rate);
  /// After a validation: a line of the log, a row of the table, the curves, the samples.
  std::optional<train::Failure> validated(int64_t steps, int64_t epoch, const Validation &validation,
                                          bool isBest);
  /// A line for people.
  void say(const std::string &line) { progress.print(line); }
  void finish() { progress.finish(); }

private:
  TrainReport(const train::RunFolder &folder, const train::Dataset &dataset, int64_t total, int64_t done,
              train::ProgressOptions options, std::unique_ptr<train::JsonLog> log, train::ResultsCsv table);

  std::optional<train::Failure> drawCurves() const;

  const train::RunFolder &folder;
  const train::Dataset &dataset;
  train::Progress progress;
  std::unique_ptr<train::JsonLog> log;
  train::ResultsCsv table;
  double began, smoothLoss = 0;
  int64_t pictures = 0;
  std::optional<double> lastScore;
  double lastLoss;
};

} // namespace segc
