/// \file Figures: pictures that show labels, errors and confusion matrices.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Dataset.h"
#include "runtime/train/Metrics.h"

namespace segc::train {

/// The matrix with each row divided by its sum, from white (0) to dark blue (1), with the shares in percent
/// and the names of the classes. Fails for more than 64 classes.
Result<Picture> heatMap(const ConfusionMatrix &matrix, const std::vector<std::string> &names);

/// The classes' colours over a picture; ignored pixels are black.
Picture labelOverlay(const Picture &picture, const Labels &labels, const std::vector<ClassInfo> &classes,
                     float alpha = 0.5f);
/// The classes' colours alone.
Picture labelPicture(const Labels &labels, const std::vector<ClassInfo> &classes);

/// Colours of errors in errorOverlay.
constexpr Colour falseAlarm = {255, 0, 200}; ///< predicted, but the truth is class 0
constexpr Colour missed = {0, 200, 255};     ///< class 0 predicted where there is something
constexpr Colour mistaken = {255, 210, 0};   ///< another class than the truth, neither of them 0

/// The picture in gray with wrong pixels in the colours above; where the truth is ignored it is dark. The
/// extents of all three agree.
Picture errorOverlay(const Picture &picture, const Labels &truth, const Labels &prediction);

/// A plane as a picture, from black (0) to white (`white`).
Picture planePicture(const Planes &plane, float white);

} // namespace segc::train
