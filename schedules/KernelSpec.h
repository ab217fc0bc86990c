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

/// Whether activations of this dtype take 16 bits.
inline bool isNarrow(const std::string &dtype) { return dtype == "bf16" || dtype == "f16"; }

/// A pointwise step applied to the result, in order; docs/kernels.md has their list. Vectors are per channel
/// (padded to the kernel's packing), tensors have the result's extents.
struct Epilogue {
  std::string op;    ///< bias, affine, add, relu, drop, norm_grad, d_relu, …
  int stride = 0;    ///< of a tensor operand: elements between neighbouring pixels
  double value = 0;  ///< alpha of the function (leaky_relu, elu and their derivatives), drop: the rate
  uint32_t site = 0; ///< drop: which dropout of the model it is
  bool wide = false; ///< the tensor operand is f32 whatever the kernel's dtype

  /// One letter for each operand in order: t tensor, v vector, s the seed of the step.
  std::string signature() const;
  /// Whether the first operand (no other one can be) is a tensor.
  bool isTensor() const { return signature().substr(0, 1) == "t"; }
  int operands() const { return int(signature().size()); }
};

/// Fields are named small integers or pairs, words are names, numbers or lists of numbers ("1/0.4"); which
/// ones an op has is fixed by the table in KernelSpec.cpp.
struct KernelSpec {
  std::string op;
  std::map<std::string, std::vector<int>> fields; ///< "c" -> {64}, "r" -> {3, 3} (height, width)
  std::map<std::string, std::string> words;       ///< "mode" -> "bilinear"
  std::vector<Epilogue> epilogues;
  std::string dtype = "f32"; ///< how activations lie in memory: f32, bf16 or f16
  /// Extents of the result as the model was described with, for rules that choose by them; 0: unknown. No
  /// part of the problem: the kernel takes any.
  int likelyWidth = 0, likelyHeight = 0, likelyImages = 0;
  /// How filters that change in every run lie in memory: "conv", or "deconv" for those of the convolution
  /// whose data gradient this is; empty: they are packed once. No part of the problem.
  std::string fresh;
  /// Whether products of f32 may be rounded to TF32; no part of the problem either.
  bool tf32 = false;
  /// Whether the library is to have code for sm_90a beside that for all GPUs; no part of the problem.
  bool sm90a = false;

  /// The field's value (of a pair: 0 height, 1 width); 0 for a field the spec does not have.
  int get(const std::string &field, int index = 0) const;
  /// The word's value; empty for a word the spec does not have.
  std::string word(const std::string &name) const;
  /// The word as numbers; none for a word the spec does not have.
  std::vector<double> numbers(const std::string &name) const;
  /// The first of them, or `fallback`.
  double number(const std::string &name, double fallback) const;
  /// What the last epilogue makes of the scores of a pixel, argmax, softmax, log_softmax, or of several
  /// pixels, pooling(); empty: the result is the values themselves.
  std::string reduction() const;
  /// How the last epilogue makes maxima of 2x2 pixels: pool (they are the result), pool_index (and their
  /// positions), keep_pool (the four pixels, then the maxima); empty: it does not.
  std::string pooling() const;
  /// The problem string: fields and words in the order of docs/kernels.md.
  std::string print() const;
  /// The spec, or a sentence saying what is wrong and where.
  static std::variant<KernelSpec, std::string> parse(const std::string &text);
};

} // namespace segc::schedules
