/// \file What a timing has to know of the machine: how busy others keep it, and how fast it could be.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace segc {

/// Time that processes other than this one took of the processors, from /proc.
class ForeignLoad {
public:
  ForeignLoad();
  /// Cores that others kept busy since then, on average; nothing where /proc does not say, or where less
  /// than a few of its ticks have passed.
  std::optional<double> cores() const;

private:
  uint64_t others = 0; ///< ticks
  double start = 0;    ///< seconds
};

/// Resident bytes of this process; 0 where /proc does not say.
uint64_t residentBytes();

/// What multiplies: f32 in vectors, dot products of bf16 (AVX512_BF16), matrix tiles of bf16 (AMX).
enum class Products { F32, Bf16Dots, Bf16Tiles };
/// Those of kernels for an instruction set by its name; of others than bf16 always the first.
Products productsOf(const std::string &isa, const std::string &precision);

/// Operations a second, in 1e9, that `threads` threads reach with independent products in registers: the most
/// a convolution that computes every product could reach.
double measurePeak(int threads, Products products = Products::F32);

/// Bytes a second, in 1e9, that `threads` threads read and write with a loop over that many `bytes` together,
/// half of them read: what a kernel that only moves data of this size could reach.
double measureMemory(int threads, double bytes);

} // namespace segc
