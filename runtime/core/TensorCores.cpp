/// \file Launches convolutions on tensor cores: from the executor's views to the kernels' arguments.
// SPDX-License-Identifier: MIT
#include "runtime/core/TensorCores.h"
#include "runtime/core/Device.h"
#include "runtime/core/Lane.h"
#include "runtime/include/segc/model.h"
#include <HalideRuntime.h>
#include <dlfcn.h>

namespace segc::rt {
namespace {

using tensorcore::Arguments;

/// The operands of one call, as views of (c, x, y, n), packed weights, and vectors.
struct Operands {
  explicit Operands(const TensorCoreKernel &kernel) : kernel(kernel), all{}, count(0) {}
  const TensorCoreKernel &kernel;
  static constexpr uint32_t kMost =
      3 * tensorcore::maxPhases + tensorcore::maxVectors + tensorcore::maxTensors;
  /// In the order of the kernel's arguments: x, weights, …, y, with as many of x, weights and y as there are
  /// phases; a kernel that pools has one to five y (docs/kernels.md); of a weight gradient x, dy, its sums.
  const halide_buffer_t *all[kMost];
  uint32_t count;
  uint32_t phases() const { return uint32_t(kernel.grid.phases); }
  bool pools() const { return kernel.grid.pool != 0; }
  bool keepsPixels() const { return kernel.grid.pool & kKeepsPixels; }
  uint32_t writes() const {
    return !pools() ? phases() : keepsPixels() ? 5 : kernel.grid.pool & kPoolsIndex ? 2 : 1;
  }
  const halide_buffer_t &x(uint32_t phase) const { return *all[phase]; }
  const halide_buffer_t &weights(uint32_t phase) const { return *all[phases() + phase]; }
  const halide_buffer_t &operand(uint32_t i) const { return *all[2 * phases() + i]; }
  const halide_buffer_t &result(uint32_t phase) const { return *all[count - writes() + phase]; }
  /// Extents of the convolution's result, or of its gradient.
  int images() const { return pixels().dim[3].extent; }
  int height() const { return (pools() ? 2 : 1) * pixels().dim[2].extent; }
  int width() const { return (pools() ? 2 : 1) * pixels().dim[1].extent; }

private:
  const halide_buffer_t &pixels() const { return kernel.grid.columns ? *all[1] : result(0); }
};

tensorcore::View viewOf(const halide_buffer_t &buffer) {
  auto octets = [&](int axis) { return buffer.dim[axis].stride / 8; };
  return {reinterpret_cast<char *>(buffer.host), octets(3), octets(2), octets(1)};
}

Operands operandsOf(const TensorCoreKernel &kernel, void **args) {
  Operands result(kernel);
  uint32_t count = 2 * result.phases() + result.writes();
  for (const char *operand = kernel.operands; *operand; ++operand)
    ++count;
  for (; result.count < count && result.count < Operands::kMost; ++result.count)
    result.all[result.count] = static_cast<const halide_buffer_t *>(args[1 + result.count]);
  return result;
}

/// From one tensor to another, in units of `bytes`.
int distance(const halide_buffer_t &from, const halide_buffer_t &to, int bytes) {
  return int((reinterpret_cast<int64_t>(to.host) - reinterpret_cast<int64_t>(from.host)) / bytes);
}

/// The phases' inputs are views of equal extents of one tensor. All pixels that they show exist, so it does
/// not matter in which row one is counted to be: their distances are columns.
void fillPhases(const Operands &operands, Arguments &a) {
  constexpr int kEverywhere = 1 << 29;
  const halide_buffer_t *first = &operands.x(0);
  for (uint32_t i = 1; i < operands.phases(); ++i)
    first = operands.x(i).host < first->host ? &operands.x(i) : first;
  a.x[0] = viewOf(*first);
  a.inHeight = a.inWidth = kEverywhere;
  const int bytes = first->type.bits / 8;
  for (uint32_t i = 0; i < operands.phases(); ++i)
    a.phases[i] = {distance(operands.weights(0), operands.weights(i), 16),
                   distance(operands.result(0), operands.result(i), 8 * bytes), 0,
                   distance(*first, operands.x(i), bytes * first->dim[1].stride)};
}

/// Where the pixels and their maxima go. The first of the four results that interleave begins where the
/// pixels do, and shows every second one of them.
void fillPool(const Operands &operands, Arguments &a) {
  a.pooled = viewOf(operands.result(operands.writes() == 5 ? 4 : 0));
  if (operands.writes() == 2)
    a.index = viewOf(operands.result(1));
  if (operands.keepsPixels()) {
    a.y.row /= 2;
    a.y.pixel /= 2;
  }
}

/// The views' origins are the padding already, and their pixels all exist.
void fill(const Operands &operands, char *partial, Arguments &a) {
  const TensorCoreKernel &kernel = operands.kernel;
  const halide_buffer_t &x = operands.x(0);
  a.x[0] = viewOf(x);
  a.y = viewOf(kernel.grid.columns ? *operands.all[1] : operands.result(0));
  if (kernel.grid.columns)
    partial = reinterpret_cast<char *>(operands.result(0).host);
  else
    a.weights = reinterpret_cast<const char *>(operands.weights(0).host);
  a.partial = reinterpret_cast<float *>(partial);
  a.images = operands.images();
  a.height = operands.height();
  a.width = operands.width();
  a.parts = launchedParts(kernel.grid, a.images, a.height, a.width);
  a.inHeight = x.dim[2].extent;
  a.inWidth = x.dim[1].extent;
  if (operands.phases() > 1)
    fillPhases(operands, a);
  if (operands.pools())
    fillPool(operands, a);
  int vectors = 0, tensors = 0;
  for (uint32_t i = 0; kernel.operands[i]; ++i) {
    const halide_buffer_t &operand = operands.operand(i);
    if (kernel.operands[i] == 't')
      a.tensors[tensors++] = viewOf(operand);
    else
      a.vectors[vectors++] = reinterpret_cast<const float *>(operand.host);
  }
}

/// Bytes from a view's first to behind its last element.
EmulatedRange rangeOf(const halide_buffer_t &buffer, bool writable) {
  int64_t last = 0;
  for (int d = 0; d < buffer.dimensions; ++d)
    last += int64_t(buffer.dim[d].extent - 1) * buffer.dim[d].stride;
  return {buffer.host, uint64_t(last + 1) * (uint64_t(buffer.type.bits) / 8), writable};
}

/// Adds a range to those that are there; what meets becomes one, for parts of one tensor lie side by side.
void addRange(EmulatedRange *ranges, uint32_t &count, EmulatedRange next) {
  for (uint32_t i = 0; i < count;) {
    char *const begin = static_cast<char *>(ranges[i].begin), *const end = begin + ranges[i].bytes;
    char *const nextBegin = static_cast<char *>(next.begin), *const nextEnd = nextBegin + next.bytes;
    if (nextEnd <= begin || end <= nextBegin) {
      ++i;
      continue;
    }
    char *const first = begin < nextBegin ? begin : nextBegin, *const last = end > nextEnd ? end : nextEnd;
    next = {first, uint64_t(last - first), next.writable || ranges[i].writable};
    ranges[i] = ranges[--count];
    i = 0;
  }
  ranges[count++] = next;
}

bool emulate(Device &device, const Operands &operands, const Arguments &a, uint64_t partial) {
  const TensorCoreKernel &kernel = operands.kernel;
  const EmulatedWarp warp = reinterpret_cast<EmulatedWarp>(dlsym(RTLD_DEFAULT, kEmulatedWarp));
  if (!warp)
    return failLaunch(device, SEGC_MODEL_NO_DEVICE,
                      "it is for tensor cores, which OpenCL does not have: only segc's tools emulate them; "
                      "compile the model with -target cuda, or with -precision f32");
  if (device.loading)
    return true;
  EmulatedRange ranges[Operands::kMost + 1];
  uint32_t count = 0;
  for (uint32_t i = 0; i < operands.count; ++i)
    addRange(ranges, count, rangeOf(*operands.all[i], i + operands.writes() >= operands.count));
  if (partial)
    addRange(ranges, count, {a.partial, partial, true});
  char error[sizeof device.text] = "";
  const EmulatedLaunch launch = {kernel.problem, kernel.schedule, &a, ranges, count, error, sizeof error};
  if (device.driver->finish(device)) // what has made the operands
    return failLaunch(device, SEGC_MODEL_DEVICE_FAILED, "the device failed before it");
  return warp(&launch) || failLaunch(device, SEGC_MODEL_DEVICE_FAILED, "on the emulated warp: %s", error);
}

/// Memory for partial sums is made when a shape is set, the most that any kernel of the handle needs: they
/// run one after another. Where there is no more the old one stays, for the handle's other program has a
/// shape still.
bool reserve(Device &device, uint64_t bytes) {
  if (bytes <= device.partialBytes)
    return true;
  if (!device.loading)
    return failLaunch(device, SEGC_MODEL_DEVICE_FAILED, "it needs %llu bytes of partial sums, there are %llu",
                      (unsigned long long)bytes, (unsigned long long)device.partialBytes);
  char *larger = nullptr;
  if (int status = device.driver->allocate(device, bytes, "partial sums", &larger))
    return failLaunch(device, status, "the device has no memory for %llu bytes of partial sums",
                      (unsigned long long)bytes);
  if (device.partial)
    device.driver->release(device, device.partial);
  device.partial = larger;
  device.partialBytes = bytes;
  return true;
}

bool launchOne(Device &device, const TensorCoreKernel &kernel, bool adds, Arguments &a) {
  const TensorCoreGrid &grid = kernel.grid;
  const int64_t blocks = (adds ? sumBlocks : gemmBlocks)(grid, a.images, a.height, a.width);
  void *arguments[] = {&a};
  const uint64_t sizes[] = {sizeof a, 0};
  const int8_t isBuffer[] = {0};
  const Launch launch = {adds ? kernel.sum : kernel.entry,
                         {uint32_t(blocks), uint32_t(grid.phases), adds ? 1 : uint32_t(a.parts)},
                         {uint32_t(adds ? kSumThreads : grid.threads), 1, 1},
                         uint32_t(adds ? 0 : grid.sharedBytes),
                         arguments,
                         sizes,
                         isBuffer};
  return device.driver->launch(device, *static_cast<Module *>(*kernel.state), launch);
}

/// Kernels count pixels and octets in 31 bits (schedules/tensorcore/Problem.h).
bool isCountable(const Operands &operands) {
  constexpr double kMost = 0x1p31;
  if (8. * operands.width() * operands.height() * operands.images() >= kMost)
    return false;
  for (uint32_t i = 0; i < operands.count; ++i) {
    const halide_buffer_t &buffer = *operands.all[i];
    double last = 0;
    for (int d = 1; buffer.dimensions == 4 && d < 4; ++d)
      last += double(buffer.dim[d].extent - 1) * buffer.dim[d].stride;
    if (last / 8 * (buffer.type.bits / 16.) >= kMost)
      return false;
  }
  return true;
}

/// Which of its two descriptions a kernel is launched by: that of warpgroups where the GPU runs it, and where
/// segc's tools emulate it.
const TensorCoreKernel &chosen(const Device &device, const TensorCoreKernel &kernel) {
  return kernel.groups && (device.runs90a || !kernel.code) ? *kernel.groups : kernel;
}

bool launch(Device &device, const TensorCoreKernel &kernel, void **args) {
  const Operands operands = operandsOf(kernel, args);
  if (device.loading && !isCountable(operands)) // when a shape is set
    return failLaunch(
        device, SEGC_MODEL_INVALID_SHAPE,
        "%d images of %d x %d pixels are too many for one launch on tensor cores: split the batch "
        "or the pictures",
        operands.images(), operands.height(), operands.width());
  const uint64_t partial =
      uint64_t(partialBytes(kernel.grid, operands.images(), operands.height(), operands.width()));
  if (!reserve(device, partial))
    return false;
  Arguments a = {};
  fill(operands, device.partial, a);
  if (!kernel.code)
    return emulate(device, operands, a, partial);
  if (!loadCode(device, kernel.state, kernel.code, kernel.codeBytes))
    return false;
  return device.loading || (launchOne(device, kernel, false, a) &&
                            (a.parts == 1 || !kernel.sum || launchOne(device, kernel, true, a)));
}

} // namespace
} // namespace segc::rt

/// What the objects of tensor-core kernels call; `args` as the executor's kernels get them.
extern "C" int segc_tensorcore_launch(const segc::rt::TensorCoreKernel *kernel, void **args) {
  segc::rt::Device &device = *(*static_cast<segc::rt::Lane **>(args[0]))->crew->device;
  return segc::rt::launch(device, segc::rt::chosen(device, *kernel), args)
             ? 0
             : halide_error_code_device_run_failed;
}
