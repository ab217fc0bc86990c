/// \file Initial values to tensors.
// SPDX-License-Identifier: MIT
#include "compiler/tools/InitialWeights.h"
#include "compiler/analysis/Initialise.h"
#include "dialects/hourglass/Hourglass.h"

using namespace mlir;

namespace segc {

std::optional<files::TensorFile> initialWeights(ModuleOp graph, uint64_t seed) {
  files::TensorFile file;
  bool failedOnce = false;
  graph.walk([&](hg::WeightOp weight) {
    auto values = initialValues(weight, seed);
    if (!values) {
      weight.emitError(llvm::toString(values.takeError()));
      failedOnce = true;
      return;
    }
    files::Tensor tensor;
    tensor.name = weight.getName().str();
    ArrayRef<int64_t> shape = weight.storedShape();
    tensor.shape.assign(shape.begin(), shape.end());
    const auto *bytes = reinterpret_cast<const uint8_t *>(values->data());
    tensor.bytes.assign(bytes, bytes + values->size() * sizeof(float));
    file.tensors.push_back(std::move(tensor));
  });
  return failedOnce ? std::nullopt : std::optional(std::move(file));
}

} // namespace segc
