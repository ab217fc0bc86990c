/// \file The optimiser of a model as the runtime reads it.
// SPDX-License-Identifier: MIT
#pragma once
#include "mlir/IR/BuiltinAttributes.h"
#include "runtime/core/ModelTable.h"
#include <vector>

namespace segc {

/// The module attribute hourglass.training as a row; its numbers of losses and elements are the caller's to
/// fill in.
rt::TrainingDesc describeTraining(mlir::DictionaryAttr training, std::vector<int64_t> &milestones);

} // namespace segc
