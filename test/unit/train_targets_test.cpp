/// \file Tests of what is derived from masks: distances, boundaries, regions, weights, colour bins.
// SPDX-License-Identifier: MIT
#include "runtime/train/ColourBins.h"
#include "runtime/train/Distance.h"
#include "runtime/train/Random.h"
#include "runtime/train/Targets.h"
#include "test/unit/train_support.h"
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

using namespace segc::train;
using namespace segc::test;

namespace {

TEST(TrainDistance, AgreesWithTheDefinition) {
  Random random(1, 0, 0);
  for (int round = 0; round < 60; ++round) {
    const int64_t width = 1 + random.below(23), height = 1 + random.below(19);
    const double density = round % 3 == 0 ? 0.02 : 0.3;
    std::vector<uint8_t> seeds;
    for (int64_t i = 0; i < width * height; ++i)
      seeds.push_back(random.chance(density));
    std::vector<double> distances;
    squaredDistances(seeds, width, height, distances);
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) {
        double least = unreachable;
        for (int64_t v = 0; v < height; ++v)
          for (int64_t u = 0; u < width; ++u)
            if (seeds[size_t(v * width + u)])
              least = std::min(least, double((u - x) * (u - x) + (v - y) * (v - y)));
        ASSERT_EQ(distances[size_t(y * width + x)], least)
            << x << ", " << y << " of " << width << " x " << height;
      }
  }
}

TEST(TrainTargets, ObjectsAndWhatIsBetween) {
  const Labels instances = labelsOf(5, {0, 7, 7, 9, 0, //
                                        0, 7, 7, 9, ignored});
  EXPECT_EQ(objectClasses(instances, false).values,
            (std::vector<int32_t>{0, 1, 1, 1, 0, 0, 1, 1, 1, ignored}));
  EXPECT_EQ(objectClasses(instances, true).values,
            (std::vector<int32_t>{0, 1, 0, 0, 0, 0, 1, 0, 0, ignored}));
}

TEST(TrainTargets, BoundariesAgreeWithTheDefinition) {
  const Labels one = labelsOf(5, {0, 0, 0, 0, 0, //
                                  0, 3, 3, 3, 0, //
                                  0, 3, 3, 3, 0, //
                                  0, 3, 3, 3, 0, //
                                  0, 0, 0, 0, 0});
  EXPECT_EQ(boundaryClasses(one, 1, true).values, (std::vector<int32_t>{0, 2, 2, 2, 0, //
                                                                        2, 2, 2, 2, 2, //
                                                                        2, 2, 1, 2, 2, //
                                                                        2, 2, 2, 2, 2, //
                                                                        0, 2, 2, 2, 0}));
  EXPECT_EQ(boundaryClasses(one, 1, false).values[12], 0);
  EXPECT_EQ(boundaryClasses(one, 1, false).values[11], 1);
  Random random(2, 0, 0);
  Labels instances(17, 13);
  for (int32_t &value : instances.values)
    value = random.chance(0.9) ? int32_t(random.below(2)) * 4 : ignored;
  for (int radius : {1, 2, 3}) {
    const Labels found = boundaryClasses(instances, radius, true);
    for (int64_t y = 0; y < 13; ++y)
      for (int64_t x = 0; x < 17; ++x) {
        const int32_t own = instances.at(x, y);
        bool near = false;
        for (int64_t v = 0; v < 13; ++v)
          for (int64_t u = 0; u < 17; ++u)
            near |= (u - x) * (u - x) + (v - y) * (v - y) <= radius * radius && instances.at(u, v) != own &&
                    instances.at(u, v) != ignored;
        ASSERT_EQ(found.at(x, y), own == ignored ? ignored : near ? 2 : own > 0 ? 1 : 0) << x << ", " << y;
      }
  }
}

TEST(TrainTargets, Regions) {
  const Labels labels = labelsOf(4, {1, 0, 2, 2, //
                                     0, 1, 0, 2, //
                                     1, 1, 0, 1});
  int32_t count = 0;
  EXPECT_EQ(connectedRegions(labels, {1}, false, count).values,
            (std::vector<int32_t>{1, 0, 0, 0, 0, 2, 0, 0, 2, 2, 0, 3}));
  EXPECT_EQ(count, 3);
  EXPECT_EQ(connectedRegions(labels, {1, 2}, true, count).values,
            (std::vector<int32_t>{1, 0, 2, 2, 0, 1, 0, 2, 1, 1, 0, 3}));
  EXPECT_EQ(count, 3);
}

/// The sum over all objects, straight from the formula.
double weightAt(const Labels &instances, int64_t x, int64_t y, double w0, double sigma) {
  std::map<int32_t, double> nearest;
  for (int64_t v = 0; v < instances.height; ++v)
    for (int64_t u = 0; u < instances.width; ++u)
      if (const int32_t number = instances.at(u, v); number > 0) {
        const double distance = std::sqrt(double((u - x) * (u - x) + (v - y) * (v - y)));
        const auto at = nearest.emplace(number, distance).first;
        at->second = std::min(at->second, distance);
      }
  std::vector<double> distances;
  for (const auto &entry : nearest)
    distances.push_back(entry.second);
  std::sort(distances.begin(), distances.end());
  if (instances.at(x, y) != 0 || distances.size() < 2)
    return 0;
  const double sum = distances[0] + distances[1];
  return w0 * std::exp(-sum * sum / (2 * sigma * sigma));
}

TEST(TrainTargets, BorderWeightsAgreeWithTheFormula) {
  Random random(3, 0, 0);
  Labels instances(60, 40);
  for (int32_t number = 1; number <= 9; ++number) {
    const int64_t left = random.below(54), top = random.below(34), size = 2 + random.below(5);
    for (int64_t y = top; y < top + size; ++y)
      for (int64_t x = left; x < left + size; ++x)
        instances.at(x, y) = 100 * number;
  }
  instances.at(0, 39) = ignored;
  for (double sigma : {1.5, 5.0}) {
    const Planes weights = borderWeights(instances, 10, sigma);
    double largest = 0;
    for (int64_t y = 0; y < 40; ++y)
      for (int64_t x = 0; x < 60; ++x) {
        const double wanted = instances.at(x, y) == ignored ? 0 : weightAt(instances, x, y, 10, sigma);
        ASSERT_NEAR(weights.row(0, y)[x], wanted, 2e-6) << x << ", " << y;
        largest = std::max(largest, wanted);
      }
    EXPECT_GT(largest, 1);
  }
  const Labels single = labelsOf(3, {0, 5, 0});
  EXPECT_EQ(borderWeights(single, 10, 5).values, std::vector<float>(3, 0));
}

TEST(TrainTargets, PixelWeights) {
  Description about;
  about.classes.resize(2);
  about.classWeights = {0.5, 3};
  const Labels labels = labelsOf(5, {1, 0, 1, 0, ignored});
  EXPECT_EQ(pixelWeights(labels, {}, about).values, (std::vector<float>{3, 0.5f, 3, 0.5f, 0}));
  // Without instances the regions of class 1 are the objects: one pixel beside each.
  about.border = BorderWeights{};
  about.border->w0 = 2;
  about.border->sigma = 1;
  const Planes regions = pixelWeights(labels, {}, about);
  EXPECT_NEAR(regions.values[1], 0.5 + 2 * std::exp(-2.0), 1e-6);
  EXPECT_EQ(regions.values[0], 3);
  EXPECT_EQ(regions.values[4], 0);
  about.border->objects = {0};
  EXPECT_EQ(pixelWeights(labels, {}, about).values[1], 0.5f);
  EXPECT_EQ(pixelWeights(labels, labelsOf(5, {1, 0, 1, 0, 0}), about).values[1], 0.5f);
}

TEST(TrainColourBins, GrayIsClassZeroAndColoursComeBack) {
  const ColourBins bins(5, 12);
  EXPECT_EQ(bins.count(), 25);
  Raster raster(4, 1, 3, 8);
  raster.bytes = {0, 0, 0, 90, 90, 90, 255, 255, 255, 120, 100, 110};
  const Labels labels = bins.label(raster);
  EXPECT_EQ(std::vector<int32_t>(labels.values.begin(), labels.values.begin() + 3),
            (std::vector<int32_t>{0, 0, 0}));
  EXPECT_NE(labels.values[3], 0);

  // A colour within the grid comes back with its light, and within half a step in Cb and Cr.
  Random random(4, 0, 0);
  Raster wild(40, 25, 3, 16);
  for (int64_t i = 0; i < 40 * 25; ++i) {
    const int64_t base = 20000 + random.below(20000);
    for (int c = 0; c < 3; ++c)
      wild.setSample(3 * i + c, uint16_t(base + random.below(9000)));
  }
  const auto light = std::get<Planes>(segc::pictures::toPlanes(wild, 1));
  const Picture back = bins.colour(light, bins.label(wild));
  std::set<int32_t> seen;
  for (int32_t bin : bins.label(wild).values)
    seen.insert(bin);
  EXPECT_GT(seen.size(), 3u);
  for (int64_t i = 0; i < 40 * 25; ++i) {
    double was[3], is[3];
    for (int c = 0; c < 3; ++c) {
      was[c] = wild.sample(3 * i + c) / 257.0;
      is[c] = back.bytes[size_t(3 * i + c)];
    }
    auto y = [](const double *p) { return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]; };
    ASSERT_NEAR(y(is), y(was), 1.0);
    ASSERT_NEAR((is[2] - y(is)) / 1.772, (was[2] - y(was)) / 1.772, 6 + 1);
    ASSERT_NEAR((is[0] - y(is)) / 1.402, (was[0] - y(was)) / 1.402, 6 + 1);
  }
  // Each class is shown in a colour of its own bin.
  const std::vector<ClassInfo> classes = bins.classes();
  for (size_t i = 0; i < classes.size(); ++i) {
    Raster shown(1, 1, 3, 8);
    std::copy_n(classes[i].colour.data(), 3, shown.bytes.data());
    EXPECT_EQ(bins.label(shown).values[0], int32_t(i)) << classes[i].name;
  }
  Labels none(1, 1, ignored);
  EXPECT_EQ(bins.colour(Planes(1, 1, 1), none).bytes, (std::vector<uint8_t>{0, 0, 0}));
}

TEST(TrainColourBins, BinsThatAreNoColoursAreLeftOut) {
  const ColourBins bins(15, 30);
  EXPECT_LT(bins.count(), 15 * 15);
  EXPECT_GT(bins.count(), 30);
  Raster all(16, 256, 3, 8);
  for (int64_t i = 0; i < 16 * 256; ++i)
    for (int c = 0; c < 3; ++c)
      all.setSample(3 * i + c, uint16_t((i >> (4 * c) & 15) * 17));
  for (int32_t label : bins.label(all).values)
    ASSERT_TRUE(label >= 0 && label < bins.count());
}

} // namespace
