/// \file Trainer: preparing, the loop, phases, and how a run ends.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Trainer.h"
#include "compiler/tools/TrainPlan.h"
#include "runtime/train/Table.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <csignal>

namespace segc {
namespace {

volatile std::sig_atomic_t interrupted = 0;

/// The first SIGINT or SIGTERM asks the loop to end, the second, of either, ends the program at once: it
/// waits until the first one's handler is done. A file that grows beyond a limit is an error of the write
/// like a full disk, no reason to die.
void catchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) {
    interrupted = 1;
    for (int signal : {SIGINT, SIGTERM})
      std::signal(signal, SIG_DFL);
  };
  action.sa_flags = SA_RESTART;
  for (int signal : {SIGINT, SIGTERM})
    sigaddset(&action.sa_mask, signal);
  for (int signal : {SIGINT, SIGTERM})
    sigaction(signal, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
}

} // namespace

Trainer::Failed Trainer::resume(train::Checkpoint checkpoint, files::TensorFile initial) {
  weights = std::move(initial);
  const std::string &model = loaded.model->name;
  if (checkpoint.model != model)
    return "the checkpoint is one of the model '" + checkpoint.model + "', not of '" + model + "'";
  if (checkpoint.seed != settings.seed)
    return "the checkpoint's seed is " + std::to_string(checkpoint.seed) + ", the run's " +
           std::to_string(settings.seed);
  for (files::Tensor &tensor : weights.tensors) {
    const auto found = std::find_if(checkpoint.tensors.begin(), checkpoint.tensors.end(),
                                    [&](const files::Tensor &given) { return given.name == tensor.name; });
    if (found == checkpoint.tensors.end() || found->shape != tensor.shape || found->dtype != tensor.dtype)
      return "the checkpoint " +
             std::string(found == checkpoint.tensors.end() ? "lacks" : "has another shape of") + " '" +
             tensor.name + "': the model is not the one that was trained";
    tensor.bytes = std::move(found->bytes);
  }
  for (files::Tensor &tensor : checkpoint.tensors)
    if (train::isTrainingState(tensor.name))
      resumedState.push_back(std::move(tensor));
  state = checkpoint.state;
  savedAt = state.steps;
  isSaved = resumed = true;
  return std::nullopt;
}

Trainer::Failed Trainer::prepare() {
  if (state.phase > 0 && state.phase >= int64_t(loaded.model->training->phases.size()))
    return "the checkpoint stands in phase " + std::to_string(state.phase) +
           ", which the model does not have";
  if (Failed why = openPhase(!resumed))
    return why;
  train::LoaderOptions options;
  options.split = settings.split;
  options.batch = settings.batch;
  options.channels = batch->channels();
  options.height = settings.height;
  options.width = settings.width;
  options.seed = settings.seed;
  options.threads = settings.threads;
  options.ignore = train::ignored;
  if (!settings.augment.empty()) {
    auto read = train::readAugmentation(settings.augment);
    if (const auto *why = train::failureOf(read))
      return *why;
    options.augmentation = std::get<train::Augmentation>(read);
  }
  auto created = train::Loader::create(dataset, options, state.position);
  if (const auto *why = train::failureOf(created))
    return *why;
  loader = std::move(std::get<0>(created));
  const int64_t epoch = stepsInEpoch(settings, loader->samplesPerEpoch());
  total = plannedSteps(settings, *loaded.model->training, epoch);
  valEvery = settings.valEvery ? settings.valEvery : std::max<int64_t>(epoch, 50);
  firstStep = state.steps;
  return std::nullopt;
}

std::string Trainer::variant() { return library->functions().variant(library->model()); }

/// Compiles the current phase. Fresh: the optimiser begins anew.
Trainer::Failed Trainer::openPhase(bool fresh) {
  batch.reset();
  library = TrainLibrary::create(loaded, phaseIndex(), weights, settings.threads);
  if (!library)
    return ""; // the reason is printed
  const Library &functions = library->functions();
  segc_model_model *model = library->model();
  // Dropout of each phase is another, though all count their steps from 0.
  const auto seed = uint32_t(settings.seed + uint64_t(state.phase) * 0x9e3779b9u);
  if (functions.setSeed(model, seed) || (settings.accumulate > 1 && functions.setAccumulation(model, 1)))
    return functions.lastError();
  if (!fresh) {
    if (Failed why = library->setState(resumedState))
      return why;
    const auto &scaling = state.scaling;
    if (functions.setSteps(model, scaling ? scaling->updates : state.phaseSteps) ||
        (scaling && functions.setLossScale(model, scaling->scale, scaling->goodSteps)))
      return functions.lastError();
    resumedState.clear();
  }
  std::vector<std::string> notes;
  std::string error;
  batch = TrainBatch::create(*library, *loaded.model, phaseIndex(), settings, dataset, notes, error);
  if (!batch)
    return error;
  if (!report)
    for (const std::string &note : notes)
      llvm::errs() << "note: " << note << "\n";
  lossNames.clear();
  for (int i = 0; i < functions.numLosses(model); ++i)
    lossNames.push_back(functions.lossName(model, i));
  return std::nullopt;
}

/// The same weights go on, compiled for the next phase.
Trainer::Failed Trainer::nextPhase() {
  if (Failed why = library->readWeights(weights))
    return why;
  library.reset();
  ++state.phase;
  state.phaseSteps = 0;
  state.lossSums.clear();
  state.lossCount = 0;
  report->say("phase " + std::to_string(state.phase) + " begins after step " + std::to_string(state.steps));
  return openPhase(/*fresh=*/true);
}

bool Trainer::phaseEnds() const {
  const auto &phases = loaded.model->training->phases;
  return size_t(state.phase) + 1 < phases.size() && state.phaseSteps >= phases[size_t(state.phase)].steps;
}

bool Trainer::runEnds() const {
  return state.steps >= total || (settings.patience && state.sinceBest >= settings.patience) ||
         (settings.minutes > 0 && steadySeconds() - began >= 60 * settings.minutes);
}

int64_t Trainer::expectedSteps() const {
  if (settings.minutes == 0)
    return total;
  const double done = double(state.steps - firstStep), seconds = steadySeconds() - began;
  const double all = double(firstStep) + done * 60 * settings.minutes / std::max(seconds, 1e-3);
  return std::max(state.steps, std::min(total, int64_t(std::min(all, 1e15))));
}

Trainer::Failed Trainer::train() {
  while (!runEnds() && !interrupted) {
    if (phaseEnds())
      if (Failed why = nextPhase())
        return why;
    if (Failed why = step())
      return why;
  }
  // An interruption is no place to judge: the run that goes on would have judged once more than one that was
  // never interrupted.
  if (!interrupted && !settings.valSplit.empty() && state.judgedStep != state.steps)
    if (Failed why = judge())
      return why;
  return isSaved ? std::nullopt : save("last.safetensors", true);
}

int Trainer::run(const train::RunFolder &where) {
  folder = &where;
  auto opened = TrainReport::open(where, dataset, total, state.steps, resumed);
  if (const auto *why = train::failureOf(opened))
    return fail(*why);
  report = std::move(std::get<0>(opened));
  began = steadySeconds();
  catchInterrupts();
  const Failed failure = train();
  report->finish();
  if (failure)
    return failure->empty() ? 1 : fail(*failure);
  llvm::errs() << summary() << "\n";
  return interrupted ? 130 : 0;
}

std::string Trainer::summary() const {
  const std::string at = std::to_string(state.steps);
  if (interrupted)
    return "interrupted after step " + at + "; segc-train -resume " + folder->name() + " goes on";
  std::string text =
      state.steps == firstStep ? "nothing is left to do after step " + at : "done after step " + at;
  if (state.steps < total && settings.patience && state.sinceBest >= settings.patience)
    text += ": " + std::to_string(state.sinceBest) + " validations without a better one";
  else if (state.steps < total)
    text += ": " + train::fixed(settings.minutes, 1) + " minutes are over";
  if (state.best)
    text += "; the best mIoU is " + train::fixed(*state.best, 4) + " of step " +
            std::to_string(state.bestStep) + ", its weights are " + folder->file("best.safetensors");
  else
    text += "; the weights are " + folder->file("last.safetensors");
  return text;
}

} // namespace segc
