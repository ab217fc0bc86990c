/// \file Figures: drawing them.
// SPDX-License-Identifier: MIT
#include "runtime/train/Figures.h"
#include "runtime/pictures/Canvas.h"
#include "runtime/train/Table.h"
#include <algorithm>
#include <cmath>

namespace segc::train {

namespace {

constexpr int64_t maxShown = 64;
constexpr Colour white = {255, 255, 255}, black = {20, 20, 20}, faint = {150, 150, 150};

/// Light at 0, dark blue at 1, so that it reads in print too.
Colour heat(double share) {
  const double from[3] = {247, 251, 255}, to[3] = {8, 48, 107};
  Colour colour;
  for (int c = 0; c < 3; ++c)
    colour[size_t(c)] = uint8_t(from[c] + std::sqrt(share) * (to[c] - from[c]) + 0.5);
  return colour;
}

uint8_t lightOf(const Picture &picture, int64_t x, int64_t y) {
  const uint8_t *pixel = picture.at(x, y);
  return picture.channels == 1 ? pixel[0]
                               : uint8_t(0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2] + 0.5f);
}

uint8_t blend(uint8_t below, uint8_t above, float alpha) {
  return uint8_t(float(below) + alpha * (float(above) - float(below)) + 0.5f);
}

} // namespace

Result<Picture> heatMap(const ConfusionMatrix &matrix, const std::vector<std::string> &names) {
  const int64_t n = matrix.classes();
  if (n > maxShown)
    return "a heat map shows up to " + std::to_string(maxShown) + " classes, not " + std::to_string(n) +
           "; the JSON has the whole matrix";
  auto nameOf = [&](int64_t c) { return size_t(c) < names.size() ? names[size_t(c)] : std::to_string(c); };
  size_t longest = 1;
  for (int64_t c = 0; c < n; ++c)
    longest = std::max(longest, std::min<size_t>(nameOf(c).size(), 20));
  using pictures::characterWidth;
  constexpr int64_t cell = 34;
  const int64_t left = int64_t(longest + 4) * characterWidth + 8, top = 34;
  Picture picture(left + n * cell + 8, top + n * cell + 8, 3);
  fillRectangle(picture, 0, 0, picture.width, picture.height, white);
  drawText(picture, left, 6, "predicted (percent of each true class)", black);
  for (int64_t truth = 0; truth < n; ++truth) {
    const int64_t y = top + truth * cell, sum = matrix.ofTruth(truth);
    const std::string number = std::to_string(truth);
    drawText(picture, 4, y + cell / 2 - 3, number + " " + nameOf(truth).substr(0, 20), sum ? black : faint);
    drawText(picture, left + truth * cell + (cell - int64_t(number.size()) * characterWidth) / 2, top - 11,
             number, black);
    for (int64_t prediction = 0; prediction < n; ++prediction) {
      const double share = sum ? double(matrix(truth, prediction)) / double(sum) : 0;
      const int64_t x = left + prediction * cell;
      fillRectangle(picture, x, y, cell - 1, cell - 1, heat(share));
      const std::string words = sum == 0 ? "-" : matrix(truth, prediction) ? fixed(100 * share, 1) : "";
      drawText(picture, x + (cell - int64_t(words.size()) * characterWidth) / 2, y + cell / 2 - 3, words,
               share > 0.3 ? white : black);
    }
  }
  return picture;
}

Picture labelOverlay(const Picture &picture, const Labels &labels, const std::vector<ClassInfo> &classes,
                     float alpha) {
  Picture result(picture.width, picture.height, 3);
  for (int64_t y = 0; y < picture.height; ++y)
    for (int64_t x = 0; x < picture.width; ++x) {
      const int32_t label = labels.at(x, y);
      const bool isClass = label >= 0 && size_t(label) < classes.size();
      const Colour colour = isClass ? classes[size_t(label)].colour : Colour{0, 0, 0};
      for (int c = 0; c < 3; ++c)
        result.at(x, y)[c] = blend(picture.at(x, y)[picture.channels == 1 ? 0 : c], colour[size_t(c)], alpha);
    }
  return result;
}

Picture labelPicture(const Labels &labels, const std::vector<ClassInfo> &classes) {
  return labelOverlay(Picture(labels.width, labels.height, 1), labels, classes, 1);
}

Picture errorOverlay(const Picture &picture, const Labels &truth, const Labels &prediction) {
  Picture result(picture.width, picture.height, 3);
  for (int64_t y = 0; y < picture.height; ++y)
    for (int64_t x = 0; x < picture.width; ++x) {
      const uint8_t light = lightOf(picture, x, y);
      const int32_t wanted = truth.at(x, y), got = prediction.at(x, y);
      const Colour error = wanted == 0 ? falseAlarm : got == 0 ? missed : mistaken;
      for (int c = 0; c < 3; ++c)
        result.at(x, y)[c] = wanted == ignored ? uint8_t(light / 3)
                             : wanted == got   ? light
                                               : blend(light, error[size_t(c)], 0.75f);
    }
  return result;
}

Picture planePicture(const Planes &plane, float white) {
  Picture result(plane.width, plane.height, 1);
  for (size_t i = 0; i < result.bytes.size(); ++i)
    result.bytes[i] = uint8_t(std::clamp(plane.values[i] / white, 0.0f, 1.0f) * 255 + 0.5f);
  return result;
}

} // namespace segc::train
