/// \file TrainSettings: flags to settings, and the flags of runs that go on.
// SPDX-License-Identifier: MIT
#include "compiler/tools/TrainSettings.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Threading.h"
#include <cmath>

using namespace llvm;

namespace segc {
namespace {

constexpr int64_t kMost = int64_t(1) << 40; ///< steps and epochs: beyond it a number is a mistake

/// A number above 0; prints an error otherwise.
std::optional<double> positive(const ToolOptions &options, unsigned id, StringRef flag) {
  double number = 0;
  const std::string text = options.value(id);
  if (StringRef(text).getAsDouble(number) || !(number > 0) || !std::isfinite(number)) {
    fail(flag + " '" + text + "' must be a number above 0");
    return std::nullopt;
  }
  return number;
}

/// "256x320" or "256".
bool readCrop(StringRef text, int64_t &height, int64_t &width) {
  auto [h, w] = text.split('x');
  if (!text.contains('x'))
    w = h;
  return !h.getAsInteger(10, height) && !w.getAsInteger(10, width) && height > 0 && width > 0 &&
         height <= 65536 && width <= 65536;
}

/// The size of the crops: as said, else the model's own.
bool readSizes(const ToolOptions &options, const Model &model, TrainSettings &settings) {
  const std::vector<int64_t> &shape = model.inputs[0].shape;
  auto batch = options.number(options::OPT_batch_eq, std::max<int64_t>(shape[0], 1), 1, 4096);
  if (!batch)
    return false;
  settings.batch = *batch;
  settings.height = std::max<int64_t>(shape[2], 0);
  settings.width = std::max<int64_t>(shape[3], 0);
  if (options.has(options::OPT_crop_eq)) {
    if (!readCrop(options.value(options::OPT_crop_eq), settings.height, settings.width)) {
      fail("-crop '" + options.value(options::OPT_crop_eq) + "' must be HEIGHTxWIDTH such as 256x320");
      return false;
    }
  } else if (settings.height == 0 || settings.width == 0) {
    fail("the model leaves the size of its input open: say how large the crops shall be, -crop 256x256");
    return false;
  }
  return true;
}

/// What a run that goes on may have otherwise than when it began: none of it changes a step.
const StringSet<> &changeable() {
  static const StringSet<> names = {"resume",  "steps", "epochs", "minutes",    "patience",
                                    "threads", "cache", "j",      "save-every", "data"};
  return names;
}

/// Writes "a b" for messages.
std::string joined(const train::Json &values) {
  std::string text;
  for (const train::Json &value : values)
    text += (text.empty() ? "" : " ") + value.get<std::string>();
  return text;
}

} // namespace

std::optional<TrainSettings> readTrainSettings(const ToolOptions &options, const Model &model) {
  TrainSettings settings;
  settings.data = options.value(options::OPT_data_eq);
  settings.out = options.value(options::OPT_out_eq);
  settings.weights = options.value(options::OPT_weights_eq);
  settings.augment = options.value(options::OPT_augment_eq);
  settings.split = options.value(options::OPT_split_eq, "train");
  settings.valSplit = options.value(options::OPT_val_split_eq, "val");
  settings.shuffleLabels = options.has(options::OPT_shuffle_labels);
  if (settings.valSplit == "none")
    settings.valSplit.clear();
  if (model.inputs.size() != 1 || model.inputs[0].shape.size() != 4) {
    fail("segc-train feeds one picture a sample: the model must have one input [N, C, H, W]");
    return std::nullopt;
  }
  if (!readSizes(options, model, settings))
    return std::nullopt;
  struct {
    int64_t &value;
    unsigned id;
    int64_t fallback, low, high;
  } const numbers[] = {{settings.accumulate, options::OPT_accumulate_eq, 1, 1, 65536},
                       {settings.steps, options::OPT_steps_eq, 0, 1, kMost},
                       {settings.epochs, options::OPT_epochs_eq, 0, 1, kMost},
                       {settings.patience, options::OPT_patience_eq, 0, 1, kMost},
                       {settings.valEvery, options::OPT_val_every_eq, 0, 1, kMost},
                       {settings.saveEvery, options::OPT_save_every_eq, 0, 1, kMost},
                       {settings.logEvery, options::OPT_log_every_eq, 10, 1, kMost}};
  for (const auto &number : numbers) {
    auto read = options.number(number.id, number.fallback, number.low, number.high);
    if (!read)
      return std::nullopt;
    number.value = *read;
  }
  auto seed = options.number(options::OPT_seed_eq, 0, 0, int64_t(1) << 53),
       threads =
           options.number(options::OPT_threads_eq, hardware_concurrency().compute_thread_count(), 1, 256);
  if (!seed || !threads)
    return std::nullopt;
  settings.seed = uint64_t(*seed);
  settings.threads = int(*threads);
  if (options.has(options::OPT_minutes_eq)) {
    auto minutes = positive(options, options::OPT_minutes_eq, "-minutes");
    if (!minutes)
      return std::nullopt;
    settings.minutes = *minutes;
  }
  if (options.has(options::OPT_lr_eq)) {
    settings.rate = positive(options, options::OPT_lr_eq, "-lr");
    if (!settings.rate)
      return std::nullopt;
  }
  return settings;
}

train::Json recordedFlags(const ToolOptions &options) {
  train::Json flags = train::Json::object();
  for (const auto &[name, value] : options.given())
    flags[name].push_back(value);
  return flags;
}

std::optional<ToolOptions> resumedOptions(const ToolOptions &now, const train::Json &recorded,
                                          const std::string &model) {
  train::Json merged = recorded;
  const train::Json added = recordedFlags(now);
  for (const auto &[name, values] : added.items()) {
    const auto before = recorded.find(name);
    if (changeable().contains(name) || (before != recorded.end() && *before == values)) {
      merged[name] = values;
      continue;
    }
    fail(
        "-" + name + " is '" + joined(values) + "' and was " +
        (before == recorded.end() ? "not given" : "'" + joined(*before) + "'") +
        " when the run began: a run goes on as it began; leave the flag out, or begin another run with -out");
    return std::nullopt;
  }
  merged.erase("out");
  merged.erase("weights");
  std::vector<std::string> words = {"segc-train", model};
  for (const auto &[name, values] : merged.items())
    for (const train::Json &value : values)
      words.push_back("-" + name + (value.get<std::string>().empty() ? "" : "=" + value.get<std::string>()));
  std::vector<char *> pointers;
  for (std::string &word : words)
    pointers.push_back(word.data());
  int exitCode = 0;
  return ToolOptions::parse(int(pointers.size()), pointers.data(), options::TrainTool, "", exitCode);
}

} // namespace segc
