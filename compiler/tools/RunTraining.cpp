/// \file Calls grad() and collects what it computed.
// SPDX-License-Identifier: MIT
#include "compiler/tools/RunTraining.h"
#include <algorithm>

namespace segc {
namespace {

OutputTensor scalar(const std::string &name, float value) {
  OutputTensor tensor;
  tensor.name = name;
  tensor.shape = {1};
  tensor.floats = {value};
  return tensor;
}

size_t elements(const segc_model_info &info) {
  size_t count = 1;
  for (int axis = 0; axis < info.rank; ++axis)
    count *= static_cast<size_t>(info.shape[axis]);
  return count;
}

std::optional<std::string> collectLosses(Instance &instance, std::vector<OutputTensor> &outputs) {
  const Library &library = instance.library;
  int count = library.numLosses(instance.model);
  for (int i = 0; i < count; ++i) {
    float value = 0;
    if (library.loss(instance.model, i, &value))
      return library.lastError();
    if (i == 0 || count > 2)
      outputs.push_back(
          scalar(i ? "loss." + std::string(library.lossName(instance.model, i)) : "loss", value));
  }
  return std::nullopt;
}

std::optional<std::string> collectGradients(Instance &instance, std::vector<OutputTensor> &outputs) {
  const Library &library = instance.library;
  for (int i = 0; i < library.numWeights(instance.model); ++i) {
    segc_model_info info;
    const float *data = nullptr;
    if (library.weightInfo(instance.model, i, &info) || library.gradient(instance.model, i, &data))
      return library.lastError();
    if (!data)
      continue; // frozen, or a running statistic
    OutputTensor tensor;
    tensor.name = "grad." + std::string(info.name);
    tensor.shape.assign(info.shape, info.shape + info.rank);
    tensor.floats.assign(data, data + elements(info));
    outputs.push_back(std::move(tensor));
  }
  return std::nullopt;
}

} // namespace

std::optional<std::string> runTrainingStep(Instance &instance, const files::TensorFile &file, int repeat,
                                           std::vector<OutputTensor> &outputs, double milliseconds[2]) {
  const Library &library = instance.library;
  if (!library.grad)
    return "the library was compiled without training: compile the model with -mode train or both";
  std::vector<std::vector<uint8_t>> storage;
  std::vector<segc_model_tensor> inputs;
  if (auto why = bindInputs(instance, file, storage, inputs, /*training=*/true))
    return why;
  std::vector<int64_t> shapes;
  for (const segc_model_tensor &input : inputs)
    shapes.insert(shapes.end(), input.shape, input.shape + 4);
  if (library.reshapeTrain(instance.model, shapes.data()))
    return library.lastError();
  std::vector<OutputTensor> wanted(static_cast<size_t>(library.numTrainOutputs(instance.model)));
  std::vector<segc_model_tensor> results;
  for (size_t i = 0; i < wanted.size(); ++i) {
    segc_model_info info;
    if (library.trainOutputInfo(instance.model, static_cast<int>(i), &info))
      return library.lastError();
    results.push_back(allocateOutput(library, info, wanted[i]));
  }
  if (!takeTimes(repeat, milliseconds, [&] {
        return library.grad(instance.model, inputs.data(), static_cast<int>(inputs.size()), results.data(),
                            static_cast<int>(results.size()));
      }))
    return library.lastError();
  if (auto why = collectLosses(instance, outputs))
    return why;
  if (auto why = collectGradients(instance, outputs))
    return why;
  std::move(wanted.begin(), wanted.end(), std::back_inserter(outputs));
  return std::nullopt;
}

} // namespace segc
