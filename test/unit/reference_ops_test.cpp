/// \file Every op of the interpreter against values worked out by hand.
// SPDX-License-Identifier: MIT
#include "test/unit/reference_support.h"
#include <cmath>
#include <limits>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
const std::string kWindow = "operandSegmentSizes = array<i32: 1, 1, 0, 0>";

using Values = std::vector<double>;

Tensor row(Values values) { return Tensor({1, 1, 1, static_cast<int64_t>(values.size())}, values); }
/// One pixel with these channels.
Tensor pixel(Values values) { return Tensor({1, static_cast<int64_t>(values.size()), 1, 1}, values); }

void expectNear(const Values &actual, const Values &expected, double tolerance = 1e-12) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(expected[i])) {
      EXPECT_TRUE(std::isnan(actual[i])) << "element " << i << " is " << actual[i];
    } else if (actual[i] != expected[i]) { // equal infinities have no difference
      EXPECT_NEAR(actual[i], expected[i], tolerance) << "element " << i;
    }
  }
}

} // namespace

TEST(ReferenceOps, DeconvolutionOfTheIssue) {
  OpCase deconv{"deconv", kWindow, {"1x1x4x4xf32", "1x1x3x3xf32"}};
  auto y = evaluateCase(deconv, {image({"1111", "1001", "0110", "0000"}), image({"010", "111", "010"})});
  ASSERT_EQ(y.size(), 1u);
  Tensor expected = image({"011110", "133331", "123321", "022220", "001100", "000000"});
  EXPECT_EQ(y[0].shape, expected.shape);
  EXPECT_EQ(y[0].data, expected.data);
}

TEST(ReferenceOps, ConvolutionIsACorrelation) {
  OpCase conv{"conv", kWindow, {"1x1x3x3xf32", "1x1x2x2xf32"}};
  auto y = evaluateCase(conv, {image({"123", "456", "789"}), image({"12", "30"})});
  EXPECT_EQ(y[0].data, (Values{1 + 4 + 12, 2 + 6 + 15, 4 + 10 + 21, 5 + 12 + 24}));
}

TEST(ReferenceOps, SamePaddingPutsTheOddPixelAtTheEnd) {
  OpCase even{"conv", kWindow + ", same", {"1x1x1x4xf32", "1x1x1x2xf32"}};
  EXPECT_EQ(evaluateCase(even, {row({1, 2, 3, 4}), row({1, 10})})[0].data, (Values{21, 32, 43, 4}));
  // Stride 2 on 4 pixels with 3 taps: one pixel of padding in all, at the end.
  OpCase strided{"conv", kWindow + ", same, stride = array<i64: 1, 2>", {"1x1x1x4xf32", "1x1x1x3xf32"}};
  EXPECT_EQ(evaluateCase(strided, {row({1, 2, 3, 4}), row({1, 10, 100})})[0].data, (Values{321, 43}));
}

TEST(ReferenceOps, DilationAndNegativePadding) {
  OpCase dilated{"conv", kWindow + ", dilation = array<i64: 1, 2>", {"1x1x1x5xf32", "1x1x1x3xf32"}};
  EXPECT_EQ(evaluateCase(dilated, {row({1, 2, 3, 4, 5}), row({1, 10, 100})})[0].data, (Values{531}));
  OpCase cropped{"conv", kWindow + ", padding = array<i64: 0, -1, 0, -1>", {"1x1x1x5xf32", "1x1x1x1xf32"}};
  EXPECT_EQ(evaluateCase(cropped, {row({1, 2, 3, 4, 5}), row({2})})[0].data, (Values{4, 6, 8}));
}

TEST(ReferenceOps, GroupsAndBias) {
  std::string attributes = "operandSegmentSizes = array<i32: 1, 1, 1, 0>, groups = 2 : i64";
  Tensor x = pixel({1, 2, 3, 4});
  OpCase conv{"conv", attributes, {"1x4x1x1xf32", "2x2x1x1xf32", "2xf32"}};
  EXPECT_EQ(
      evaluateCase(conv, {x, Tensor({2, 2, 1, 1}, {1, 10, 100, 1000}), Tensor({2}, {0.5, 0.25})})[0].data,
      (Values{21.5, 4300.25}));
  // Channels 0, 1 make results 0, 1; channels 2, 3 make results 2, 3.
  OpCase deconv{"deconv", attributes, {"1x4x1x1xf32", "4x2x1x1xf32", "4xf32"}};
  Tensor weight({4, 2, 1, 1}, {1, 10, 100, 1000, 1, 10, 100, 1000});
  EXPECT_EQ(evaluateCase(deconv, {x, weight, Tensor({4}, {0, 0, 0, 0.5})})[0].data,
            (Values{201, 2010, 403, 4030.5}));
}

TEST(ReferenceOps, OutputPaddingAddsPixelsAtTheEnd) {
  OpCase deconv{"deconv",
                kWindow + ", stride = array<i64: 1, 2>, output_padding = array<i64: 0, 1>",
                {"1x1x1x2xf32", "1x1x1x2xf32"}};
  EXPECT_EQ(evaluateCase(deconv, {row({1, 2}), row({1, 10})})[0].data, (Values{1, 10, 2, 20, 0}));
}

TEST(ReferenceOps, PoolThenUnpoolKeepsMaximaInPlace) {
  std::string window = "kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>";
  OpCase pool{"maxpool", window, {"1x1x4x4xf32"}, {"?x?x?x?xf32", "?x?x?x?xi8"}};
  Tensor x = image({"1233", "4213", "5500", "5500"});
  auto pooled = evaluateCase(pool, {x});
  EXPECT_EQ(pooled[0].data, (Values{4, 3, 5, 0}));
  EXPECT_EQ(pooled[1].data, (Values{2, 0, 0, 0})); // ties: the first pixel
  OpCase unpool{"unpool", window, {"1x1x2x2xf32", "1x1x2x2xi8", "1x1x4x4xf32"}};
  EXPECT_EQ(evaluateCase(unpool, {pooled[0], pooled[1], x})[0].data,
            image({"0030", "4000", "5000", "0000"}).data);
}

TEST(ReferenceOps, PoolsKnowNaNAndInfinity) {
  OpCase pool{"maxpool",
              "kernel = array<i64: 1, 3>, stride = array<i64: 1, 3>",
              {"1x1x1x6xf32"},
              {"?x?x?x?xf32", "?x?x?x?xi8"}};
  auto y = evaluateCase(pool, {row({9, kNaN, kNaN, -kInfinity, -kInfinity, -kInfinity})});
  expectNear(y[0].data, {kNaN, -kInfinity});
  EXPECT_EQ(y[1].data, (Values{1, 0}));
}

TEST(ReferenceOps, CeilPools) {
  auto pool = [](const char *padding, int extent) {
    return OpCase{
        "maxpool",
        std::string("kernel = array<i64: 1, 2>, stride = array<i64: 1, 2>, ceil, padding = array<i64: ") +
            padding + ">",
        {"1x1x1x" + std::to_string(extent) + "xf32"},
        {"?x?x?x?xf32", "?x?x?x?xi8"}};
  };
  // A partial window at the end counts, unless it starts in the padding.
  EXPECT_EQ(evaluateCase(pool("0, 0, 0, 0", 5), {row({1, 2, 4, 3, 5})})[0].data, (Values{2, 4, 5}));
  EXPECT_EQ(evaluateCase(pool("0, 0, 0, 1", 4), {row({1, 2, 4, 3})})[0].data, (Values{2, 4}));
  auto padded = evaluateCase(pool("0, 1, 0, 1", 4), {row({1, 2, 4, 3})});
  EXPECT_EQ(padded[0].data, (Values{1, 4, 3}));
  EXPECT_EQ(padded[1].data, (Values{1, 1, 0}));
}

TEST(ReferenceOps, OverlappingUnpoolKeepsTheLastWindow) {
  std::string window = "kernel = array<i64: 1, 2>, stride = array<i64: 1, 1>";
  Tensor index({1, 1, 1, 2}, Values{1, 0}); // both windows point at pixel 1
  OpCase unpool{"unpool", window, {"1x1x1x2xf32", "1x1x1x2xi8", "1x1x1x3xf32"}};
  EXPECT_EQ(evaluateCase(unpool, {row({5, 7}), index, row({0, 0, 0})})[0].data, (Values{0, 7, 0}));
  OpCase take{"take", window, {"1x1x1x3xf32", "1x1x1x2xi8"}};
  EXPECT_EQ(evaluateCase(take, {row({1, 2, 3}), index})[0].data, (Values{0, 2}));
}

TEST(ReferenceOps, Upsampling) {
  auto to = [](const char *mode, const char *size) {
    return OpCase{"upsample",
                  std::string("mode = \"") + mode + ", size = array<i64: 1, " + size + ">",
                  {"1x1x1x2xf32"}};
  };
  Tensor x = row({0, 4});
  EXPECT_EQ(evaluateCase(to("nearest\"", "5"), {x})[0].data, (Values{0, 0, 0, 4, 4}));
  EXPECT_EQ(evaluateCase(to("bilinear\"", "4"), {x})[0].data, (Values{0, 1, 3, 4}));
  EXPECT_EQ(evaluateCase(to("bilinear\", align_corners", "5"), {x})[0].data, (Values{0, 1, 2, 3, 4}));
  EXPECT_EQ(evaluateCase(to("bilinear\", align_corners", "1"), {x})[0].data, (Values{0}));
  OpCase half{"upsample",
              "mode = \"nearest\", scale_num = array<i64: 1, 3>, scale_den = array<i64: 1, 2>",
              {"1x1x1x3xf32"}};
  EXPECT_EQ(evaluateCase(half, {row({1, 2, 3})})[0].data, (Values{1, 1, 2, 3})); // floor(3 * 1.5) = 4 pixels
}

TEST(ReferenceOps, CropAndPad) {
  Tensor x = image({"12345"});
  OpCase centre{"crop", "size = array<i64: 1, 2>", {"1x1x1x5xf32"}}; // floor(3 / 2) = 1
  EXPECT_EQ(evaluateCase(centre, {x})[0].data, (Values{2, 3}));
  OpCase like{"crop", "", {"1x1x1x5xf32", "1x1x1x4xf32", "1x7x1x3xf32"}}; // the smallest
  EXPECT_EQ(evaluateCase(like, {x, image({"0000"}), Tensor({1, 7, 1, 3})})[0].data, (Values{2, 3, 4}));
  OpCase offset{"crop", "size = array<i64: 1, 2>, offset = array<i64: 0, 3>", {"1x1x1x5xf32"}};
  EXPECT_EQ(evaluateCase(offset, {x})[0].data, (Values{4, 5}));
  auto pad = [](const char *mode) {
    return OpCase{
        "pad", std::string("amount = array<i64: 0, 2, 0, 1>, mode = \"") + mode + "\"", {"1x1x1x5xf32"}};
  };
  EXPECT_EQ(evaluateCase(pad("zero"), {x})[0].data, (Values{0, 0, 1, 2, 3, 4, 5, 0}));
  EXPECT_EQ(evaluateCase(pad("reflect"), {x})[0].data, (Values{3, 2, 1, 2, 3, 4, 5, 4}));
  EXPECT_EQ(evaluateCase(pad("replicate"), {x})[0].data, (Values{1, 1, 1, 2, 3, 4, 5, 5}));
}

TEST(ReferenceOps, InterleavePlacesPhases) {
  OpCase interleave{"interleave", "stride = array<i64: 1, 2>", {"1x1x1x2xf32", "1x1x1x1xf32"}};
  EXPECT_EQ(evaluateCase(interleave, {row({1, 3}), row({2})})[0].data, (Values{1, 2, 3}));
}

TEST(ReferenceOps, SoftmaxAndArgmax) {
  OpCase softmax{"softmax", "", {"1x2x1x1xf32"}}, logs{"log_softmax", "", {"1x2x1x1xf32"}};
  expectNear(evaluateCase(softmax, {pixel({2, 3})})[0].data, {0.27, 0.73}, 0.005);
  expectNear(evaluateCase(softmax, {pixel({2000, 3000})})[0].data, {0, 1});
  expectNear(evaluateCase(softmax, {pixel({1, kNaN})})[0].data, {kNaN, kNaN});
  expectNear(evaluateCase(logs, {pixel({1000, 0})})[0].data, {0, -1000});
  OpCase argmax{"argmax", "", {"1x3x1x1xf32"}, {"?x?x?xi32"}};
  EXPECT_EQ(evaluateCase(argmax, {pixel({1, 2, 2})})[0].data, (Values{1}));
  EXPECT_EQ(evaluateCase(argmax, {pixel({9, kNaN, kNaN})})[0].data, (Values{1}));
  EXPECT_EQ(evaluateCase(argmax, {pixel({-kInfinity, -kInfinity, -kInfinity})})[0].data, (Values{0}));
}

TEST(ReferenceOps, PointwiseOps) {
  OpCase prelu{"activation", "function = \"prelu\"", {"1x2x1x1xf32", "2xf32"}};
  EXPECT_EQ(evaluateCase(prelu, {pixel({-2, -2}), Tensor({2}, {0.5, 0.25})})[0].data, (Values{-1, -0.5}));
  OpCase leaky{"activation", "function = \"leaky_relu\"", {"1x2x1x1xf32"}};
  EXPECT_EQ(evaluateCase(leaky, {pixel({-2, kNaN})})[0].data[0], -0.02);
  OpCase norm{"norm",
              "operandSegmentSizes = array<i32: 1, 1, 1, 1, 1>, eps = 1.0",
              {"1x1x1x2xf32", "1xf32", "1xf32", "1xf32", "1xf32"}};
  Tensor gamma({1}, Values{3}), beta({1}, Values{10}), mean({1}, Values{1}), variance({1}, Values{3});
  EXPECT_EQ(evaluateCase(norm, {row({1, 5}), gamma, beta, mean, variance})[0].data, (Values{10, 16}));
  OpCase plain{"norm",
               "operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>, eps = 1.0",
               {"1x1x1x2xf32", "1xf32", "1xf32"}};
  EXPECT_EQ(evaluateCase(plain, {row({1, 5}), mean, variance})[0].data, (Values{0, 2}));
  OpCase affine{"affine", "", {"1x1x1x2xf32", "1xf32", "1xf32"}};
  EXPECT_EQ(evaluateCase(affine, {row({1, 2}), gamma, beta})[0].data, (Values{13, 16}));
  OpCase scale{"norm_scale", "eps = 1.0", {"1xf32", "1xf32"}, {"1xf32"}};
  EXPECT_EQ(evaluateCase(scale, {gamma, variance})[0].data, (Values{1.5}));
  OpCase shift{"norm_shift",
               "operandSegmentSizes = array<i32: 1, 1, 1, 1>",
               {"1xf32", "1xf32", "1xf32", "1xf32"},
               {"1xf32"}};
  EXPECT_EQ(evaluateCase(shift, {beta, mean, Tensor({1}, Values{1.5}), Tensor({1}, Values{5})})[0].data,
            (Values{16}));
}

TEST(ReferenceOps, WeightsOfDeconvolutions) {
  OpCase scale{"scale_weight", "deconv, groups = 2 : i64", {"2x1x1x1xf32", "2xf32"}, {"2x1x1x1xf32"}};
  EXPECT_EQ(evaluateCase(scale, {Tensor({2, 1, 1, 1}, {3, 5}), Tensor({2}, {10, 100})})[0].data,
            (Values{30, 500}));
  // Taps 1, 3 of four in reverse; then one tap more, which lies outside the filter.
  auto phase = [](int taps) {
    std::string n = std::to_string(taps);
    return OpCase{"phase_weight",
                  "first = array<i64: 0, 1>, step = array<i64: 1, 2>, taps = array<i64: 1, " + n + ">",
                  {"1x1x1x4xf32"},
                  {"1x1x1x" + n + "xf32"}};
  };
  EXPECT_EQ(evaluateCase(phase(2), {row({1, 2, 3, 4})})[0].data, (Values{4, 2}));
  EXPECT_EQ(evaluateCase(phase(3), {row({1, 2, 3, 4})})[0].data, (Values{0, 4, 2}));
}

TEST(ReferenceOps, ConcatSliceEmbed) {
  OpCase concat{"concat", "", {"2x1x1x1xf32", "2x2x1x1xf32"}};
  Tensor x = evaluateCase(concat, {Tensor({2, 1, 1, 1}, {1, 4}), Tensor({2, 2, 1, 1}, {2, 3, 5, 6})})[0];
  EXPECT_EQ(x.data, (Values{1, 2, 3, 4, 5, 6}));
  OpCase slice{"slice", "offset = 1 : i64, size = 2 : i64", {"2x3x1x1xf32"}};
  EXPECT_EQ(evaluateCase(slice, {x})[0].data, (Values{2, 3, 5, 6}));
  OpCase embed{"embed", "offset = 2 : i64, channels = 4 : i64", {"1x1x1x1xf32"}};
  EXPECT_EQ(evaluateCase(embed, {pixel({7})})[0].data, (Values{0, 0, 7, 0}));
}

TEST(ReferenceOps, PackedTensorsRememberTheirWeights) {
  OpCase pack{"pack", "problem = \"pack\", extents = array<i64: 3>", {"2x1x1x1xf32"}, {"3xf32"}};
  OpCase unpack{"unpack", "extents = array<i64: 2, 1, 1, 1>", {"3xf32"}, {"2x1x1x1xf32"}};
  Tensor weight({2, 1, 1, 1}, {1, 2});
  Tensor packed = evaluateCase(pack, {weight})[0];
  EXPECT_TRUE(packed.isPacked());
  EXPECT_EQ(evaluateCase(unpack, {packed})[0].data, weight.data);
  auto module = moduleOf(unpack);
  EXPECT_TRUE(mlir::failed(evaluate(firstOp(*module), {Tensor({3}, 0.0)})));
}
