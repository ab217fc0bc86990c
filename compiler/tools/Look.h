/// \file Looking inside a network: what makes a class score high, what makes a filter answer.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/OpenModel.h"
#include "runtime/train/Dataset.h"

namespace segc {

/// Pictures as the network sees them: the data set's format, or values 0 ... 1.
struct Viewing {
  std::optional<train::Dataset> dataset; ///< of -data, where that is a data set
  std::vector<std::string> names;        ///< of its classes
  int64_t height = 0, width = 0;         ///< -size; 0: as they are

  const train::InputFormat &format() const {
    static const train::InputFormat plain;
    return dataset ? dataset->description().input : plain;
  }
};

/// A layer whose channels are looked at, in a model that was imported up to it.
struct LookedAt {
  std::string name;     ///< as written: a layer or an instance
  std::string producer; ///< the layer
  int64_t channels = 0;
  int64_t height = 0, width = 0; ///< of the layer at the input's default size; 0 where that is open
};

/// Finds the layer that -layer names, or the first output, and makes it the model's only output, for pictures
/// of -size where that is given. Prints what is wrong (with the nearest name) and returns nothing otherwise.
std::optional<LookedAt> lookAt(const ToolOptions &options, const Viewing &viewing, LoadedModel &loaded);

/// The channels that `id` lists ("0,3,7"), or the first `most`. Prints an error for one there is not.
std::optional<std::vector<int64_t>> readChannels(const ToolOptions &options, unsigned id,
                                                 const LookedAt &layer, int64_t most);

/// Reads -data (if it is a data set) and -size; false after printing an error.
bool readViewing(const ToolOptions &options, Viewing &viewing);

/// Pictures that make the score of single channels high: ascends mean score - decay * mean (x - gray)^2 from
/// noise (Simonyan, Vedaldi, Zisserman 2014).
int lookClasses(const ToolOptions &options, std::unique_ptr<LoadedModel> loaded, const Viewing &viewing);

/// The patches of the pictures in -data at which single channels have their greatest values.
int lookPatches(const ToolOptions &options, std::unique_ptr<LoadedModel> loaded, const Viewing &viewing);

} // namespace segc
