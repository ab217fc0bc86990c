/// \file Dataset: the pictures of a folder with what a network shall say of them.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Files.h"

namespace segc::train {

/// A picture with its target, as the files give them.
struct Example {
  Raster image;
  Labels labels;    ///< classes, or `ignored`
  Planes weights;   ///< one plane of factors for the pixels' losses; empty where all are 1
  Labels instances; ///< numbers of objects, where the files hold them and load() was asked for them
};

/// What load() shall do beside image and labels.
struct LoadOptions {
  bool weights = true;
  bool instances = false;
};

/// Never throws; may be used by several threads at once.
class Dataset {
public:
  /// The data in a folder, or of a JSON file (docs/data.md). Checks that every file named by the lists is
  /// there, and reads none of them but those that guessing the classes needs.
  static Result<Dataset> open(const std::string &path);

  const Description &description() const { return about; }
  const std::vector<ClassInfo> &classes() const { return about.classes; }
  /// What was guessed, for people.
  const std::vector<std::string> &notes() const { return about.notes; }
  /// Whether examples have weights.
  bool weighted() const { return about.border || !about.classWeights.empty(); }

  const FileLists &splits() const { return lists; }
  /// The items of a split, or which splits there are.
  Result<const std::vector<Item> *> items(const std::string &split) const;

  /// Deals the masks of a split out anew among its pictures, in an order that depends on `seed` alone, so
  /// that no picture keeps its own: a network that still scores well has not learnt from the labels.
  void shuffleMasks(const std::string &split, uint64_t seed);

  /// Reads one example. Fails, with file, pixel and remedy, where sizes differ or a label is no class.
  Result<Example> load(const Item &item, const LoadOptions &options = {}) const;

private:
  Result<Example> read(const Item &item, const LoadOptions &options) const;

  Description about;
  FileLists lists;
  /// From mask values to classes, `ignored`, or `unknown`.
  std::vector<int32_t> classOfValue;
  std::vector<std::pair<uint32_t, int32_t>> classOfColour; ///< sorted by 0xrrggbb
};

} // namespace segc::train
