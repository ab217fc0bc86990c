/// \file Dataset: reading masks and turning them into targets.
// SPDX-License-Identifier: MIT
#include "runtime/train/Dataset.h"
#include "runtime/pictures/File.h"
#include "runtime/train/ColourBins.h"
#include "runtime/train/Random.h"
#include "runtime/train/Settings.h"
#include "runtime/train/Targets.h"
#include <algorithm>
#include <numeric>
#include <set>

namespace segc::train {

namespace {

constexpr int32_t unknown = -2;

uint32_t packed(Colour colour) { return uint32_t(colour[0]) << 16 | uint32_t(colour[1]) << 8 | colour[2]; }

std::string extent(const Raster &raster) {
  return std::to_string(raster.width) + " x " + std::to_string(raster.height);
}

/// Averages of k x k pixels; what does not fill a last square is left out.
Raster shrunk(const Raster &from, int k) {
  if (k == 1)
    return from;
  Raster to(from.width / k, from.height / k, from.channels, from.bits);
  for (int64_t y = 0; y < to.height; ++y)
    for (int64_t x = 0; x < to.width; ++x)
      for (int c = 0; c < to.channels; ++c) {
        int64_t sum = 0;
        for (int64_t dy = 0; dy < k; ++dy)
          for (int64_t dx = 0; dx < k; ++dx)
            sum += from.sample(((y * k + dy) * from.width + x * k + dx) * from.channels + c);
        to.setSample((y * to.width + x) * to.channels + c, uint16_t((sum + k * k / 2) / (k * k)));
      }
  return to;
}

/// The middle pixel of each k x k.
Labels shrunk(const Labels &from, int k) {
  if (k == 1)
    return from;
  Labels to(from.width / k, from.height / k);
  for (int64_t y = 0; y < to.height; ++y)
    for (int64_t x = 0; x < to.width; ++x)
      to.at(x, y) = from.at(x * k + k / 2, y * k + k / 2);
  return to;
}

std::string at(const Labels &labels, size_t i) {
  return " at pixel (" + std::to_string(int64_t(i) % labels.width) + ", " +
         std::to_string(int64_t(i) / labels.width) + ")";
}

} // namespace

Result<Dataset> Dataset::open(const std::string &path) try {
  Result<Description> described = describe(path);
  if (const Failure *failure = failureOf(described))
    return *failure;
  Dataset result;
  result.about = std::move(std::get<Description>(described));
  Result<FileLists> listed = listFiles(result.about);
  if (const Failure *failure = failureOf(listed))
    return *failure;
  result.lists = std::move(std::get<FileLists>(listed));
  result.classOfValue.assign(65536, unknown);
  const Description &about = result.about;
  for (size_t i = 0; i < about.classes.size(); ++i) {
    for (int32_t value : about.classes[i].values)
      result.classOfValue[size_t(value)] = int32_t(i);
    for (Colour colour : about.classes[i].colours)
      result.classOfColour.emplace_back(packed(colour), int32_t(i));
  }
  for (int32_t value : about.ignoredValues)
    result.classOfValue[size_t(value)] = ignored;
  for (Colour colour : about.ignoredColours) {
    auto same = [&](const auto &entry) { return entry.first == packed(colour); };
    auto &colours = result.classOfColour;
    colours.erase(std::remove_if(colours.begin(), colours.end(), same), colours.end());
    colours.emplace_back(packed(colour), ignored);
  }
  std::sort(result.classOfColour.begin(), result.classOfColour.end());
  return result;
} catch (const std::exception &error) {
  return path + ": cannot be read: " + error.what();
}

Result<const std::vector<Item> *> Dataset::items(const std::string &split) const {
  std::vector<std::string> names;
  std::string list;
  for (const SplitFiles &files : lists) {
    if (files.name == split)
      return &files.items;
    names.push_back(files.name);
    list += (list.empty() ? "'" : ", '") + files.name + "'";
  }
  return about.file + ": there is no split '" + split + "'; there is " + list + suggestion(split, names);
}

void Dataset::shuffleMasks(const std::string &split, uint64_t seed) {
  for (SplitFiles &files : lists) {
    if (files.name != split)
      continue;
    const std::vector<Item> before = files.items;
    std::vector<size_t> order(before.size());
    std::iota(order.begin(), order.end(), size_t(0));
    Random(seed, 0, 0).shuffle(order);
    // Along one circle through all pictures, so that none keeps its own.
    for (size_t i = 0; i < order.size(); ++i) {
      const Item &giver = before[order[(i + 1) % order.size()]];
      files.items[order[i]].mask = giver.mask;
      files.items[order[i]].objects = giver.objects;
    }
  }
}

namespace {

/// Reads the samples of a mask that fits a picture.
Result<Raster> readMask(const std::string &path, const std::string &image, const Raster &picture,
                        bool colours) {
  pictures::ReadOptions options;
  options.labels = !colours;
  std::variant<Raster, Failure> read = pictures::readRaster(path, options);
  if (const Failure *failure = failureOf(read)) {
    const bool wrongKind = !colours && failure->find("has colours where") != std::string::npos;
    return *failure + (wrongKind ? ", or say \"encoding\": \"colours\" in dataset.json" : "");
  }
  const Raster &mask = std::get<Raster>(read);
  if (mask.width != picture.width || mask.height != picture.height)
    return path + ": has " + extent(mask) + " pixels, its picture " + image + " has " + extent(picture) +
           "; a mask has the size of its picture";
  return read;
}

/// The numbers of a mask of instances; ignored values become `ignored`.
Labels instanceNumbers(const Raster &mask, const std::vector<int32_t> &ignoredValues) {
  Labels labels(mask.width, mask.height);
  for (int64_t i = 0; i < mask.samples(); ++i) {
    const int32_t value = mask.sample(i);
    const bool isIgnored =
        std::find(ignoredValues.begin(), ignoredValues.end(), value) != ignoredValues.end();
    labels.values[size_t(i)] = isIgnored ? ignored : value;
  }
  return labels;
}

/// What is missing to call the values of a mask classes.
Failure notAClass(const std::string &path, const Description &about, const std::string &what,
                  const std::string &where) {
  std::string known;
  for (const ClassInfo &info : about.classes)
    if (known.size() < 60)
      for (int32_t value : info.values)
        known += (known.empty() ? "" : ", ") + std::to_string(value);
    else {
      known += ", ...";
      break;
    }
  return path + ": " + what + where + " stands for no class" +
         (about.encoding == Encoding::Values ? "; the classes have " + known : "") +
         "; add it to a class or to 'ignore' in dataset.json";
}

} // namespace

Result<Example> Dataset::load(const Item &item, const LoadOptions &options) const try {
  return read(item, options);
} catch (const std::exception &error) {
  return item.image + ": cannot be loaded: " + error.what();
}

Result<Example> Dataset::read(const Item &item, const LoadOptions &options) const {
  Example example;
  std::variant<Raster, Failure> picture = pictures::readRaster(item.image);
  if (const Failure *failure = failureOf(picture))
    return *failure;
  const Raster whole = std::move(std::get<Raster>(picture));
  const int k = about.input.shrink;
  if (whole.width < k || whole.height < k)
    return item.image + ": has " + extent(whole) + " pixels, too few for 'shrink' " + std::to_string(k);
  example.image = shrunk(whole, k);
  if (about.target == Target::ColourBins) {
    if (whole.channels != 3)
      return item.image + ": is gray; colourisation learns from pictures with colours";
    example.labels = ColourBins(about.colourBins, about.colourStep).label(example.image);
    return example;
  }
  const bool colours = about.encoding == Encoding::Colours;
  Result<Raster> read = readMask(item.mask, item.image, whole, colours);
  if (const Failure *failure = failureOf(read))
    return *failure;
  const Raster &mask = std::get<Raster>(read);

  Labels instances;
  if (about.encoding == Encoding::Instances) {
    instances = shrunk(instanceNumbers(mask, about.ignoredValues), k);
    example.labels = about.target == Target::Boundary
                         ? boundaryClasses(instances, about.boundaryRadius, about.boundaryInside)
                         : objectClasses(instances, about.separate);
  } else {
    Labels labels(mask.width, mask.height);
    uint32_t lastColour = ~0u;
    int32_t lastClass = unknown;
    for (size_t i = 0; i < labels.values.size(); ++i) {
      const int64_t sample = int64_t(i) * mask.channels;
      if (!colours) {
        labels.values[i] = classOfValue[mask.sample(sample)];
        if (labels.values[i] == unknown)
          return notAClass(item.mask, about, "value " + std::to_string(mask.sample(sample)), at(labels, i));
        continue;
      }
      const int step = mask.channels == 3, shift = mask.bits - 8;
      const Colour colour{uint8_t(mask.sample(sample) >> shift), uint8_t(mask.sample(sample + step) >> shift),
                          uint8_t(mask.sample(sample + 2 * step) >> shift)};
      if (packed(colour) != lastColour) {
        lastColour = packed(colour);
        const auto found = std::lower_bound(classOfColour.begin(), classOfColour.end(),
                                            std::pair<uint32_t, int32_t>(lastColour, INT32_MIN));
        lastClass = found != classOfColour.end() && found->first == lastColour ? found->second : unknown;
      }
      if (lastClass == unknown)
        return notAClass(item.mask, about,
                         "colour [" + std::to_string(colour[0]) + ", " + std::to_string(colour[1]) + ", " +
                             std::to_string(colour[2]) + "]",
                         at(labels, i));
      labels.values[i] = lastClass;
    }
    example.labels = shrunk(labels, k);
  }
  if (options.instances && !item.objects.empty()) {
    Result<Raster> objects = readMask(item.objects, item.image, whole, false);
    if (const Failure *failure = failureOf(objects))
      return *failure;
    example.instances = shrunk(instanceNumbers(std::get<Raster>(objects), about.ignoredValues), k);
  } else if (options.instances)
    example.instances = instances;
  if (options.weights && weighted())
    example.weights = pixelWeights(example.labels, instances, about);
  return example;
}

} // namespace segc::train
