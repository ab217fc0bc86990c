/// \file Division by extents, which are known at run time only, as a multiplication. Host tests include it
/// too.
// SPDX-License-Identifier: MIT
#pragma once

namespace segc::tensorcore {

/// Division by a number known at run time, without a division: q = p * m >> (31 + l) with l = ceil(log2 d)
/// and m = floor(2^(31 + l) / d) + 1 is floor(p / d) for 0 <= p < 2^31, since then m * d - 2^(31 + l) <= d <=
/// 2^l (Granlund and Montgomery, Division by invariant integers using multiplication, 1994, theorem 4.2).
struct Divisor {
  unsigned d, multiplier;
  int shift;
  explicit Divisor(int divisor)
      : d(unsigned(divisor)), shift(31 + (divisor > 1 ? 32 - __builtin_clz(unsigned(divisor) - 1) : 0)) {
    multiplier = unsigned((1ul << shift) / d + 1);
  }
  int of(int p) const { return int((unsigned long)unsigned(p) * multiplier >> shift); }
};

} // namespace segc::tensorcore
