/// \file The ops of the backward pass against finite differences of the ops they differentiate.
// SPDX-License-Identifier: MIT
#include "dialects/hourglass/Activation.h"
#include "dialects/hourglass/Random.h"
#include "test/unit/gradient_support.h"
#include <cmath>
#include <limits>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

using Values = std::vector<double>;
const std::vector<std::string> kVector = {"?xf32"}, kSums = {"?x?x?x?xf64"};

Tensor random(const std::string &type, uint64_t salt) {
  Extents extents;
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(type).split(parts, 'x');
  for (llvm::StringRef part : llvm::ArrayRef(parts).drop_back())
    extents.push_back(std::stoll(part.str()));
  return scattered(extents, salt);
}

std::string shapeOf(const Tensor &tensor, const char *element = "f32") {
  std::string text;
  for (int64_t extent : tensor.shape)
    text += std::to_string(extent) + "x";
  return text + element;
}

/// Checks an elementwise backward op: f(x) = <forward(x, ...), dy> against backward(dy, saved, ...).
void checkThrough(const OpCase &forward, const std::vector<Tensor> &operands, const OpCase &backward,
                  bool fromValue, std::vector<Tensor> further = {}) {
  Tensor y = evaluateCase(forward, operands)[0], dy = scattered(y.shape, 99);
  std::vector<Tensor> given = {dy, fromValue ? y : operands[0]};
  given.insert(given.end(), further.begin(), further.end());
  expectGradient([&](const Tensor &x) { return dot(evaluateCase(forward, with(operands, 0, x))[0], dy); },
                 operands[0], evaluateCase(backward, given)[0]);
}

} // namespace

TEST(Gradient, OfConvolutionWeights) {
  struct Case {
    std::string window, x, weight;
    int64_t groups = 1;
  };
  const std::vector<Case> cases = {
      {"", "2x3x5x6xf32", "4x3x3x2xf32"},
      {"stride = array<i64: 2, 3>", "1x2x7x8xf32", "3x2x3x2xf32"},
      {"padding = array<i64: 1, 0, 2, 3>, dilation = array<i64: 2, 1>", "1x2x6x5xf32", "3x2x3x3xf32"},
      {"stride = array<i64: 2, 2>", "2x4x6x7xf32", "6x2x2x2xf32", 2},
      {"", "1x3x4x4xf32", "3x1x3x3xf32", 3},
      {"padding = array<i64: -1, -2, 0, -1>", "1x1x6x7xf32", "2x1x2x3xf32"},
      {"same", "1x2x4x5xf32", "2x2x3x2xf32"},
      {"same, stride = array<i64: 2, 3>, dilation = array<i64: 1, 2>", "2x2x7x9xf32", "2x2x4x3xf32"},
  };
  for (const Case &test : cases) {
    SCOPED_TRACE(test.window + " " + test.x + " " + test.weight);
    std::string window = (test.window.empty() ? "" : ", ") + test.window +
                         ", groups = " + std::to_string(test.groups) + " : i64";
    OpCase conv{"conv", "operandSegmentSizes = array<i32: 1, 1, 0, 0>" + window, {test.x, test.weight}};
    Tensor x = random(test.x, 1), weight = random(test.weight, 2), y = evaluateCase(conv, {x, weight})[0];
    Tensor dy = scattered(y.shape, 3);
    std::string kernel = "kernel = array<i64: " + std::to_string(weight.shape[2]) + ", " +
                         std::to_string(weight.shape[3]) + ">" + window;
    Function convOf(conv);
    OpCase gradient{"conv_weight_grad", kernel, {test.x, shapeOf(dy)}};
    expectGradient([&](const Tensor &w) { return dot(convOf({x, w}), dy); }, weight,
                   evaluateCase(gradient, {x, dy})[0]);
  }
}

TEST(Gradient, OfDeconvolutionWeightsHasTheSidesExchanged) {
  for (std::string window : {"stride = array<i64: 2, 2>, padding = array<i64: 1, 0, 0, 1>",
                             "stride = array<i64: 3, 2>, dilation = array<i64: 1, 2>"}) {
    std::string extra = ", output_padding = array<i64: 1, 1>, groups = 2 : i64";
    OpCase deconv{"deconv",
                  "operandSegmentSizes = array<i32: 1, 1, 0, 0>, " + window + extra,
                  {"2x4x3x4xf32", "4x3x3x2xf32"}};
    Tensor x = random("2x4x3x4xf32", 1), weight = random("4x3x3x2xf32", 2);
    Tensor dy = scattered(evaluateCase(deconv, {x, weight})[0].shape, 3);
    Function deconvOf(deconv);
    OpCase gradient{"conv_weight_grad",
                    "kernel = array<i64: 3, 2>, groups = 2 : i64, " + window,
                    {shapeOf(dy), shapeOf(x)}};
    expectGradient([&](const Tensor &w) { return dot(deconvOf({x, w}), dy); }, weight,
                   evaluateCase(gradient, {dy, x})[0]);
  }
}

TEST(Gradient, OfEveryActivationFromItsOperandAndItsValue) {
  const std::string type = "2x3x3x4xf32";
  Tensor x = scattered({2, 3, 3, 4}, 1, -8, 8), slope({3}, Values{0.25, -0.5, 2});
  for (const hg::ActivationFunction &row : hg::activationFunctions()) {
    bool prelu = row.name == "prelu";
    for (double alpha : row.hasAlpha ? Values{row.defaultAlpha, 0.3, -0.1} : Values{0}) {
      SCOPED_TRACE(row.name.str() + " " + std::to_string(alpha));
      std::string attributes = "function = \"" + row.name.str() + "\"";
      if (row.hasAlpha && alpha != row.defaultAlpha)
        attributes += ", alpha = " + std::to_string(alpha);
      std::vector<std::string> operands = {type}, saved = {type, type};
      std::vector<Tensor> values = {x}, further;
      if (prelu) {
        operands.push_back("3xf32");
        saved.push_back("3xf32");
        values.push_back(slope);
        further.push_back(slope);
      }
      OpCase forward{"activation", attributes, operands};
      checkThrough(forward, values, {"activation_grad", attributes, saved}, false, further);
      if (row.derivativeOfValue && alpha >= 0)
        checkThrough(forward, values, {"activation_grad", attributes + ", from_value", saved}, true, further);
    }
  }
}

TEST(Gradient, AtTheKinksIsThatOfTheFlatSide) {
  auto at = [](const char *function, double x) {
    OpCase gradient{
        "activation_grad", std::string("function = \"") + function + "\"", {"1x1x1x1xf32", "1x1x1x1xf32"}};
    return evaluateCase(gradient, {Tensor({1, 1, 1, 1}, 1.0), Tensor({1, 1, 1, 1}, x)})[0].data[0];
  };
  EXPECT_EQ(at("relu", 0), 0);
  EXPECT_EQ(at("relu6", 0), 0);
  EXPECT_EQ(at("relu6", 6), 0);
  EXPECT_EQ(at("leaky_relu", 0), 0.01);
  EXPECT_EQ(at("hardsigmoid", 3), 0);
}

TEST(Gradient, OfPreluSlopesIsASumOverWhatIsNegative) {
  const std::string type = "2x3x3x4xf32";
  Tensor x = random(type, 1), slope({3}, Values{0.25, -0.5, 2}), dy = random(type, 2);
  OpCase prelu{"activation", "function = \"prelu\"", {type, "3xf32"}};
  OpCase sums{"channel_sums", "kind = \"negative\"", {type, type}, kSums},
      finish{"finish_sum", "", {"2x3x3x1xf64"}, kVector};
  expectGradient([&](const Tensor &s) { return dot(evaluateCase(prelu, {x, s})[0], dy); }, slope,
                 evaluateCase(finish, {evaluateCase(sums, {dy, x})[0]})[0]);
}

TEST(Gradient, OfSoftmaxAndItsLogarithm) {
  const std::string type = "2x4x2x3xf32";
  for (std::string op : {"softmax", "log_softmax"})
    checkThrough({op, "", {type}}, {random(type, 1)}, {op + "_grad", "", {type, type}}, true);
}

TEST(Gradient, OfPadsGathersWhatWasRead) {
  struct Case {
    std::string attributes, x;
  };
  for (const Case &test : {Case{"mode = \"reflect\", amount = array<i64: 2, 1, 0, 3>", "2x3x3x4xf32"},
                           Case{"mode = \"reflect\", amount = array<i64: 1, 0, 1, 0>", "1x1x2x1xf32"},
                           Case{"mode = \"replicate\", amount = array<i64: 2, 1, 0, 5>", "1x2x3x4xf32"},
                           Case{"mode = \"replicate\", amount = array<i64: 0, 3, 4, 2>", "1x2x1x1xf32"}}) {
    SCOPED_TRACE(test.attributes);
    Tensor x = random(test.x, 1), y = evaluateCase({"pad", test.attributes, {test.x}}, {x})[0];
    Tensor dy = scattered(y.shape, 2);
    OpCase transpose{"pad_transpose", test.attributes, {shapeOf(dy), test.x}};
    Tensor dx = evaluateCase(transpose, {dy, x})[0];
    ASSERT_EQ(dx.shape, x.shape);
    EXPECT_NEAR(dot(y, dy), dot(x, dx), 1e-12 * (1 + std::abs(dot(y, dy))));
  }
}

TEST(Gradient, OverlappingPoolsAddUp) {
  std::string window = "kernel = array<i64: 1, 2>, stride = array<i64: 1, 1>";
  Tensor index({1, 1, 1, 2}, Values{1, 0}); // both windows point at pixel 1
  OpCase unpool{"unpool", window + ", sum", {"1x1x1x2xf32", "1x1x1x2xi8", "1x1x1x3xf32"}};
  EXPECT_EQ(evaluateCase(unpool, {Tensor({1, 1, 1, 2}, Values{5, 7}), index, Tensor({1, 1, 1, 3})})[0].data,
            (Values{0, 12, 0}));
  OpCase take{"take", window + ", sum", {"1x1x1x3xf32", "1x1x1x2xi8"}};
  EXPECT_EQ(evaluateCase(take, {Tensor({1, 1, 1, 3}, Values{1, 2, 3}), index})[0].data, (Values{2, 2}));
  // The gradient of a pool: each maximum's goes to the pixel it came from.
  const std::string pool =
      "kernel = array<i64: 3, 2>, stride = array<i64: 1, 2>, padding = array<i64: 1, 0, 1, 1>";
  OpCase forward{"maxpool", pool, {"2x2x4x5xf32"}, {"?x?x?x?xf32", "?x?x?x?xi8"}};
  Tensor x = random("2x2x4x5xf32", 1);
  std::vector<Tensor> pooled = evaluateCase(forward, {x});
  Tensor dy = scattered(pooled[0].shape, 2);
  OpCase back{"unpool", pool + ", sum", {shapeOf(dy), shapeOf(dy, "i8"), shapeOf(x)}};
  expectGradient([&](const Tensor &moved) { return dot(evaluateCase(forward, {moved})[0], dy); }, x,
                 evaluateCase(back, {dy, pooled[1], x})[0]);
}

TEST(Gradient, AffineMayLackItsShift) {
  OpCase affine{"affine", "", {"1x2x1x1xf32", "2xf32"}};
  EXPECT_EQ(evaluateCase(affine, {Tensor({1, 2, 1, 1}, Values{3, 4}), Tensor({2}, Values{2, -1})})[0].data,
            (Values{6, -4}));
}

TEST(Drop, KeepsTheMeanAndIsMadeOfTheCounterAlone) {
  const std::string type = "2x8x25x50xf32";
  Tensor ones({2, 8, 25, 50}, 1.0);
  auto run = [&](double rate, int64_t site, Values seed) {
    OpCase drop{"drop",
                "rate = " + std::to_string(rate) + ", site = " + std::to_string(site) + " : i64",
                {type, "2xi32"}};
    return evaluateCase(drop, {ones, Tensor({2}, std::move(seed))})[0].data;
  };
  auto share = [](const Values &y) { return std::count(y.begin(), y.end(), 0.0) / double(y.size()); };
  for (double rate : {0.1, 0.5, 0.9}) {
    Values y = run(rate, 3, {1, 2});
    EXPECT_NEAR(share(y), rate, 4 * std::sqrt(rate * (1 - rate) / double(y.size()))); // four deviations
    for (double value : y)
      EXPECT_TRUE(value == 0 || value == 1 / (1 - rate)) << value;
    EXPECT_EQ(y, run(rate, 3, {1, 2}));
    // Other masks agree by chance only.
    for (const Values &other : {run(rate, 4, {1, 2}), run(rate, 3, {2, 2}), run(rate, 3, {1, 3})}) {
      double both = 0;
      for (size_t i = 0; i < y.size(); ++i)
        both += (y[i] == 0 && other[i] == 0) / double(y.size());
      EXPECT_NEAR(both, rate * rate, 0.02);
    }
  }
  EXPECT_EQ(run(0, 3, {1, 2}), ones.data);
  // Element (1, 5, 7, 9): the counter runs over N, H, W, C.
  uint32_t index = ((1 * 25 + 7) * 50 + 9) * 8 + 5;
  double number = hg::uniform(1, 2, 3, index);
  EXPECT_EQ(run(number + 1e-6, 3, {1, 2})[((1 * 8 + 5) * 25 + 7) * 50 + 9], 0);
  EXPECT_NE(run(number - 1e-6, 3, {1, 2})[((1 * 8 + 5) * 25 + 7) * 50 + 9], 0);
}

TEST(Drop, TakesItsSeedFromTheInterpreter) {
  auto module = parse(R"(func.func @main() -> tensor<2xi32> {
    %s = hourglass.step_seed : () -> tensor<2xi32>
    return %s : tensor<2xi32>
  })");
  Interpreter interpreter;
  EXPECT_EQ((*interpreter.run(*module, {}))[0].data, (Values{0, 0}));
  interpreter.setSeed(5, 12);
  EXPECT_EQ((*interpreter.run(*module, {}))[0].data, (Values{5, 12}));
}
