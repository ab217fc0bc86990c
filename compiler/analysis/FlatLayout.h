/// \file The order of a training library's parameters in its flat buffers.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/plan/Plan.h"
#include "mlir/IR/BuiltinOps.h"

namespace segc {

/// One tensor of the weights file.
struct FlatTensor {
  plan::WeightOp weight;
  int64_t first; ///< element at which it starts; a multiple of 16
};

/// Neighbours with the same multiple of the learning rate.
struct FlatSegment {
  int64_t first, count;
  double lrScale;
};

struct FlatLayout {
  std::vector<FlatTensor> tensors; ///< trainable ones first, by rising lr_scale, then in order of use
  std::vector<FlatSegment> segments;
  int64_t trainableElements = 0, totalElements = 0;
};

/// The layout of all tensors that @prepare and @run of a planned module name.
FlatLayout flatLayout(mlir::ModuleOp planned);

} // namespace segc
