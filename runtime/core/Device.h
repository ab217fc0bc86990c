/// \file Where a model's memory lies and its kernels run if that is not the processor: a GPU through a driver
/// that is opened when the first handle is created.
///
/// A device's memory has addresses like the host's, so views, arena and prepared block are computed by the
/// same code: only those who follow a pointer must know whose it is.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"
#include <stdlib.h>

namespace segc::rt {

struct Driver;

/// The code of one kernel object, shared by all handles of the library, and its entries by name.
struct Module {
  void *handle;
  static constexpr uint32_t kMost = 8;
  struct {
    const char *name; ///< a constant of the kernel object: compared by address
    void *function;
  } entries[kMost];
  uint32_t count;
};

/// One launch as Halide's code asks for it.
struct Launch {
  const char *entry;
  uint32_t blocks[3], threads[3], sharedBytes;
  void **args;           ///< the values of scalars; halide_buffer_t * for buffers
  const uint64_t *sizes; ///< bytes of each argument, up to a zero
  const int8_t *isBuffer;
};

/// What one handle has of a device. Created zeroed.
struct Device {
  const Driver *driver;
  void *stream; ///< work goes there in order: the handle's own, or the caller's
  void *ownStream;
  /// Null, or the stream that takes the work in its place while that is recorded.
  void *recorder;
  bool loading;   ///< launches only load their code, and see to it that what they need is there
  bool records;   ///< lists of work can be kept and replayed
  bool repeating; ///< work that may be recorded is being sent: runtime/core/Recording.h
  bool recording; ///< it is noted, not done
  bool runs90a;   ///< code for sm_90a, which no other architecture runs
  char *partial;  ///< sums of the parts of a convolution on tensor cores, of any one at a time
  uint64_t partialBytes;
  int status; ///< of the last load or launch that failed, and why it did
  char text[400];
};

/// A back end. What returns an int returns a status of the C interface with its text set, but load and
/// launch, which leave status and text in the device: the caller knows the layer.
struct Driver {
  const char *name;
  int (*open)(Device &device);
  void (*close)(Device &device);
  /// Memory aligned to 256 bytes; `what` is for the text of a failure.
  int (*allocate)(Device &device, uint64_t bytes, const char *what, char **memory);
  void (*release)(Device &device, char *memory);
  /// Memory of the host that the device copies to and from by itself (pinned), aligned to 64 bytes at least.
  int (*allocateHost)(Device &device, uint64_t bytes, char **memory);
  void (*releaseHost)(Device &device, char *memory);
  /// Both return when the host's memory may change.
  int (*upload)(Device &device, char *to, const void *from, uint64_t bytes);
  int (*download)(Device &device, void *to, const char *from, uint64_t bytes);
  /// The same, but both return at once, if the host's memory is pinned; it is the driver's until the stream
  /// was waited for.
  int (*post)(Device &device, char *to, const void *from, uint64_t bytes);
  int (*fetch)(Device &device, void *to, const char *from, uint64_t bytes);
  /// From one place of the device to another.
  int (*copy)(Device &device, char *to, const char *from, uint64_t bytes);
  /// Zeros in `width` bytes at each of `rows` places that are `pitch` bytes apart.
  int (*zero)(Device &device, char *to, uint64_t pitch, uint64_t width, uint64_t rows);
  /// Waits for everything in the stream.
  int (*finish)(Device &device);
  /// Null where the caller's tensors lie in the host's memory only. The caller's stream, or with null the
  /// handle's own again.
  int (*setStream)(Device &device, void *stream);
  /// Whether these bytes of a caller's tensor lie where he says, on this device or in the host's memory.
  /// `what` and `name` are for the text.
  int (*checkPlace)(Device &device, const void *data, uint64_t bytes, bool onDevice, const char *what,
                    const char *name);
  /// `code` is a kernel object's: runtime/core/Images.h.
  bool (*load)(Device &device, const char *code, uint64_t bytes, Module &module);
  void (*unload)(Module &module);
  bool (*launch)(Device &device, Module &module, const Launch &launch);
  /// Where `records` is set: from record() on, what this thread sends to the stream is noted, not done.
  /// keep() ends that; what was noted is replayed as one, or null if it is not wanted or the driver cannot.
  bool (*record)(Device &device);
  void *(*keep)(Device &device, bool wanted);
  int (*replay)(Device &device, void *recorded);
  void (*forget)(void *recorded);
};

/// Opens and closes a handle's device, whose driver is known. The code that a library has loaded is unloaded
/// with its last handle.
int openDevice(Device &device);
void closeDevice(Device &device);

/// The back end of this kind; in the core of libraries for processors there is none.
const Driver *driverOf(DeviceKind kind);

/// Loads an object's code once a library; `state` is the object's variable for it.
bool loadCode(Device &device, void **state, const char *code, uint64_t bytes);

/// Notes why a load or launch failed; false.
bool failLaunch(Device &device, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

extern const Driver kOpenClDriver, kCudaDriver;

/// Opens a driver's library by name; null without one.
void *openDriverLibrary(const char *name);
/// A function of it, null if it has none of this name.
void *findDriverCall(void *library, const char *name);
/// Which of the devices to use: $SEGC_DEVICE, 0 if it is not set or no number.
static inline int deviceNumber() {
  const char *text = getenv("SEGC_DEVICE");
  const int number = text ? atoi(text) : 0;
  return number < 0 ? 0 : number;
}

} // namespace segc::rt
