/// \file What stands for training in the core of libraries that only infer.
// SPDX-License-Identifier: MIT
#include "runtime/core/Error.h"
#include "runtime/core/Model.h"

namespace segc::rt {

int createTraining(segc_model_model &, const void *, size_t) {
  return fail(SEGC_MODEL_KERNEL_FAILED, "the library is damaged: it has a training table, but cannot train");
}

void destroyTraining(segc_model_model &) {}
int returnFlat(segc_model_model &) { return SEGC_MODEL_OK; }

} // namespace segc::rt
