/// \file One table made ready to run: descriptors, shape, prepared weights.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Layout.h"
#include "runtime/core/Program.h"
#include "runtime/core/Staging.h"
#include "runtime/core/Tensor.h"
#include "runtime/core/Weights.h"

namespace segc::rt {

/// A handle has one for inference, one for training, or both. Zeroed: the library has no such table.
struct Engine {
  const Header *table;
  Program program;
  Layout layout;              ///< layout.sizes is null while there is no shape
  int64_t *constants;         ///< the sizes with those filled in that depend on no shape
  const void *const *weights; ///< in the table's order; belongs to the handle
  const TrainMemory *train;   ///< null for inference; belongs to the handle
  char *prepared;
  Span *spans;     ///< room to note where the caller's tensors lie
  bool stale;      ///< the weights are newer than `prepared`
  Staging staging; ///< of a model that runs on a device
  Places there;    ///< where the caller's tensors are, by his word

  /// Everything that needs neither weights nor a shape; a status of the C interface.
  int allocate(const Header &header, const KernelFn *kernels, Lane *lane0, Device *device);
  void free();

  /// Allocates `prepared` and binds @prepare to it; `weights` stay where they are from now on.
  int allocatePrepared();
  /// Runs @prepare. The lanes have scratch. Given the weights as they were read, and not yet moved elsewhere,
  /// pages of a mapped file are let go once they are used, so that it does not lie in memory beside all that
  /// was made of it.
  int prepare(const Weights *read = nullptr);

  /// What a device needs for the current shape: code, and room for the caller's tensors. Nothing without one.
  int readyDevice();

  /// Bytes of workspace for the current shape, 0 without one.
  uint64_t workspaceBytes(int threads) const;
  /// Binds the steps that run() or grad() takes to the workspace, in which borders may stand from one run to
  /// the next if it is the handle's `own`. Without a shape nothing happens.
  void bind(char *workspace, bool own);

  /// Checks every tensor of a call, then that no output meets another tensor or the workspace.
  int checkTensors(const segc_model_tensor *inputs, const segc_model_tensor *outputs, const Span &workspace);
  /// The three parts of run(): binds what checkTensors() has accepted, of which a device is sent the inputs;
  int send(const segc_model_tensor *inputs, const segc_model_tensor *outputs);
  /// @prepare where that is due, then the steps;
  int compute(char *workspace, const Observer &observer, const Inspector &inspector);
  /// copies what a device has computed, and waits for it, after a failure (`status`) too.
  int receive(const segc_model_tensor *outputs, int status);
  int run(const segc_model_tensor *inputs, const segc_model_tensor *outputs, char *workspace,
          const Observer &observer, const Inspector &inspector);
};

} // namespace segc::rt
