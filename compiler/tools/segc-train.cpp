/// \file segc-train: trains a model on a folder of pictures.
// SPDX-License-Identifier: MIT
#include "compiler/tools/GpuReady.h"
#include "compiler/tools/Trainer.h"
#include "runtime/files/WriteWhole.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace segc;

namespace {

constexpr char kModelCopy[] = "model.json", kAugmentCopy[] = "augment.json", kLast[] = "last.safetensors";

/// Prints the failure of a result; true where there is one.
template <typename T> bool failed(const train::Result<T> &result) {
  const auto *why = train::failureOf(result);
  if (why)
    fail(*why);
  return why != nullptr;
}

/// The words of the call, in quotes where a shell needs them.
std::string commandLine(int argc, char **argv) {
  std::string text = "segc-train";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n'\"\\$*?;&|<>()[]{}!#~`") == std::string::npos;
    text += plain ? " " + word : " '" + word + "'";
  }
  return text;
}

/// The description, which must say what is to be learnt.
std::unique_ptr<LoadedModel> loadTrainable(const ToolOptions &options, int &exitCode) {
  auto model = loadModel(options, {}, false, exitCode);
  if (!model)
    return nullptr;
  exitCode = 1;
  if (!model->model->training) {
    fail(model->path +
         ": has no \"training\" section; add one with \"targets\", \"losses\" and \"optimizer\" "
         "to train the model");
    return nullptr;
  }
  return gpuReady(model->compile) ? std::move(model) : nullptr;
}

/// Finds the splits to train and validate on where the flags leave them open; false after an error.
bool chooseSplits(const ToolOptions &options, const train::Dataset &dataset, TrainSettings &settings) {
  auto exists = [&](const std::string &name) { return !train::failureOf(dataset.items(name)); };
  if (!options.has(options::OPT_split_eq) && !exists(settings.split) && dataset.splits().size() == 1) {
    settings.split = dataset.splits()[0].name;
    llvm::errs() << "note: there are no splits: all pictures are trained on\n";
  }
  if (!options.has(options::OPT_val_split_eq) && !exists(settings.valSplit)) {
    settings.valSplit.clear();
    llvm::errs() << "note: there is no split 'val': nothing is validated, and no best weights are chosen\n";
  }
  for (const std::string &split : {settings.split, settings.valSplit})
    if (!split.empty() && failed(dataset.items(split)))
      return false;
  return true;
}

/// A file that may not be there, as text; empty then.
std::string textOf(const std::string &path) {
  std::string text;
  return train::readText(path, text) ? std::string() : text;
}

/// Puts copies of the files of blocks that the model includes from beside it into the run's folder, where the
/// copy of the model finds them; those of the zoo are found anyway.
std::optional<std::string> keepIncludes(const LoadedModel &model, const train::RunFolder &run) {
  const std::string parent = llvm::sys::path::parent_path(model.path).str(),
                    folder = (parent.empty() ? "." : parent) + "/";
  const llvm::SourceMgr &sources = model.diagnostics->sources();
  for (unsigned i = 1; i <= sources.getNumBuffers(); ++i) {
    const llvm::MemoryBuffer &buffer = *sources.getMemoryBuffer(i);
    llvm::StringRef name = buffer.getBufferIdentifier();
    if (name == model.path || !name.consume_front(folder))
      continue;
    if (auto why = run.keep(name.str(), buffer.getBuffer().str()))
      return why;
  }
  return std::nullopt;
}

/// What a run has in hand before it begins or goes on.
struct Prepared {
  std::unique_ptr<LoadedModel> model;
  std::optional<TrainSettings> settings;
  std::optional<train::Dataset> dataset;
  train::Json data;
};

bool prepare(const ToolOptions &options, Prepared &prepared, int &exitCode) {
  prepared.model = loadTrainable(options, exitCode);
  if (!prepared.model)
    return false;
  exitCode = 1;
  prepared.settings = readTrainSettings(options, *prepared.model->model);
  if (!prepared.settings)
    return false;
  if (prepared.settings->rate)
    prepared.model->model->training->optimizer.rate.base = *prepared.settings->rate;
  auto opened = train::Dataset::open(prepared.settings->data);
  if (failed(opened))
    return false;
  prepared.dataset = std::move(std::get<train::Dataset>(opened));
  for (const std::string &note : prepared.dataset->notes())
    llvm::errs() << "note: " << note << "\n";
  if (!chooseSplits(options, *prepared.dataset, *prepared.settings))
    return false;
  prepared.data =
      train::dataRecord(*prepared.dataset, {prepared.settings->split, prepared.settings->valSplit});
  if (prepared.settings->shuffleLabels)
    prepared.dataset->shuffleMasks(prepared.settings->split, prepared.settings->seed);
  return true;
}

int beginRun(const ToolOptions &options, const std::string &command) {
  if (!options.has(options::OPT_data_eq) || !options.has(options::OPT_out_eq))
    return fail("segc-train needs -data DIR and -out RUN, or -resume RUN (-help lists all)");
  const std::string out = options.value(options::OPT_out_eq);
  if (train::RunFolder::holdsRun(out))
    return fail(out + ": holds a run already; -resume " + out + " goes on with it, or name another folder");
  Prepared prepared;
  int exitCode = 0;
  if (!prepare(options, prepared, exitCode))
    return exitCode;
  const TrainSettings &settings = *prepared.settings;
  auto weights = allInitialWeights(*prepared.model, settings.seed);
  if (!weights)
    return 1;
  if (!settings.weights.empty()) {
    auto read = files::read(settings.weights);
    if (const auto *why = std::get_if<std::string>(&read))
      return fail(*why);
    std::vector<std::string> notes;
    if (auto why = transferWeights(std::get<files::TensorFile>(read), settings.weights, *weights, notes))
      return fail(*why);
    for (const std::string &note : notes)
      llvm::errs() << "note: " << note << "\n";
  }
  Trainer trainer(*prepared.model, *prepared.dataset, settings);
  trainer.begin(std::move(*weights));
  if (auto why = trainer.prepare())
    return why->empty() ? 1 : fail(*why);
  auto folder = train::RunFolder::begin(out);
  if (failed(folder))
    return 1;
  auto &run = std::get<train::RunFolder>(folder);
  const train::Json record = {{"format", "segc-run/1"},
                              {"segc", SEGC_VERSION},
                              {"command", command},
                              {"model", prepared.model->path},
                              {"flags", recordedFlags(options)},
                              {"batch", settings.batch},
                              {"crop", {settings.height, settings.width}},
                              {"steps", trainer.totalSteps()},
                              {"instructions", trainer.variant()},
                              {"data", prepared.data}};
  std::optional<std::string> why = run.keep(kModelCopy, textOf(prepared.model->path));
  if (!why)
    why = keepIncludes(*prepared.model, run);
  if (!why && !settings.augment.empty())
    why = run.keep(kAugmentCopy, textOf(settings.augment));
  if (!why)
    why = run.writeRecord(record); // last: with it the folder is a run
  return why ? fail(*why) : trainer.run(run);
}

int resumeRun(const ToolOptions &given) {
  const std::string name = given.value(options::OPT_resume_eq);
  for (auto [id, flag] :
       {std::pair(unsigned(options::OPT_out_eq), "-out"), {options::OPT_weights_eq, "-weights"}})
    if (given.has(id))
      return fail(std::string(flag) + " begins a run; -resume goes on with one");
  auto opened = train::RunFolder::open(name);
  if (failed(opened))
    return 1;
  auto &run = std::get<train::RunFolder>(opened);
  const std::string model = run.file(kModelCopy);
  if (given.positional().size() > 1)
    return fail("one model at a time: '" + given.positional()[1] + "' is too many");
  for (const std::string &path : given.positional())
    if (auto difference = train::textDifference(textOf(model), textOf(path)))
      return fail(path + ": the model has changed since the run began: " + *difference +
                  "; leave it out to go on with " + model + ", or begin another run with -out");
  auto options = resumedOptions(given, run.record().value("flags", train::Json::object()), model);
  Prepared prepared;
  int exitCode = 1;
  if (!options || !prepare(*options, prepared, exitCode))
    return exitCode;
  if (!prepared.settings->augment.empty())
    prepared.settings->augment = run.file(kAugmentCopy);
  if (auto why = train::dataDifference(run.record().value("data", train::Json::object()), prepared.data))
    return fail(prepared.settings->data + ": the data has changed since the run began: " + *why);
  auto checkpoint = train::readCheckpoint(run.file(kLast));
  if (failed(checkpoint))
    return 1;
  auto weights = allInitialWeights(*prepared.model, prepared.settings->seed);
  if (!weights)
    return 1;
  Trainer trainer(*prepared.model, *prepared.dataset, *prepared.settings);
  auto why = trainer.resume(std::move(std::get<train::Checkpoint>(checkpoint)), std::move(*weights));
  if (why)
    return fail(run.file(kLast) + ": " + *why);
  why = trainer.prepare();
  if (why)
    return why->empty() ? 1 : fail(*why);
  const std::string instructions = run.record().value("instructions", trainer.variant());
  if (instructions != trainer.variant())
    llvm::errs() << "note: the run began with " << instructions << " kernels and goes on with "
                 << trainer.variant() << ": results will differ in their last digits\n";
  return trainer.run(run);
}

} // namespace

int main(int argc, char **argv) {
  int exitCode = 0;
  auto options = ToolOptions::parse(argc, argv, options::TrainTool,
                                    "segc-train MODEL.json -data DIR -out RUN [flags]\n"
                                    "       segc-train -resume RUN [flags]",
                                    exitCode);
  if (!options)
    return exitCode;
  return options->has(options::OPT_resume_eq) ? resumeRun(*options)
                                              : beginRun(*options, commandLine(argc, argv));
}
