/// \file Work that a device does again and again: recorded when it is done for the second time, and replayed
/// as one from then on.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/Device.h"

namespace segc::rt {

/// What a device keeps of some work for the memory that this is bound to. Zeroed: nothing yet.
struct Recording {
  bool hasRun;    ///< with this memory
  void *recorded; ///< to be replayed as one

  void drop(Device *device) {
    if (recorded)
      device->driver->forget(recorded);
    *this = {};
  }
};

/// Does `work`, which sends launches and copies on the device to its stream, always the same ones, and
/// returns a status of the C interface. It may be called twice: what is recorded is not done. The first time
/// makes the driver load what it loads late, and memory that changes with each time costs no recording. Work
/// within other work is part of that.
template <typename Work> int repeat(Device &device, Recording &of, const Work &work) {
  const Driver &driver = *device.driver;
  if (!device.records || device.repeating)
    return work();
  if (of.recorded)
    return driver.replay(device, of.recorded);
  device.repeating = true;
  device.recording = of.hasRun && driver.record(device);
  const int status = work();
  device.repeating = false;
  of.hasRun = !status;
  if (!device.recording)
    return status;
  device.recording = false;
  of.recorded = driver.keep(device, !status);
  if (of.recorded)
    return driver.replay(device, of.recorded);
  device.records = false; // what this driver cannot record it will not record later
  return work();
}

} // namespace segc::rt
