/// \file The tensors of one kernel's run: what docs/kernels.md says that a problem takes and makes, with
/// random values.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/KernelSpec.h"
#include <HalideRuntime.h>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace segc {

/// Extents of the result: of an activation in pixels (a weight gradient's dy, the operand of sums).
struct KernelExtents {
  int64_t h = 64, w = 64, n = 1;
  std::string print() const;
  /// HxW or HxWxN.
  static std::optional<KernelExtents> parse(const std::string &text);
};

/// Memory with a descriptor, mapped as a model's arena is, some elements readable behind the last one.
class BenchTensor {
public:
  /// Dense; `pixel` elements from one second coordinate to the next (0: as many as the innermost extent).
  /// std::bad_alloc without memory.
  BenchTensor(halide_type_t type, const std::vector<int> &extents, int pixel = 0);
  /// Dense, in the memory of another tensor of this type.
  BenchTensor(const std::vector<int> &extents, const BenchTensor &inside);
  BenchTensor(const BenchTensor &) = delete;
  ~BenchTensor();

  int64_t elements() const; ///< that belong to it: without what lies between pixels
  double bytes() const { return double(elements()) * buffer.type.bytes(); }
  std::vector<int> extents() const;
  /// All of the memory: random values in [-1, 1), the same for an equal `seed`; or bytes of one value.
  void randomise(unsigned seed);
  void fill(uint8_t byte);
  /// Steps of 0 along x and y, and along n unless `perImage`: one pixel repeated.
  void repeat(bool perImage);
  /// A dense activation in the order N, C, H, W.
  void makePlanar();

  halide_buffer_t buffer{};

private:
  int64_t describe(halide_type_t type, const std::vector<int> &extents, int pixel);
  std::array<halide_dimension_t, 6> dims;
  char *memory = nullptr;
  size_t mapped = 0; ///< bytes of it
};

/// An activation's buffer as kernels see it that store its phases (rows, columns) as axes: in the same
/// memory.
struct PhasedBuffer {
  PhasedBuffer(const halide_buffer_t &pixels, const std::array<int, 2> &phases);
  halide_buffer_t buffer;

private:
  std::array<halide_dimension_t, 6> dims;
};

class KernelTensors {
public:
  /// The tensors of a problem that has a plain loop; a sentence if its fields or the extents make no sense.
  static std::variant<std::unique_ptr<KernelTensors>, std::string> make(const schedules::KernelSpec &spec,
                                                                        const KernelExtents &extents);

  std::vector<BenchTensor *> operands; ///< in the kernel's order, filters as in the file
  std::vector<size_t> filters;         ///< which of them a kernel takes packed: one for each weightParts()
  std::vector<BenchTensor *> results;  ///< of a weight gradient the unpacked one
  double bytes() const;                ///< of operands and results, each counted once

private:
  class Maker;
  std::deque<BenchTensor> storage;
};

} // namespace segc
