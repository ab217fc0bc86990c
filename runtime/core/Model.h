/// \file A model's handle: variant, weights, shape, workspace, lanes.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Lane.h"
#include "runtime/core/Layout.h"
#include "runtime/core/Pool.h"
#include "runtime/core/Program.h"
#include "runtime/core/Tensor.h"
#include "runtime/core/Weights.h"

/// Created zeroed; destroyed in any state.
struct segc_model_model {
  const segc::rt::Header *table;
  segc::rt::Program program;
  segc::rt::Layout layout;   ///< layout.sizes is null while there is no shape
  segc::rt::Weights weights; ///< those that run() reads unprepared
  char *prepared;
  segc::rt::Span *spans; ///< room for run() to note where the caller's tensors lie
  char *workspace;
  size_t workspaceBytes;
  bool callersWorkspace;
  bool retained; ///< the pool
  segc::rt::Crew crew;
  segc::rt::Lane lanes[segc::rt::kMaxThreads];
  segc::rt::Observer observer;
  char note[1000];
  int busy; ///< 1 while a thread is inside
};

namespace segc::rt {

/// Finds a variant, checks and prepares the weights, sets the default shape if there is one.
int createModel(const Variant *variants, uint32_t count, const void *weights, size_t bytes,
                segc_model_model **model);
void destroyModel(segc_model_model *model);

/// The operations of the C interface without its checks of arguments and of concurrent use.
int setShape(segc_model_model &model, const int64_t *shapes);
int setThreads(segc_model_model &model, int threads);
int setWorkspace(segc_model_model &model, void *memory, size_t bytes);
int runModel(segc_model_model &model, const segc_model_tensor *inputs, const segc_model_tensor *outputs);

} // namespace segc::rt
