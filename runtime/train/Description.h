/// \file Description: what a data set is made of: files, classes, targets, splits; from dataset.json or from
/// the folder's layout. docs/data.md explains every field.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Types.h"

namespace segc::train {

/// A class of the network, and what stands for it in mask files.
struct ClassInfo {
  std::string name;
  Colour colour{};             ///< in which it is shown
  std::vector<int32_t> values; ///< in masks of numbers
  std::vector<Colour> colours; ///< in masks of colours
};

/// What the pixels of a mask file say.
enum class Encoding {
  Values,   ///< numbers: gray or palette
  Colours,  ///< a colour a class
  Instances ///< the number of the object, 0 for none
};

/// What the network learns.
enum class Target {
  Classes,   ///< the class of each pixel
  Boundary,  ///< background, inside, boundary of objects
  ColourBins ///< the bin of the colour that the gray picture had
};

/// The touching-border weights of Ronneberger, Fischer, Brox 2015: w0 * exp(-(d1 + d2)^2 / (2 sigma^2)).
struct BorderWeights {
  double w0 = 10, sigma = 5;
  std::vector<int32_t> objects; ///< classes whose connected regions are objects; empty: all but the first
};

/// How pixels become the network's numbers: (pixel / white * range - mean) / deviation.
struct InputFormat {
  int channels = 0; ///< 1 or 3; 0: what the network wants
  int white = 0;    ///< the sample that stands for 1; 0: the largest of the file's depth
  double range = 1;
  std::vector<double> mean, deviation; ///< one number, or one a channel; empty: 0 and 1
  bool bgr = false;                    ///< blue first
  int shrink = 1;                      ///< pictures become smaller by this factor when they are read
};

/// A part of the data: named by a list file, or a share of all pictures.
struct Split {
  std::string name, list;
  double share = 0;
  bool guessed = false; ///< a text file of the folder that may be a list
};

struct Description {
  std::string file; ///< what messages name: dataset.json, or the folder
  std::string root; ///< what relative names start from
  std::string images, masks;
  std::string objects; ///< instance maps beside masks of classes, for counting objects; may be empty
  Encoding encoding = Encoding::Values;
  std::vector<ClassInfo> classes;
  std::vector<int32_t> ignoredValues;
  std::vector<Colour> ignoredColours;
  Target target = Target::Classes;
  int boundaryRadius = 1;
  bool boundaryInside = true; ///< three classes; else boundary and rest
  bool separate = false;      ///< instances to classes: pixels between two objects become background
  int colourBins = 5;         ///< a side of the grid (ColourBins.h)
  double colourStep = 12;     ///< its spacing in 255ths
  std::vector<Split> splits;
  uint64_t splitSeed = 0;
  InputFormat input;
  std::optional<BorderWeights> border;
  std::vector<double> classWeights; ///< empty: all 1
  std::vector<std::string> notes;   ///< what was guessed
};

/// The description in the folder or JSON file at `path`. A folder without dataset.json is described by its
/// layout, where that is a known one.
Result<Description> describe(const std::string &path);

// The parts of describe() that know folders (Layouts.cpp).

/// "voc", "camvid", "pairs", or nothing.
std::string recogniseLayout(const std::string &folder);
/// What the layout says of files, classes, ignored values and splits.
Description layoutDescription(const std::string &layout, const std::string &folder);
/// Looks into masks to say whether they hold instances or classes, and which.
std::optional<Failure> guessClasses(Description &description);

} // namespace segc::train
