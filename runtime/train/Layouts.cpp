/// \file Layouts: folders that need no dataset.json: PASCAL VOC, CamVid, and images beside masks.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/File.h"
#include "runtime/pictures/Overlay.h"
#include "runtime/train/Description.h"
#include "runtime/train/Files.h"
#include <algorithm>
#include <filesystem>
#include <set>

namespace fs = std::filesystem;

namespace segc::train {

namespace {

bool isFolder(const fs::path &path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

/// Splits named by the list files of a folder, in the order people read them.
std::vector<Split> listsIn(const std::string &root, const std::string &folder) {
  std::vector<Split> splits;
  std::error_code error;
  for (const auto &entry : fs::directory_iterator(fs::path(root) / folder, error))
    if (entry.path().extension() == ".txt")
      splits.push_back(
          {entry.path().stem().string(), (fs::path(folder) / entry.path().filename()).string(), 0, true});
  auto rank = [](const Split &split) {
    const char *order[] = {"train", "val", "trainval", "test"};
    return std::find(order, order + 4, split.name) - order;
  };
  std::sort(splits.begin(), splits.end(), [&](const Split &a, const Split &b) {
    return rank(a) != rank(b) ? rank(a) < rank(b) : a.name < b.name;
  });
  return splits;
}

/// The 21 classes of PASCAL VOC in their order (Everingham et al. 2010), in the colours of its palette.
void describeVoc(Description &result) {
  const char *names[] = {"background", "aeroplane", "bicycle",   "bird",   "boat",        "bottle",
                         "bus",        "car",       "cat",       "chair",  "cow",         "diningtable",
                         "dog",        "horse",     "motorbike", "person", "pottedplant", "sheep",
                         "sofa",       "train",     "tvmonitor"};
  const pictures::Palette palette = pictures::vocPalette();
  for (int i = 0; i < 21; ++i)
    result.classes.push_back({names[i], palette[size_t(i)], {i}, {palette[size_t(i)]}});
  result.ignoredValues = {255};
  result.ignoredColours = {palette[255]};
  result.images = "JPEGImages";
  result.masks = "SegmentationClass";
  if (isFolder(fs::path(result.root) / "SegmentationObject"))
    result.objects = "SegmentationObject";
  for (Split &split : listsIn(result.root, "ImageSets/Segmentation"))
    if (split.name.find("instances") == std::string::npos)
      result.splits.push_back(std::move(split));
}

/// CamVid (Brostow et al. 2009) with the 11 classes of SegNet's index masks. The colours after the first, in
/// which a class is shown there, are those of the 32 classes of the original masks that the usual grouping
/// puts into it (that of MATLAB's example on semantic segmentation).
void describeCamvid(Description &result) {
  const std::vector<ClassInfo> classes = {
      {"Sky", {128, 128, 128}, {0}, {{128, 128, 128}}},
      {"Building", {128, 0, 0}, {1}, {{128, 0, 0}, {64, 192, 0}, {64, 0, 64}, {192, 0, 128}, {0, 128, 64}}},
      {"Pole", {192, 192, 128}, {2}, {{192, 192, 128}, {0, 0, 64}}},
      {"Road", {128, 64, 128}, {3}, {{128, 64, 128}, {128, 0, 192}, {192, 0, 64}}},
      {"Pavement", {60, 40, 222}, {4}, {{60, 40, 222}, {0, 0, 192}, {64, 192, 128}, {128, 128, 192}}},
      {"Tree", {128, 128, 0}, {5}, {{128, 128, 0}, {192, 192, 0}}},
      {"SignSymbol", {192, 128, 128}, {6}, {{192, 128, 128}, {128, 128, 64}, {0, 64, 64}}},
      {"Fence", {64, 64, 128}, {7}, {{64, 64, 128}}},
      {"Car",
       {64, 0, 128},
       {8},
       {{64, 0, 128}, {64, 128, 192}, {192, 128, 192}, {192, 64, 128}, {128, 64, 64}}},
      {"Pedestrian", {64, 64, 0}, {9}, {{64, 64, 0}, {192, 128, 64}, {64, 0, 192}, {64, 128, 64}}},
      {"Bicyclist", {0, 128, 192}, {10}, {{0, 128, 192}, {192, 0, 192}}}};
  result.classes = classes;
  result.ignoredValues = {11};
  result.ignoredColours = {{0, 0, 0}};
  result.images = "{split}";
  result.masks = "{split}annot";
  result.splits = listsIn(result.root, "");
}

/// Image and mask folders that people use, also one below the name of a split.
bool findPair(const std::string &folder, std::string &images, std::string &masks) {
  for (const char *above : {"", "train/", "{split}/"})
    for (const char *image : {"images", "image", "imgs"})
      for (const char *mask : {"masks", "mask", "labels", "label", "annotations", "instances"}) {
        const std::string real = std::string(above) == "{split}/" ? "train/" : above;
        if (!isFolder(fs::path(folder) / (real + image)) || !isFolder(fs::path(folder) / (real + mask)))
          continue;
        // Lists of a whole set over train/image name files there; without lists each split has its folder.
        if (real == above && !real.empty() && listsIn(folder, "").empty())
          continue;
        images = above + std::string(image);
        masks = above + std::string(mask);
        return true;
      }
  return false;
}

} // namespace

std::string recogniseLayout(const std::string &folder) {
  const fs::path root = folder;
  std::string images, masks;
  if (isFolder(root / "JPEGImages") && isFolder(root / "SegmentationClass"))
    return "voc";
  if (isFolder(root / "train") && isFolder(root / "trainannot"))
    return "camvid";
  return findPair(folder, images, masks) ? "pairs" : "";
}

Description layoutDescription(const std::string &layout, const std::string &folder) {
  Description result;
  result.file = result.root = folder;
  if (layout == "voc")
    describeVoc(result);
  else if (layout == "camvid")
    describeCamvid(result);
  else {
    findPair(folder, result.images, result.masks);
    result.splits = listsIn(folder, "");
    if (fs::path(result.masks).filename() == "instances")
      result.encoding = Encoding::Instances;
  }
  return result;
}

std::optional<Failure> guessClasses(Description &description) {
  if (!description.classes.empty() || description.target != Target::Classes)
    return std::nullopt;
  auto named = [&](const std::vector<std::string> &names, const std::vector<int32_t> &values) {
    const pictures::Palette palette = pictures::vocPalette();
    for (size_t i = 0; i < names.size(); ++i)
      description.classes.push_back({names[i], palette[i % palette.size()], {values[i]}, {}});
  };
  if (description.encoding == Encoding::Instances) {
    named({"background", "object"}, {0, 1});
    return std::nullopt;
  }
  if (description.encoding == Encoding::Colours)
    return description.file +
           ": field 'classes' is missing; masks of colours need the name and colour of each "
           "class: \"classes\": [{\"name\": \"road\", \"colour\": [128, 64, 128]}, ...]";
  // The values of the masks themselves.
  Result<FileLists> lists = listFiles(description);
  if (const Failure *failure = failureOf(lists))
    return *failure;
  pictures::ReadOptions options;
  options.labels = true;
  std::set<int32_t> values;
  size_t masks = 0;
  for (const SplitFiles &split : std::get<FileLists>(lists))
    for (const Item &item : split.items) {
      const auto read = pictures::readRaster(item.mask, options);
      if (const Failure *failure = failureOf(read))
        return *failure + "; if these masks are colours, say so in a dataset.json (docs/data.md)";
      const Raster &raster = std::get<Raster>(read);
      for (int64_t i = 0; i < raster.samples(); ++i)
        values.insert(raster.sample(i));
      ++masks;
    }
  const std::string seen = std::to_string(masks) + " masks hold the values ";
  if (values == std::set<int32_t>{0, 255}) {
    named({"0", "255"}, {0, 255});
    description.notes.push_back(seen + "0 and 255: taken as classes 0 and 1");
    return std::nullopt;
  }
  const bool isVoid = *values.rbegin() == 255 && values.size() > 1;
  if (isVoid) {
    values.erase(255);
    description.ignoredValues = {255};
  }
  const int32_t last = *values.rbegin();
  if (last > 255)
    return description.file + ": the masks hold values up to " + std::to_string(last) +
           "; if these are instances, say \"encoding\": \"instances\" in a dataset.json, else name the "
           "classes";
  std::vector<std::string> names;
  std::vector<int32_t> numbers;
  for (int32_t i = 0; i <= std::max(last, 1); ++i) {
    names.push_back(std::to_string(i));
    numbers.push_back(i);
  }
  named(names, numbers);
  description.notes.push_back(seen + "0 to " + std::to_string(last) +
                              (isVoid ? ", and 255, which is ignored" : "") +
                              "; a dataset.json can name the classes");
  return std::nullopt;
}

} // namespace segc::train
