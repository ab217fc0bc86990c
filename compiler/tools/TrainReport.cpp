/// \file TrainReport: lines, rows and drawings.
// SPDX-License-Identifier: MIT
#include "compiler/tools/TrainReport.h"
#include "runtime/pictures/File.h"
#include "runtime/train/Curves.h"
#include "runtime/train/Table.h"
#include <chrono>
#include <cmath>
#include <limits>
#include <unistd.h>

namespace segc {

using train::Failure;
using train::Json;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> columnsOf(const train::Dataset &dataset) {
  std::vector<std::string> columns = {"step",           "epoch",    "seconds",  "loss",
                                      "pixel_accuracy", "mean_iou", "mean_dice"};
  for (const train::ClassInfo &info : dataset.classes())
    columns.push_back("iou " + info.name);
  return columns;
}

Json orNull(const std::optional<double> &value) { return value ? Json(*value) : Json(); }

std::string percent(const std::optional<double> &value) { return value ? train::fixed(*value, 4) : "-"; }

} // namespace

double steadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

TrainReport::TrainReport(const train::RunFolder &folder, const train::Dataset &dataset, int64_t total,
                         int64_t done, train::ProgressOptions options, std::unique_ptr<train::JsonLog> log,
                         train::ResultsCsv table)
    : folder(folder), dataset(dataset), progress(total, done, std::move(options)), log(std::move(log)),
      table(std::move(table)), began(steadySeconds()), lastLoss(kNone) {}

train::Result<std::unique_ptr<TrainReport>> TrainReport::open(const train::RunFolder &folder,
                                                              const train::Dataset &dataset, int64_t total,
                                                              int64_t done, bool resumed) {
  const std::optional<int64_t> last = resumed ? std::optional(done) : std::nullopt;
  auto log = train::JsonLog::open(folder.file("log.jsonl"), last);
  if (const Failure *failure = train::failureOf(log))
    return *failure;
  auto table = train::ResultsCsv::open(folder.file("results.csv"), columnsOf(dataset), last);
  if (const Failure *failure = train::failureOf(table))
    return *failure;
  auto lines = train::readLog(folder.file("log.jsonl"));
  if (const Failure *failure = train::failureOf(lines))
    return *failure;
  train::ProgressOptions options;
  options.terminal = isatty(fileno(stderr));
  std::unique_ptr<TrainReport> report(new TrainReport(folder, dataset, total, done, options,
                                                      std::move(std::get<0>(log)),
                                                      std::move(std::get<train::ResultsCsv>(table))));
  const train::Series losses = train::seriesOf(std::get<0>(lines), "loss", "loss");
  if (!losses.points.empty())
    report->lastLoss = losses.points.back().second;
  return report;
}

void TrainReport::step(int64_t steps, int64_t count, double loss, int64_t total) {
  // What people read is smoothed over about 20 steps.
  smoothLoss = pictures == 0 ? loss : smoothLoss + 0.05 * (loss - smoothLoss);
  pictures += count;
  std::string words = "loss " + train::fixed(smoothLoss, 4);
  if (lastScore)
    words += "  mIoU " + train::fixed(*lastScore, 4);
  words += "  " + train::fixed(double(pictures) / std::max(steadySeconds() - began, 1e-9), 1) + " images/s";
  progress.expect(total);
  progress.update(steps, words);
}

std::optional<Failure> TrainReport::losses(int64_t steps, int64_t epoch, int64_t phase,
                                           const std::vector<std::string> &names,
                                           const std::vector<double> &means, double rate) {
  Json line = {{"step", steps}, {"epoch", epoch}};
  if (phase >= 0)
    line["phase"] = phase;
  line["loss"] = means[0];
  for (size_t i = 1; i < means.size(); ++i)
    line["loss " + names[i]] = means[i];
  line["learning_rate"] = rate;
  line["seconds"] = std::round(1e3 * (steadySeconds() - began)) / 1e3;
  lastLoss = means[0];
  return log->append(line);
}

std::optional<Failure> TrainReport::validated(int64_t steps, int64_t epoch, const Validation &validation,
                                              bool isBest) {
  const train::Scores scores = train::score(validation.matrix);
  const double seconds = std::round(1e3 * (steadySeconds() - began)) / 1e3;
  lastScore = scores.meanJaccard;
  Json line = {{"step", steps}, {"epoch", epoch}, {"seconds", seconds}};
  line["pixel_accuracy"] = orNull(scores.pixelAccuracy);
  line["mean_iou"] = orNull(scores.meanJaccard);
  line["mean_dice"] = orNull(scores.meanDice);
  std::vector<double> row = {double(steps),
                             double(epoch),
                             seconds,
                             lastLoss,
                             scores.pixelAccuracy.value_or(kNone),
                             scores.meanJaccard.value_or(kNone),
                             scores.meanDice.value_or(kNone)};
  std::string words;
  for (size_t i = 0; i < scores.classes.size(); ++i) {
    const std::string &name = dataset.classes()[i].name;
    line["iou " + name] = orNull(scores.classes[i].jaccard);
    row.push_back(scores.classes[i].jaccard.value_or(kNone));
    if (scores.classes.size() <= 6)
      words += (words.empty() ? "" : ", ") + name + " " + percent(scores.classes[i].jaccard);
  }
  line["best"] = isBest;
  say("step " + std::to_string(steps) + ": mIoU " + percent(scores.meanJaccard) +
      (words.empty() ? "" : " (" + words + ")") + ", pixels " + percent(scores.pixelAccuracy) +
      (isBest ? ", the best so far" : ""));
  if (auto failure = log->append(line))
    return failure;
  if (auto failure = table.append(row))
    return failure;
  if (auto failure = drawCurves())
    return failure;
  if (validation.cells.empty())
    return std::nullopt;
  auto sheet = pictures::contactSheet(validation.cells, 3);
  if (const Failure *failure = std::get_if<Failure>(&sheet))
    return *failure;
  return pictures::writePicture(folder.file("samples.png"), std::get<pictures::Picture>(sheet));
}

std::optional<Failure> TrainReport::drawCurves() const {
  auto lines = train::readLog(folder.file("log.jsonl"));
  if (const Failure *failure = train::failureOf(lines))
    return *failure;
  const auto &entries = std::get<0>(lines);
  train::Panel loss{"training loss", {train::seriesOf(entries, "loss", "loss")}, true},
      iou{"IoU on validation pictures", {train::seriesOf(entries, "mean_iou", "mean")}, false};
  for (const train::ClassInfo &info : dataset.classes())
    iou.series.push_back(train::seriesOf(entries, "iou " + info.name, info.name));
  return train::writeText(folder.file("curves.svg"), train::curvesSvg({loss, iou}));
}

} // namespace segc
