/// \file What one kernel computes, apart from how: the problem and its string.
///
/// The string is symbol stem, cache key, bench argument, profile label and subject of error messages at once:
///   conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out128 +bias +relu : f32
/// Sizes N, H, W never appear: kernels are compiled for constant channels and any extents.
// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace segc::schedules {

/// A pointwise step applied to the result, in order. `+bias` and `+affine` take per-channel vectors (padded
/// to the kernel's packing), `+add` a second activation of the same extents.
struct Epilogue {
  std::string op;   ///< bias, affine, add, mul, sub, relu, relu6, leaky_relu, prelu, elu, selu, gelu, silu,
                    ///< sigmoid, tanh, hardsigmoid, hardswish
  int stride = 0;   ///< add, mul, sub: channels between neighbouring pixels of the second operand
  double value = 0; ///< leaky_relu, elu: alpha

  bool isTensor() const { return op == "add" || op == "mul" || op == "sub"; }
  /// How many operands it takes: 2 for affine, 1 for tensors, bias and prelu, else 0.
  int operands() const;
};

/// Fields are named small integers or pairs; which ones an op has is fixed by the table in KernelSpec.cpp.
struct KernelSpec {
  std::string op;
  std::map<std::string, std::vector<int>> fields; ///< "c" -> {64}, "r" -> {3, 3} (height, width)
  std::map<std::string, std::string> words;       ///< "mode" -> "bilinear"
  std::vector<Epilogue> epilogues;
  std::string dtype = "f32";

  /// The field's value (of a pair: 0 height, 1 width); 0 for a field the spec does not have.
  int get(const std::string &field, int index = 0) const;
  /// The word's value; empty for a word the spec does not have.
  std::string word(const std::string &name) const;
  /// The problem string: fields and words in the order of docs/kernels.md.
  std::string print() const;
  /// The spec, or a sentence saying what is wrong and where.
  static std::variant<KernelSpec, std::string> parse(const std::string &text);
};

} // namespace segc::schedules
