/// \file Rounds of runs, of which the quiet ones count.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Bench.h"
#include <algorithm>
#include <random>

namespace segc {
namespace {

size_t elementBytes(int32_t dtype) {
  switch (dtype) {
  case SEGC_MODEL_F16:
  case SEGC_MODEL_BF16:
    return 2;
  case SEGC_MODEL_I8:
  case SEGC_MODEL_U8:
    return 1;
  default:
    return 4;
  }
}

void observe(void *user, int step, const char *layers, const char *problem, uint64_t nanoseconds) {
  auto &steps = *static_cast<std::vector<BenchStep> *>(user);
  if (steps.size() <= static_cast<size_t>(step))
    steps.resize(step + 1);
  steps[step] = {layers, problem, 1e-6 * static_cast<double>(nanoseconds)};
}

double total(const std::vector<BenchStep> &steps) {
  double sum = 0;
  for (const BenchStep &step : steps)
    sum += step.milliseconds;
  return sum;
}

/// Keeps the least time of each step, and the fastest run.
void merge(BenchResult &result, const std::vector<BenchStep> &steps) {
  if (result.steps.size() != steps.size())
    result.steps = steps;
  for (size_t i = 0; i < steps.size(); ++i)
    result.steps[i].milliseconds = std::min(result.steps[i].milliseconds, steps[i].milliseconds);
  if (result.fastest.empty() || total(steps) < total(result.fastest))
    result.fastest = steps;
}

} // namespace

std::optional<std::string> BenchTensors::add(const segc_model_info &info, bool isInput, int64_t height,
                                             int64_t width) {
  segc_model_tensor tensor{};
  tensor.dtype = info.dtype;
  tensor.rank = info.rank;
  std::copy(info.shape, info.shape + 4, tensor.shape);
  if (isInput && height) {
    tensor.shape[info.rank - 2] = height;
    tensor.shape[info.rank - 1] = width;
  }
  size_t count = 1;
  for (int axis = 0; axis < info.rank; ++axis) {
    if (tensor.shape[axis] < 1)
      return "'" + std::string(info.name) + "' has no extents of its own: give -size HEIGHTxWIDTH";
    count *= static_cast<size_t>(tensor.shape[axis]);
  }
  // Zeros are labels that exist, and whole numbers of every type.
  std::vector<uint8_t> &bytes = storage.emplace_back(count * elementBytes(info.dtype));
  if (isInput && info.dtype == SEGC_MODEL_F32) {
    std::mt19937 random(1);
    auto *values = reinterpret_cast<float *>(bytes.data());
    std::generate(values, values + count, [&] { return static_cast<float>(random() >> 8) * 0x1p-24f; });
  }
  tensor.data = bytes.data();
  (isInput ? inputs : outputs).push_back(tensor);
  return std::nullopt;
}

std::optional<std::string> BenchTensors::bind(Instance &instance, bool train, int64_t height, int64_t width) {
  const Library &library = instance.library;
  segc_model_model *model = instance.model;
  training = train;
  if (training && !library.grad)
    return "the library was compiled without training: compile the model with -mode train or both";
  segc_model_info info;
  for (int i = 0; i < (training ? library.numTrainInputs(model) : library.numInputs(model)); ++i) {
    if (training ? library.trainInputInfo(model, i, &info) : library.inputInfo(model, i, &info))
      return library.lastError();
    if (auto why = add(info, true, height, width))
      return why;
  }
  std::vector<int64_t> shapes;
  for (segc_model_tensor &input : inputs) {
    shapes.insert(shapes.end(), input.shape, input.shape + 4);
    library.denseNchw(&input);
  }
  if (training ? library.reshapeTrain(model, shapes.data()) : library.reshape(model, shapes.data()))
    return library.lastError();
  for (int i = 0; i < (training ? library.numTrainOutputs(model) : library.numOutputs(model)); ++i) {
    if (training ? library.trainOutputInfo(model, i, &info) : library.outputInfo(model, i, &info))
      return library.lastError();
    if (auto why = add(info, false, 0, 0))
      return why;
    library.denseNchw(&outputs.back());
  }
  return std::nullopt;
}

std::optional<std::string> BenchTensors::run(Instance &instance) const {
  const Library &library = instance.library;
  const int in = static_cast<int>(inputs.size()), out = static_cast<int>(outputs.size());
  int status;
  if (!training)
    status = library.run(instance.model, inputs.data(), in, outputs.data(), out);
  else if (!out)
    status = library.step(instance.model, inputs.data(), in);
  else if (!(status = library.grad(instance.model, inputs.data(), in, outputs.data(), out)))
    status = library.update(instance.model);
  return status ? std::optional<std::string>(library.lastError()) : std::nullopt;
}

BenchResult bench(Instance &instance, const BenchTensors &tensors, double seconds, std::string &error) {
  BenchResult result;
  std::vector<BenchStep> steps;
  auto run = [&](bool observed) -> std::optional<double> {
    if (observed)
      instance.library.setObserver(instance.model, observe, &steps);
    double start = clockNow();
    auto why = tensors.run(instance);
    double elapsed = clockNow() - start;
    if (observed)
      instance.library.setObserver(instance.model, nullptr, nullptr);
    if (why)
      error = *why;
    return why ? std::nullopt : std::optional<double>(elapsed);
  };
  if (!run(false)) // memory is touched, caches fill
    return result;
  BenchRounds rounds(1, seconds);
  do {
    rounds.begin();
    while (!rounds.isFull()) {
      auto time = run(false);
      if (!time)
        return result;
      rounds.add(0, *time);
    }
    rounds.end();
    if (!run(true))
      return result;
    merge(result, steps);
  } while (!rounds.isOver());
  result.milliseconds = rounds.times[0].counting();
  result.rounds = rounds.rounds;
  result.quietRounds = rounds.quietRounds;
  result.note = rounds.note();
  return result;
}

} // namespace segc
