/// \file SampleSheet: what training will see, on one picture.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Augment.h"

namespace segc::train {

struct SheetOptions {
  std::string split;  ///< empty: the first
  int64_t count = 24; ///< cells
  int columns = 6;
  int64_t height = 0, width = 0; ///< of the crops; 0: whole pictures
  uint64_t seed = 0;
  enum Show { Overlay, Image, Mask, Weights } show = Overlay;
  /// With one, each row shows one picture: first as it is, then changed again and again.
  std::optional<Augmentation> augmentation;
};

Result<Picture> sampleSheet(const Dataset &dataset, const SheetOptions &options);

} // namespace segc::train
