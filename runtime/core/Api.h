/// \file What the C functions of running and of training share: use by one thread at a time, checks of
/// arguments, questions about tensors.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Model.h"

// Generated for each model: its variants, best first.
extern "C" const segc::rt::Variant segc_model_variants[];
extern "C" const uint32_t segc_model_variant_count;

namespace segc::rt {

/// Marks a handle as in use for one call. `status` says whether that went well.
struct Use {
  segc_model_model *model;
  int status;
  explicit Use(segc_model_model *model);
  ~Use();
  Use(const Use &) = delete;
};

/// The fields that a question about an engine's inputs or outputs needs.
struct TensorList {
  Section Header::*section;
  const char *plural; ///< for texts: "inputs"
};

/// Each is a status of the C interface.
int checkIndex(const void *result, const char *resultName, int index, uint32_t count, const char *plural);
int checkThreads(int threads);
int checkTensorList(const void *tensors, int count, uint32_t wanted, const char *plural);
int tensorInfo(const Engine &engine, const TensorList &list, int index, segc_model_info *info);
/// `shapes` null: the current ones; `threads` 0: the current number.
int workspaceOf(const segc_model_model &model, const Engine &engine, const int64_t *shapes, int threads,
                size_t *bytes);

} // namespace segc::rt
