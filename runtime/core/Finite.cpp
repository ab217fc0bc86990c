/// \file Looks at exponents, in parallel; the place is looked for only where there is something to find.
/// Results on a device are copied first.
// SPDX-License-Identifier: MIT
#include "runtime/core/Finite.h"
#include "runtime/core/Error.h"
#include "runtime/core/Table.h"
#include "runtime/core/Training.h"
#include <stdlib.h>
#include <string.h>

namespace segc::rt {
namespace {

/// Elements of a task: about 5 microseconds.
constexpr int64_t kTask = 1 << 15;

/// A result as rows of equally spaced elements. Dimensions that follow each other in memory without a gap are
/// one, so that a dense tensor is a single row, cut into pieces.
struct Scan {
  const uint8_t *host;
  uint32_t bytes; ///< of an element; exponent bits all set: not finite
  int dimensions;
  int64_t extents[kMaxRank], strides[kMaxRank];
  int64_t rows, rowsOfTask, pieces; ///< a task has several rows, or one of the pieces of a row
  DType dtype;

  int64_t tasks() const { return (rows + rowsOfTask - 1) / rowsOfTask * pieces; }
};

bool isFloating(DType type) {
  return type == DType::F32 || type == DType::F64 || type == DType::F16 || type == DType::BF16;
}

/// The value's bits are at `p`, aligned. Infinity and NaN are what has all exponent bits set (IEEE 754, 3.4).
template <typename T> bool allFinite(const uint8_t *p, int64_t count, int64_t stride, T exponent) {
  const T *values = reinterpret_cast<const T *>(p);
  T found = 0;
  int64_t i = 0;
  if (stride == 1) // a fixed number of elements at once: the compiler makes vectors of them, 8 times as fast
    for (; i + 64 <= count; i += 64)
      for (int k = 0; k < 64; ++k)
        found |= T((values[i + k] & exponent) == exponent);
  for (; i < count; ++i)
    found |= T((values[i * stride] & exponent) == exponent);
  return !found;
}

bool allFinite(DType type, const uint8_t *p, int64_t count, int64_t stride) {
  switch (type) {
  case DType::F64:
    return allFinite<uint64_t>(p, count, stride, 0x7ff0000000000000u);
  case DType::F16:
    return allFinite<uint16_t>(p, count, stride, 0x7c00);
  case DType::BF16:
    return allFinite<uint16_t>(p, count, stride, 0x7f80);
  default:
    return allFinite<uint32_t>(p, count, stride, 0x7f800000u);
  }
}

Scan scanOf(const halide_buffer_t &buffer, DType type) {
  Scan scan = {buffer.host, bytesOf(type), 1, {1}, {1}, 1, 1, 1, type};
  for (int k = 0; k < buffer.dimensions; ++k) {
    const int last = scan.dimensions - 1;
    const int64_t extent = buffer.dim[k].extent, stride = buffer.dim[k].stride;
    if (extent == 1)
      continue;
    if (scan.extents[last] == 1) {
      scan.extents[last] = extent;
      scan.strides[last] = stride;
    } else if (stride == scan.strides[last] * scan.extents[last]) {
      scan.extents[last] *= extent;
    } else {
      scan.extents[scan.dimensions] = extent;
      scan.strides[scan.dimensions++] = stride;
    }
  }
  for (int k = 1; k < scan.dimensions; ++k)
    scan.rows *= scan.extents[k];
  if (scan.extents[0] >= kTask)
    scan.pieces = (scan.extents[0] + kTask - 1) / kTask;
  else
    scan.rowsOfTask = kTask / scan.extents[0];
  return scan;
}

int scanTask(void *context, int, int index) {
  const Scan &scan = *static_cast<const Scan *>(context);
  const int64_t piece = index % scan.pieces, firstRow = index / scan.pieces * scan.rowsOfTask;
  const int64_t left = scan.rows - firstRow, rows = left < scan.rowsOfTask ? left : scan.rowsOfTask;
  int64_t first = 0, count = scan.extents[0];
  if (scan.pieces > 1) {
    first = piece * kTask;
    count = count - first < kTask ? count - first : kTask;
  }
  for (int64_t row = firstRow; row < firstRow + rows; ++row) {
    int64_t at = first * scan.strides[0], rest = row;
    for (int k = 1; k < scan.dimensions; ++k) {
      at += rest % scan.extents[k] * scan.strides[k];
      rest /= scan.extents[k];
    }
    if (!allFinite(scan.dtype, scan.host + at * scan.bytes, count, scan.strides[0]))
      return 1;
  }
  return 0;
}

bool isNaN(DType type, const uint8_t *p) {
  uint64_t bits = 0;
  memcpy(&bits, p, bytesOf(type));
  const uint64_t infinity = type == DType::F64    ? 0x7ff0000000000000u
                            : type == DType::F16  ? 0x7c00
                            : type == DType::BF16 ? 0x7f80
                                                  : 0x7f800000u;
  return (bits & (infinity - 1) & ~infinity) != 0 && (bits & infinity) == infinity;
}

/// Position of the first element that is not finite, innermost dimension first.
void findFirst(const halide_buffer_t &buffer, DType type, int64_t *position, const uint8_t *&element) {
  for (int k = 0; k < buffer.dimensions; ++k)
    position[k] = 0;
  for (;;) {
    int64_t at = 0;
    for (int k = 0; k < buffer.dimensions; ++k)
      at += position[k] * buffer.dim[k].stride;
    element = buffer.host + at * bytesOf(type);
    if (!allFinite(type, element, 1, 1))
      return;
    int k = 0;
    for (; k < buffer.dimensions && ++position[k] == buffer.dim[k].extent; ++k)
      position[k] = 0;
    if (k == buffer.dimensions)
      return;
  }
}

int describe(const segc_model_model &model, const Header &table, const StepDesc &step,
             const halide_buffer_t &buffer, DType type) {
  int64_t position[kMaxRank];
  const uint8_t *element;
  findFirst(buffer, type, position, element);
  char space[160];
  TextBuffer place = {space, sizeof space, 0};
  static const char *const axes[] = {"channel", "x", "y", "n"};
  for (int k = buffer.dimensions - 1; k >= 0; --k)
    if (buffer.dimensions == 4)
      place.append(k == 3 ? "%s %lld" : ", %s %lld", axes[k], (long long)position[k]);
    else
      place.append(k == buffer.dimensions - 1 ? "element [%lld" : ", %lld", (long long)position[k]);
  return fail(
      SEGC_MODEL_NOT_FINITE,
      "step %lld: '%s' (kernel '%s') wrote %s at %s%s: look at the inputs, take a smaller learning rate "
      "or clip the gradient",
      (long long)model.training->steps, text(table, step.label), text(table, step.problem),
      isNaN(type, element) ? "NaN" : "an infinity", space, buffer.dimensions == 4 ? "" : "]");
}

/// A result in host memory: where it is, or on a device a copy of the bytes from its first to its last
/// element.
struct Reachable {
  halide_buffer_t buffer;
  void *copy = nullptr;

  Reachable(const halide_buffer_t &written) : buffer(written) {}
  ~Reachable() { free(copy); }
  Reachable(const Reachable &) = delete;

  int fetch(Device &device, DType type) {
    uint64_t bytes = bytesOf(type);
    for (int k = 0; k < buffer.dimensions; ++k)
      bytes += uint64_t(buffer.dim[k].extent - 1) * uint64_t(buffer.dim[k].stride) * bytesOf(type);
    if (!(copy = malloc(bytes)))
      return fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory to look at %llu bytes of a result",
                  (unsigned long long)bytes);
    const int status =
        device.driver->download(device, copy, reinterpret_cast<const char *>(buffer.host), bytes);
    buffer.host = static_cast<uint8_t *>(copy);
    return status;
  }
};

} // namespace

int inspectStep(void *user, const Header &table, const StepDesc &step, void *const *args) {
  const segc_model_model &model = *static_cast<const segc_model_model *>(user);
  for (uint32_t k = step.argCount - step.writeCount; k < step.argCount; ++k) {
    const uint32_t index = elements<uint32_t>(table, table.args)[step.firstArg + k];
    const DType type = elements<ViewDesc>(table, table.views)[index].dtype;
    if (!isFloating(type))
      continue;
    Reachable reachable(*static_cast<const halide_buffer_t *>(args[1 + k]));
    if (Device *device = model.crew.device)
      if (int status = reachable.fetch(*device, type))
        return status;
    const halide_buffer_t &buffer = reachable.buffer;
    Scan scan = scanOf(buffer, type);
    const int lanes = scan.tasks() > 1 ? model.crew.count : 1;
    if (segc_pool_v1_for(lanes, int(scan.tasks()), scanTask, &scan))
      return describe(model, table, step, buffer, type);
  }
  return SEGC_MODEL_OK;
}

} // namespace segc::rt
