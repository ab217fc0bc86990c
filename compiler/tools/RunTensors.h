/// \file Runs a model on tensors.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/Library.h"
#include "runtime/files/Safetensors.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <map>

namespace segc {

/// One output of a run: dense, logical order.
struct OutputTensor {
  std::string name;
  bool isInteger = false; ///< i32 instead of f32
  std::vector<int64_t> shape;
  std::vector<float> floats;
  std::vector<int32_t> integers;
};

/// The element type of a file that has the values of a segc_model_dtype.
files::DType fileType(int32_t dtype);

/// Memory of an output for what `info` says of it, and the tensor that shows it to the library, in NCHW
/// order.
segc_model_tensor allocateOutput(const Library &library, const segc_model_info &info, OutputTensor &output);

/// Makes `call` `repeat` times, which returns 0 on success; `milliseconds` gets the least and the median
/// time.
bool takeTimes(int repeat, double milliseconds[2], llvm::function_ref<int()> call);

/// Sets shapes, allocates the outputs, runs `repeat` times; `milliseconds` gets the least and the median
/// time. On failure a sentence.
std::optional<std::string> runModel(Instance &instance, std::vector<segc_model_tensor> &inputs, int repeat,
                                    std::vector<OutputTensor> &outputs, double milliseconds[2]);

/// The tensors of `file` as the model's inputs (`training`: with the targets behind them), converted to the
/// types it wants; the memory lives in `storage`.
std::optional<std::string> bindInputs(Instance &instance, const files::TensorFile &file,
                                      std::vector<std::vector<uint8_t>> &storage,
                                      std::vector<segc_model_tensor> &inputs, bool training = false);

} // namespace segc
