/// \file What stands for GPUs in the core of libraries for processors.
// SPDX-License-Identifier: MIT
#include "runtime/core/Device.h"

namespace segc::rt {

const Driver *driverOf(DeviceKind) { return nullptr; }
int openDevice(Device &device) { return device.driver->open(device); }
void closeDevice(Device &) {}

} // namespace segc::rt
