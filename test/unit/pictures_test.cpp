/// \file Tests of what is done with pictures in memory: planes, geometry, overlays, drawing.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Draw.h"
#include "runtime/pictures/Geometry.h"
#include "runtime/pictures/Overlay.h"
#include "runtime/pictures/Picture.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace segc::pictures;

namespace {

Planes counting(int64_t channels, int64_t height, int64_t width) {
  Planes planes(channels, height, width);
  for (size_t i = 0; i < planes.values.size(); ++i)
    planes.values[i] = float(i + 1);
  return planes;
}

TEST(Pictures, BytesAndPlanes) {
  Picture rgb(2, 1, 3);
  rgb.bytes = {255, 0, 51, 10, 20, 30};
  const Planes three = std::get<Planes>(toPlanes(rgb, 3));
  EXPECT_EQ(three.values, (std::vector<float>{1, 10 / 255.0f, 0, 20 / 255.0f, 51 / 255.0f, 30 / 255.0f}));
  EXPECT_EQ(std::get<Picture>(toPicture(three)).bytes, rgb.bytes);
  const Planes one = std::get<Planes>(toPlanes(rgb, 1));
  EXPECT_NEAR(one.values[0], 0.299 + 0.114 * 0.2, 1e-6);
  EXPECT_NEAR(one.values[1], (2.99 + 11.74 + 3.42) / 255, 1e-6);

  Picture gray(256, 1, 1);
  for (int i = 0; i < 256; ++i)
    gray.bytes[i] = uint8_t(i);
  const Planes repeated = std::get<Planes>(toPlanes(gray, 3));
  ASSERT_EQ(repeated.channels, 3);
  EXPECT_EQ(repeated.row(2, 0)[77], 77 / 255.0f);
  EXPECT_EQ(std::get<Picture>(toPicture(std::get<Planes>(toPlanes(gray, 1)))).bytes, gray.bytes);
  EXPECT_EQ(toPlanes(gray, 4).index(), 1u);
  EXPECT_EQ(toPicture(Planes(2, 1, 1)).index(), 1u);

  Planes wild(1, 1, 5);
  wild.values = {-3, 7, NAN, INFINITY, 0.5f};
  EXPECT_EQ(std::get<Picture>(toPicture(wild)).bytes, (std::vector<uint8_t>{0, 255, 0, 255, 128}));
}

TEST(Pictures, MarginsToMultiple) {
  const Margins margins = marginsToMultiple(33, 32, 16);
  EXPECT_EQ(margins.top, 7);
  EXPECT_EQ(margins.bottom, 8);
  EXPECT_EQ(margins.left + margins.right, 0);
  for (int64_t n = 1; n < 40; ++n) {
    const Margins m = marginsToMultiple(n, n + 1, 8);
    EXPECT_EQ((n + m.top + m.bottom) % 8, 0);
    EXPECT_EQ((n + 1 + m.left + m.right) % 8, 0);
    EXPECT_LT(m.top + m.bottom, 8);
    EXPECT_LE(m.top, m.bottom);
  }
}

TEST(Pictures, PadReflectsOverAndOver) {
  const Planes row = counting(1, 1, 3);
  EXPECT_EQ(pad(row, {0, 5, 0, 4}, Edge::Reflect).values,
            (std::vector<float>{2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3}));
  EXPECT_EQ(pad(row, {1, 1, 0, 2}, Edge::Zero).values,
            (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0}));
  EXPECT_EQ(pad(counting(1, 1, 1), {1, 1, 1, 1}, Edge::Reflect).values, std::vector<float>(9, 1.0f));
  EXPECT_EQ(pad(counting(1, 3, 1), {2, 0, 1, 0}, Edge::Reflect).values,
            (std::vector<float>{3, 2, 1, 2, 3, 2}));
}

TEST(Pictures, CropUndoesPad) {
  const Planes planes = counting(2, 5, 7);
  for (Edge edge : {Edge::Zero, Edge::Reflect}) {
    const auto back = crop(pad(planes, {1, 2, 3, 4}, edge), {1, 2, 3, 4});
    ASSERT_EQ(back.index(), 0u);
    EXPECT_EQ(std::get<Planes>(back).values, planes.values);
    EXPECT_EQ(std::get<Planes>(back).width, 7);
  }
  EXPECT_EQ(crop(planes, {2, 0, 3, 0}).index(), 1u);
  EXPECT_EQ(crop(planes, {-1, 0, 0, 0}).index(), 1u);
  Picture labels(3, 2, 1);
  labels.bytes = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(std::get<Picture>(crop(labels, {1, 1, 0, 0})).bytes, (std::vector<uint8_t>{5, 6}));
  EXPECT_EQ(crop(labels, {0, 3, 0, 0}).index(), 1u);
}

TEST(Pictures, Resize) {
  Planes two(1, 1, 2);
  two.values = {0, 1};
  EXPECT_EQ(resizeBilinear(two, 1, 4).values, (std::vector<float>{0, 0.25f, 0.75f, 1}));
  EXPECT_EQ(resizeBilinear(two, 1, 1).values, (std::vector<float>{0.5f}));
  // A plane a*x + b*y stays one wherever no edge is clamped.
  Planes plane(1, 8, 8);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x)
      plane.row(0, y)[x] = float(3 * x + 5 * y);
  const Planes larger = resizeBilinear(plane, 24, 16);
  for (int y = 2; y < 22; ++y)
    for (int x = 1; x < 15; ++x)
      EXPECT_NEAR(larger.row(0, y)[x], 3 * ((x + 0.5) / 2 - 0.5) + 5 * ((y + 0.5) / 3 - 0.5), 1e-4);
  EXPECT_EQ(resizeBilinear(plane, 8, 8).values, plane.values);

  Picture labels(3, 1, 1);
  labels.bytes = {7, 8, 9};
  EXPECT_EQ(resizeNearest(labels, 1, 7).bytes, (std::vector<uint8_t>{7, 7, 7, 8, 8, 9, 9}));
  EXPECT_EQ(resizeNearest(labels, 2, 2).bytes, (std::vector<uint8_t>{7, 8, 7, 8}));
}

TEST(Pictures, VocColours) {
  const Palette palette = vocPalette();
  ASSERT_EQ(palette.size(), 256u);
  EXPECT_EQ(palette[0], (Colour{0, 0, 0}));
  EXPECT_EQ(palette[1], (Colour{128, 0, 0}));       // aeroplane
  EXPECT_EQ(palette[7], (Colour{128, 128, 128}));   // car
  EXPECT_EQ(palette[15], (Colour{192, 128, 128}));  // person
  EXPECT_EQ(palette[20], (Colour{0, 64, 128}));     // monitor
  EXPECT_EQ(palette[255], (Colour{224, 224, 192})); // void
}

TEST(Pictures, Overlay) {
  Picture gray(3, 1, 1), labels(3, 1, 1);
  gray.bytes = {100, 100, 100};
  labels.bytes = {0, 1, 1};
  const Picture blended = std::get<Picture>(overlay(gray, labels));
  EXPECT_EQ(blended.bytes, (std::vector<uint8_t>{100, 100, 100, 114, 50, 50, 114, 50, 50}));
  OverlayOptions options;
  options.contour = true;
  options.alpha = 0;
  EXPECT_EQ(std::get<Picture>(overlay(gray, labels, options)).bytes,
            (std::vector<uint8_t>{100, 100, 100, 128, 0, 0, 100, 100, 100}));
  options.contour = false;
  options.alpha = 1;
  options.background = -1;
  options.palette = {{9, 8, 7}};
  EXPECT_EQ(std::get<Picture>(overlay(gray, labels, options)).bytes,
            (std::vector<uint8_t>{9, 8, 7, 9, 8, 7, 9, 8, 7}));
  EXPECT_EQ(overlay(gray, Picture(2, 1, 1)).index(), 1u);
  EXPECT_EQ(overlay(gray, Picture(3, 1, 3)).index(), 1u);
}

/// FNV-1a.
uint64_t digest(const Picture &picture) {
  uint64_t sum = 0xcbf29ce484222325;
  for (uint8_t byte : picture.bytes)
    sum = (sum ^ byte) * 0x100000001b3;
  return sum;
}

TEST(Pictures, DrawingIsTheSameEverywhere) {
  const Scene scene = std::get<Scene>(drawCells(160, 120, 1));
  EXPECT_EQ(digest(scene.picture), 12427543786000219537u);
  EXPECT_EQ(digest(scene.truth), 12888717125569856030u);
  EXPECT_NE(digest(std::get<Scene>(drawCells(160, 120, 2)).truth), digest(scene.truth));
}

TEST(Pictures, DrawingShowsItsTruth) {
  const Scene scene = std::get<Scene>(drawCells(500, 400, 3));
  double sum[2] = {0, 0}, count[2] = {0, 0};
  for (int64_t i = 0; i < 500 * 400; ++i) {
    ASSERT_LE(scene.truth.bytes[i], 1);
    sum[scene.truth.bytes[i]] += scene.picture.bytes[3 * i + 1];
    ++count[scene.truth.bytes[i]];
  }
  EXPECT_NEAR(count[1] / (500 * 400), 0.2, 0.05);
  EXPECT_GT(sum[0] / count[0], sum[1] / count[1] + 60) << "nuclei are darker in green";
}

TEST(Pictures, DrawingOfAnySize) {
  // A larger picture continues the smaller one, so nothing depends on where the picture ends.
  const Scene large = std::get<Scene>(drawCells(150, 90, 5));
  for (auto [width, height] : {std::pair(1, 1), {1, 90}, {150, 1}, {47, 49}, {97, 48}}) {
    const Scene small = std::get<Scene>(drawCells(width, height, 5));
    const Margins rest{0, 0, 90 - height, 150 - width};
    EXPECT_EQ(std::get<Picture>(crop(large.picture, rest)).bytes, small.picture.bytes)
        << width << " x " << height;
    EXPECT_EQ(std::get<Picture>(crop(large.truth, rest)).bytes, small.truth.bytes)
        << width << " x " << height;
  }
  EXPECT_EQ(drawCells(0, 5, 1).index(), 1u);
  EXPECT_EQ(drawCells(int64_t(1) << 40, int64_t(1) << 40, 1).index(), 1u);
}

} // namespace
