/// \file Description: the fields of dataset.json.
// SPDX-License-Identifier: MIT
#include "runtime/train/Description.h"
#include "runtime/pictures/Overlay.h"
#include "runtime/train/ColourBins.h"
#include "runtime/train/Files.h"
#include "runtime/train/Settings.h"
#include <algorithm>
#include <filesystem>

namespace fs = std::filesystem;

namespace segc::train {

namespace {

constexpr size_t maxClasses = 4096;

bool isByte(const Json &value) {
  return value.is_number_integer() && value.get<int64_t>() >= 0 && value.get<int64_t>() <= 255;
}

/// [r, g, b] of whole numbers from 0 to 255.
std::optional<Colour> colourOf(const Json &value) {
  if (!value.is_array() || value.size() != 3 || !std::all_of(value.begin(), value.end(), isByte))
    return std::nullopt;
  return Colour{value[0].get<uint8_t>(), value[1].get<uint8_t>(), value[2].get<uint8_t>()};
}

std::optional<int32_t> sampleOf(const Json &value) {
  if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<int64_t>() > 65535)
    return std::nullopt;
  return value.get<int32_t>();
}

/// One entry of "classes": a name, or an object.
std::optional<Failure> readClass(const Json &entry, size_t index, const std::string &where, ClassInfo &to) {
  to.colour = pictures::vocPalette()[index % 256];
  if (entry.is_string()) {
    to.name = entry.get<std::string>();
    to.values = {int32_t(index)};
    to.colours = {to.colour};
    return std::nullopt;
  }
  Fields fields(entry, where);
  to.name = fields.text("name", "class " + std::to_string(index));
  if (const Json *colour = fields.value("colour")) {
    if (std::optional<Colour> read = colourOf(*colour))
      to.colour = *read;
    else
      fields.fail("colour", "is " + colour->dump() + "; [red, green, blue] from 0 to 255 is wanted");
  }
  if (const Json *colours = fields.value("colours")) {
    for (const Json &colour : *colours)
      if (std::optional<Colour> read = colourOf(colour))
        to.colours.push_back(*read);
      else
        fields.fail("colours",
                    "has the entry " + colour.dump() + "; [red, green, blue] from 0 to 255 is wanted");
    if (to.colours.empty())
      fields.fail("colours", "is empty; a list of [red, green, blue] is wanted");
    else if (!fields.has("colour"))
      to.colour = to.colours[0];
  } else
    to.colours = {to.colour};
  const Json *values = fields.value("values");
  to.values = {int32_t(index)};
  if (values) {
    to.values.clear();
    for (const Json &value : values->is_array() ? *values : Json::array({*values}))
      if (std::optional<int32_t> read = sampleOf(value))
        to.values.push_back(*read);
      else
        fields.fail("values", "has the entry " + value.dump() + "; whole numbers from 0 to 65535 are wanted");
  }
  return fields.finish();
}

/// The list of classes itself, or one in a file of its own.
void readClasses(Fields &fields, Description &to, const std::string &folder) {
  const Json *list = fields.value("classes");
  if (!list)
    return;
  Json own;
  std::string where = fields.where();
  if (list->is_string()) {
    where = (fs::path(folder) / list->get<std::string>()).string();
    Result<Json> read = readJson(where);
    fields.take(failureOf(read) ? std::optional<Failure>(*failureOf(read)) : std::nullopt);
    if (failureOf(read))
      return;
    own = std::move(std::get<Json>(read));
    list = &own;
  }
  if (!list->is_array() || list->empty() || list->size() > maxClasses)
    return fields.fail("classes", "is no list of 1 to " + std::to_string(maxClasses) +
                                      " classes: names, or {\"name\": ..., \"colour\": [r, g, b]}");
  to.classes.assign(list->size(), {});
  for (size_t i = 0; i < list->size(); ++i)
    fields.take(readClass((*list)[i], i, where + ": classes[" + std::to_string(i) + "]", to.classes[i]));
}

void readIgnored(Fields &fields, Description &to) {
  const Json *value = fields.value("ignore");
  if (!value)
    return;
  to.ignoredValues.clear();
  to.ignoredColours.clear();
  for (const Json &entry : value->is_array() ? *value : Json::array({*value}))
    if (std::optional<int32_t> sample = sampleOf(entry))
      to.ignoredValues.push_back(*sample);
    else if (std::optional<Colour> colour = colourOf(entry))
      to.ignoredColours.push_back(*colour);
    else
      fields.fail("ignore", "has the entry " + entry.dump() + "; numbers, or colours [r, g, b], are wanted");
}

void readTarget(Fields &fields, Description &to) {
  const Json *value = fields.value("target");
  if (!value)
    return;
  const Json named = value->is_string() ? Json{{"type", *value}} : *value;
  Fields target(named, fields.where() + ": target");
  to.target = Target(target.choice("type", {"classes", "boundary", "colour_bins"}));
  if (to.target == Target::Classes)
    to.separate = target.flag("separate", false);
  if (to.target == Target::Boundary) {
    to.boundaryRadius = int(target.integer("radius", 1, 1, 100));
    to.boundaryInside = target.flag("inside", true);
  }
  if (to.target == Target::ColourBins) {
    to.colourBins = int(target.integer("bins", 5, 3, 31));
    to.colourStep = target.number("step", 12, 1, 100);
  }
  if (to.colourBins % 2 == 0)
    target.fail("bins",
                "is " + std::to_string(to.colourBins) + "; an odd number has a bin for gray in its middle");
  fields.take(target.finish());
}

void readSplits(Fields &fields, Description &to) {
  to.splitSeed = uint64_t(fields.integer("split_seed", 0, 0, INT64_MAX));
  const Json *value = fields.value("splits");
  if (!value)
    return;
  to.splits.clear();
  if (!value->is_object() || value->empty())
    return fields.fail("splits",
                       "is no object such as {\"train\": \"train.txt\"} or {\"train\": 0.8, \"val\": 0.2}");
  double sum = 0;
  for (const auto &member : value->items()) {
    const Json &entry = member.value();
    if (entry.is_string())
      to.splits.push_back({member.key(), entry.get<std::string>(), 0, false});
    else if (entry.is_number() && entry.get<double>() > 0 && entry.get<double>() <= 1)
      to.splits.push_back({member.key(), "", entry.get<double>(), false});
    else
      return fields.fail("splits", "has " + entry.dump() + " for '" + member.key() +
                                       "'; the name of a list file, or a share from 0 to 1 is wanted");
    sum += to.splits.back().share;
    if (to.splits.back().list.empty() != to.splits[0].list.empty())
      return fields.fail("splits", "mixes list files and shares; use one of them");
  }
  if (sum > 1 + 1e-9)
    fields.fail("splits", "has shares that add up to " + Json(sum).dump() + "; at most 1 is possible");
}

void readInput(Fields &fields, InputFormat &to) {
  Fields input = fields.child("input");
  to.channels = int(input.integer("channels", to.channels, 1, 3));
  if (to.channels == 2)
    input.fail("channels", "is 2; 1 for gray or 3 for colours is wanted");
  to.white = int(input.integer("white", to.white, 1, 65535));
  to.range = input.number("range", to.range, 1e-6, 1e6);
  if (input.has("mean"))
    to.mean = input.numbers("mean", -1e6, 1e6);
  if (input.has("std"))
    to.deviation = input.numbers("std", 1e-6, 1e6);
  for (const auto &[name, list] : {std::pair("mean", &to.mean), std::pair("std", &to.deviation)})
    if (list->size() != 0 && list->size() != 1 && list->size() != 3)
      input.fail(name,
                 "has " + std::to_string(list->size()) + " numbers; one, or one for each of 3 channels");
  to.bgr = input.choice("order", {"rgb", "bgr"}) == 1;
  to.shrink = int(input.integer("shrink", to.shrink, 1, 64));
  fields.take(input.finish());
}

void readWeights(Fields &fields, Description &to) {
  Fields weights = fields.child("weights");
  if (weights.has("border")) {
    to.border.emplace();
    Fields border = weights.child("border");
    to.border->w0 = border.number("w0", 10, 0, 1e6);
    to.border->sigma = border.number("sigma", 5, 0.1, 100);
    if (const Json *objects = border.value("objects"))
      for (const Json &name : objects->is_array() ? *objects : Json::array({*objects})) {
        const auto found = std::find_if(to.classes.begin(), to.classes.end(),
                                        [&](const ClassInfo &info) { return name == info.name; });
        if (found == to.classes.end())
          border.fail("objects", "names " + name.dump() + ", which is no class");
        else
          to.border->objects.push_back(int32_t(found - to.classes.begin()));
      }
    weights.take(border.finish());
  }
  to.classWeights = weights.numbers("classes", 0, 1e6);
  fields.take(weights.finish());
}

/// The classes that a target brings along.
void nameTargetClasses(Fields &fields, Description &to) {
  if (to.target == Target::Classes && to.encoding != Encoding::Instances)
    return;
  if (to.target == Target::Classes) {
    if (!to.classes.empty() && to.classes.size() != 2)
      fields.fail("classes", "has " + std::to_string(to.classes.size()) +
                                 " entries; instances give two: background and object");
    return;
  }
  if (fields.has("classes"))
    fields.fail("classes", "is decided by the target; leave it out");
  to.classes.clear();
  if (to.target == Target::ColourBins) {
    to.classes = ColourBins(to.colourBins, to.colourStep).classes();
    return;
  }
  if (to.encoding != Encoding::Instances)
    fields.fail("target", "is 'boundary', which needs instance maps: say \"encoding\": \"instances\"");
  to.classes = {{"background", {0, 0, 0}, {0}, {}}, {"inside", {64, 160, 64}, {1}, {}}};
  if (!to.boundaryInside)
    to.classes.resize(1);
  to.classes.push_back({"boundary", {255, 200, 0}, {int32_t(to.classes.size())}, {}});
}

/// Values and colours mean one class each.
void checkClasses(Fields &fields, const Description &description) {
  std::vector<std::pair<int32_t, std::string>> values;
  std::vector<std::pair<Colour, std::string>> colours;
  for (const ClassInfo &info : description.classes) {
    for (int32_t value : info.values)
      values.emplace_back(value, info.name);
    for (Colour colour : info.colours)
      colours.emplace_back(colour, info.name);
  }
  auto twice = [&](auto &list, const char *what) {
    std::sort(list.begin(), list.end());
    for (size_t i = 1; i < list.size(); ++i)
      if (list[i].first == list[i - 1].first)
        fields.fail("classes", std::string("gives '") + list[i - 1].second + "' and '" + list[i].second +
                                   "' the same " + what + " " + Json(list[i].first).dump());
  };
  if (description.encoding == Encoding::Values)
    twice(values, "value");
  if (description.encoding == Encoding::Colours)
    twice(colours, "colour");
}

Result<Description> readDescription(const std::string &path) {
  Result<Json> read = readJson(path);
  if (const Failure *failure = failureOf(read))
    return *failure;
  Fields fields(std::get<Json>(read), path);
  const std::string folder = fs::path(path).parent_path().string();
  const std::string root = (fs::path(folder) / fields.text("root", "")).lexically_normal().string();
  const int layout = fields.choice("layout", {"pairs", "voc", "camvid"});
  Description result = layoutDescription(layout == 1   ? "voc"
                                         : layout == 2 ? "camvid"
                                                       : "pairs",
                                         root.empty() ? "." : root);
  result.file = path;
  if (fields.has("encoding"))
    result.encoding = Encoding(fields.choice("encoding", {"values", "colours", "instances"}));
  if (layout == 1 && result.encoding == Encoding::Instances) {
    std::swap(result.masks, result.objects);
    result.objects.clear();
    result.classes.clear();
  }
  result.images = fields.text("images", result.images);
  result.masks = fields.text("masks", result.masks);
  result.objects = fields.text("objects", result.objects);
  readTarget(fields, result);
  readClasses(fields, result, folder);
  nameTargetClasses(fields, result);
  readIgnored(fields, result);
  readSplits(fields, result);
  readInput(fields, result.input);
  if (result.target == Target::ColourBins) {
    if (result.input.channels == 3)
      fields.fail("input", "has 3 channels, which would show the colours that are to be said; 1 is wanted");
    result.input.channels = 1;
  }
  readWeights(fields, result);
  checkClasses(fields, result);
  if (result.images.empty())
    fields.fail("images", "is missing; name the folder of the pictures, or \"images/{name}.png\"");
  if (result.masks.empty() && result.target != Target::ColourBins)
    fields.fail("masks", "is missing; name the folder of the masks, or \"masks/{name}.png\"");
  if (std::optional<Failure> failure = fields.finish())
    return *failure;
  return result;
}

} // namespace

Result<Description> describe(const std::string &path) {
  std::error_code error;
  const bool folder = fs::is_directory(path, error);
  const std::string file = folder ? (fs::path(path) / "dataset.json").string() : path;
  if (!folder && !fs::exists(path, error))
    return path + ": there is no such folder or file";
  Description result;
  if (folder && !fs::exists(file, error)) {
    const std::string layout = recogniseLayout(path);
    if (layout.empty())
      return path +
             ": has no dataset.json and no known layout (VOC, CamVid, images beside masks); docs/data.md "
             "says how to write one";
    result = layoutDescription(layout, path);
    result.notes.push_back("no dataset.json: taken as layout '" + layout + "', images in " + result.images +
                           ", masks in " + result.masks);
  } else {
    Result<Description> read = readDescription(file);
    if (const Failure *failure = failureOf(read))
      return *failure;
    result = std::move(std::get<Description>(read));
  }
  dropWrongGuesses(result);
  if (std::optional<Failure> failure = guessClasses(result))
    return *failure;
  if (!result.classWeights.empty() && result.classWeights.size() != result.classes.size())
    return result.file + ": weights: field 'classes' has " + std::to_string(result.classWeights.size()) +
           " numbers for " + std::to_string(result.classes.size()) + " classes";
  return result;
}

} // namespace segc::train
