/// \file The values that weights start with: a function of name, extents, init and seed, the same on every
/// machine.
///
/// Element i of a tensor (row-major) comes from a counter, so that neither order nor threads matter:
///   mix(z): z ^= z >> 30, z *= 0xbf58476d1ce4e5b9, z ^= z >> 27, z *= 0x94d049bb133111eb, z ^= z >> 31
///   base = mix(fnv1a64(name) ^ mix(seed));  word(k) = mix(base + (k + 1) * 0x9e3779b97f4a7c15)   (mod 2^64)
/// mix is SplitMix64's finaliser (Steele, Lea, Flood 2014), FNV-1a has its usual 64-bit offset and prime.
///   uniform(i) = (word(i) >> 11) / 2^53, in [0, 1)
///   normal(i): s = sum of the three 21-bit fields (bits 1, 22, 43 on) of word(4i) ... word(4i + 3);
///     r = (s + 6 - 6 * 2^21) / 2^23;  normal = ((((a9 r^2 + a7) r^2 + a5) r^2 + a3) r^2 + a1) r
///   with Teichroew's coefficients (Knuth, The Art of Computer Programming 2, 1st edition, 3.4.1): only exact
///   sums and correctly rounded products, no library function that could differ between machines.
/// scripts/initial_weights.py is the same in Python.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <vector>

namespace segc::hg {
class WeightOp;
}

namespace segc {

/// Row-major values of a tensor. `init` is one of
///   zero, one, constant:v
///   he        normal with standard deviation sqrt(2 / fan_in), fan_in = extents[1] * kh * kw
///   xavier    uniform in +-sqrt(6 / (fan_in + fan_out)), fan_out = extents[0] * kh * kw
///   normal:s  normal with standard deviation s
///   bilinear  (1 - |i - c| / f)(1 - |j - c'| / f') on the channel diagonal, f = floor((k + 1) / 2), c = f -
///   1 for
///             odd k, else f - 0.5
///   identity  1 at tap floor((k - 1) / 2) on the channel diagonal
/// The diagonal is that of each of `groups` equal blocks of the first extent. The last two need rank 4, he
/// and xavier rank 2 or more. An unknown init, or one that does not fit the extents, is an error.
llvm::Expected<std::vector<float>> initialValues(llvm::StringRef name, llvm::ArrayRef<int64_t> extents,
                                                 llvm::StringRef init, uint64_t seed, int64_t groups = 1);

/// The same for a weight of the IR; the groups are those of the convolution that reads it.
llvm::Expected<std::vector<float>> initialValues(hg::WeightOp weight, uint64_t seed);

} // namespace segc
