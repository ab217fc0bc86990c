/// \file Random tensors, comparisons, libraries for one check.
// SPDX-License-Identifier: MIT
#include "compiler/tools/CheckSupport.h"
#include "compiler/codegen/Link.h"
#include "mlir/IR/Diagnostics.h"
#include <cmath>
#include <cstring>

using namespace mlir;
using segc::reference::Tensor;

namespace segc {

/// SplitMix64 of (stream, index) in [-1, 1): equal everywhere, no state.
double uniform(uint64_t stream, uint64_t index) {
  uint64_t z = stream * 0xd1342543de82ef95u + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return std::ldexp(static_cast<double>((z ^ (z >> 31)) >> 11), -52) - 1;
}

/// Values that the input's type holds exactly.
Tensor randomInput(const std::string &dtype, ArrayRef<int64_t> extents, uint64_t stream) {
  Tensor tensor(extents);
  for (auto [index, value] : llvm::enumerate(tensor.data)) {
    double u = uniform(stream, index);
    if (dtype == "f32")
      value = static_cast<float>(u);
    else if (dtype == "f16" || dtype == "bf16")
      value = std::floor(u * 64) / 64;
    else
      value = std::floor(dtype == "u8" ? (u + 1) * 8
                                       : u * 8); // more would saturate sigmoids: ties that double resolves
  }
  return tensor;
}

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text;
  for (int64_t extent : shape)
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text;
}

Difference compare(const Tensor &value, const Tensor &expected) {
  if (value.shape != expected.shape)
    return {NAN, NAN};
  double scale = 0, worst = 0, sum = 0;
  for (double r : expected.data)
    scale = std::fmax(scale, std::fabs(r));
  for (auto [y, r] : llvm::zip(value.data, expected.data)) {
    double distance = std::fabs(y - r);
    if (!(distance <= worst))
      worst = distance;
    if (std::isnan(distance))
      return {NAN, NAN};
    sum += distance;
  }
  // Where everything should be zero, everything must be, up to what underflows.
  scale = std::fmax(scale, 1e-30);
  return {worst / scale, sum / scale / static_cast<double>(expected.data.size())};
}

Tensor tensorOf(const OutputTensor &output) {
  std::vector<double> values = output.isInteger
                                   ? std::vector<double>(output.integers.begin(), output.integers.end())
                                   : std::vector<double>(output.floats.begin(), output.floats.end());
  return Tensor(output.shape, std::move(values));
}

bool sameBits(const OutputTensor &a, const OutputTensor &b) {
  auto same = [](const auto &x, const auto &y) {
    return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(x[0])) == 0;
  };
  return a.shape == b.shape && same(a.floats, b.floats) && same(a.integers, b.integers);
}

reference::Interpreter::Weights weightsOf(MLIRContext &context, const files::TensorFile &file) {
  return [&](StringRef name, ArrayRef<int64_t> extents) -> FailureOr<Tensor> {
    const files::Tensor *tensor = file.find(name.str());
    // A dense layer reads its tensor in other extents than the file's.
    if (!tensor || static_cast<int64_t>(tensor->elements()) != ShapedType::getNumElements(extents))
      return emitError(UnknownLoc::get(&context))
             << "the weights have no tensor '" << name << "' of " << shapeText(extents);
    return Tensor(extents, tensor->numbers());
  };
}

bool CheckedLibrary::build(Graphs graphs, const std::string &name, const CompileOptions &options,
                           ArrayRef<uint8_t> weights, std::string &problem) {
  if (failed(compileLibrary(graphs, options, directory.path)))
    return false;
  library = Library::open(directory.path + "/lib" + cPrefix(name) + ".so", problem);
  if (!library)
    return false;
  instance = std::make_unique<Instance>(*library);
  if (library->createFromMemory(weights.data(), weights.size(), &instance->model) == 0)
    return true;
  problem = library->lastError();
  return false;
}

bool CheckedLibrary::setThreads(int threads, std::string &problem) {
  if (library->setThreads(instance->model, threads) == 0)
    return true;
  problem = library->lastError();
  return false;
}

} // namespace segc
