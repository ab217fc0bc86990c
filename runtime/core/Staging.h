/// \file The caller's tensors on a device: dense copies in the caller's own order of axes, so that only bytes
/// that are elements cross the bus.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Device.h"
#include "runtime/include/segc/model.h"

namespace segc::rt {

/// Created zeroed. Inputs, then outputs.
struct Staging {
  segc_model_tensor *tensors; ///< on the device, during a run
  char *memory;               ///< of all tensors, on the device
  char *bounce;               ///< the same here, pinned: the device copies while this code goes on
  uint64_t *offsets;          ///< of each tensor in both

  /// Room for all tensors of the table at these sizes; what there was goes. A status of the C interface.
  int allocate(Device &device, const Header &table, const int64_t *sizes);
  void free(Device &device);

  /// Describes all tensors and copies the inputs, which may change at once. Their shapes are right and their
  /// elements distinct, and what was sent before has arrived.
  int upload(Device &device, const Header &table, const segc_model_tensor *inputs,
             const segc_model_tensor *outputs);
  /// Copies the outputs to where the caller wants them, and nothing between their elements. Waits for the
  /// run.
  int download(Device &device, const Header &table, const segc_model_tensor *outputs);
};

} // namespace segc::rt
