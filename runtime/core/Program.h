/// \file The two step programs of a model made ready to run: a buffer descriptor for each view, an argument
/// vector for each step.
///
/// Everything that depends on shapes, weights or the workspace is written by bindStatic(); run() then only
/// writes the pointers and strides of the caller's tensors and calls kernels.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Lane.h"
#include "runtime/core/Layout.h"
#include "runtime/include/segc/model.h"
#include <HalideRuntime.h>

namespace segc::rt {

/// Memory that views point into.
struct Memory {
  char *arena; ///< null before there is a shape
  const void *const *weights;
  char *prepared;
};

struct Observer {
  segc_model_observer function;
  void *user;
};

struct Program {
  const Header *table = nullptr;
  const KernelFn *kernels = nullptr;
  halide_buffer_t *buffers = nullptr; ///< one for each view
  void **args = nullptr;              ///< for each step: &userContext, then its buffers
  uint32_t *vectors = nullptr;        ///< where in `args` a step begins: those of @prepare, then those of run
  void *userContext = nullptr;        ///< lane 0
  uint32_t *external = nullptr;       ///< views of inputs and outputs, which run() patches
  uint32_t externalCount = 0;

  /// Allocates descriptors and argument vectors; a status of the C interface.
  int allocate(const Header &table, const KernelFn *kernels, Lane *lane0);
  void free();

  /// Writes the descriptors of one program's views: extents, strides, and pointers into `memory`.
  void bindStatic(const Section &steps, const int64_t *sizes, const uint64_t *offsets, const Memory &memory);
  /// Writes pointers and strides of the views of the caller's tensors, which checkTensor() has accepted.
  void bindTensors(const int64_t *sizes, const segc_model_tensor *inputs, const segc_model_tensor *outputs);
  /// Runs the steps in order. Returns a status of the C interface.
  int run(const Section &steps, const int64_t *sizes, const uint64_t *offsets, char *arena,
          const Observer &observer);
};

/// Writes zeros around each image of a buffer that starts at `base`: the rows above and below, and the strips
/// between rows, where the right end of one row meets the left end of the next.
void zeroBorder(const BufferDesc &buffer, const int64_t *sizes, char *base);

} // namespace segc::rt
