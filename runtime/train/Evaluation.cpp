/// \file Evaluation: counting, and pictures of what went wrong.
// SPDX-License-Identifier: MIT
#include "runtime/train/Evaluation.h"
#include "runtime/pictures/Canvas.h"
#include "runtime/pictures/File.h"
#include "runtime/pictures/Geometry.h"
#include "runtime/train/ColourBins.h"
#include "runtime/train/Figures.h"
#include "runtime/train/RunLog.h"
#include "runtime/train/Table.h"
#include <algorithm>
#include <filesystem>

namespace segc::train {

namespace {

constexpr int64_t cellWidth = 256; ///< of the sheet's pictures at most

Picture fitted(const Picture &picture) {
  return picture.width <= cellWidth
             ? picture
             : pictures::resizeNearest(
                   picture, std::max<int64_t>(1, picture.height * cellWidth / picture.width), cellWidth);
}

std::optional<Failure> makeFolder(const std::string &path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code)
    return path + ": the folder cannot be made: " + code.message();
  return std::nullopt;
}

Json orNull(const std::optional<double> &value) { return value ? Json(*value) : Json(nullptr); }

} // namespace

Evaluation::Evaluation(const Dataset &dataset, const EvaluationOptions &options)
    : dataset(&dataset), options(options), counts(int64_t(dataset.classes().size())) {
  for (const ClassInfo &info : dataset.classes())
    classNames.push_back(info.name);
}

Result<Evaluation> Evaluation::begin(const Dataset &dataset, const EvaluationOptions &options) {
  const bool colours = dataset.description().target == Target::ColourBins;
  if (!options.folder.empty())
    if (auto failure = makeFolder(options.folder + (colours ? "/colours" : "/errors")))
      return *failure;
  if (!options.masks.empty()) {
    if (dataset.classes().size() > 256)
      return "a palette PNG holds up to 256 classes, there are " + std::to_string(dataset.classes().size());
    if (auto failure = makeFolder(options.masks))
      return *failure;
  }
  return Evaluation(dataset, options);
}

std::string Evaluation::uniqueName(const std::string &name) {
  std::string unique = name;
  for (int i = 2; !names.insert(unique).second; ++i)
    unique = name + "-" + std::to_string(i);
  return unique;
}

std::optional<Failure> Evaluation::add(const Item &item, const Example &example, const Labels &prediction) {
  ConfusionMatrix own(counts.classes());
  if (auto failure = own.add(example.labels.values.data(), prediction.values.data(),
                             int64_t(prediction.values.size()), ignored))
    return item.image + ": " + *failure;
  counts.add(own);
  const Scores scores = score(own);
  const std::string name = uniqueName(item.name);
  Json one;
  one["name"] = name;
  one["pixel_accuracy"] = orNull(scores.pixelAccuracy);
  one["miou"] = orNull(scores.meanJaccard);
  pictures.push_back(std::move(one));

  if (!options.masks.empty()) {
    Picture mask(prediction.width, prediction.height, 1);
    for (const ClassInfo &info : dataset->classes())
      mask.palette.push_back(info.colour);
    std::copy(prediction.values.begin(), prediction.values.end(), mask.bytes.begin());
    if (auto failure = pictures::writePicture(options.masks + "/" + name + ".png", mask))
      return failure;
  }
  if (options.folder.empty())
    return std::nullopt;
  const Description &about = dataset->description();
  const bool colours = about.target == Target::ColourBins;
  const int channels = colours ? 1 : example.image.channels;
  const auto planes = pictures::toPlanes(example.image, channels, about.input.white);
  if (const auto *failure = std::get_if<Failure>(&planes))
    return item.image + ": " + *failure;
  const auto &image = std::get<Planes>(planes);
  const Picture picture = std::get<Picture>(pictures::toPicture(image));
  Row row;
  row.accuracy = scores.pixelAccuracy.value_or(2); // what could not be judged comes last
  row.name = name + " " + (scores.pixelAccuracy ? fixed(100 * *scores.pixelAccuracy, 1) + "%" : "-");
  const Picture errors = errorOverlay(picture, example.labels, prediction);
  if (colours) {
    const ColourBins bins(about.colourBins, about.colourStep);
    row.cells[1] = fitted(bins.colour(image, example.labels));
    const Picture coloured = bins.colour(image, prediction);
    row.cells[2] = fitted(coloured);
    if (auto failure = pictures::writePicture(options.folder + "/colours/" + name + ".png", coloured))
      return failure;
  } else {
    row.cells[1] = fitted(labelOverlay(picture, example.labels, dataset->classes()));
    row.cells[2] = fitted(labelOverlay(picture, prediction, dataset->classes()));
    if (auto failure = pictures::writePicture(options.folder + "/errors/" + name + ".png", errors))
      return failure;
  }
  row.cells[0] = fitted(picture);
  row.cells[3] = fitted(errors);
  keep(std::move(row));
  return std::nullopt;
}

void Evaluation::keep(Row row) {
  const auto place = std::upper_bound(rows.begin(), rows.end(), row,
                                      [](const Row &a, const Row &b) { return a.accuracy < b.accuracy; });
  rows.insert(place, std::move(row));
  if (int64_t(rows.size()) > options.sheetRows)
    rows.pop_back();
}

std::string Evaluation::text() const { return scoreText(counts, classNames); }

Json Evaluation::json() const {
  Json result = scoreJson(counts, classNames);
  result["pictures"] = pictures;
  return result;
}

std::optional<Failure> Evaluation::finish() const {
  if (options.folder.empty())
    return std::nullopt;
  if (auto failure = writeText(options.folder + "/evaluation.json", json().dump(2) + "\n"))
    return failure;
  const Result<Picture> heat = heatMap(counts, classNames);
  if (const auto *map = std::get_if<Picture>(&heat)) // more classes than can be drawn are in the JSON
    if (auto failure = pictures::writePicture(options.folder + "/confusion.png", *map))
      return failure;
  std::vector<pictures::SheetCell> cells;
  const char *words[] = {"", "truth", "prediction", "errors"};
  for (const Row &row : rows)
    for (int column = 0; column < 4; ++column)
      cells.push_back({row.cells[column], column ? words[column] : row.name});
  if (cells.empty())
    return std::nullopt;
  const Result<Picture> sheet = pictures::contactSheet(cells, 4);
  if (const Failure *failure = failureOf(sheet))
    return *failure;
  return pictures::writePicture(options.folder + "/sheet.png", std::get<Picture>(sheet));
}

} // namespace segc::train
