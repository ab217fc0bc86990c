/// \file What a timing has to know of the machine: how busy others keep it, and how fast it could be.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <optional>

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

/// f32 operations a second, in 1e9, that `threads` threads reach with independent fused multiply-adds in
/// registers: the most a convolution that computes every product could reach.
double measurePeak(int threads);

/// Bytes a second, in 1e9, that `threads` threads read and write with a loop over that many `bytes` together,
/// half of them read: what a kernel that only moves data of this size could reach.
double measureMemory(int threads, double bytes);

} // namespace segc
