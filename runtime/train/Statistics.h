/// \file Statistics: what a data set holds, counted.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Dataset.h"
#include "runtime/train/Settings.h"

namespace segc::train {

struct ClassCount {
  int64_t images = 0; ///< in which the class has a pixel
  int64_t objects = 0;
  int64_t pixels = 0;
  int64_t imagePixels = 0; ///< labelled pixels of those images
};

struct SplitStatistics {
  std::string name;
  int64_t images = 0, objects = 0;
  int64_t objectImages = 0; ///< in which objects were counted
  int64_t pixels = 0;       ///< with a class
  int64_t ignoredPixels = 0;
  std::vector<ClassCount> classes;
  int64_t least[2] = {0, 0}, most[2] = {0, 0};          ///< width and height
  int colour = 0;                                       ///< pictures with 3 channels
  double mean[3] = {0, 0, 0}, deviation[3] = {0, 0, 0}; ///< of the channels, values 0 ... 1
};

struct Statistics {
  std::vector<std::string> classNames;
  std::vector<SplitStatistics> splits;
  /// Objects are those of instance maps, from the images that have one; in a data set without any they are
  /// connected regions, corners included.
  bool instances = false;
  bool objectsCounted = false;
  /// Median frequency balancing (Eigen, Fergus 2015) from the first split: the median of the classes'
  /// frequencies over the class's own, a frequency being the class's share of the pixels of the pictures it
  /// is in. 0 for classes that the split lacks.
  std::vector<double> balancedWeights;

  /// One line a class with images and objects for each split, as in the tables of the PASCAL VOC challenge.
  std::string text() const;
  Json json() const;
};

/// Reads everything. With `problems` every example that cannot be loaded is added there and left out, and so
/// are pictures that stand in two splits; without, the first such example is the result.
Result<Statistics> measure(const Dataset &dataset, std::vector<Failure> *problems = nullptr);

} // namespace segc::train
