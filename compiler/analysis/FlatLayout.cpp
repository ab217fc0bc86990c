/// \file Lays parameters out one after the other, each on a cache line.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/FlatLayout.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace segc {

static double scaleOf(const FlatTensor &tensor) {
  plan::WeightOp weight = tensor.weight;
  return weight.getLrScale() ? weight.getLrScale()->convertToDouble() : 1;
}

FlatLayout flatLayout(ModuleOp planned) {
  FlatLayout layout;
  llvm::StringSet<> known;
  for (plan::ProgramOp program : planned.getOps<plan::ProgramOp>())
    for (plan::WeightOp weight : program.getBody().front().getOps<plan::WeightOp>())
      if (known.insert(weight.getName()).second)
        layout.tensors.push_back({weight, 0});
  llvm::stable_sort(layout.tensors, [](const FlatTensor &a, const FlatTensor &b) {
    plan::WeightOp first = a.weight, second = b.weight;
    if (first.getTrainable() != second.getTrainable())
      return first.getTrainable();
    return first.getTrainable() && scaleOf(a) < scaleOf(b);
  });
  constexpr int64_t kLine = 16;
  for (FlatTensor &tensor : layout.tensors) {
    RankedTensorType type = tensor.weight.getView().getType().getTensor();
    int64_t count = (type.getNumElements() + kLine - 1) / kLine * kLine;
    tensor.first = layout.totalElements;
    layout.totalElements += count;
    if (!tensor.weight.getTrainable())
      continue;
    layout.trainableElements = layout.totalElements;
    if (layout.segments.empty() || layout.segments.back().lrScale != scaleOf(tensor))
      layout.segments.push_back({tensor.first, 0, scaleOf(tensor)});
    layout.segments.back().count += count;
  }
  return layout;
}

} // namespace segc
