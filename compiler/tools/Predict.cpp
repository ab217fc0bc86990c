/// \file Fitting pictures to the network and its output to the pictures; averaging over views.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Predict.h"
#include "runtime/pictures/Geometry.h"
#include "llvm/ADT/StringExtras.h"
#include <algorithm>
#include <cmath>

namespace segc {

using pictures::Planes;

bool findLegal(Instance &instance, int64_t h, int64_t w, int64_t &legalH, int64_t &legalW) {
  constexpr int64_t kReach = 64;
  segc_model_info input;
  if (instance.library.inputInfo(instance.model, 0, &input))
    return false;
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

namespace {

/// How a network's output lies on its input.
struct Fit {
  bool pixelForPixel = false;       ///< else it is a smaller (or larger) map of the whole
  int64_t marginH = 0, marginW = 0; ///< rows and columns that the output lacks (valid padding)
};

/// Looks at the legal shape h x w, and where the output is smaller at the next larger one too: an output that
/// grows with the input pixel for pixel lacks a margin, another one is a map on a coarser grid.
Fit fitAt(Instance &instance, int64_t h, int64_t w) {
  auto lacks = [&](int64_t height, int64_t width, Fit &fit) {
    segc_model_info info;
    if (instance.library.outputInfo(instance.model, 0, &info))
      return false;
    fit.marginH = height - info.shape[info.rank - 2];
    fit.marginW = width - info.shape[info.rank - 1];
    return true;
  };
  Fit here, larger;
  if (!lacks(h, w, here))
    return {};
  here.pixelForPixel = here.marginH == 0 && here.marginW == 0;
  if (here.pixelForPixel || here.marginH < 0 || here.marginW < 0)
    return {here.pixelForPixel, 0, 0};
  int64_t nextH, nextW;
  here.pixelForPixel = findLegal(instance, h + 1, w + 1, nextH, nextW) && lacks(nextH, nextW, larger) &&
                       larger.marginH == here.marginH && larger.marginW == here.marginW;
  return here.pixelForPixel ? here : Fit{};
}

/// Pixel floor(i * in / out): labels are not to be mixed.
Planes resizeNearest(const Planes &planes, int64_t height, int64_t width) {
  Planes result(planes.channels, height, width);
  for (int64_t c = 0; c < planes.channels; ++c)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        result.row(c, y)[x] = planes.row(c, y * planes.height / height)[x * planes.width / width];
  return result;
}

} // namespace

std::optional<std::string> runPlanes(Instance &instance, const Planes &planes, int repeat,
                                     PixelOutput &output, double milliseconds[2]) {
  segc_model_info input;
  if (instance.library.inputInfo(instance.model, 0, &input))
    return instance.library.lastError();
  // The model may want another type than f32.
  const std::vector<int64_t> shape = {1, planes.channels, planes.height, planes.width};
  files::Tensor tensor = files::Tensor::fromNumbers(
      "", fileType(input.dtype), shape, std::vector<double>(planes.values.begin(), planes.values.end()));
  std::vector<segc_model_tensor> inputs(1);
  inputs[0].data = tensor.bytes.data();
  inputs[0].dtype = input.dtype;
  inputs[0].rank = 4;
  std::copy(shape.begin(), shape.end(), inputs[0].shape);
  instance.library.denseNchw(inputs.data());
  std::vector<OutputTensor> outputs;
  if (auto why = runModel(instance, inputs, repeat, outputs, milliseconds))
    return why;
  OutputTensor &first = outputs[0];
  const size_t rank = first.shape.size();
  output.isClassMap = first.isInteger;
  output.values.channels = rank == 4 ? first.shape[1] : 1;
  output.values.height = first.shape[rank - 2];
  output.values.width = first.shape[rank - 1];
  // Class numbers fit into floats.
  output.values.values = first.isInteger ? std::vector<float>(first.integers.begin(), first.integers.end())
                                         : std::move(first.floats);
  return std::nullopt;
}

std::optional<std::string> runOnPicture(Instance &instance, const Planes &image, int repeat,
                                        PixelOutput &output, std::string &note, double milliseconds[2]) {
  const Library &library = instance.library;
  segc_model_info input;
  if (library.numInputs(instance.model) != 1)
    return "the model has several inputs: give them with segc-run -inputs";
  if (library.inputInfo(instance.model, 0, &input))
    return library.lastError();
  // Margins are looked for at the shape that the network has now: the picture's may be too small without.
  int64_t h = input.shape[2], w = input.shape[3];
  Fit fit;
  if ((h > 0 && w > 0) || findLegal(instance, image.height, image.width, h, w))
    fit = fitAt(instance, h, w);
  if (!findLegal(instance, image.height + fit.marginH, image.width + fit.marginW, h, w))
    return "no size within 64 pixels of " + std::to_string(image.width + fit.marginW) + " x " +
           std::to_string(image.height + fit.marginH) + " suits the network: " + library.lastError();
  pictures::Margins margins;
  margins.top = fit.marginH / 2;
  margins.left = fit.marginW / 2;
  margins.bottom = h - image.height - margins.top;
  margins.right = w - image.width - margins.left;
  if (h != image.height || w != image.width)
    note = "padded from " + std::to_string(image.width) + " x " + std::to_string(image.height) + " to " +
           std::to_string(w) + " x " + std::to_string(h) + " by reflection, cropped back";
  if (auto why = runPlanes(instance, pictures::pad(image, margins, pictures::Edge::Reflect), repeat, output,
                           milliseconds))
    return why;
  Planes &values = output.values;
  if (!fit.pixelForPixel) {
    values = output.isClassMap ? resizeNearest(values, h, w) : pictures::resizeBilinear(values, h, w);
  } else {
    // The output's first pixel is the picture's: half the margin was put before it, all padding to a legal
    // size behind.
    margins = {0, 0, values.height - image.height, values.width - image.width};
  }
  auto cropped = pictures::crop(values, margins);
  if (auto *why = std::get_if<pictures::Failure>(&cropped))
    return *why;
  values = std::move(std::get<Planes>(cropped));
  return std::nullopt;
}

train::Labels classesOf(const PixelOutput &output) {
  const Planes &values = output.values;
  train::Labels labels(values.width, values.height);
  const size_t pixels = labels.values.size();
  for (size_t i = 0; i < pixels; ++i) {
    if (output.isClassMap) {
      labels.values[i] = static_cast<int32_t>(values.values[i]);
    } else if (values.channels == 1) {
      labels.values[i] = values.values[i] > 0;
    } else {
      size_t best = 0;
      for (size_t c = 1; c < static_cast<size_t>(values.channels); ++c)
        if (values.values[c * pixels + i] > values.values[best * pixels + i])
          best = c;
      labels.values[i] = static_cast<int32_t>(best);
    }
  }
  return labels;
}

std::variant<Planes, std::string> probabilitiesOf(const PixelOutput &output, int64_t classes) {
  const Planes &values = output.values;
  const int64_t channels = values.channels == 1 && !output.isClassMap ? 2 : values.channels;
  if (!output.isClassMap && channels != classes)
    return "the network tells " + std::to_string(channels) + " classes apart, not " + std::to_string(classes);
  Planes result(classes, values.height, values.width);
  const int64_t pixels = values.height * values.width;
  for (int64_t i = 0; i < pixels; ++i) {
    float *to = result.values.data() + i;
    const float *from = values.values.data() + i;
    if (output.isClassMap) {
      const auto label = static_cast<int64_t>(*from);
      if (label < 0 || label >= classes)
        return "the network says class " + std::to_string(label) + ", there are " + std::to_string(classes);
      to[label * pixels] = 1;
      continue;
    }
    auto logit = [&](int64_t c) { return values.channels == 1 ? (c ? *from : 0.0f) : from[c * pixels]; };
    float most = logit(0), sum = 0;
    for (int64_t c = 1; c < classes; ++c)
      most = std::max(most, logit(c));
    for (int64_t c = 0; c < classes; ++c)
      sum += to[c * pixels] = std::exp(logit(c) - most);
    for (int64_t c = 0; c < classes; ++c)
      to[c * pixels] /= sum;
  }
  return result;
}

int64_t classesToldApart(Instance &instance) {
  segc_model_info info;
  if (instance.library.outputInfo(instance.model, 0, &info) || info.dtype == SEGC_MODEL_I32)
    return 0;
  return info.rank == 4 && info.shape[1] > 1 ? info.shape[1] : 2;
}

std::optional<std::string> segmentPicture(Instance &instance, const pictures::Picture &picture, int repeat,
                                          pictures::Picture &classes, std::string &note,
                                          double milliseconds[2]) {
  segc_model_info input;
  if (instance.library.inputInfo(instance.model, 0, &input))
    return instance.library.lastError();
  auto converted = pictures::toPlanes(picture, input.shape[1]);
  if (auto *why = std::get_if<pictures::Failure>(&converted))
    return *why;
  PixelOutput output;
  if (auto why = runOnPicture(instance, std::get<Planes>(converted), repeat, output, note, milliseconds))
    return why;
  const train::Labels labels = classesOf(output);
  classes = pictures::Picture(labels.width, labels.height, 1);
  for (size_t i = 0; i < labels.values.size(); ++i)
    classes.bytes[i] = static_cast<uint8_t>(std::clamp(labels.values[i], 0, 255));
  return std::nullopt;
}

} // namespace segc
