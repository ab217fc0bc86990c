/// \file Times runs of a compiled library and its kernels while the machine is quiet.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/tools/BenchRounds.h"
#include "compiler/tools/Library.h"
#include <optional>

namespace segc {

/// Random inputs and room for the outputs of run(), or of a training step.
class BenchTensors {
public:
  /// `height` and `width` (0: the model's own) are those of every input. On failure a sentence.
  std::optional<std::string> bind(Instance &instance, bool training, int64_t height, int64_t width);
  /// One image batch: run(), or step(), of which gradients of inputs need two calls. On failure a sentence.
  std::optional<std::string> run(Instance &instance) const;

private:
  std::optional<std::string> add(const segc_model_info &info, bool isInput, int64_t height, int64_t width);
  bool training = false;
  std::vector<std::vector<uint8_t>> storage;
  std::vector<segc_model_tensor> inputs, outputs;
};

/// One step of the program. Times are the least seen, in ms.
struct BenchStep {
  std::string layers, problem;
  double milliseconds = 0;
};

struct BenchResult {
  int threads = 1;
  std::vector<double> milliseconds; ///< of each run that counts, sorted
  int rounds = 0, quietRounds = 0;
  std::string note; ///< of BenchRounds
  std::vector<BenchStep> steps;
  std::vector<BenchStep> fastest; ///< the steps of the fastest run that was observed
};

/// Runs for `seconds` with the number of threads that is set, in BenchRounds. One run of each round is
/// observed step by step and does not count as a time. On failure a sentence in `error`.
BenchResult bench(Instance &instance, const BenchTensors &tensors, double seconds, std::string &error);

} // namespace segc
