/// \file segc-eval: how well a network's classes fit those of a data set.
// SPDX-License-Identifier: MIT
#include "compiler/tools/OpenModel.h"
#include "compiler/tools/Predict.h"
#include "runtime/train/Evaluation.h"
#include "runtime/train/Loader.h"
#include "runtime/train/Progress.h"
#include "runtime/train/RunLog.h"
#include "llvm/Support/raw_ostream.h"
#include <unistd.h>

using namespace segc;

namespace {

/// The part of the data that is asked for: by default what was kept for judging.
std::string splitOf(const ToolOptions &options, const train::Dataset &dataset) {
  if (options.has(options::OPT_split_eq))
    return options.value(options::OPT_split_eq);
  for (const char *name : {"val", "test"})
    for (const train::SplitFiles &split : dataset.splits())
      if (split.name == name)
        return name;
  return dataset.splits()[0].name;
}

/// "256x320" as height and width.
bool readTile(const std::string &text, Views &views) {
  auto [height, width] = llvm::StringRef(text).split('x');
  auto good = [](llvm::StringRef number, int64_t &value) {
    return !number.getAsInteger(10, value) && value >= 1 && value <= 65535;
  };
  return good(height, views.tileHeight) && good(width, views.tileWidth);
}

/// The flags about views; false after printing what is wrong.
bool readViewFlags(const ToolOptions &options, Views &views) {
  if (options.has(options::OPT_tta_eq))
    if (auto why = readViews(options.value(options::OPT_tta_eq), views)) {
      fail(*why);
      return false;
    }
  if (options.has(options::OPT_tile_eq) && !readTile(options.value(options::OPT_tile_eq), views)) {
    fail("-tile '" + options.value(options::OPT_tile_eq) + "' must be HEIGHTxWIDTH such as 256x320");
    return false;
  }
  const int64_t least = std::min(views.tileHeight, views.tileWidth);
  if (options.has(options::OPT_overlap_eq) && least == 0) {
    fail("-overlap goes with -tile");
    return false;
  }
  auto overlap = options.number(options::OPT_overlap_eq, least / 4, 0, std::max<int64_t>(least - 1, 0));
  views.overlap = overlap.value_or(0);
  return overlap.has_value();
}

/// Does the network fit the data? A sentence if not.
std::optional<std::string> checkFit(Instance &instance, const train::Dataset &dataset, int64_t &channels) {
  const Library &library = instance.library;
  segc_model_info input;
  if (library.numInputs(instance.model) != 1)
    return "the model has several inputs; pictures are one";
  if (library.inputInfo(instance.model, 0, &input))
    return library.lastError();
  channels = input.shape[1];
  const int wanted = dataset.description().input.channels;
  if ((channels != 1 && channels != 3) || (wanted && wanted != channels))
    return "the network reads " + std::to_string(channels) + " channels, the pictures of " +
           dataset.description().file + " have " + (wanted ? std::to_string(wanted) : "1 or 3") +
           "; 'input' in dataset.json says how many";
  const auto known = static_cast<int64_t>(dataset.classes().size());
  const int64_t told = classesToldApart(instance);
  if (told && told != known) {
    std::string names;
    for (size_t i = 0; i < dataset.classes().size() && i < 12; ++i)
      names += (i ? ", " : "") + dataset.classes()[i].name;
    return "the network tells " + std::to_string(told) + " classes apart, the data has " +
           std::to_string(known) + " (" + names + (known > 12 ? ", ..." : "") +
           "); compile the model for as many, or name the classes in dataset.json";
  }
  return std::nullopt;
}

/// The numbers that the network reads, as in training.
train::Result<pictures::Planes> networkInput(const train::Dataset &dataset, const train::Example &example,
                                             int64_t channels) {
  const train::InputFormat &format = dataset.description().input;
  auto planes = pictures::toPlanes(example.image, channels, format.white);
  if (auto *image = std::get_if<pictures::Planes>(&planes))
    train::normalise(*image, format);
  return planes;
}

int evaluate(const ToolOptions &options, Instance &instance, const train::Dataset &dataset) {
  Views views;
  int64_t channels = 0;
  auto rows = options.number(options::OPT_count_eq, 8, 1, 1000);
  if (!rows || !readViewFlags(options, views))
    return 1;
  if (auto why = checkFit(instance, dataset, channels))
    return fail(*why);
  auto found = dataset.items(splitOf(options, dataset));
  if (const auto *failure = train::failureOf(found))
    return fail(*failure);
  const std::vector<train::Item> &items = *std::get<const std::vector<train::Item> *>(found);
  train::EvaluationOptions writing;
  writing.folder = options.value(options::OPT_out_eq);
  writing.masks = options.value(options::OPT_masks_eq);
  writing.sheetRows = *rows;
  auto begun = train::Evaluation::begin(dataset, writing);
  if (const auto *failure = train::failureOf(begun))
    return fail(*failure);
  auto &evaluation = std::get<train::Evaluation>(begun);
  train::ProgressOptions display;
  display.terminal = isatty(fileno(stderr));
  train::Progress progress(static_cast<int64_t>(items.size()), 0, display);
  train::LoadOptions loading;
  loading.weights = false;
  for (size_t i = 0; i < items.size(); ++i) {
    auto loaded = dataset.load(items[i], loading);
    if (const auto *failure = train::failureOf(loaded))
      return fail(*failure);
    const auto &example = std::get<train::Example>(loaded);
    auto image = networkInput(dataset, example, channels);
    if (const auto *failure = train::failureOf(image))
      return fail(items[i].image + ": " + *failure);
    train::Labels prediction;
    if (auto why = predictClasses(instance, std::get<pictures::Planes>(image), views,
                                  evaluation.matrix().classes(), prediction))
      return fail(items[i].image + ": " + *why);
    if (auto failure = evaluation.add(items[i], example, prediction))
      return fail(*failure);
    progress.update(static_cast<int64_t>(i) + 1, items[i].name);
  }
  progress.finish();
  if (auto failure = evaluation.finish())
    return fail(*failure);
  if (options.has(options::OPT_json_eq))
    if (auto failure =
            train::writeText(options.value(options::OPT_json_eq), evaluation.json().dump(2) + "\n"))
      return fail(*failure);
  llvm::outs() << evaluation.text();
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  int exitCode = 0;
  auto options =
      ToolOptions::parse(argc, argv, options::EvalTool,
                         "segc-eval MODEL.json|libNAME.so -weights W -data DIR [-out DIR] [flags]", exitCode);
  if (!options)
    return exitCode;
  if (options->positional().size() != 1)
    return fail("give one model or library (-help shows how)");
  for (unsigned id : {unsigned(options::OPT_weights_eq), unsigned(options::OPT_data_eq)})
    if (!options->has(id))
      return fail(id == options::OPT_data_eq ? "say what to judge by: -data DIR"
                                             : "say which weights to judge: -weights FILE");
  // The data first: it takes less time to find out that it is wrong.
  auto read = train::Dataset::open(options->value(options::OPT_data_eq));
  if (const auto *failure = train::failureOf(read))
    return fail(*failure);
  const auto &dataset = std::get<train::Dataset>(read);
  for (const std::string &note : dataset.notes())
    llvm::errs() << "note: " << note << "\n";
  auto opened = openModel(*options, options->positional()[0], {}, exitCode);
  if (!opened)
    return exitCode;
  Instance instance(*opened->library);
  return createInstance(*options, *opened, instance) ? evaluate(*options, instance, dataset) : 1;
}
