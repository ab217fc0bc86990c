/// \file Validate: picture by picture through the network.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Validate.h"
#include "compiler/tools/Predict.h"
#include "runtime/train/Figures.h"
#include "runtime/train/Loader.h"
#include "runtime/train/Table.h"

namespace segc {
namespace {

/// Pixel accuracy in words, for the caption.
std::string accuracy(const train::Labels &truth, const train::Labels &prediction) {
  int64_t right = 0, counted = 0;
  for (size_t i = 0; i < truth.values.size(); ++i)
    if (truth.values[i] != train::ignored) {
      ++counted;
      right += truth.values[i] == prediction.values[i];
    }
  return counted ? train::fixed(100.0 * double(right) / double(counted), 1) + "% right" : "";
}

std::optional<std::string> addCells(const train::Dataset &dataset, const train::Item &item,
                                    const pictures::Planes &image, const train::Labels &truth,
                                    const train::Labels &prediction, Validation &result) {
  auto picture = pictures::toPicture(image);
  if (auto *why = std::get_if<pictures::Failure>(&picture))
    return item.image + ": " + *why;
  result.cells.push_back({std::get<pictures::Picture>(std::move(picture)), item.name});
  result.cells.push_back({train::labelPicture(truth, dataset.classes()), "truth"});
  result.cells.push_back(
      {train::labelPicture(prediction, dataset.classes()), "network: " + accuracy(truth, prediction)});
  return std::nullopt;
}

} // namespace

std::optional<std::string> validate(Instance &instance, const train::Dataset &dataset,
                                    const std::string &split, int64_t samples, Validation &result) {
  auto items = dataset.items(split);
  if (const auto *why = train::failureOf(items))
    return *why;
  segc_model_info input;
  if (instance.library.inputInfo(instance.model, 0, &input))
    return instance.library.lastError();
  const train::InputFormat &format = dataset.description().input;
  for (const train::Item &item : *std::get<0>(items)) {
    auto loaded = dataset.load(item, {/*weights=*/false, /*instances=*/false});
    if (const auto *why = train::failureOf(loaded))
      return *why;
    const auto &example = std::get<train::Example>(loaded);
    auto converted = pictures::toPlanes(example.image, input.shape[1], format.white);
    if (auto *why = std::get_if<pictures::Failure>(&converted))
      return item.image + ": " + *why;
    const auto &shown = std::get<pictures::Planes>(converted);
    pictures::Planes image = shown;
    train::normalise(image, format);
    PixelOutput output;
    std::string note;
    double milliseconds[2];
    if (auto why = runOnPicture(instance, image, 1, output, note, milliseconds))
      return item.image + ": " + *why;
    const train::Labels prediction = classesOf(output);
    if (auto why = result.matrix.add(example.labels.values.data(), prediction.values.data(),
                                     int64_t(prediction.values.size()), train::ignored))
      return item.image + ": " + *why;
    if (int64_t(result.cells.size()) < 3 * samples)
      if (auto why = addCells(dataset, item, shown, example.labels, prediction, result))
        return why;
  }
  return std::nullopt;
}

} // namespace segc
