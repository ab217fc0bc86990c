/// \file BatchFile: samples as a loader gives them, in one tensor file, for programs that train otherwise.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/files/Safetensors.h"
#include "runtime/train/Loader.h"

namespace segc::train {

/// `count` samples (0: one pass through the split) as the tensors image [count, C, H, W], mask [count, H, W]
/// (i32, ignored pixels have options.ignore) and, where the data has them, weight [count, H, W]. Fails if
/// their sizes differ. `options.batch` does not matter.
Result<files::TensorFile> batchTensors(const Dataset &dataset, LoaderOptions options, int64_t count);

} // namespace segc::train
