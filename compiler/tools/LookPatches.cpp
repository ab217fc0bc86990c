/// \file The patches of pictures that filters answer most to.
// SPDX-License-Identifier: MIT
#include "compiler/report/Summary.h"
#include "compiler/tools/Look.h"
#include "compiler/tools/Predict.h"
#include "runtime/pictures/Canvas.h"
#include "runtime/pictures/File.h"
#include "runtime/pictures/Geometry.h"
#include "runtime/train/Loader.h"
#include "runtime/train/RunLog.h"
#include "runtime/train/Table.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <filesystem>

namespace segc {
namespace {

using pictures::Picture;
using pictures::Planes;

/// Where a filter answered, and what it saw there.
struct Patch {
  float value = 0;
  std::string name;                            ///< of the picture
  int64_t x = 0, y = 0, width = 0, height = 0; ///< in the picture (resized by -size); may reach beyond it
  Picture picture;
};

struct Source {
  std::string name, path;
  const train::Item *item = nullptr; ///< of the data set, which then reads it
};

/// The pictures of the data set's split, or the picture files of a plain folder.
std::variant<std::vector<Source>, std::string> findPictures(const ToolOptions &options,
                                                            const Viewing &viewing) {
  std::vector<Source> sources;
  const std::string folder = options.value(options::OPT_data_eq);
  if (viewing.dataset) {
    auto items =
        viewing.dataset->items(options.value(options::OPT_split_eq, viewing.dataset->splits()[0].name));
    if (const auto *failure = train::failureOf(items))
      return *failure;
    for (const train::Item &item : *std::get<0>(items))
      sources.push_back({item.name, item.image, &item});
    return sources;
  }
  std::error_code code;
  for (const auto &entry : std::filesystem::directory_iterator(folder, code)) {
    const std::string ending = llvm::StringRef(entry.path().extension().string()).lower();
    for (const char *known : {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".pgm", ".ppm"})
      if (ending == known)
        sources.push_back({entry.path().stem().string(), entry.path().string(), nullptr});
  }
  if (code)
    return folder + ": cannot be read: " + code.message();
  if (sources.empty())
    return folder + ": has no pictures (PNG, JPEG, TIFF, PGM, PPM)";
  std::sort(sources.begin(), sources.end(), [](const Source &a, const Source &b) { return a.path < b.path; });
  return sources;
}

class PatchFinder {
public:
  PatchFinder(Instance &instance, const Viewing &viewing, const hg::ReceptiveField &field,
              const std::vector<int64_t> &channels, size_t most)
      : instance(instance), viewing(viewing), field(field), channels(channels), most(most),
        best(channels.size()) {}

  /// Looks at one picture: of each filter the greatest value counts, so that patches come from several.
  std::optional<std::string> look(const Source &source) {
    auto read = load(source);
    if (auto *why = std::get_if<pictures::Failure>(&read))
      return *why;
    const auto &raster = std::get<pictures::Raster>(read);
    segc_model_info input;
    if (instance.library.inputInfo(instance.model, 0, &input))
      return instance.library.lastError();
    const train::InputFormat &format = viewing.format();
    auto seen = pictures::toPlanes(raster, input.shape[1], format.white);
    auto coloured = pictures::toPlanes(raster, raster.channels, format.white);
    for (auto *planes : {&seen, &coloured})
      if (auto *why = std::get_if<pictures::Failure>(planes))
        return source.path + ": " + *why;
    Planes image = std::get<Planes>(seen), colours = std::get<Planes>(coloured);
    if (viewing.height) {
      image = pictures::resizeBilinear(image, viewing.height, viewing.width);
      colours = pictures::resizeBilinear(colours, viewing.height, viewing.width);
    }
    train::normalise(image, format);
    int64_t h, w;
    if (!findLegal(instance, image.height, image.width, h, w))
      return source.path + ": no size within 64 pixels of " + std::to_string(image.width) + " x " +
             std::to_string(image.height) + " suits the network; give one with -size HxW";
    // All padding behind, so that positions stay.
    PixelOutput output;
    double milliseconds[2];
    if (auto why = runPlanes(
            instance,
            pictures::pad(image, {0, 0, h - image.height, w - image.width}, pictures::Edge::Reflect), 1,
            output, milliseconds))
      return why;
    const Picture picture = std::get<Picture>(pictures::toPicture(colours));
    for (size_t i = 0; i < channels.size(); ++i)
      lookAtFilter(output.values, picture, source.name, i);
    return std::nullopt;
  }

  const std::vector<std::vector<Patch>> &patches() const { return best; }

private:
  /// As in training: the data set may make pictures smaller.
  train::Result<pictures::Raster> load(const Source &source) const {
    if (!source.item)
      return pictures::readRaster(source.path);
    train::LoadOptions options;
    options.weights = false;
    auto example = viewing.dataset->load(*source.item, options);
    if (const auto *failure = train::failureOf(example))
      return *failure;
    return std::move(std::get<train::Example>(example).image);
  }

  void lookAtFilter(const Planes &values, const Picture &picture, const std::string &name, size_t index) {
    // Only pixels that look at the picture, not at its padding.
    auto inside = [&](int64_t extent, int64_t count) {
      const double last = (static_cast<double>(extent - 1) - field.centre) / field.jump;
      return field.global ? count : std::clamp<int64_t>(static_cast<int64_t>(std::floor(last)) + 1, 1, count);
    };
    const int64_t rows = inside(picture.height, values.height), columns = inside(picture.width, values.width);
    Patch patch;
    int64_t bestX = 0, bestY = 0;
    patch.value = -INFINITY;
    for (int64_t y = 0; y < rows; ++y)
      for (int64_t x = 0; x < columns; ++x)
        if (const float value = values.row(channels[index], y)[x]; value > patch.value) {
          patch.value = value;
          bestX = x;
          bestY = y;
        }
    std::vector<Patch> &kept = best[index];
    if (!std::isfinite(patch.value) || (kept.size() == most && patch.value <= kept.back().value))
      return;
    place(patch, bestX, bestY, picture);
    patch.name = name;
    const auto at = std::upper_bound(kept.begin(), kept.end(), patch,
                                     [](const Patch &a, const Patch &b) { return a.value > b.value; });
    kept.insert(at, std::move(patch));
    if (kept.size() > most)
      kept.pop_back();
  }

  /// The rectangle that pixel (x, y) of the layer sees: `field` pixels around centre + jump * position.
  void place(Patch &patch, int64_t x, int64_t y, const Picture &picture) const {
    const auto side = static_cast<int64_t>(std::ceil(field.field));
    auto first = [&](int64_t position) {
      return std::llround(field.centre + field.jump * static_cast<double>(position) -
                          static_cast<double>(side - 1) / 2);
    };
    patch.x = field.global ? 0 : first(x);
    patch.y = field.global ? 0 : first(y);
    patch.width = field.global ? picture.width : side;
    patch.height = field.global ? picture.height : side;
    // What lies far beyond the picture says nothing: the drawing ends there.
    const int64_t left = std::max<int64_t>(patch.x, -side / 2), top = std::max<int64_t>(patch.y, -side / 2);
    const int64_t right = std::min(patch.x + patch.width, picture.width + side / 2),
                  bottom = std::min(patch.y + patch.height, picture.height + side / 2);
    Picture cut(right - left, bottom - top, 3);
    pictures::fillRectangle(cut, 0, 0, cut.width, cut.height, {128, 128, 128});
    pictures::paste(cut, picture, -left, -top);
    // Cells of 48 to 96 pixels.
    const int64_t larger = std::max(cut.width, cut.height), times = std::max<int64_t>(48 / larger, 1);
    const int64_t parts = std::max<int64_t>((larger + 95) / 96, 1);
    patch.picture = pictures::resizeNearest(cut, std::max<int64_t>(cut.height * times / parts, 1),
                                            std::max<int64_t>(cut.width * times / parts, 1));
  }

  Instance &instance;
  const Viewing &viewing;
  hg::ReceptiveField field;
  const std::vector<int64_t> &channels;
  size_t most;
  std::vector<std::vector<Patch>> best;
};

train::Json patchJson(const LookedAt &layer, const hg::ReceptiveField &field,
                      const std::vector<int64_t> &channels, const std::vector<std::vector<Patch>> &patches) {
  train::Json json;
  json["layer"] = layer.name;
  json["field"] = field.global ? train::Json(nullptr) : train::Json(field.field);
  for (size_t i = 0; i < channels.size(); ++i) {
    train::Json filter;
    filter["channel"] = channels[i];
    filter["patches"] = train::Json::array();
    for (const Patch &patch : patches[i])
      filter["patches"].push_back({{"picture", patch.name},
                                   {"value", patch.value},
                                   {"x", patch.x},
                                   {"y", patch.y},
                                   {"width", patch.width},
                                   {"height", patch.height}});
    json["filters"].push_back(std::move(filter));
  }
  return json;
}

} // namespace

int lookPatches(const ToolOptions &options, std::unique_ptr<LoadedModel> loaded, const Viewing &viewing) {
  if (!options.has(options::OPT_data_eq))
    return fail("say which pictures to look at: -data DIR");
  auto found = findPictures(options, viewing);
  if (auto *why = std::get_if<std::string>(&found))
    return fail(*why);
  auto layer = lookAt(options, viewing, *loaded);
  auto count = options.number(options::OPT_count_eq, 9, 1, 100);
  if (!layer || !count)
    return 1;
  auto channels = readChannels(options, options::OPT_filters_eq, *layer, 32);
  if (!channels)
    return 1;
  hg::ReceptiveField field;
  for (const LayerRow &row : summarise(*loaded->graph, {}).rows)
    if (row.name == layer->producer)
      field = row.field;
  int exitCode = 1;
  auto opened = openModel(options, std::move(loaded), exitCode);
  if (!opened)
    return exitCode;
  Instance instance(*opened->library);
  if (!createInstance(options, *opened, instance))
    return 1;
  PatchFinder finder(instance, viewing, field, *channels, static_cast<size_t>(*count));
  for (const Source &source : std::get<std::vector<Source>>(found))
    if (auto why = finder.look(source))
      return fail(*why);
  std::vector<pictures::SheetCell> cells;
  size_t columns = 1;
  for (const std::vector<Patch> &patches : finder.patches())
    columns = std::max(columns, patches.size());
  for (size_t i = 0; i < channels->size(); ++i)
    for (size_t k = 0; k < columns; ++k) {
      const std::vector<Patch> &patches = finder.patches()[i];
      pictures::SheetCell cell{Picture(1, 1, 3), ""};
      if (k < patches.size())
        cell = {patches[k].picture,
                (k ? "" : "#" + std::to_string((*channels)[i]) + " ") + train::fixed(patches[k].value, 2)};
      cells.push_back(std::move(cell));
    }
  auto sheet = pictures::contactSheet(cells, static_cast<int>(columns));
  if (auto *why = std::get_if<pictures::Failure>(&sheet))
    return fail(*why);
  if (auto why = pictures::writePicture(options.value(options::OPT_out_eq), std::get<Picture>(sheet)))
    return fail(*why);
  const std::string side = field.global
                               ? "whole pictures"
                               : std::to_string(static_cast<int64_t>(std::ceil(field.field))) + " pixels";
  llvm::outs() << layer->name << ": " << layer->channels << " filters, which see " << side << "\n";
  if (options.has(options::OPT_json_eq))
    if (auto why = train::writeText(options.value(options::OPT_json_eq),
                                    patchJson(*layer, field, *channels, finder.patches()).dump(2) + "\n"))
      return fail(*why);
  return 0;
}

} // namespace segc
