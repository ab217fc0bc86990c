/// \file SampleSheet: samples side by side.
// SPDX-License-Identifier: MIT
#include "runtime/train/SampleSheet.h"
#include "runtime/pictures/Canvas.h"
#include "runtime/train/Figures.h"
#include "runtime/train/Table.h"
#include <algorithm>
#include <new>

namespace segc::train {

namespace {

constexpr int64_t maxPixels = int64_t(1) << 28;

Picture show(const Sample &sample, SheetOptions::Show what, const std::vector<ClassInfo> &classes) {
  if (what == SheetOptions::Mask)
    return labelPicture(sample.labels, classes);
  if (what == SheetOptions::Weights && !sample.weights.values.empty())
    return planePicture(sample.weights, std::max(1e-6f, *std::max_element(sample.weights.values.begin(),
                                                                          sample.weights.values.end())));
  const Picture picture = std::get<Picture>(pictures::toPicture(sample.image));
  return what == SheetOptions::Overlay ? labelOverlay(picture, sample.labels, classes, 0.4f) : picture;
}

} // namespace

Result<Picture> sampleSheet(const Dataset &dataset, const SheetOptions &options) try {
  const std::string split = options.split.empty() ? dataset.splits()[0].name : options.split;
  Result<const std::vector<Item> *> found = dataset.items(split);
  if (const Failure *failure = failureOf(found))
    return *failure;
  if (options.show == SheetOptions::Weights && !dataset.weighted())
    return dataset.description().file +
           ": the pixels have no weights; 'weights' in dataset.json would give some";
  if (options.height > 0 && options.width > maxPixels / options.height / options.count)
    return "a sheet of " + std::to_string(options.count) + " samples of " + std::to_string(options.width) +
           " x " + std::to_string(options.height) + " pixels would be too large; show fewer or smaller ones";
  const std::vector<Item> &items = *std::get<0>(found);
  const InputFormat &input = dataset.description().input;
  Augmentation asIs;
  asIs.randomCrops = false;
  const int64_t perRow = options.augmentation ? options.columns : 1;
  std::vector<pictures::SheetCell> cells;
  // Rows spread over the list, whose neighbours are often alike.
  const int64_t rows = std::min<int64_t>((options.count + perRow - 1) / perRow, int64_t(items.size()));
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t index = row * int64_t(items.size()) / rows;
    const Item &item = items[size_t(index)];
    Result<Example> example = dataset.load(item);
    if (const Failure *failure = failureOf(example))
      return *failure;
    const auto &loaded = std::get<Example>(example);
    const int channels = input.channels ? input.channels : loaded.image.channels;
    for (int64_t column = 0; column < perRow && int64_t(cells.size()) < options.count; ++column) {
      // As a loader's epoch `column` would show it.
      Random random(options.seed, uint64_t(column), uint64_t(index));
      const Augmentation &change = options.augmentation && column > 0 ? *options.augmentation : asIs;
      const Sample sample =
          augment(loaded, channels, input.white, options.height, options.width, change, random);
      cells.push_back({show(sample, options.show, dataset.classes()), column == 0 ? item.name : ""});
    }
  }
  return pictures::contactSheet(cells, options.columns);
} catch (const std::bad_alloc &) {
  return std::string("there is not enough memory for this sheet; show fewer or smaller samples");
}

} // namespace segc::train
