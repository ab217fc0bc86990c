/// \file Every op against PyTorch's figures, stored in goldens/reference.txt by scripts/make_goldens.py.
// SPDX-License-Identifier: MIT
#include "test/unit/reference_support.h"
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

/// Blocks of: "case <name> <result>", "shape ...", the values of one line.
std::map<std::string, std::vector<Tensor>> readGoldens() {
  std::map<std::string, std::vector<Tensor>> goldens;
  std::ifstream file(std::string(SEGC_GOLDENS) + "/reference.txt");
  std::string line, name;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "case") {
      words >> name;
    } else if (word == "shape") {
      goldens[name].emplace_back();
      for (int64_t extent; words >> extent;)
        goldens[name].back().shape.push_back(extent);
    } else if (word == "data") {
      for (std::string number; words >> number;)
        goldens[name].back().data.push_back(std::stod(number));
    }
  }
  return goldens;
}

const std::string kPlain = "operandSegmentSizes = array<i32: 1, 1, 0, 0>";
const std::string kBias = "operandSegmentSizes = array<i32: 1, 1, 1, 0>";
const std::string kCeil =
    "kernel = array<i64: 3, 2>, stride = array<i64: 2, 3>, padding = array<i64: 1, 1, 1, 1>, ceil";
const std::vector<std::string> kPooled = {"?x?x?x?xf32", "?x?x?x?xi8"};

// One name a case of scripts/make_goldens.py.
const std::map<std::string, OpCase> kCases = {
    {"conv", {"conv", kBias + ", padding = array<i64: 1, 1, 1, 1>", {"2x3x5x6xf32", "4x3x3x3xf32", "4xf32"}}},
    {"conv_strided",
     {"conv",
      kPlain + ", stride = array<i64: 2, 3>, padding = array<i64: 1, 0, 2, 1>",
      {"1x2x7x8xf32", "3x2x3x2xf32"}}},
    {"conv_grouped",
     {"conv",
      kBias + ", groups = 2 : i64, dilation = array<i64: 2, 1>",
      {"1x4x7x5xf32", "6x2x3x2xf32", "6xf32"}}},
    {"conv_same", {"conv", kPlain + ", same, dilation = array<i64: 1, 2>", {"1x2x5x6xf32", "2x2x4x3xf32"}}},
    {"deconv", {"deconv", kBias + ", stride = array<i64: 2, 2>", {"2x3x3x4xf32", "3x2x2x2xf32", "2xf32"}}},
    {"deconv_padded",
     {"deconv",
      kPlain +
          ", stride = array<i64: 2, 3>, padding = array<i64: 1, 2, 1, 2>, output_padding = array<i64: 1, 2>",
      {"1x2x4x3xf32", "2x3x3x5xf32"}}},
    {"deconv_grouped",
     {"deconv",
      kBias + ", groups = 2 : i64, dilation = array<i64: 2, 1>",
      {"1x4x3x4xf32", "4x3x2x3xf32", "6xf32"}}},
    {"maxpool",
     {"maxpool", "kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>", {"2x2x6x7xf32"}, kPooled}},
    {"maxpool_overlapping",
     {"maxpool",
      "kernel = array<i64: 3, 3>, stride = array<i64: 2, 1>, padding = array<i64: 1, 1, 1, 1>",
      {"1x2x7x6xf32"},
      kPooled}},
    {"maxpool_ceil",
     {"maxpool",
      "kernel = array<i64: 3, 2>, stride = array<i64: 2, 3>, padding = array<i64: 1, 1, 1, 1>, ceil, "
      "dilation = "
      "array<i64: 1, 2>",
      {"1x2x6x7xf32"},
      kPooled}},
    {"upsample_nearest", {"upsample", "mode = \"nearest\", size = array<i64: 7, 9>", {"1x2x3x4xf32"}}},
    {"upsample_down", {"upsample", "mode = \"nearest\", size = array<i64: 3, 4>", {"1x2x7x9xf32"}}},
    {"upsample_bilinear",
     {"upsample",
      "mode = \"bilinear\", scale_num = array<i64: 2, 2>, scale_den = array<i64: 1, 1>",
      {"1x2x3x4xf32"}}},
    {"upsample_bilinear_down",
     {"upsample", "mode = \"bilinear\", size = array<i64: 3, 11>", {"1x2x7x9xf32"}}},
    {"upsample_corners",
     {"upsample", "mode = \"bilinear\", align_corners, size = array<i64: 8, 5>", {"1x2x3x4xf32"}}},
    {"upsample_bicubic", {"upsample", "mode = \"bicubic\", size = array<i64: 7, 8>", {"1x2x3x4xf32"}}},
    {"upsample_bicubic_down", {"upsample", "mode = \"bicubic\", size = array<i64: 3, 11>", {"1x2x7x9xf32"}}},
    {"upsample_bicubic_corners",
     {"upsample", "mode = \"bicubic\", align_corners, size = array<i64: 8, 5>", {"1x2x3x4xf32"}}},
    {"upsample_zeros",
     {"upsample",
      "mode = \"zeros\", scale_num = array<i64: 2, 3>, scale_den = array<i64: 1, 1>",
      {"1x2x3x2xf32"}}},
    {"upsample_transpose", {"upsample_transpose", "mode = \"bicubic\"", {"1x2x7x8xf32", "1x2x3x4xf32"}}},
    {"upsample_transpose_corners",
     {"upsample_transpose", "mode = \"bicubic\", align_corners", {"1x1x4x9xf32", "1x1x5x3xf32"}}},
    {"avgpool", {"avgpool", "kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>", {"2x2x6x7xf32"}}},
    {"avgpool_padded",
     {"avgpool",
      "kernel = array<i64: 3, 3>, stride = array<i64: 2, 1>, padding = array<i64: 1, 1, 1, 1>",
      {"1x2x7x6xf32"}}},
    {"avgpool_ceil", {"avgpool", kCeil + ", count_include_pad", {"1x2x6x7xf32"}}},
    {"avgpool_ceil_valid", {"avgpool", kCeil, {"1x2x6x7xf32"}}},
    {"avgpool_transpose",
     {"avgpool_transpose", kCeil + ", count_include_pad", {"1x2x4x3xf32", "1x2x6x7xf32"}}},
    {"adaptive_avgpool", {"adaptive_avgpool", "size = array<i64: 3, 4>", {"1x2x7x9xf32"}}},
    {"adaptive_avgpool_up", {"adaptive_avgpool", "size = array<i64: 7, 2>", {"1x2x3x5xf32"}}},
    {"adaptive_avgpool_transpose", {"adaptive_avgpool_transpose", "", {"1x2x3x4xf32", "1x2x7x9xf32"}}},
    {"pad_reflect", {"pad", "amount = array<i64: 2, 1, 0, 3>, mode = \"reflect\"", {"1x2x3x4xf32"}}},
    {"pad_replicate", {"pad", "amount = array<i64: 2, 1, 0, 5>, mode = \"replicate\"", {"1x2x3x4xf32"}}},
    {"norm",
     {"norm",
      "operandSegmentSizes = array<i32: 1, 1, 1, 1, 1>, eps = 0.01",
      {"2x3x2x2xf32", "3xf32", "3xf32", "3xf32", "3xf32"}}},
    {"group_norm",
     {"group_norm",
      "operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>, groups = 2 : i64, eps = 0.01",
      {"2x6x3x2xf32", "6xf32", "6xf32"}}},
    {"instance_norm",
     {"group_norm",
      "operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>, groups = 3 : i64",
      {"2x3x3x4xf32", "3xf32", "3xf32"}}},
    {"layer_norm",
     {"group_norm", "operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>, groups = 1 : i64", {"2x3x3x4xf32"}}},
    {"softmax", {"softmax", "", {"2x5x2x2xf32"}}},
    {"log_softmax", {"log_softmax", "", {"2x5x2x2xf32"}}},
    {"argmax", {"argmax", "", {"2x5x3x3xf32"}, {"?x?x?xi32"}}},
    {"prelu", {"activation", "function = \"prelu\"", {"2x3x2x2xf32", "3xf32"}}},
    {"leaky_relu", {"activation", "function = \"leaky_relu\", alpha = 0.2", {"1x1x5x7xf32"}}},
    {"elu", {"activation", "function = \"elu\", alpha = 0.5", {"1x1x5x7xf32"}}},
    {"relu", {"activation", "function = \"relu\"", {"1x1x5x7xf32"}}},
    {"relu6", {"activation", "function = \"relu6\"", {"1x1x5x7xf32"}}},
    {"selu", {"activation", "function = \"selu\"", {"1x1x5x7xf32"}}},
    {"gelu", {"activation", "function = \"gelu\"", {"1x1x5x7xf32"}}},
    {"silu", {"activation", "function = \"silu\"", {"1x1x5x7xf32"}}},
    {"sigmoid", {"activation", "function = \"sigmoid\"", {"1x1x5x7xf32"}}},
    {"tanh", {"activation", "function = \"tanh\"", {"1x1x5x7xf32"}}},
    {"hardsigmoid", {"activation", "function = \"hardsigmoid\"", {"1x1x5x7xf32"}}},
    {"hardswish", {"activation", "function = \"hardswish\"", {"1x1x5x7xf32"}}},
};

} // namespace

TEST(Goldens, AgreeWithPyTorch) {
  auto goldens = readGoldens();
  for (const auto &[name, test] : kCases) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(goldens.count(name)) << "scripts/make_goldens.py knows no such case";
    const std::vector<Tensor> &expected = goldens[name];
    std::vector<Tensor> operands = countedOperands(test);
    if (name == "norm") // a variance, as the script makes it
      for (double &value : operands.back().data)
        value = value * value;
    // ONNX, which decides, gives selu's constants as f32; PyTorch has more digits of them.
    double tolerance = name == "selu" ? 1e-7 : 1e-12;
    std::vector<Tensor> results = evaluateCase(test, operands);
    ASSERT_EQ(results.size(), expected.size());
    for (size_t r = 0; r < results.size(); ++r) {
      ASSERT_EQ(results[r].shape, expected[r].shape) << "result " << r;
      ASSERT_EQ(results[r].data.size(), expected[r].data.size());
      for (size_t i = 0; i < expected[r].data.size(); ++i)
        EXPECT_NEAR(results[r].data[i], expected[r].data[i], tolerance * (1 + std::abs(expected[r].data[i])))
            << "result " << r << ", element " << i;
    }
    goldens.erase(name);
  }
  for (const auto &[name, tensors] : goldens)
    ADD_FAILURE() << "no test for the golden case " << name;
}
