/// \file Finds the first NaN or infinity that a step writes.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"

namespace segc::rt {

/// An Inspector's function; `model` is a segc_model_model. Fails with NOT_FINITE if a result of the step, of
/// a floating type, has an element that is none: the text names the training step, the layers, the kernel's
/// problem and the first such element.
int inspectStep(void *model, const Header &table, const StepDesc &step, void *const *args);

} // namespace segc::rt
