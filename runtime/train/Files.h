/// \file Files: which picture and which mask each line of a data set's lists means.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Description.h"

namespace segc::train {

/// A picture of the data set.
struct Item {
  std::string name;    ///< the stem of its file's name
  std::string image;   ///< paths
  std::string mask;    ///< empty where the target needs none
  std::string objects; ///< the instance map beside a mask of classes, where there is one
};

struct SplitFiles {
  std::string name;
  std::vector<Item> items;
};
using FileLists = std::vector<SplitFiles>;

/// Reads the lists and finds every file they name. Fails at the first line whose picture or mask is missing,
/// and at a list that names nothing.
Result<FileLists> listFiles(const Description &description);

/// Takes guessed splits out whose files are no lists: a README.txt. Names such as train and val stay whatever
/// is in them, so that their errors are seen.
void dropWrongGuesses(Description &description);

} // namespace segc::train
