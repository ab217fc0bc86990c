/// \file What both ways of looking read from the command line.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Look.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include <filesystem>

using namespace mlir;

namespace segc {

std::optional<LookedAt> lookAt(const ToolOptions &options, const Viewing &viewing, LoadedModel &loaded) {
  Model &model = *loaded.model;
  if (model.inputs.size() != 1 || model.inputs[0].shape.size() != 4) {
    fail("the model must have one input, the picture");
    return std::nullopt;
  }
  model.inputs[0].shape[0] = 1;
  if (viewing.height) {
    model.inputs[0].shape[2] = viewing.height;
    model.inputs[0].shape[3] = viewing.width;
  }
  LookedAt layer;
  layer.name = options.value(options::OPT_layer_eq, model.outputs[0].name);
  if (!model.find(layer.name)) {
    SmallVector<StringRef> known;
    for (const auto &entry : model.producers)
      if (model.find(entry.first()))
        known.push_back(entry.first());
    llvm::sort(known);
    fail("-layer: " + quote(layer.name) + " is no layer" + suggestion(layer.name, known));
    return std::nullopt;
  }
  layer.producer = model.find(layer.name)->name;
  model.outputs = {{layer.name, layer.producer, model.outputs[0].loc}};
  loaded.graph = importModel(*loaded.context, *loaded.diagnostics, model);
  if (!loaded.graph)
    return std::nullopt;
  auto main = loaded.graph->lookupSymbol<func::FuncOp>("main");
  auto type = cast<RankedTensorType>(main.getResultTypes()[0]);
  if (type.getRank() != 4 || !type.getElementType().isF32()) {
    fail("-layer: " + quote(layer.name) +
         " has class numbers, not scores; name the layer before it that has a channel for each class");
    return std::nullopt;
  }
  layer.channels = type.getDimSize(1);
  auto known = [](int64_t extent) { return ShapedType::isDynamic(extent) ? 0 : extent; };
  layer.height = known(type.getDimSize(2));
  layer.width = known(type.getDimSize(3));
  return layer;
}

std::optional<std::vector<int64_t>> readChannels(const ToolOptions &options, unsigned id,
                                                 const LookedAt &layer, int64_t most) {
  std::vector<int64_t> channels;
  if (!options.has(id)) {
    for (int64_t c = 0; c < std::min(layer.channels, most); ++c)
      channels.push_back(c);
    return channels;
  }
  SmallVector<StringRef> words;
  std::string list = options.value(id);
  StringRef(list).split(words, ',');
  for (StringRef word : words) {
    int64_t channel;
    if (word.getAsInteger(10, channel) || channel < 0 || channel >= layer.channels) {
      fail(quote(word) + " is no channel of " + quote(layer.name) + ", which has 0 to " +
           Twine(layer.channels - 1) + "; 0,3,7 is a list");
      return std::nullopt;
    }
    channels.push_back(channel);
  }
  return channels;
}

bool readViewing(const ToolOptions &options, Viewing &viewing) {
  if (!options.extents(options::OPT_size_eq, viewing.height, viewing.width))
    return false;
  if (!options.has(options::OPT_data_eq))
    return true;
  // A folder of pictures without masks is fine here.
  const std::string path = options.value(options::OPT_data_eq);
  auto opened = train::Dataset::open(path);
  if (const auto *failure = train::failureOf(opened)) {
    if (std::filesystem::is_directory(path) && !std::filesystem::exists(path + "/dataset.json"))
      return true;
    fail(*failure);
    return false;
  }
  viewing.dataset = std::move(std::get<train::Dataset>(opened));
  for (const train::ClassInfo &info : viewing.dataset->classes())
    viewing.names.push_back(info.name);
  return true;
}

} // namespace segc
