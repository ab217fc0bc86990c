/// \file Binding inputs and running.
// SPDX-License-Identifier: MIT
#include "compiler/tools/RunTensors.h"
#include "llvm/ADT/Twine.h"
#include <algorithm>
#include <chrono>
#include <cstring>

namespace segc {
namespace {

std::string extents(const int64_t *shape, int rank) {
  std::string text;
  for (int axis = 0; axis < rank; ++axis)
    text += (axis ? "x" : "") + (shape[axis] ? std::to_string(shape[axis]) : std::string("?"));
  return text;
}

} // namespace

files::DType fileType(int32_t dtype) {
  static const files::DType types[] = {files::DType::F32, files::DType::F16, files::DType::BF16,
                                       files::DType::I8,  files::DType::U8,  files::DType::I32};
  return types[dtype];
}

segc_model_tensor allocateOutput(const Library &library, const segc_model_info &info, OutputTensor &output) {
  output.name = info.name;
  output.isInteger = info.dtype == SEGC_MODEL_I32;
  output.shape.assign(info.shape, info.shape + info.rank);
  size_t count = 1;
  for (int64_t extent : output.shape)
    count *= static_cast<size_t>(extent);
  output.isInteger ? output.integers.resize(count) : output.floats.resize(count);
  segc_model_tensor tensor{};
  tensor.data = output.isInteger ? static_cast<void *>(output.integers.data()) : output.floats.data();
  tensor.dtype = info.dtype;
  tensor.rank = info.rank;
  std::copy(info.shape, info.shape + 4, tensor.shape);
  library.denseNchw(&tensor);
  return tensor;
}

bool takeTimes(int repeat, double milliseconds[2], llvm::function_ref<int()> call) {
  std::vector<double> times;
  for (int i = 0; i < repeat; ++i) {
    auto start = std::chrono::steady_clock::now();
    if (call())
      return false;
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  milliseconds[0] = times.front();
  milliseconds[1] = times[times.size() / 2];
  return true;
}

std::optional<std::string> runModel(Instance &instance, std::vector<segc_model_tensor> &inputs, int repeat,
                                    std::vector<OutputTensor> &outputs, double milliseconds[2]) {
  const Library &library = instance.library;
  std::vector<int64_t> shapes;
  for (const segc_model_tensor &input : inputs)
    shapes.insert(shapes.end(), input.shape, input.shape + 4);
  if (library.reshape(instance.model, shapes.data()))
    return library.lastError();
  outputs.resize(library.numOutputs(instance.model));
  std::vector<segc_model_tensor> tensors;
  for (size_t i = 0; i < outputs.size(); ++i) {
    segc_model_info info;
    if (library.outputInfo(instance.model, static_cast<int>(i), &info))
      return library.lastError();
    tensors.push_back(allocateOutput(library, info, outputs[i]));
  }
  if (!takeTimes(repeat, milliseconds, [&] {
        return library.run(instance.model, inputs.data(), static_cast<int>(inputs.size()), tensors.data(),
                           static_cast<int>(tensors.size()));
      }))
    return library.lastError();
  return std::nullopt;
}

std::optional<std::string> bindInputs(Instance &instance, const files::TensorFile &file,
                                      std::vector<std::vector<uint8_t>> &storage,
                                      std::vector<segc_model_tensor> &inputs, bool training) {
  const Library &library = instance.library;
  int count = training ? library.numTrainInputs(instance.model) : library.numInputs(instance.model);
  for (int i = 0; i < count; ++i) {
    segc_model_info info;
    if (training ? library.trainInputInfo(instance.model, i, &info)
                 : library.inputInfo(instance.model, i, &info))
      return library.lastError();
    const files::Tensor *tensor = file.find(info.name);
    if (!tensor) {
      constexpr size_t kShown = 8;
      std::string there;
      for (size_t k = 0; k < std::min(file.tensors.size(), kShown); ++k)
        there += (k ? ", " : "") + file.tensors[k].name;
      if (file.tensors.size() > kShown)
        there += " and " + std::to_string(file.tensors.size() - kShown) + " more";
      return "the inputs have no tensor '" + std::string(info.name) + "' (" + extents(info.shape, info.rank) +
             "); they have " + there;
    }
    if (static_cast<int>(tensor->shape.size()) != info.rank)
      return "input '" + tensor->name + "' must have rank " + std::to_string(info.rank) + ", not " +
             std::to_string(tensor->shape.size());
    segc_model_tensor bound{};
    bound.dtype = info.dtype;
    bound.rank = info.rank;
    std::copy(tensor->shape.begin(), tensor->shape.end(), bound.shape);
    library.denseNchw(&bound);
    storage.push_back(
        tensor->dtype == fileType(info.dtype)
            ? tensor->bytes
            : files::Tensor::fromNumbers(tensor->name, fileType(info.dtype), tensor->shape, tensor->numbers())
                  .bytes);
    bound.data = storage.back().data();
    inputs.push_back(bound);
  }
  return std::nullopt;
}

} // namespace segc
