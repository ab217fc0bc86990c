/// \file ColourBins: colours of a picture as classes, for colourising gray pictures by segmentation.
///
/// A colour is its light Y and two differences, blue minus light and red minus light (Cb and Cr of ITU-R
/// BT.601, as in JPEG, in steps of 1/255). The network sees Y and says the bin of (Cb, Cr): a square grid of
/// side x side bins around gray, `step` apart; the outermost also take what lies beyond. Bins whose centre is
/// no colour at any light are left out.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Description.h"

namespace segc::train {

class ColourBins {
public:
  /// `side` is odd, at least 3; `step` is in 255ths.
  ColourBins(int side, double step);

  int64_t count() const { return int64_t(centres.size()); }
  /// One class a bin, from gray outwards, shown at medium light.
  std::vector<ClassInfo> classes() const;
  /// The bin of each pixel of an RGB raster.
  Labels label(const Raster &raster) const;
  /// The picture that has the light of `gray` (one plane, 0 ... 1) and the colours of the bins; ignored
  /// pixels stay gray.
  Picture colour(const Planes &gray, const Labels &bins) const;

private:
  struct Chroma {
    float cb, cr;
  };
  int cellOf(float c) const;

  int side;
  float step;
  std::vector<Chroma> centres;    ///< of the bins
  std::vector<int32_t> binOfCell; ///< side * side, Cb outermost; cells left out have the nearest bin
};

} // namespace segc::train
