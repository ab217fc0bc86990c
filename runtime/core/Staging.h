/// \file The caller's tensors on a device: dense copies in the caller's own order of axes, so that only bytes
/// that are elements cross the bus.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Device.h"
#include "runtime/include/segc/model.h"

namespace segc::rt {

/// Where the caller's tensors are: false the host's memory, true the device's, from which and to which
/// kernels read and write without copies.
struct Places {
  bool inputs, outputs;
};

/// Created zeroed. Inputs, then outputs.
struct Staging {
  segc_model_tensor *tensors; ///< on the device, during a run
  char *memory;               ///< of all tensors, on the device
  char *bounce;               ///< the same here, pinned: the device copies while this code goes on
  uint64_t *offsets;          ///< of each tensor in both
  bool isSending;             ///< nobody has waited yet for what upload() sent

  /// Room for all tensors of the table at these sizes; what there was goes. A status of the C interface.
  int allocate(Device &device, const Header &table, const int64_t *sizes);
  void free(Device &device);

  /// Describes all tensors and copies the inputs, which may change at once. Their shapes are right and their
  /// elements distinct.
  int upload(Device &device, const Header &table, const segc_model_tensor *inputs,
             const segc_model_tensor *outputs, Places there);
  /// Copies the outputs to where the caller wants them, and nothing between their elements. Waits for the
  /// run, but if they are on the device and the stream is the caller's, who can wait himself.
  int download(Device &device, const Header &table, const segc_model_tensor *outputs, Places there);
};

} // namespace segc::rt
