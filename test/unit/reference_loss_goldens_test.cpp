/// \file Every loss and its gradient against PyTorch's, stored in test/goldens/losses.txt by
/// scripts/goldens_losses.py.
// SPDX-License-Identifier: MIT
#include "test/unit/loss_support.h"
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

using namespace segc::reference;
using namespace segc::reference::test;

namespace {

struct Golden {
  LossCase test;
  Tensor loss, gradient;
};

/// Blocks of "case <attributes>" with named tensors: a line with the name and the extents, a line of values.
std::vector<Golden> readGoldens() {
  std::vector<Golden> goldens;
  std::ifstream file(std::string(SEGC_TRAINING_GOLDENS) + "/losses.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name == "case") {
      goldens.emplace_back();
      goldens.back().test.attributes = line.substr(name.size() + 1);
      continue;
    }
    Tensor tensor;
    for (int64_t extent; words >> extent;)
      tensor.shape.push_back(extent);
    std::getline(file, line);
    std::istringstream numbers(line);
    for (double number; numbers >> number;)
      tensor.data.push_back(number);
    if (goldens.empty() || static_cast<size_t>(Tensor::elements(tensor.shape)) != tensor.data.size()) {
      ADD_FAILURE() << "losses.txt has no such form at " << name;
      return {};
    }
    Golden &golden = goldens.back();
    (name == "loss"       ? golden.loss
     : name == "gradient" ? golden.gradient
                          : golden.test.tensors.emplace_back()) = tensor;
  }
  return goldens;
}

} // namespace

TEST(LossGoldens, AgreeWithPyTorch) {
  std::set<std::string> kinds;
  std::vector<Golden> goldens = readGoldens();
  EXPECT_EQ(goldens.size(), 54u);
  for (const Golden &golden : goldens) {
    SCOPED_TRACE(golden.test.attributes + (golden.test.tensors.size() == 3 ? " with pixel weights" : ""));
    kinds.insert(golden.test.attributes.substr(0, golden.test.attributes.find(',')));
    double expected = golden.loss.data[0], tolerance = 1e-11 * (1 + std::abs(expected)); // twelve digits
    EXPECT_NEAR(golden.test.loss(), expected, tolerance);
    Trained trained = train(golden.test);
    EXPECT_NEAR(trained.loss, expected, tolerance);
    ASSERT_EQ(trained.dx.shape, golden.gradient.shape);
    for (size_t i = 0; i < trained.dx.data.size(); ++i)
      EXPECT_NEAR(trained.dx.data[i] / kWeight, golden.gradient.data[i],
                  1e-11 * (1 + std::abs(golden.gradient.data[i])))
          << "element " << i;
  }
  EXPECT_EQ(kinds.size(), 8u);
}
