/// \file Binding inputs, running, and the way from a picture to its classes.
// SPDX-License-Identifier: MIT
#include "compiler/tools/RunTensors.h"
#include "runtime/pictures/Geometry.h"
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

files::DType fileType(int32_t dtype) {
  static const files::DType types[] = {files::DType::F32, files::DType::F16, files::DType::BF16,
                                       files::DType::I8,  files::DType::U8,  files::DType::I32};
  return types[dtype];
}

} // namespace

std::optional<std::string> runModel(Instance &instance, std::vector<segc_model_tensor> &inputs, int repeat,
                                    std::vector<OutputTensor> &outputs, double milliseconds[2]) {
  const Library &library = instance.library;
  std::vector<int64_t> shapes;
  for (const segc_model_tensor &input : inputs)
    shapes.insert(shapes.end(), input.shape, input.shape + 4);
  if (library.reshape(instance.model, shapes.data()))
    return library.lastError();
  outputs.resize(library.numOutputs(instance.model));
  std::vector<segc_model_tensor> tensors(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    segc_model_info info;
    if (library.outputInfo(instance.model, static_cast<int>(i), &info))
      return library.lastError();
    OutputTensor &output = outputs[i];
    output.name = info.name;
    output.isInteger = info.dtype == SEGC_MODEL_I32;
    output.shape.assign(info.shape, info.shape + info.rank);
    size_t count = 1;
    for (int64_t extent : output.shape)
      count *= static_cast<size_t>(extent);
    if (output.isInteger)
      output.integers.resize(count);
    else
      output.floats.resize(count);
    tensors[i].data = output.isInteger ? static_cast<void *>(output.integers.data()) : output.floats.data();
    tensors[i].dtype = info.dtype;
    tensors[i].rank = info.rank;
    std::copy(info.shape, info.shape + 4, tensors[i].shape);
    library.denseNchw(&tensors[i]);
  }
  std::vector<double> times;
  for (int i = 0; i < repeat; ++i) {
    auto start = std::chrono::steady_clock::now();
    if (library.run(instance.model, inputs.data(), static_cast<int>(inputs.size()), tensors.data(),
                    static_cast<int>(tensors.size())))
      return library.lastError();
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  milliseconds[0] = times.front();
  milliseconds[1] = times[times.size() / 2];
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

namespace {

/// Finds input extents from (h, w) on that the network takes; false if none lies within 64 pixels.
bool findLegal(Instance &instance, const segc_model_info &input, int64_t h, int64_t w, int64_t &legalH,
               int64_t &legalW) {
  constexpr int64_t kReach = 64;
  int64_t shape[4] = {1, input.shape[1], 0, 0};
  for (int64_t sum = 0; sum < 2 * kReach; ++sum)
    for (int64_t down = std::max<int64_t>(0, sum - kReach + 1); down <= std::min(sum, kReach - 1); ++down) {
      shape[2] = h + down;
      shape[3] = w + sum - down;
      if (instance.library.reshape(instance.model, shape) == SEGC_MODEL_OK) {
        legalH = shape[2];
        legalW = shape[3];
        return true;
      }
    }
  return false;
}

/// The class of every pixel of an output.
pictures::Picture classesOf(const OutputTensor &output) {
  size_t rank = output.shape.size();
  int64_t h = output.shape[rank - 2], w = output.shape[rank - 1];
  pictures::Picture classes(w, h, 1);
  for (int64_t i = 0; i < h * w; ++i) {
    int64_t best = 0;
    if (output.isInteger) {
      best = output.integers[i];
    } else if (output.shape[1] == 1) {
      best = output.floats[i] > 0;
    } else {
      for (int64_t c = 1; c < output.shape[1]; ++c)
        if (output.floats[c * h * w + i] > output.floats[best * h * w + i])
          best = c;
    }
    classes.bytes[i] = static_cast<uint8_t>(std::min<int64_t>(best, 255));
  }
  return classes;
}

} // namespace

std::optional<std::string> segmentPicture(Instance &instance, const pictures::Picture &picture, int repeat,
                                          pictures::Picture &classes, std::string &note,
                                          double milliseconds[2]) {
  const Library &library = instance.library;
  segc_model_info input, output;
  if (library.numInputs(instance.model) != 1)
    return "the model has several inputs: give them with -inputs";
  if (library.inputInfo(instance.model, 0, &input))
    return library.lastError();
  auto converted = pictures::toPlanes(picture, input.shape[1]);
  if (auto *why = std::get_if<pictures::Failure>(&converted))
    return *why;
  auto &planes = std::get<pictures::Planes>(converted);
  // A network whose output is smaller than its input (valid padding) needs a margin around the picture; one
  // whose output is a small map (less than half) is resized instead.
  int64_t marginH = 0, marginW = 0, h = 0, w = 0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!findLegal(instance, input, planes.height + marginH, planes.width + marginW, h, w))
      return "no size within 64 pixels of " + std::to_string(planes.width) + " x " +
             std::to_string(planes.height) + " suits the network: " + library.lastError();
    if (library.outputInfo(instance.model, 0, &output))
      return library.lastError();
    int64_t outH = output.shape[output.rank - 2], outW = output.shape[output.rank - 1];
    bool smaller = (outH < h && 2 * outH > h) || (outW < w && 2 * outW > w);
    if (!smaller || marginH || marginW)
      break;
    marginH = std::max<int64_t>(h - outH, 0);
    marginW = std::max<int64_t>(w - outW, 0);
  }
  pictures::Margins margins;
  margins.top = marginH / 2;
  margins.left = marginW / 2;
  margins.bottom = h - planes.height - margins.top;
  margins.right = w - planes.width - margins.left;
  if (h != planes.height || w != planes.width)
    note = "padded from " + std::to_string(planes.width) + " x " + std::to_string(planes.height) + " to " +
           std::to_string(w) + " x " + std::to_string(h) + " by reflection, cropped back";
  pictures::Planes padded = pictures::pad(planes, margins, pictures::Edge::Reflect);
  // The model may want another type than f32.
  files::Tensor tensor =
      files::Tensor::fromNumbers("", fileType(input.dtype), {1, padded.channels, h, w},
                                 std::vector<double>(padded.values.begin(), padded.values.end()));
  segc_model_tensor bound{};
  bound.data = tensor.bytes.data();
  bound.dtype = input.dtype;
  bound.rank = 4;
  const int64_t shape[4] = {1, padded.channels, h, w};
  std::copy(shape, shape + 4, bound.shape);
  library.denseNchw(&bound);
  std::vector<segc_model_tensor> inputs{bound};
  std::vector<OutputTensor> outputs;
  if (auto why = runModel(instance, inputs, repeat, outputs, milliseconds))
    return why;
  classes = classesOf(outputs[0]);
  if (2 * classes.height <= h || 2 * classes.width <= w || classes.height > h || classes.width > w) {
    classes = pictures::resizeNearest(classes, h, w);
  } else {
    // The output's first pixel is the picture's: half the margin was put before it, all padding to a legal
    // size behind.
    margins = {0, 0, classes.height - picture.height, classes.width - picture.width};
  }
  auto cropped = pictures::crop(classes, margins);
  if (auto *why = std::get_if<pictures::Failure>(&cropped))
    return *why;
  classes = std::move(std::get<pictures::Picture>(cropped));
  return std::nullopt;
}

} // namespace segc
