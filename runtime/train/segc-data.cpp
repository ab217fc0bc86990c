/// \file segc-data: looks at a data set before anything is trained on it: counts, checks, contact sheets.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/File.h"
#include "runtime/train/Arguments.h"
#include "runtime/train/BatchFile.h"
#include "runtime/train/RunLog.h"
#include "runtime/train/SampleSheet.h"
#include "runtime/train/Statistics.h"
#include <algorithm>
#include <cstdio>

using namespace segc;
using namespace segc::train;

namespace {

const std::vector<Flag> flags = {
    {"out", true, "sheet: the picture to write (.png); batches: the tensors (.safetensors)"},
    {"augment", true, "a JSON of changes; in a sheet each row shows one picture, first as it is"},
    {"split", true, "which part of the data; by default the first"},
    {"count", true, "sheet: how many cells (24); batches: how many samples (one pass)"},
    {"columns", true, "sheet: cells in a row (6)"},
    {"size", true, "crops of HEIGHTxWIDTH pixels; by default whole pictures"},
    {"show", true, "sheet: overlay (default), image, mask or weights"},
    {"seed", true, "of the changes (0)"},
    {"channels", true, "batches: 1 or 3 (3)"},
    {"multiple", true, "batches: whole pictures are padded to multiples of this (1)"},
    {"json", true, "stats: writes the numbers to a file too"},
    {"help", false, "this list"},
    {"version", false, "the version"},
};

int fail(const std::string &message) {
  fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}

int stats(const Dataset &dataset, const Arguments &arguments) {
  Result<Statistics> measured = measure(dataset);
  if (const Failure *failure = failureOf(measured))
    return fail(*failure);
  const auto &statistics = std::get<Statistics>(measured);
  printf("%s", statistics.text().c_str());
  if (arguments.has("json"))
    if (auto failure = writeText(arguments.text("json", ""), statistics.json().dump(2) + "\n"))
      return fail(*failure);
  return 0;
}

int check(const Dataset &dataset) {
  std::vector<Failure> problems;
  Result<Statistics> measured = measure(dataset, &problems);
  if (const Failure *failure = failureOf(measured))
    return fail(*failure);
  constexpr size_t shown = 50;
  for (size_t i = 0; i < problems.size() && i < shown; ++i)
    fprintf(stderr, "error: %s\n", problems[i].c_str());
  if (problems.size() > shown)
    fprintf(stderr, "error: ... and %zu more\n", problems.size() - shown);
  int64_t images = 0;
  for (const SplitStatistics &split : std::get<Statistics>(measured).splits)
    images += split.images;
  printf("%lld pictures are good, %zu problems\n", static_cast<long long>(images), problems.size());
  return problems.empty() ? 0 : 1;
}

/// "256x320" as height and width.
bool readSize(const std::string &text, int64_t &height, int64_t &width) {
  int used = 0;
  long long h = 0, w = 0;
  const bool good = sscanf(text.c_str(), "%lldx%lld%n", &h, &w, &used) == 2 && size_t(used) == text.size() &&
                    h > 0 && w > 0 && h <= 65535 && w <= 65535;
  height = h;
  width = w;
  return good;
}

int sheet(const Dataset &dataset, const Arguments &arguments) {
  if (!arguments.has("out"))
    return fail("say where the sheet goes: -out sheet.png");
  SheetOptions options;
  options.split = arguments.text("split", "");
  const auto count = arguments.integer("count", 24, 1, 10000),
             columns = arguments.integer("columns", 6, 1, 100),
             seed = arguments.integer("seed", 0, 0, INT64_MAX);
  for (const auto *number : {&count, &columns, &seed})
    if (const Failure *failure = failureOf(*number))
      return fail(*failure);
  options.count = std::get<int64_t>(count);
  options.columns = int(std::get<int64_t>(columns));
  options.seed = uint64_t(std::get<int64_t>(seed));
  if (arguments.has("size") && !readSize(arguments.text("size", ""), options.height, options.width))
    return fail("-size is '" + arguments.text("size", "") + "'; HEIGHTxWIDTH such as 256x320 is wanted");
  const std::vector<std::string> shows = {"overlay", "image", "mask", "weights"};
  const std::string show = arguments.text("show", "overlay");
  const auto found = std::find(shows.begin(), shows.end(), show);
  if (found == shows.end())
    return fail("-show is '" + show + "'; it may be overlay, image, mask or weights" +
                suggestion(show, shows));
  options.show = SheetOptions::Show(found - shows.begin());
  if (arguments.has("augment")) {
    Result<Augmentation> read = readAugmentation(arguments.text("augment", ""));
    if (const Failure *failure = failureOf(read))
      return fail(*failure);
    options.augmentation = std::get<Augmentation>(read);
  }
  Result<Picture> drawn = sampleSheet(dataset, options);
  if (const Failure *failure = failureOf(drawn))
    return fail(*failure);
  if (auto failure = pictures::writePicture(arguments.text("out", ""), std::get<Picture>(drawn)))
    return fail(*failure);
  return 0;
}

/// Samples in the order of the list, or with -augment as training sees them.
int batches(const Dataset &dataset, const Arguments &arguments) {
  if (!arguments.has("out"))
    return fail("say where the tensors go: -out F.safetensors");
  LoaderOptions options;
  options.split = arguments.text("split", dataset.splits()[0].name);
  const auto count = arguments.integer("count", 0, 1, 1000000),
             seed = arguments.integer("seed", 0, 0, INT64_MAX),
             channels = arguments.integer("channels", 3, 1, 3),
             multiple = arguments.integer("multiple", 1, 1, 65535);
  for (const auto *number : {&count, &seed, &channels, &multiple})
    if (const Failure *failure = failureOf(*number))
      return fail(*failure);
  options.seed = uint64_t(std::get<int64_t>(seed));
  options.channels = int(std::get<int64_t>(channels));
  options.multiple = std::get<int64_t>(multiple);
  options.training = arguments.has("augment");
  if (options.training && options.multiple > 1)
    return fail("-multiple is for whole pictures; with -augment give the size of the crops: -size");
  if (arguments.has("size") && !readSize(arguments.text("size", ""), options.height, options.width))
    return fail("-size is '" + arguments.text("size", "") + "'; HEIGHTxWIDTH such as 256x320 is wanted");
  if (options.training) {
    Result<Augmentation> read = readAugmentation(arguments.text("augment", ""));
    if (const Failure *failure = failureOf(read))
      return fail(*failure);
    options.augmentation = std::get<Augmentation>(read);
  }
  const Result<files::TensorFile> made = batchTensors(dataset, options, std::get<int64_t>(count));
  if (const Failure *failure = failureOf(made))
    return fail(*failure);
  if (auto failure = files::write(arguments.text("out", ""), std::get<files::TensorFile>(made)))
    return fail(*failure);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  Result<Arguments> parsed = Arguments::parse(argc, argv, flags);
  if (const Failure *failure = failureOf(parsed))
    return fail(*failure);
  const auto &arguments = std::get<Arguments>(parsed);
  if (arguments.has("help")) {
    printf(
        "usage: segc-data stats|check|sheet|batches DIR [flags]\n\n"
        "DIR is a folder of pictures and masks, or a dataset.json. stats counts what is there, check reads\n"
        "everything and says what is wrong, sheet draws samples, batches writes them as tensors.\n\n%s",
        helpOf(flags).c_str());
    return 0;
  }
  if (arguments.has("version")) {
    printf("segc %s\n", SEGC_VERSION);
    return 0;
  }
  const std::vector<std::string> &words = arguments.positional();
  const std::vector<std::string> commands = {"stats", "check", "sheet", "batches"};
  if (words.size() != 2)
    return fail("usage: segc-data stats|check|sheet|batches DIR [flags]; -help says more");
  const auto command = std::find(commands.begin(), commands.end(), words[0]);
  if (command == commands.end())
    return fail("there is no command '" + words[0] + "'; stats, check, sheet and batches exist" +
                suggestion(words[0], commands));
  Result<Dataset> opened = Dataset::open(words[1]);
  if (const Failure *failure = failureOf(opened))
    return fail(*failure);
  const auto &dataset = std::get<Dataset>(opened);
  for (const std::string &note : dataset.notes())
    fprintf(stderr, "note: %s\n", note.c_str());
  switch (command - commands.begin()) {
  case 0:
    return stats(dataset, arguments);
  case 1:
    return check(dataset);
  case 2:
    return sheet(dataset, arguments);
  default:
    return batches(dataset, arguments);
  }
}
