/// \file Augment: drawing the changes and making them.
// SPDX-License-Identifier: MIT
#include "runtime/train/Augment.h"
#include "runtime/pictures/Geometry.h"
#include <algorithm>
#include <cmath>

namespace segc::train {

Result<Augmentation> parseAugmentation(const Json &json, const std::string &where) {
  Fields fields(json, where);
  Augmentation result;
  result.flipHorizontal = fields.number("flip_horizontal", 0, 0, 1);
  result.flipVertical = fields.number("flip_vertical", 0, 0, 1);
  result.quarterTurns = fields.flag("quarter_turns", false);
  result.rotate = fields.range("rotate", result.rotate, -180, 180);
  result.scale = fields.range("scale", result.scale, 0.1, 10);
  Fields elastic = fields.child("elastic");
  result.elastic = elastic.range("sigma", result.elastic, 0, 1000);
  result.elasticGrid = int(elastic.integer("grid", 3, 2, 64));
  fields.take(elastic.finish());
  result.brightness = fields.range("brightness", result.brightness, -1, 1);
  result.contrast = fields.range("contrast", result.contrast, 0, 10);
  result.gamma = fields.range("gamma", result.gamma, 0.1, 10);
  result.noise = fields.range("noise", result.noise, 0, 1);
  result.blur = fields.range("blur", result.blur, 0, 20);
  result.balancedCrops = fields.number("balanced_crops", 0, 0, 1);
  result.border = fields.choice("border", {"reflect", "ignore"}) ? Border::Ignore : Border::Reflect;
  if (std::optional<Failure> failure = fields.finish())
    return *failure;
  return result;
}

Result<Augmentation> readAugmentation(const std::string &path) {
  Result<Json> json = readJson(path);
  if (const Failure *failure = failureOf(json))
    return *failure;
  return parseAugmentation(std::get<Json>(json), path);
}

namespace {

double draw(const Range &range, Random &random) { return random.uniform(range.low, range.high); }

/// Even in the logarithm; exact where there is nothing to draw.
double drawFactor(const Range &range, Random &random) {
  const double share = random.uniform();
  return range.low == range.high ? range.low : range.low * std::pow(range.high / range.low, share);
}

/// Where a crop of `size` out of `whole` pixels begins; a larger one lies about the middle.
int64_t cropBegin(int64_t whole, int64_t size, bool anywhere, Random &random) {
  const int64_t room = whole - size;
  const int64_t drawn = random.below(std::max<int64_t>(1, room + 1));
  if (room <= 0)
    return -((-room) / 2);
  return anywhere ? drawn : room / 2;
}

/// A pixel of a class that is drawn first from those in the picture, so that rare classes are met as often as
/// frequent ones. Nothing if no pixel has a class.
std::optional<int64_t> balancedPixel(const Labels &labels, Random &random) {
  std::vector<int64_t> counts;
  for (int32_t label : labels.values)
    if (label >= 0) {
      if (size_t(label) >= counts.size())
        counts.resize(size_t(label) + 1);
      ++counts[size_t(label)];
    }
  std::vector<int32_t> present;
  for (size_t label = 0; label < counts.size(); ++label)
    if (counts[label] > 0)
      present.push_back(int32_t(label));
  if (present.empty())
    return std::nullopt;
  const int32_t label = present[size_t(random.below(int64_t(present.size())))];
  int64_t left = random.below(counts[size_t(label)]);
  for (size_t i = 0; i < labels.values.size(); ++i)
    if (labels.values[i] == label && left-- == 0)
      return int64_t(i);
  return std::nullopt;
}

Warp drawWarp(const Labels &labels, int64_t height, int64_t width, const Augmentation &a, Random &random) {
  Warp warp;
  warp.height = height ? height : labels.height;
  warp.width = width ? width : labels.width;
  warp.border = a.border;
  int64_t left = cropBegin(labels.width, warp.width, a.randomCrops, random);
  int64_t top = cropBegin(labels.height, warp.height, a.randomCrops, random);
  if (random.chance(a.balancedCrops))
    if (std::optional<int64_t> pixel = balancedPixel(labels, random)) {
      auto around = [&](int64_t at, int64_t size, int64_t whole, int64_t otherwise) {
        const int64_t begin = at - random.below(size);
        return whole <= size ? otherwise : std::clamp<int64_t>(begin, 0, whole - size);
      };
      left = around(*pixel % labels.width, warp.width, labels.width, left);
      top = around(*pixel / labels.width, warp.height, labels.height, top);
    }
  warp.centreX = double(left) + double(warp.width - 1) / 2;
  warp.centreY = double(top) + double(warp.height - 1) / 2;

  // From the output back to the picture: turned, shrunk by the enlargement, then mirrored.
  const double degrees = draw(a.rotate, random), step = 1 / drawFactor(a.scale, random);
  const double mirrorX = random.chance(a.flipHorizontal) ? -step : step,
               mirrorY = random.chance(a.flipVertical) ? -step : step;
  const double angle = degrees * 3.14159265358979323846 / 180, cosine = std::cos(angle),
               sine = std::sin(angle);
  const double turned[4] = {mirrorX * cosine, mirrorX * sine, -mirrorY * sine, mirrorY * cosine};
  std::copy_n(turned, 4, warp.matrix);
  const int64_t turns = random.below(4);
  for (int64_t turn = 0; a.quarterTurns && turn < turns; ++turn) {
    const double *m = warp.matrix;
    const double quarter[4] = {m[1], -m[0], m[3], -m[2]};
    std::copy_n(quarter, 4, warp.matrix);
  }

  const double sigma = draw(a.elastic, random);
  if (sigma > 0) {
    warp.grid = a.elasticGrid;
    for (int i = 0; i < warp.grid * warp.grid; ++i) {
      warp.displacementX.push_back(sigma * random.normal());
      warp.displacementY.push_back(sigma * random.normal());
    }
  }
  return warp;
}

/// A Gaussian along rows and columns, mirrored at the edges.
void blur(Planes &planes, double sigma) {
  const auto radius = int64_t(std::ceil(3 * sigma));
  std::vector<float> kernel;
  float sum = 0;
  for (int64_t i = -radius; i <= radius; ++i) {
    kernel.push_back(float(std::exp(-double(i * i) / (2 * sigma * sigma))));
    sum += kernel.back();
  }
  auto filter = [&](int64_t length, int64_t lines, int64_t step, int64_t pitch, float *values) {
    std::vector<float> line(static_cast<size_t>(length + 2 * radius));
    for (int64_t l = 0; l < lines; ++l) {
      float *at = values + l * pitch;
      for (int64_t i = -radius; i < length + radius; ++i)
        line[size_t(i + radius)] = at[pictures::mirrored(i, length) * step];
      for (int64_t i = 0; i < length; ++i) {
        float value = 0;
        for (size_t k = 0; k < kernel.size(); ++k)
          value += kernel[k] * line[size_t(i) + k];
        at[i * step] = value / sum;
      }
    }
  };
  for (int64_t c = 0; c < planes.channels; ++c) {
    filter(planes.width, planes.height, 1, planes.width, planes.row(c, 0));
    filter(planes.height, planes.width, planes.width, 1, planes.row(c, 0));
  }
}

void changeLight(Planes &image, const Augmentation &a, Random &random) {
  const double sigma = draw(a.blur, random);
  if (sigma > 0.1)
    blur(image, sigma);
  const auto contrast = float(draw(a.contrast, random)), brightness = float(draw(a.brightness, random));
  const auto gamma = float(drawFactor(a.gamma, random)), noise = float(draw(a.noise, random));
  double mean = 0;
  for (float value : image.values)
    mean += value;
  mean /= double(std::max<size_t>(1, image.values.size()));
  for (float &value : image.values) {
    if (contrast != 1 || brightness != 0)
      value = (value - float(mean)) * contrast + float(mean) + brightness;
    if (gamma != 1)
      value = std::pow(std::clamp(value, 0.0f, 1.0f), gamma);
    if (noise > 0)
      value += noise * float(random.nearlyNormal());
    value = std::clamp(value, 0.0f, 1.0f);
  }
}

/// Gray as three equal planes.
Planes withChannels(Planes planes, int64_t channels) {
  if (planes.channels == channels)
    return planes;
  Planes result(channels, planes.height, planes.width);
  for (int64_t c = 0; c < channels; ++c)
    std::copy(planes.values.begin(), planes.values.end(), result.row(c, 0));
  return result;
}

} // namespace

Sample augment(const Example &example, int channels, int white, int64_t height, int64_t width,
               const Augmentation &augmentation, Random &random) {
  const Warp warp = drawWarp(example.labels, height, width, augmentation, random);
  // A gray picture stays gray under noise, so it gets its channels at the end.
  const std::variant<Planes, Failure> planes =
      pictures::toPlanes(example.image, std::min(channels, example.image.channels), white);
  Sample sample;
  sample.image = warpBilinear(std::get<Planes>(planes), warp);
  sample.labels = warpNearest(example.labels, warp);
  if (!example.weights.values.empty())
    sample.weights = warpWeights(example.weights, warp);
  changeLight(sample.image, augmentation, random);
  sample.image = withChannels(std::move(sample.image), channels);
  return sample;
}

} // namespace segc::train
