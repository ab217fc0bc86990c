/// \file One training step without the update, through a library's C interface.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/RunTensors.h"

namespace segc {

/// Runs grad() `repeat` times on the inputs and targets of `file`. `outputs` gets "loss" and, where there are
/// several, "loss.<name>" of each, "grad.<weight>" of every trainable weight and "grad.<input>" of every
/// input in `wrt`; `milliseconds` the least and the median time. On failure a sentence.
std::optional<std::string> runTrainingStep(Instance &instance, const files::TensorFile &file, int repeat,
                                           std::vector<OutputTensor> &outputs, double milliseconds[2]);

} // namespace segc
