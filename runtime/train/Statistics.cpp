/// \file Statistics: counting, and the tables.
// SPDX-License-Identifier: MIT
#include "runtime/train/Statistics.h"
#include "runtime/train/Table.h"
#include "runtime/train/Targets.h"
#include <algorithm>
#include <cmath>
#include <map>

namespace segc::train {

namespace {

/// Adds the objects of one example to their classes: the class that most of an object's pixels have.
void countObjects(const Labels &objects, const Labels &labels, SplitStatistics &to) {
  std::map<int32_t, std::map<int32_t, int64_t>> votes;
  for (size_t i = 0; i < objects.values.size(); ++i)
    if (objects.values[i] > 0)
      ++votes[objects.values[i]][labels.values[i]];
  for (const auto &[object, classes] : votes) {
    const auto most = std::max_element(classes.begin(), classes.end(),
                                       [](const auto &a, const auto &b) { return a.second < b.second; });
    if (most->first > 0) {
      ++to.classes[size_t(most->first)].objects;
      ++to.objects;
    }
  }
}

/// Sums for mean and deviation of the pictures' channels.
struct Moments {
  double sum[3] = {0, 0, 0}, squares[3] = {0, 0, 0}, count = 0;
  void add(const Raster &image, int white) {
    const double one = white > 0 ? white : image.bits == 8 ? 255 : 65535;
    for (int64_t i = 0; i < image.samples(); ++i) {
      const double value = image.sample(i) / one;
      for (int64_t c = image.channels == 1 ? 0 : i % 3; c < (image.channels == 1 ? 3 : i % 3 + 1); ++c) {
        sum[c] += value;
        squares[c] += value * value;
      }
    }
    count += double(image.width * image.height);
  }
};

void addExample(const Example &example, const Description &about, bool countsObjects, SplitStatistics &to) {
  const Raster &image = example.image;
  const int64_t extent[2] = {image.width, image.height};
  for (int axis = 0; axis < 2; ++axis) {
    to.least[axis] = to.images ? std::min(to.least[axis], extent[axis]) : extent[axis];
    to.most[axis] = std::max(to.most[axis], extent[axis]);
  }
  ++to.images;
  to.colour += image.channels == 3;
  std::vector<int64_t> pixels(to.classes.size(), 0);
  int64_t labelled = 0;
  for (int32_t label : example.labels.values)
    if (label != ignored) {
      ++pixels[size_t(label)];
      ++labelled;
    }
  to.pixels += labelled;
  to.ignoredPixels += int64_t(example.labels.values.size()) - labelled;
  for (size_t c = 0; c < pixels.size(); ++c) {
    to.classes[c].pixels += pixels[c];
    to.classes[c].images += pixels[c] > 0;
    to.classes[c].imagePixels += pixels[c] > 0 ? labelled : 0;
  }
  const bool mapped = !example.instances.values.empty();
  const bool anyMapped = about.encoding == Encoding::Instances || !about.objects.empty();
  if (!countsObjects || mapped != anyMapped)
    return;
  ++to.objectImages;
  if (mapped)
    return countObjects(example.instances, example.labels, to);
  std::vector<int32_t> classes;
  for (size_t c = 1; c < about.classes.size(); ++c)
    classes.push_back(int32_t(c));
  int32_t regions;
  countObjects(connectedRegions(example.labels, classes, true, regions), example.labels, to);
}

std::vector<double> balanced(const SplitStatistics &split) {
  std::vector<double> frequencies, present;
  for (const ClassCount &count : split.classes) {
    frequencies.push_back(count.imagePixels ? double(count.pixels) / double(count.imagePixels) : 0);
    if (count.pixels)
      present.push_back(frequencies.back());
  }
  if (present.empty())
    return frequencies;
  std::sort(present.begin(), present.end());
  const double median = (present[(present.size() - 1) / 2] + present[present.size() / 2]) / 2;
  for (double &frequency : frequencies)
    frequency = frequency > 0 ? median / frequency : 0;
  return frequencies;
}

void findShared(const Dataset &dataset, std::vector<Failure> &problems) {
  std::map<std::string, std::string> splitOf;
  for (const SplitFiles &split : dataset.splits())
    for (const Item &item : split.items) {
      const auto [at, fresh] = splitOf.emplace(item.image, split.name);
      if (!fresh && at->second == split.name)
        problems.push_back(item.image + ": stands twice in split '" + split.name + "'; remove one line");
      else if (!fresh && at->second != "trainval" && split.name != "trainval")
        problems.push_back(item.image + ": stands in the splits '" + at->second + "' and '" + split.name +
                           "'; a picture that was trained on proves nothing in a test");
    }
}

} // namespace

Result<Statistics> measure(const Dataset &dataset, std::vector<Failure> *problems) {
  const Description &about = dataset.description();
  Statistics result;
  for (const ClassInfo &info : dataset.classes())
    result.classNames.push_back(info.name);
  result.instances = about.encoding == Encoding::Instances || !about.objects.empty();
  result.objectsCounted = about.target == Target::Classes;
  LoadOptions options;
  options.weights = false;
  options.instances = true;
  for (const SplitFiles &split : dataset.splits()) {
    SplitStatistics to;
    to.name = split.name;
    to.classes.resize(result.classNames.size());
    Moments moments;
    for (const Item &item : split.items) {
      Result<Example> loaded = dataset.load(item, options);
      const Failure *failure = failureOf(loaded);
      if (failure && !problems)
        return *failure;
      if (failure) {
        problems->push_back(*failure);
        continue;
      }
      const auto &example = std::get<Example>(loaded);
      addExample(example, about, result.objectsCounted, to);
      moments.add(example.image, about.input.white);
    }
    for (int c = 0; c < 3 && moments.count > 0; ++c) {
      to.mean[c] = moments.sum[c] / moments.count;
      to.deviation[c] =
          std::sqrt(std::max(0.0, moments.squares[c] / moments.count - to.mean[c] * to.mean[c]));
    }
    result.splits.push_back(std::move(to));
  }
  if (problems)
    findShared(dataset, *problems);
  result.balancedWeights = balanced(result.splits[0]);
  return result;
}

std::string Statistics::text() const {
  const std::string objects = instances ? "objects" : "regions";
  std::vector<std::string> head = {"class"};
  for (const SplitStatistics &split : splits) {
    head.push_back(split.name + " images");
    if (objectsCounted)
      head.push_back(objects);
    head.push_back("pixels %");
  }
  head.push_back("balanced weight");
  Table table(head);
  for (size_t c = 0; c < classNames.size(); ++c) {
    std::vector<std::string> row = {classNames[c]};
    for (const SplitStatistics &split : splits) {
      const ClassCount &count = split.classes[c];
      row.push_back(std::to_string(count.images));
      if (objectsCounted)
        row.push_back(c == 0 ? "-" : std::to_string(count.objects));
      row.push_back(split.pixels ? fixed(100.0 * double(count.pixels) / double(split.pixels), 2) : "-");
    }
    row.push_back(balancedWeights[c] > 0 ? fixed(balancedWeights[c], 4) : "-");
    table.add(row);
  }
  std::vector<std::string> total = {"total"};
  for (const SplitStatistics &split : splits) {
    total.push_back(std::to_string(split.images));
    if (objectsCounted)
      total.push_back(std::to_string(split.objects));
    total.push_back("");
  }
  table.add(total);
  std::string text = table.text() + "\n";
  for (const SplitStatistics &split : splits) {
    auto extent = [](const int64_t *size) {
      return std::to_string(size[0]) + " x " + std::to_string(size[1]);
    };
    const int64_t all = split.pixels + split.ignoredPixels;
    if (objectsCounted && split.objectImages < split.images)
      text += split.name + ": objects are counted in the " + std::to_string(split.objectImages) +
              " images that have a map of instances\n";
    text += split.name + ": " + std::to_string(split.images) + " images (" + std::to_string(split.colour) +
            " in colour) of " + extent(split.least) +
            (extent(split.least) == extent(split.most) ? "" : " to " + extent(split.most)) + " pixels, " +
            fixed(all ? 100.0 * double(split.ignoredPixels) / double(all) : 0, 2) + " % ignored; mean";
    for (double mean : split.mean)
      text += " " + fixed(mean, 4);
    text += ", std";
    for (double deviation : split.deviation)
      text += " " + fixed(deviation, 4);
    text += "\n";
  }
  return text;
}

Json Statistics::json() const {
  Json result;
  result["objects"] = !objectsCounted ? "not counted" : instances ? "instances" : "connected regions";
  for (const SplitStatistics &split : splits) {
    Json to;
    to["images"] = split.images;
    to["colour_images"] = split.colour;
    if (objectsCounted)
      to["objects"] = split.objects;
    to["pixels"] = split.pixels;
    to["ignored_pixels"] = split.ignoredPixels;
    to["smallest"] = {split.least[0], split.least[1]};
    to["largest"] = {split.most[0], split.most[1]};
    to["mean"] = split.mean;
    to["std"] = split.deviation;
    for (size_t c = 0; c < classNames.size(); ++c) {
      const ClassCount &count = split.classes[c];
      Json row = {{"name", classNames[c]}, {"images", count.images}, {"pixels", count.pixels}};
      if (objectsCounted && c > 0)
        row["objects"] = count.objects;
      to["classes"].push_back(std::move(row));
    }
    result["splits"][split.name] = std::move(to);
  }
  result["balanced_weights"] = balancedWeights;
  return result;
}

} // namespace segc::train
