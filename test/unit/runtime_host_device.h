/// \file A device that is this processor: work is done when the host waits for it, as late as a GPU may do
/// it, and can be recorded.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Device.h"
#include <functional>
#include <vector>

namespace segc::test {

/// A handle's, in the order in which things were sent.
struct HostStream {
  using Work = std::vector<std::function<void()>>;
  Work queue;
  Work *capture = nullptr; ///< takes what is sent
  int launches = 0;        ///< one by one
  int replays = 0, recordings = 0, waits = 0;
  int failsIn = 0; ///< this launch, counted from 1, is refused
};

/// Of handles that are created from now on.
extern bool hostRecords;
/// The next recordings are refused, once they are complete.
extern bool hostRefusesRecordings;
/// Recordings and blocks of memory that there are.
int hostThings();
/// tinyKernels of such a device.
const rt::KernelFn *hostKernels();

} // namespace segc::test
