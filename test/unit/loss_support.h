/// \file What the tests of losses share: a loss on its tensors, and the ops that training makes of it.
// SPDX-License-Identifier: MIT
#pragma once
#include "test/unit/gradient_support.h"

namespace segc::reference::test {

const std::vector<std::string> kVector = {"?xf32"}, kSums = {"?x?x?x?xf64"};
constexpr double kWeight = 0.7; ///< of the loss in the total

inline std::string typeOf(const Tensor &tensor, const char *element = "f32") {
  std::string text;
  for (int64_t extent : tensor.shape)
    text += std::to_string(extent) + "x";
  return text + element;
}

/// One loss on its tensors: x, target and perhaps pixel weights.
struct LossCase {
  std::string attributes;
  std::vector<Tensor> tensors;

  std::vector<std::string> types() const {
    std::vector<std::string> list;
    for (const Tensor &tensor : tensors)
      list.push_back(typeOf(tensor));
    return list;
  }
  Function function() const { return Function({"loss", attributes, types(), kVector}); }
  double loss() const { return function()(tensors).data[0]; }
};

struct Trained {
  double loss = NAN;
  Tensor dx;
};

/// The loss and its weighted gradient as training computes them.
inline Trained train(const LossCase &test) {
  auto sums = evaluateCase({"loss_sums", test.attributes, test.types(), kSums}, test.tensors);
  OpCase finish{"finish_loss",
                test.attributes + ", weight = " + std::to_string(kWeight),
                {typeOf(sums[0], "f64")},
                {"?xf32", "?x?x?x?xf32"}};
  auto finished = evaluateCase(finish, sums);
  OpCase gradient{"loss_grad", test.attributes, test.types()};
  gradient.operands.push_back(typeOf(finished[1]));
  std::vector<Tensor> operands = test.tensors;
  operands.push_back(finished[1]);
  return {finished[0].data[0], evaluateCase(gradient, operands)[0]};
}

} // namespace segc::reference::test
