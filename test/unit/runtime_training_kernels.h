/// \file The kernels of the tiny network, by their index in its tables.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"

namespace segc::test {

/// What the network sums over its pixels, in double: squares of errors, errors times each channel of x,
/// errors, pixels that count; and the mean of x.
enum Sums { kSquares, kProducts, kErrors = 4, kCount, kTotal, kSums };

enum Kernel : uint32_t {
  kCopy,
  kImportLabels,
  kCopyGain,
  kErrorsOf,
  kSumsOf,
  kGradW,
  kGradB,
  kLosses,
  kRunningMean,
  kGradX,
  kPack,
  kShift,
  kPredict,
  kSumSquares,
  kSgd,
  kMomentum,
  kNesterov,
  kAdam,
  kAdamW,
  kEma,
  kAccumulate,
  kScale,
  kUnscale
};

extern const rt::KernelFn tinyKernels[];

} // namespace segc::test
