/// \file Runs a model on tensors or on a picture of any size.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/Library.h"
#include "runtime/files/Safetensors.h"
#include "runtime/pictures/Picture.h"
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

/// Sets shapes, allocates the outputs, runs `repeat` times; `milliseconds` gets the least and the median
/// time. On failure a sentence.
std::optional<std::string> runModel(Instance &instance, std::vector<segc_model_tensor> &inputs, int repeat,
                                    std::vector<OutputTensor> &outputs, double milliseconds[2]);

/// The tensors of `file` as the model's inputs (`training`: with the targets behind them), converted to the
/// types it wants; the memory lives in `storage`.
std::optional<std::string> bindInputs(Instance &instance, const files::TensorFile &file,
                                      std::vector<std::vector<uint8_t>> &storage,
                                      std::vector<segc_model_tensor> &inputs, bool training = false);

/// Classes of a picture: padded by reflection to a size the network takes and covers the picture with its
/// output, run, classes by argmax (one channel: logit above 0), cropped back. `note` says what was padded.
std::optional<std::string> segmentPicture(Instance &instance, const pictures::Picture &picture, int repeat,
                                          pictures::Picture &classes, std::string &note,
                                          double milliseconds[2]);

} // namespace segc
