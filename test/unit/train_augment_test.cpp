/// \file Tests of augmentation: image, mask and weights move together, labels are never invented, equal seeds
/// give equal bytes.
// SPDX-License-Identifier: MIT
#include "runtime/train/Augment.h"
#include "test/unit/train_support.h"
#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

using namespace segc::train;
using namespace segc::test;

namespace {

Augmentation parsed(const std::string &text) {
  const Result<Json> json = parseJson(text, "aug.json");
  EXPECT_EQ(json.index(), 0u) << why(json);
  const Result<Augmentation> result = parseAugmentation(std::get<0>(json), "aug.json");
  EXPECT_EQ(result.index(), 0u) << why(result);
  return result.index() ? Augmentation() : std::get<0>(result);
}
std::string refused(const std::string &text) {
  const Result<Json> json = parseJson(text, "aug.json");
  return json.index() ? std::get<1>(json) : why(parseAugmentation(std::get<0>(json), "aug.json"));
}

/// Soft blobs that are no mirror image of themselves; the mask is where they are above one half, and the
/// weights are the picture again.
Example blobs(int64_t width, int64_t height) {
  const double ellipses[][4] = {{0.35, 0.3, 0.2, 0.11}, {0.7, 0.62, 0.13, 0.2}, {0.2, 0.75, 0.08, 0.08}};
  Example example;
  example.image = Raster(width, height, 1, 16);
  example.labels = Labels(width, height);
  example.weights = Planes(1, height, width);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      double most = 0;
      for (const auto &[cx, cy, rx, ry] : ellipses) {
        const double u = (double(x) / double(width) - cx) / rx, v = (double(y) / double(height) - cy) / ry;
        most = std::max(
            most, std::clamp(0.5 + 6 * (1 - std::sqrt(u * u + v * v)) * std::min(rx, ry) * 16, 0.0, 1.0));
      }
      example.image.setSample(y * width + x, uint16_t(65535 * most));
      example.labels.at(x, y) = most > 0.5 ? 7 : 0;
      example.weights.row(0, y)[x] = float(uint16_t(65535 * most)) / 65535;
    }
  return example;
}

/// Intersection over union of the picture above one half and label 7.
double agreement(const Sample &sample) {
  int64_t both = 0, any = 0;
  for (size_t i = 0; i < sample.labels.values.size(); ++i) {
    const bool bright = sample.image.values[i] > 0.5f, labelled = sample.labels.values[i] == 7;
    both += bright && labelled;
    any += bright || labelled;
  }
  return any ? double(both) / double(any) : 1;
}

Sample changed(const Example &example, const Augmentation &augmentation, uint64_t seed, int64_t height = 0,
               int64_t width = 0, int channels = 1) {
  Random random(seed, 3, 5);
  return augment(example, channels, 0, height, width, augmentation, random);
}

TEST(TrainAugment, NothingIsChangedByDefault) {
  const Example example = blobs(40, 30);
  const Sample sample = changed(example, Augmentation(), 1);
  EXPECT_EQ(sample.labels.values, example.labels.values);
  EXPECT_EQ(sample.weights.values, example.weights.values);
  for (int64_t i = 0; i < 40 * 30; ++i)
    ASSERT_EQ(sample.image.values[size_t(i)], float(example.image.sample(i)) / 65535);
  const Sample three = changed(example, Augmentation(), 1, 0, 0, 3);
  ASSERT_EQ(three.image.channels, 3);
  EXPECT_EQ(three.image.row(2, 7)[9], sample.image.row(0, 7)[9]);
}

TEST(TrainAugment, MaskAndImageMoveTogether) {
  const Example example = blobs(200, 160);
  const char *geometric[] = {
      R"({"flip_horizontal": 1})",
      R"({"flip_vertical": 1})",
      R"({"quarter_turns": true})",
      R"({"rotate": [-180, 180]})",
      R"({"scale": [0.7, 1.6]})",
      R"({"elastic": {"sigma": [4, 8]}})",
      R"({"elastic": {"sigma": 3, "grid": 6}, "rotate": 30, "scale": 0.8, "border": "ignore"})",
      R"({"flip_horizontal": 0.5, "quarter_turns": true, "rotate": [-20, 20],
                                 "scale": [0.8, 1.25], "elastic": {"sigma": [0, 8]}})"};
  for (const char *text : geometric) {
    SCOPED_TRACE(text);
    const Augmentation augmentation = parsed(text);
    int moved = 0;
    for (uint64_t seed = 0; seed < 8; ++seed)
      for (int64_t size : {0, 110}) {
        const Sample sample = changed(example, augmentation, seed, size, size);
        EXPECT_GT(agreement(sample), 0.965);
        // The weights are the same numbers through the same map, but for what is beyond the edges.
        for (size_t i = 0; i < sample.image.values.size(); ++i)
          ASSERT_EQ(sample.labels.values[i] == ignored ? 0 : sample.image.values[i],
                    sample.weights.values[i]);
        Sample still = sample;
        still.labels = changed(example, Augmentation(), seed, size, size).labels;
        moved += agreement(still) < 0.8;
      }
    EXPECT_GT(moved, 4) << "the picture hardly moved, so the test shows nothing";
  }
}

TEST(TrainAugment, FlipsAndTurnsAreExact) {
  Example example;
  example.image = Raster(5, 4, 1, 8);
  example.labels = Labels(5, 4);
  for (int64_t i = 0; i < 20; ++i) {
    example.image.setSample(i, uint16_t(10 * i));
    example.labels.values[size_t(i)] = int32_t(i);
  }
  auto expectMap = [&](const Sample &sample, auto map) {
    for (int64_t y = 0; y < sample.labels.height; ++y)
      for (int64_t x = 0; x < sample.labels.width; ++x) {
        const auto [u, v] = map(x, y);
        ASSERT_EQ(sample.labels.at(x, y), example.labels.at(u, v)) << x << ", " << y;
        ASSERT_NEAR(sample.image.row(0, y)[x], float(10 * example.labels.at(u, v)) / 255, 1e-6);
      }
  };
  using Pair = std::pair<int64_t, int64_t>;
  expectMap(changed(example, parsed(R"({"flip_horizontal": 1})"), 0),
            [](int64_t x, int64_t y) { return Pair(4 - x, y); });
  expectMap(changed(example, parsed(R"({"flip_vertical": 1})"), 0),
            [](int64_t x, int64_t y) { return Pair(x, 3 - y); });
  // All four turns of a square crop occur.
  Augmentation turns = parsed(R"({"quarter_turns": true})");
  turns.randomCrops = false;
  std::set<int32_t> corners;
  for (uint64_t seed = 0; seed < 30; ++seed)
    corners.insert(changed(example, turns, seed, 4, 4).labels.at(0, 0));
  EXPECT_EQ(corners, (std::set<int32_t>{0, 3, 15, 18}));
  // A rotation by 90 degrees is clockwise: the left column comes to the top, its last entry first.
  Augmentation rotated = parsed(R"({"rotate": 90})");
  rotated.randomCrops = false;
  const Sample sample = changed(example, rotated, 0, 4, 4);
  EXPECT_EQ(sample.labels.at(0, 0), 15);
  EXPECT_EQ(sample.labels.at(3, 0), 0);
}

TEST(TrainAugment, LabelsAreNeverInvented) {
  Example example = blobs(64, 64);
  Random random(9, 0, 0);
  std::set<int32_t> before;
  for (int32_t &label : example.labels.values) {
    label = std::vector<int32_t>{0, 3, 200, ignored}[size_t(random.below(4))];
    before.insert(label);
  }
  const Augmentation wild = parsed(R"({"rotate": [-180, 180], "scale": [0.3, 3], "elastic": {"sigma": 30}})");
  for (uint64_t seed = 0; seed < 10; ++seed)
    for (int32_t label : changed(example, wild, seed).labels.values)
      ASSERT_TRUE(before.count(label)) << label;
}

TEST(TrainAugment, EqualSeedsGiveEqualBytes) {
  const Example example = blobs(50, 40);
  const Augmentation all = parsed(
      R"({"flip_horizontal": 0.5, "flip_vertical": 0.5, "quarter_turns": true, "rotate": [-20, 20], "scale": [0.8, 1.2],
          "elastic": {"sigma": [0, 5]}, "brightness": [-0.1, 0.1], "contrast": [0.8, 1.2], "gamma": [0.8, 1.2],
          "noise": [0, 0.1], "blur": [0, 2], "balanced_crops": 0.5})");
  std::set<std::vector<float>> different;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const Sample one = changed(example, all, seed, 32, 24, 3), two = changed(example, all, seed, 32, 24, 3);
    EXPECT_EQ(one.image.values, two.image.values);
    EXPECT_EQ(one.labels.values, two.labels.values);
    EXPECT_EQ(one.weights.values, two.weights.values);
    EXPECT_EQ(one.image.height, 32);
    EXPECT_EQ(one.labels.width, 24);
    different.insert(one.image.values);
    for (float value : one.image.values)
      ASSERT_TRUE(value >= 0 && value <= 1);
  }
  EXPECT_EQ(different.size(), 6u);
}

TEST(TrainAugment, LightDoesAsItSays) {
  Example half;
  half.image = Raster(64, 64, 1, 8);
  half.labels = Labels(64, 64);
  for (int64_t i = 0; i < 64 * 64; ++i)
    half.image.setSample(i, i % 2 ? 51 : 153); // 0.2 and 0.6
  auto values = [&](const char *text) {
    const Sample sample = changed(half, parsed(text), 4);
    EXPECT_EQ(sample.labels.values, half.labels.values);
    return sample.image.values;
  };
  EXPECT_NEAR(values(R"({"brightness": 0.1})")[0], 0.7, 1e-5);
  EXPECT_NEAR(values(R"({"contrast": 0.5})")[0], 0.5, 1e-5);
  EXPECT_NEAR(values(R"({"contrast": 0.5})")[1], 0.3, 1e-5);
  EXPECT_NEAR(values(R"({"contrast": 10})")[1], 0, 1e-5);
  EXPECT_NEAR(values(R"({"gamma": 2})")[1], 0.04, 1e-5);
  const std::vector<float> noisy = values(R"({"noise": 0.05})"), blurred = values(R"({"blur": 2})");
  double sum = 0, squares = 0;
  for (size_t i = 0; i < noisy.size(); ++i) {
    const double off = noisy[i] - (i % 2 ? 0.2 : 0.6);
    sum += off;
    squares += off * off;
    ASSERT_NEAR(blurred[i], 0.4, 0.01);
  }
  EXPECT_NEAR(sum / 4096, 0, 0.004);
  EXPECT_NEAR(std::sqrt(squares / 4096), 0.05, 0.003);
  // A range is used from end to end, evenly.
  const Augmentation range = parsed(R"({"brightness": [0.1, 0.3]})");
  double least = 1, most = 0, mean = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const double value = changed(half, range, seed, 1, 2).image.values[0] -
                         (changed(half, Augmentation(), seed, 1, 2).image.values[0]);
    least = std::min(least, value);
    most = std::max(most, value);
    mean += value / 300;
  }
  EXPECT_NEAR(least, 0.1, 0.01);
  EXPECT_NEAR(most, 0.3, 0.01);
  EXPECT_NEAR(mean, 0.2, 0.01);
}

TEST(TrainAugment, CropsLieInThePicture) {
  Example example;
  example.image = Raster(20, 12, 1, 8);
  example.labels = Labels(20, 12);
  for (int32_t i = 0; i < 240; ++i) {
    example.image.setSample(i, uint16_t(i));
    example.labels.values[size_t(i)] = i;
  }
  std::set<int32_t> corners;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Sample sample = changed(example, Augmentation(), seed, 5, 7);
    const int32_t first = sample.labels.at(0, 0);
    corners.insert(first);
    for (int64_t y = 0; y < 5; ++y)
      for (int64_t x = 0; x < 7; ++x)
        ASSERT_EQ(sample.labels.at(x, y), first + 20 * y + x);
  }
  EXPECT_GT(corners.size(), 90u); // of 14 * 8
  EXPECT_TRUE(corners.count(0));
  EXPECT_TRUE(corners.count(7 * 20 + 13));
  Augmentation middle;
  middle.randomCrops = false;
  EXPECT_EQ(changed(example, middle, 3, 4, 4).labels.at(0, 0), 4 * 20 + 8);

  // A crop larger than the picture: mirrored, or ignored and dark of weight.
  example.weights = Planes(1, 12, 20);
  std::fill(example.weights.values.begin(), example.weights.values.end(), 2.0f);
  const Sample mirrored = changed(example, Augmentation(), 0, 16, 20);
  EXPECT_EQ(mirrored.labels.at(3, 2), 3);
  EXPECT_EQ(mirrored.labels.at(3, 1), 23);
  EXPECT_EQ(mirrored.weights.row(0, 1)[3], 2);
  const Sample ignoring = changed(example, parsed(R"({"border": "ignore"})"), 0, 16, 20);
  EXPECT_EQ(ignoring.labels.at(3, 1), ignored);
  EXPECT_EQ(ignoring.labels.at(3, 2), 3);
  EXPECT_EQ(ignoring.weights.row(0, 1)[3], 0);
  EXPECT_EQ(ignoring.weights.row(0, 2)[3], 2);
}

TEST(TrainAugment, BalancedCropsFindRareClasses) {
  Example example;
  example.image = Raster(100, 100, 1, 8);
  example.labels = Labels(100, 100);
  example.labels.at(97, 3) = 5;
  auto share = [&](const char *text) {
    int found = 0;
    const Augmentation augmentation = parsed(text);
    for (uint64_t seed = 0; seed < 400; ++seed) {
      const Sample sample = changed(example, augmentation, seed, 10, 10);
      found += std::count(sample.labels.values.begin(), sample.labels.values.end(), 5) > 0;
    }
    return found / 400.0;
  };
  EXPECT_LT(share("{}"), 0.05);
  EXPECT_NEAR(share(R"({"balanced_crops": 1})"), 0.5, 0.08);
  EXPECT_NEAR(share(R"({"balanced_crops": 0.5})"), 0.25, 0.08);
  example.labels = Labels(100, 100, ignored);
  EXPECT_EQ(changed(example, parsed(R"({"balanced_crops": 1})"), 1, 10, 10).labels.values[0], ignored);
}

/// The spline goes through its points, and between two equal columns of them it is straight.
TEST(TrainWarp, DisplacementsAreThoseOfTheGrid) {
  Planes ramp(2, 200, 200); // what a place in the picture is called: x and y
  for (int64_t y = 0; y < 200; ++y)
    for (int64_t x = 0; x < 200; ++x) {
      ramp.row(0, y)[x] = float(x);
      ramp.row(1, y)[x] = float(y);
    }
  Warp warp;
  warp.height = warp.width = 101;
  warp.centreX = 90;
  warp.centreY = 100;
  warp.grid = 3;
  warp.displacementX = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  warp.displacementY = {-3, 0, 3, -3, 0, 3, -3, 0, 3};
  const Planes places = warpBilinear(ramp, warp);
  for (int64_t row = 0; row < 3; ++row)
    for (int64_t column = 0; column < 3; ++column) {
      const size_t at = size_t(3 * row + column);
      EXPECT_NEAR(places.row(0, 50 * row)[50 * column],
                  90 - 50 + 50 * double(column) + warp.displacementX[at], 1e-4);
      EXPECT_NEAR(places.row(1, 50 * row)[50 * column], 100 - 50 + 50 * double(row) + warp.displacementY[at],
                  1e-4);
    }
  // Catmull-Rom half way: (-p0 + 9 p1 + 9 p2 - p3) / 16, the outer points repeated.
  EXPECT_NEAR(places.row(1, 0)[25] - 50, (3 + 9 * -3 + 9 * 0 - 3) / 16.0, 1e-4);
}

TEST(TrainAugment, SettingsAreChecked) {
  const Augmentation all = parsed(
      R"({"flip_horizontal": 0.25, "rotate": 10, "scale": [0.5, 2], "elastic": {"sigma": [1, 2], "grid": 4}, "border": "ignore"})");
  EXPECT_EQ(all.flipHorizontal, 0.25);
  EXPECT_EQ(all.rotate.low, 10);
  EXPECT_EQ(all.rotate.high, 10);
  EXPECT_EQ(all.scale.high, 2);
  EXPECT_EQ(all.elasticGrid, 4);
  EXPECT_EQ(all.border, Border::Ignore);
  EXPECT_TRUE(says(refused(R"({"rotat": 1})"), {"aug.json: unknown field 'rotat'; did you mean 'rotate'?"}));
  EXPECT_TRUE(says(refused(R"({"elastic": {"sigm": 1}})"), {"aug.json: elastic: unknown field 'sigm'"}));
  EXPECT_TRUE(says(refused(R"({"flip_vertical": 1.5})"), {"field 'flip_vertical' is 1.5; a number from 0"}));
  EXPECT_TRUE(says(refused(R"({"scale": [2, 1]})"), {"field 'scale' is [2,1]; the lower end comes first"}));
  EXPECT_TRUE(says(refused(R"({"scale": 0})"), {"a number from 0.1 to 10"}));
  EXPECT_TRUE(says(refused(R"({"gamma": [1, 2, 3]})"), {"has 3 entries; [low, high] or one number"}));
  EXPECT_TRUE(says(refused(R"({"quarter_turns": 1})"), {"true or false is wanted"}));
  EXPECT_TRUE(says(refused(R"({"border": "wrap"})"), {"'reflect', 'ignore'"}));
  EXPECT_TRUE(says(why(readAugmentation("/nowhere/aug.json")), {"/nowhere/aug.json: cannot be opened"}));
}

} // namespace
