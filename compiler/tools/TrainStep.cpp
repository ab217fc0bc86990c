/// \file Trainer: one step, what follows from it, checkpoints.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Trainer.h"
#include "llvm/ADT/StringRef.h"
#include <cmath>
#include <cstdio>

namespace segc {

namespace {

/// Pictures of the validation split that are shown.
constexpr int64_t kSamples = 6;

} // namespace

/// Gradients of all batches of the step; the losses are their means. A loss or gradient that is not finite is
/// a failure.
Trainer::Failed Trainer::computeGradients(std::vector<double> &losses) {
  const Library &functions = library->functions();
  segc_model_model *model = library->model();
  losses.assign(lossNames.size(), 0);
  for (const train::Batch &one : batches) {
    batch->fill(one);
    const auto &tensors = batch->tensors();
    if (functions.grad(model, tensors.data(), int(tensors.size()), nullptr, 0))
      return functions.lastError();
    for (size_t i = 0; i < losses.size(); ++i) {
      float value = 0;
      if (functions.loss(model, int(i), &value))
        return functions.lastError();
      losses[i] += double(value) / double(batches.size());
    }
    // Where losses are scaled it is update() that judges gradients, and makes the scale smaller.
    const std::variant<bool, std::string> finite =
        loaded.compile.precision == "f16" ? true : library->gradientsAreFinite();
    if (const auto *why = std::get_if<std::string>(&finite))
      return *why;
    if (!std::isfinite(losses[0]) || !std::get<bool>(finite))
      return explainNotFinite(losses[0]);
  }
  return std::nullopt;
}

/// Computes the step again with every result looked at.
std::string Trainer::explainNotFinite(double loss) {
  const Library &functions = library->functions();
  segc_model_model *model = library->model();
  std::string text = "step " + std::to_string(state.steps + 1) + ": " +
                     (std::isfinite(loss) ? "a gradient" : "the loss") + " is not finite";
  functions.setCheckFinite(model, 1);
  if (settings.accumulate > 1)
    functions.setAccumulation(model, 1); // what was accumulated is forgotten
  for (const train::Batch &one : batches) {
    batch->fill(one);
    const auto &tensors = batch->tensors();
    if (functions.grad(model, tensors.data(), int(tensors.size()), nullptr, 0) == SEGC_MODEL_NOT_FINITE) {
      // "step 11: 'enc' ... wrote": the library counts its updates, from 0 in each phase.
      llvm::StringRef place = functions.lastError();
      text += ": " + (place.starts_with("step ") ? place.split(": ").second : place).str();
      break;
    }
  }
  text += savedAt < 0 ? "; nothing was saved yet"
                      : "; the last good checkpoint is " + folder->file("last.safetensors") + " of step " +
                            std::to_string(savedAt);
  return text;
}

Trainer::Failed Trainer::step() {
  batches.clear();
  for (int64_t i = 0; i < settings.accumulate; ++i) {
    auto next = loader->next();
    if (const auto *why = train::failureOf(next))
      return *why;
    batches.push_back(std::move(std::get<train::Batch>(next)));
  }
  std::vector<double> losses;
  if (Failed why = computeGradients(losses))
    return why;
  const Library &functions = library->functions();
  const double rate = functions.learningRate(library->model());
  if (functions.update(library->model()))
    return functions.lastError();
  return afterStep(losses, rate);
}

Trainer::Failed Trainer::afterStep(const std::vector<double> &losses, double rate) {
  isSaved = false;
  ++state.steps;
  ++state.phaseSteps;
  state.position = loader->position();
  state.lossSums.resize(losses.size(), 0);
  for (size_t i = 0; i < losses.size(); ++i)
    state.lossSums[i] += losses[i];
  ++state.lossCount;
  if (state.steps % settings.logEvery == 0) {
    std::vector<double> means = state.lossSums;
    for (double &mean : means)
      mean /= double(state.lossCount);
    if (Failed why = report->losses(state.steps, state.position.epoch, phaseIndex(), lossNames, means, rate))
      return why;
    state.lossSums.clear();
    state.lossCount = 0;
  }
  report->step(state.steps, settings.batch * settings.accumulate, losses[0], expectedSteps());
  const bool isJudged = state.steps % valEvery == 0;
  if (isJudged && !settings.valSplit.empty())
    if (Failed why = judge())
      return why;
  if (isJudged)
    if (Failed why = save("last.safetensors", true))
      return why;
  if (settings.saveEvery && state.steps % settings.saveEvery == 0) {
    char name[64];
    snprintf(name, sizeof name, "step-%06lld.safetensors", static_cast<long long>(state.steps));
    return save(name, true);
  }
  return std::nullopt;
}

/// Validates, with the average of the weights where there is one; the best weights so far are saved.
Trainer::Failed Trainer::judge() {
  Validation validation(int64_t(dataset.classes().size()));
  if (library->averages())
    if (Failed why = library->swapAverage())
      return why;
  state.judgedStep = state.steps;
  isSaved = false;
  auto scored = [&]() -> Failed {
    if (Failed why = validate(library->instance(), dataset, settings.valSplit, kSamples, validation))
      return why;
    const double score = train::score(validation.matrix).meanJaccard.value_or(0);
    const bool isBest = !state.best || score > *state.best;
    state.sinceBest = isBest ? 0 : state.sinceBest + 1;
    if (isBest) {
      state.best = score;
      state.bestStep = state.steps;
      if (Failed why = save("best.safetensors", false))
        return why;
    }
    return report->validated(state.steps, state.position.epoch, validation, isBest);
  };
  const Failed why = scored(), unswapped = library->averages() ? library->swapAverage() : std::nullopt;
  return why ? why : unswapped;
}

/// The weights as they are now and, with the state, all that the run needs to go on.
Trainer::Failed Trainer::save(const std::string &name, bool withState) {
  if (Failed why = library->readWeights(weights))
    return why;
  if (loaded.compile.precision == "f16") {
    train::RunState::Scaling scaling;
    scaling.updates = library->functions().steps(library->model());
    if (library->functions().lossScale(library->model(), &scaling.scale, &scaling.goodSteps))
      return library->functions().lastError();
    state.scaling = scaling;
  }
  train::Checkpoint checkpoint{loaded.model->name, settings.seed, state, weights.tensors};
  if (withState) {
    auto kept = library->state();
    if (const auto *why = std::get_if<std::string>(&kept))
      return *why;
    for (files::Tensor &tensor : std::get<std::vector<files::Tensor>>(kept))
      checkpoint.tensors.push_back(std::move(tensor));
  }
  if (auto why = train::writeCheckpoint(folder->file(name), checkpoint))
    return why;
  if (name == "last.safetensors") {
    savedAt = state.steps;
    isSaved = true;
  }
  return std::nullopt;
}

} // namespace segc
