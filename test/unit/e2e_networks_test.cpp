/// \file Small networks that once differed or did not compile, each for its own reason.
// SPDX-License-Identifier: MIT
#include "test/unit/e2e_support.h"
#include "gtest/gtest.h"

using namespace segc;

namespace {

/// A network of these layers on one picture; the last layer is its output.
std::string network(const std::string &shape, const std::string &layers, const std::string &output) {
  return R"({"format": "segc-model/1", "name": "net", "inputs": [{"name": "x", "shape": )" + shape +
         R"(, "dtype": "f32"}], "layers": [)" + layers + R"(], "outputs": [")" + output + R"("]})";
}

void expectAgreement(const std::string &json) {
  auto context = test::makeContext();
  EXPECT_EQ(test::differences(*context, json, test::compileOptions(), CheckOptions()), "") << json;
}

} // namespace

// The addition reads what the convolution reads, but without the padding.
TEST(Networks, ConvolutionAddedToItsOwnInput) {
  expectAgreement(network("[1, 6, 9, 7]",
                          R"({"name": "a", "op": "conv", "channels": 6, "kernel": 3, "padding": "same"},
    {"name": "b", "op": "conv", "channels": 6, "kernel": 3, "padding": "same"},
    {"name": "c", "op": "add", "inputs": ["a", "b"]})",
                          "c"));
}

// Weights are scaled once when they are packed.
TEST(Networks, TwoNormsInARow) {
  expectAgreement(
      network("[1, 3, 8, 8]",
              R"({"name": "a", "op": "deconv", "channels": 5, "kernel": 3, "stride": 2, "norm": "batch"},
    {"name": "b", "op": "norm", "type": "batch"}, {"name": "c", "op": "conv", "channels": 4, "kernel": 1, "norm": "batch"},
    {"name": "d", "op": "norm", "type": "batch"}, {"name": "e", "op": "norm", "type": "batch"})",
              "e"));
}

// A network whose values are all far below zero, where 1 + erf cancels.
TEST(Networks, GeluOfNegativeValues) {
  expectAgreement(network("[1, 64, 5, 6]", R"({"name": "a", "op": "log_softmax"},
    {"name": "b", "op": "activation", "type": "gelu"})",
                          "b"));
}

// The classes that a convolution's kernel stores have no axis of channels.
TEST(Networks, ClassesOfAConvolution) {
  for (const char *shape : {"[1, 3, 12, 20]", "[2, 3, 20, 12]"})
    expectAgreement(network(shape,
                            R"({"name": "a", "op": "conv", "channels": 8, "kernel": 3, "activation": "relu"},
    {"name": "b", "op": "conv", "channels": 4, "kernel": 1}, {"name": "c", "op": "argmax"})",
                            "c"));
}

// A mirrored convolution returns exactly the extents that the convolution read.
TEST(Networks, MirroredConvolutions) {
  expectAgreement(
      network("[1, 4, 11, 14]",
              R"({"name": "a", "op": "conv", "channels": 8, "kernel": 3, "stride": 2, "padding": "same",
    "norm": "batch", "activation": "relu"},
    {"name": "b", "op": "conv", "channels": 12, "kernel": [4, 2], "stride": [3, 1], "dilation": [1, 2], "padding": [1, 0]},
    {"name": "c", "op": "deconv", "mirror": "b", "channels": 8},
    {"name": "d", "op": "deconv", "mirror": "a", "channels": 4, "activation": "relu"},
    {"name": "e", "op": "add", "inputs": ["x", "d"]})",
              "e"));
}

// Elements elsewhere, at every size that the shapes allow; pictures change places, too.
TEST(Networks, ElementsElsewhere) {
  expectAgreement(network("[2, 3, 8, 6]",
                          R"({"name": "a", "op": "conv", "channels": 8, "kernel": 3, "padding": "same"},
    {"name": "b", "op": "reshape", "shape": [0, 16, -1, 0]},
    {"name": "c", "op": "slice", "offset": [0, 3, 1, 0], "size": [0, 7, 2, 0]},
    {"name": "d", "op": "conv", "channels": 5, "kernel": 3, "padding": "same"},
    {"name": "e", "op": "flatten"}, {"name": "f", "op": "activation", "type": "relu"},
    {"name": "g", "op": "dense", "units": 4})",
                          "g"));
  expectAgreement(network("[3, 4, 5, 6]", R"({"name": "a", "op": "transpose", "perm": [3, 2, 0, 1]},
    {"name": "b", "op": "conv", "channels": 9, "kernel": [3, 4]},
    {"name": "c", "op": "slice", "offset": [2, 0, 0, 0], "size": [3, 0, 0, 0]},
    {"name": "d", "op": "reshape", "shape": [1, 27, 1, 1]})",
                          "d"));
}

// A classifier of windows as one pass, and where its padding forbids that, as a batch of windows.
TEST(Networks, SlidingWindows) {
  for (const char *padding : {"", R"(, "padding": "same")"})
    for (const char *where : {"", R"(, "padding": "center")"})
      expectAgreement(network("[2, 3, 17, 14]",
                              R"({"name": "s", "op": "sliding_window", "window": [9, 8], "stride": [2, 1])" +
                                  std::string(where) +
                                  R"(, "layers": [{"op": "conv", "channels": 9, "kernel": 3)" + padding +
                                  R"(, "norm": "batch", "activation": "relu"},
    {"op": "maxpool", "kernel": 2}, {"op": "conv", "channels": 6, "kernel": 2}, {"op": "dense", "units": 5}]})",
                              "s"));
}

// Norms of every type inside convolutions, deconvolutions, sums and dense layers, and on their own.
TEST(Networks, NormsOfEachImage) {
  expectAgreement(network(
      "[2, 3, 13, 9]",
      R"({"name": "a", "op": "conv", "channels": 20, "kernel": 3, "norm": "instance", "activation": "relu"},
    {"name": "b", "op": "deconv", "channels": 24, "kernel": 2, "stride": 2, "norm": {"type": "group", "groups": 4},
     "activation": "silu"},
    {"name": "c", "op": "add", "inputs": ["b", "b"], "norm": {"type": "layer", "affine": false}},
    {"name": "d", "op": "concat", "inputs": ["c", "b"], "norm": {"type": "group", "groups": 3, "eps": 0.01}},
    {"name": "e", "op": "maxpool", "kernel": 2}, {"name": "f", "op": "norm", "type": "layer"},
    {"name": "g", "op": "dense", "units": 6, "norm": {"type": "group", "groups": 2}})",
      "g"));
}
