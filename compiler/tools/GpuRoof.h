/// \file What an NVIDIA GPU can do at most, from what its driver says of it.
// SPDX-License-Identifier: MIT
#pragma once
#include <optional>
#include <string>

namespace segc {

/// Rates at the highest clocks, in GFLOP/s and GB/s.
struct GpuRoof {
  std::string device;
  double single; ///< multiply-adds of the f32 units
  double tensor; ///< of the tensor cores on bf16 and f16, dense, f32 sums; on TF32 half of it
  double memory; ///< between the GPU and its memory

  /// The least time in ms for this many operations and bytes in a kernel with this problem: its dtype says
  /// which units can do the work.
  double leastMilliseconds(double operations, double bytes, const std::string &problem) const;
};

/// Of the device that a library would take ($SEGC_DEVICE, 0). Null without a driver.
std::optional<GpuRoof> gpuRoof();

} // namespace segc
