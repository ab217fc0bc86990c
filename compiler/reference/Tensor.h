/// \file Tensor: the value the interpreter computes with: extents and doubles, whatever the IR's element
/// type.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <memory>
#include <vector>

namespace segc::reference {

/// Row-major, outermost extent first: [N, C, H, W] for activations, the weights file's order for weights.
/// Indices and labels are doubles too. A packed tensor has the extents of its type and no data: its layout is
/// a kernel's business; `logical` is the tensor that was packed.
struct Tensor {
  llvm::SmallVector<int64_t, 4> shape;
  std::vector<double> data;
  std::shared_ptr<const Tensor> logical;

  Tensor() = default;
  /// All elements equal `value`.
  explicit Tensor(llvm::ArrayRef<int64_t> extents, double value = 0)
      : shape(extents.begin(), extents.end()), data(elements(extents), value) {}
  /// `values` has one entry an element.
  Tensor(llvm::ArrayRef<int64_t> extents, std::vector<double> values)
      : shape(extents.begin(), extents.end()), data(std::move(values)) {}

  static int64_t elements(llvm::ArrayRef<int64_t> extents) {
    int64_t product = 1;
    for (int64_t extent : extents)
      product *= extent;
    return product;
  }
  bool isPacked() const { return logical != nullptr; }
  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  /// Elements of one plane of a tensor of rank 2 or more: what follows N and C.
  int64_t planeSize() const { return elements(llvm::ArrayRef<int64_t>(shape).drop_front(2)); }
  /// The channel of element i of a tensor of rank 2 or more.
  int64_t channelOf(size_t i) const { return static_cast<int64_t>(i) / planeSize() % shape[1]; }
  /// First element of plane (n, c).
  double *plane(int64_t n, int64_t c) { return data.data() + (n * shape[1] + c) * planeSize(); }
  const double *plane(int64_t n, int64_t c) const { return data.data() + (n * shape[1] + c) * planeSize(); }
};

} // namespace segc::reference
