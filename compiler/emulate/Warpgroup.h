/// \file Matrix products of a warpgroup (wgmma.mma_async): asynchronous, with both operands in shared memory.
// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace segc::emulate {

class SharedMemory;

/// Where shared memory begins for descriptors. Not 0: an address that lacks it is an error.
constexpr uint32_t kSharedBase = 1024;

/// What one warpgroup has under way. A product reads and adds when its end is waited for; until then the
/// accumulators hold NaN, so that a missing wait shows in the results.
class Warpgroup {
public:
  /// What an instruction says of a or b: descriptor, and imm-trans: a's rows (b's columns) are innermost in
  /// shared memory ("MN-major"), else the reduction is ("K-major").
  struct Matrix {
    uint64_t descriptor;
    bool isTransposed;
  };
  /// A product of 64 x 16 by 16 x n elements of 2 bytes into the accumulators of 128 threads. Empty, or what
  /// is wrong.
  std::string issue(SharedMemory &memory, const std::array<float *, 128> &sums, Matrix a, Matrix b, int n,
                    bool isF16);
  /// Orders accesses of registers before products that come.
  void fence() { isFenced = true; }
  void commit();
  void wait(SharedMemory &memory, int pending);
  bool isBusy() const { return !open.empty() || !groups.empty(); }

private:
  /// Accumulators that belong to products.
  struct Sums {
    std::array<float *, 128> at;
    std::vector<double> values; ///< 64 x n
    int n, products;
  };
  /// Places of an operand's chunks of 8 elements: two for each row (column of b), transposed one for every 8
  /// rows of each term of the reduction.
  struct Operand {
    std::vector<int> chunks;
    bool isTransposed;
  };
  struct Product {
    Operand a, b;
    size_t sums;
    bool isF16;
  };
  void finish(SharedMemory &memory, const Product &product);

  std::vector<Sums> busy; ///< those without products are free
  std::vector<Product> open;
  std::deque<std::vector<Product>> groups;
  bool isFenced = false;
};

} // namespace segc::emulate
