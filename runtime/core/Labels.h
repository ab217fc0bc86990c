/// \file Checks that the labels of targets are classes, before kernels use them as indices.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"
#include "runtime/include/segc/model.h"

namespace segc::rt {

/// Every element of an input with TensorDesc::classes must be an integer in [0, classes) or its `ignore`. The
/// tensors are those that checkTensor() has accepted. A status of the C interface; the text names the first
/// label that is wrong, with its place. On up to `lanes` threads.
int checkLabels(const Header &table, const segc_model_tensor *inputs, int lanes);

} // namespace segc::rt
