/// \file sliding_window: one pass over the image and the batch of windows, both against the classifier run on
/// every window by itself.
// SPDX-License-Identifier: MIT
#include "compiler/Pipeline.h"
#include "compiler/frontend/Import.h"
#include "compiler/reference/GradientCheck.h"
#include "test/unit/gradient_support.h"
#include "llvm/Support/xxhash.h"
#include <random>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

/// The tensors of `s.conv` inside of the window `s` are those of `conv` in the classifier.
llvm::FailureOr<Tensor> weightsOf(llvm::StringRef name, llvm::ArrayRef<int64_t> extents) {
  name.consume_front("s.");
  bool positive = name.ends_with("running_var");
  return scattered(extents, llvm::xxh3_64bits(name) % 1000, positive ? 0.5 : -0.6, positive ? 1.5 : 0.7);
}

/// A description as a graph.
struct Graph {
  std::string said;
  mlir::MLIRContext context{registry(), mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;

  explicit Graph(const std::string &text, bool training = false) {
    context.loadAllAvailableDialects();
    llvm::raw_string_ostream out(said);
    Diagnostics diagnostics(out);
    ImportOptions options;
    options.training = training;
    auto model = parseModel(diagnostics.addText(text, "m.json"), {}, {}, diagnostics);
    if (mlir::succeeded(model))
      module = importModel(context, diagnostics, *model, options);
  }
  bool isOnePass() {
    bool windows = false;
    module->walk([&](hg::WindowsOp) { windows = true; });
    return !windows;
  }
  Tensor run(const Tensor &image) {
    auto results = Interpreter(weightsOf).run(*module, {image});
    EXPECT_TRUE(mlir::succeeded(results));
    return mlir::succeeded(results) ? (*results)[0] : Tensor({1, 1, 1, 1});
  }

private:
  static mlir::DialectRegistry registry() {
    mlir::DialectRegistry dialects;
    registerDialects(dialects);
    return dialects;
  }
};

std::string list(llvm::ArrayRef<int64_t> numbers) {
  std::string text = "[";
  for (int64_t number : numbers)
    text += (text.size() > 1 ? ", " : "") + std::to_string(number);
  return text + "]";
}

std::string describe(llvm::ArrayRef<int64_t> input, const std::string &layers, const std::string &output,
                     const std::string &rest = "") {
  return R"({"format": "segc-model/1", "name": "n", "inputs": [{"name": "image", "shape": )" + list(input) +
         R"(}], "layers": [)" + layers + R"(], "outputs": [")" + output + "\"]" + rest + "}";
}

struct Case {
  std::array<int64_t, 4> image;
  std::array<int64_t, 2> window, stride;
  std::string layers; ///< the last one is named `out`
  bool centred = false;

  std::string sliding(const std::string &before = "", const std::string &border = "window") const {
    return R"({"name": "s", "op": "sliding_window", "window": )" + list(window) + R"(, "stride": )" +
           list(stride) + (centred ? R"(, "padding": "center")" : "") + R"(, "border": ")" + border +
           R"(", "layers": [)" + before + layers + "]}";
  }
  int64_t positions(unsigned axis) const {
    int64_t extent = image[2 + axis] + (centred ? window[axis] - 1 : 0);
    return (extent - window[axis]) / stride[axis] + 1;
  }
};

/// What the classifier says of each window.
Tensor oneByOne(const Case &test, const Tensor &image) {
  Graph classifier(describe({1, test.image[1], test.window[0], test.window[1]}, test.layers, "out"));
  if (!classifier.module) {
    ADD_FAILURE() << classifier.said;
    return Tensor({1, 1, 1, 1});
  }
  int64_t rows = test.positions(0), columns = test.positions(1);
  Tensor result;
  for (int64_t n = 0; n < test.image[0]; ++n)
    for (int64_t p = 0; p < rows; ++p)
      for (int64_t q = 0; q < columns; ++q) {
        Tensor window({1, test.image[1], test.window[0], test.window[1]});
        for (int64_t c = 0; c < test.image[1]; ++c)
          for (int64_t i = 0; i < test.window[0]; ++i)
            for (int64_t j = 0; j < test.window[1]; ++j) {
              int64_t y = p * test.stride[0] + i - (test.centred ? (test.window[0] - 1) / 2 : 0);
              int64_t x = q * test.stride[1] + j - (test.centred ? (test.window[1] - 1) / 2 : 0);
              if (y >= 0 && y < test.image[2] && x >= 0 && x < test.image[3])
                window.plane(0, c)[i * test.window[1] + j] = image.plane(n, c)[y * test.image[3] + x];
            }
        Tensor scores = classifier.run(window);
        if (result.data.empty())
          result = Tensor({test.image[0], scores.shape[1], rows, columns});
        for (int64_t k = 0; k < scores.shape[1]; ++k)
          result.plane(n, k)[p * columns + q] = scores.data[k];
      }
  return result;
}

double distance(const Tensor &a, const Tensor &b) {
  double most = 0;
  EXPECT_EQ(a.shape, b.shape);
  for (size_t i = 0; i < a.data.size() && i < b.data.size(); ++i)
    most = std::max(most, std::abs(a.data[i] - b.data[i]));
  return most;
}

/// Enlarging by 1 changes nothing but forbids one pass.
const std::string kForbid = R"({"name": "same", "op": "upsample", "scale": 1}, )";

void expectAgreement(const Case &test) {
  Tensor image = scattered(test.image, 3);
  Tensor judge = oneByOne(test, image);
  std::string text = describe(test.image, test.sliding(), "s");
  SCOPED_TRACE(text);
  Graph pass(text), batch(describe(test.image, test.sliding(kForbid), "s"));
  ASSERT_TRUE(pass.module) << pass.said;
  ASSERT_TRUE(batch.module) << batch.said;
  EXPECT_EQ(pass.said, "");
  EXPECT_TRUE(pass.isOnePass());
  EXPECT_NE(batch.said.find("layer 's.same' (upsample) does not allow one pass over the image"),
            std::string::npos)
      << batch.said;
  EXPECT_FALSE(batch.isOnePass());
  EXPECT_LT(distance(pass.run(image), judge), 1e-10);
  EXPECT_LT(distance(batch.run(image), judge), 1e-10);
}

const std::string kDense = R"({"name": "d", "op": "dense", "units": 5, "activation": "relu"},
  {"name": "out", "op": "dense", "units": 3})";

std::string conv(const std::string &name, const std::string &fields) {
  return R"({"name": ")" + name + R"(", "op": "conv", "channels": 4, "activation": "relu", )" + fields +
         "}, ";
}
std::string pool(const std::string &fields) { return R"({"op": "maxpool", )" + fields + "}, "; }

} // namespace

// Strides of 1, 2, 4 and 8 against a stride of 4 inside: dilations of 4, 2, 1 and windows between.
TEST(SlidingWindow, StridesBecomeDilation) {
  for (int64_t stride : {1, 2, 3, 4, 6, 8})
    expectAgreement({{2, 2, 27, 23},
                     {14, 14},
                     {stride, stride},
                     conv("a", R"("kernel": 3)") + pool(R"("kernel": 2)") + conv("b", R"("kernel": 3)") +
                         pool(R"("kernel": 2)") + kDense});
}

TEST(SlidingWindow, PixelsThatNoLayerReads) {
  // 9 - 2 = 7 pixels of which pooling reads 6.
  for (bool centred : {false, true})
    for (int64_t width : {13, 14, 15, 16})
      expectAgreement({{1, 1, 15, width},
                       {9, 8},
                       {1, 3},
                       conv("a", R"("kernel": [3, 2])") + pool(R"("kernel": 2)") + kDense,
                       centred});
}

TEST(SlidingWindow, CentredOnEveryPixel) {
  for (int64_t window : {5, 6})
    expectAgreement(
        {{1, 2, 7, 6}, {window, 5}, {2, 1}, conv("a", R"("kernel": 3, "norm": "batch")") + kDense, true});
}

TEST(SlidingWindow, BranchesNormsMeans) {
  expectAgreement({{1, 2, 12, 11},
                   {9, 7},
                   {2, 1},
                   R"({"name": "a", "op": "conv", "channels": 3, "kernel": 3, "norm": "batch"},
    {"name": "b", "op": "conv", "input": "a", "channels": 3, "kernel": 3, "stride": 2},
    {"name": "c", "op": "conv", "input": "a", "channels": 3, "kernel": 3, "stride": 2},
    {"name": "e", "op": "add", "inputs": ["b", "c"]},
    {"name": "f", "op": "concat", "inputs": ["e", "b"]}, {"op": "softmax"}, )" +
                       kDense});
  expectAgreement({{1, 2, 12, 11},
                   {8, 6},
                   {2, 1},
                   conv("a", R"("kernel": 3)") + R"({"op": "avgpool", "kernel": 2, "stride": 1},
    {"op": "global_avgpool"}, {"op": "dropout", "rate": 0.5}, )" +
                       kDense});
}

// What is between a flatten and the dense layer behind it acts on pixels as well.
TEST(SlidingWindow, Flattened) {
  for (const char *between :
       {"", R"({"op": "dropout", "rate": 0.5}, {"op": "activation", "type": "tanh"}, )"})
    expectAgreement(
        {{1, 2, 12, 11},
         {8, 7},
         {1, 2},
         conv("a", R"("kernel": 3)") + pool(R"("kernel": 2)") + R"({"op": "flatten"}, )" + between + kDense});
}

// Two windows over one image with the tensors of one classifier.
TEST(SlidingWindow, SharedClassifier) {
  Case test{{1, 2, 10, 9}, {6, 6}, {2, 3}, conv("a", R"("kernel": 3)") + kDense};
  std::string second = test.sliding();
  second.replace(second.find("\"s\""), 3, R"("t", "share": "s", "input": "image")");
  Graph one(describe(test.image, test.sliding(), "s"));
  Graph two(describe(test.image,
                     test.sliding() + ", " + second + R"(, {"name": "u", "op": "add", "inputs": ["s", "t"]})",
                     "u"));
  ASSERT_TRUE(one.module && two.module) << one.said << two.said;
  Tensor image = scattered(test.image, 5), doubled = one.run(image);
  for (double &value : doubled.data)
    value *= 2;
  EXPECT_EQ(distance(doubled, two.run(image)), 0);
  two.module->walk([](hg::WeightOp weight) { EXPECT_TRUE(weight.getName().starts_with("s.")); });
}

// Random classifiers of convolutions and pools that use up the window.
TEST(SlidingWindow, RandomClassifiers) {
  std::mt19937_64 random(11);
  auto between = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  };
  for (int round = 0; round < 40; ++round) {
    Case test{{between(1, 2), between(1, 3), 0, 0},
              {between(4, 16), between(4, 16)},
              {between(1, 5), between(1, 5)},
              ""};
    test.centred = between(0, 3) == 0;
    for (unsigned axis : {0u, 1u})
      test.image[2 + axis] = test.window[axis] + between(0, 9);
    int64_t left[2] = {test.window[0], test.window[1]};
    for (int64_t layers = between(0, 4), i = 0; i < layers; ++i) {
      int64_t kernel[2], stride[2], dilation[2];
      for (unsigned axis : {0u, 1u}) {
        kernel[axis] = between(1, std::min<int64_t>(4, left[axis]));
        stride[axis] = between(1, 3);
        dilation[axis] =
            kernel[axis] > 1 ? between(1, std::min<int64_t>(2, (left[axis] - 1) / (kernel[axis] - 1))) : 1;
        left[axis] = (left[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis] + 1;
      }
      std::string fields = R"("kernel": )" + list(kernel) + R"(, "stride": )" + list(stride) +
                           R"(, "dilation": )" + list(dilation);
      test.layers += between(0, 2) ? conv("c" + std::to_string(i), fields) : pool(fields);
    }
    test.layers += kDense;
    expectAgreement(test);
  }
}

// Layers inside pad at the image's edge: the same as the layers on the image, the dense one a convolution.
TEST(SlidingWindow, BorderOfTheImage) {
  std::string layers = conv("a", R"("kernel": 3, "padding": "same")") + pool(R"("kernel": 2)") +
                       conv("b", R"("kernel": 3, "padding": 1)");
  for (int64_t extent : {12, 13}) { // of 13 pixels one more window of 7 would fit
    Case test{{1, 2, extent, 12}, {extent == 12 ? 8 : 9, 8}, {2, 2}, layers + kDense};
    Graph pass(describe(test.image, test.sliding("", "image"), "s"));
    ASSERT_TRUE(pass.module) << pass.said;
    EXPECT_TRUE(pass.isOnePass());
    Graph network(describe(test.image, layers + R"({"name": "d", "op": "conv", "channels": 5, "kernel": 4,
      "activation": "relu"}, {"name": "out", "op": "conv", "channels": 3, "kernel": 1})",
                           "out"));
    ASSERT_TRUE(network.module) << network.said;
    Tensor image = scattered(test.image, 4);
    Tensor actual = pass.run(image), expected = network.run(image);
    EXPECT_EQ(actual.shape[2], test.positions(0));
    if (extent == 12) {
      EXPECT_LT(distance(actual, expected), 1e-10);
      continue;
    }
    ASSERT_GE(expected.shape[2], actual.shape[2]);
    for (int64_t k = 0; k < 3; ++k)
      for (int64_t i = 0; i < actual.shape[2] * actual.shape[3]; ++i)
        EXPECT_NEAR(actual.plane(0, k)[i], expected.plane(0, k)[i], 1e-10);
  }
}

TEST(SlidingWindow, SaysWhichLayerForbidsOnePass) {
  auto said = [](const std::string &layers, const std::string &border = "window") {
    Case test{{1, 3, 16, 16}, {8, 8}, {2, 2}, layers + kDense};
    Graph graph(describe(test.image, test.sliding("", border), "s"));
    return graph.said.substr(0, graph.said.find('\n'));
  };
  EXPECT_EQ(said(conv("a", R"("kernel": 3)")), "");
  EXPECT_EQ(
      said(conv("a", R"("kernel": 3, "padding": "same")")),
      "m.json:1:108: warning: layer 's': layer 's.a' (conv) does not allow one pass over the image: it pads "
      "at the edge of each window; \"border\": \"image\" would pad at the image's edge only; every window is "
      "computed by itself");
  EXPECT_EQ(said(conv("a", R"("kernel": 3, "padding": "same")"), "image"), "");
  EXPECT_NE(
      said(R"({"name": "g", "op": "norm", "type": "instance"}, )").find("layer 's.g' (group_norm) does not"),
      std::string::npos);
  EXPECT_NE(
      said(conv("a", R"("kernel": 3, "padding": 1)") + R"({"name": "u", "op": "upsample", "scale": 2}, )",
           "image")
          .find("error: layer 's': layer 's.u' (upsample) does not allow one pass"),
      std::string::npos);
}

TEST(SlidingWindow, BadDescriptions) {
  auto said = [](const std::string &fields, const std::string &layers) {
    Graph graph(describe(
        {1, 3, 16, 16},
        R"({"name": "s", "op": "sliding_window", )" + fields + R"(, "layers": [)" + layers + "]}", "s"));
    EXPECT_FALSE(graph.module);
    std::string line = graph.said.substr(0, graph.said.find('\n'));
    return line.substr(std::min(line.size(), line.find("error: ")));
  };
  const std::string out = R"({"op": "dense", "units": 2})";
  EXPECT_EQ(said(R"("window": 17)", out),
            "error: layer 's': the window's height of 17 is more than the image's 16");
  EXPECT_EQ(said(R"("window": 8, "padding": 3)", out),
            "error: layer 's': \"padding\" must be 0 or \"center\", not 3");
  EXPECT_EQ(said(R"("window": 8)", R"({"op": "conv", "channels": 2, "kernel": 3})"),
            "error: layer 's': its layers must make [1, classes, 1, 1] of one window, not [1, 2, 6, 6]; end "
            "with a dense layer or a global_avgpool");
  EXPECT_EQ(said(R"("window": 8)", R"({"op": "conv", "channels": 2, "kernel": 9})"),
            "error: layer 's.0': the kernel spans 9 pixels, more than the padded height of its operand: "
            "result height is too small (0, at least 1)");
  EXPECT_EQ(
      said(R"("window": 8, "size": 3)", out),
      "error: layer 's': unknown field 'size' of sliding_window; known are 'name', 'op', 'block', 'input', "
      "'inputs', 'repeat', 'first', 'share', 'description', 'window', 'stride', 'border', 'padding'");
  EXPECT_EQ(said(R"("stride": 8)", out), "error: layer 's': sliding_window needs \"window\"");
}

// Gradients pass through both ways; weights that all windows share get the sum over them.
TEST(SlidingWindow, Training) {
  for (bool forbid : {false, true}) {
    Case test{{1, 2, 9, 8},
              {6, 5},
              {2, 1},
              R"({"name": "a", "op": "conv", "channels": 3, "kernel": 3, "activation": "tanh"}, )" +
                  pool(R"("kernel": 2, "stride": 1)") + kDense};
    std::string text = describe(test.image, test.sliding(forbid ? kForbid : ""), "s", R"(, "training": {
      "targets": [{"name": "t", "shape": [1, 3, 2, 4]}],
      "losses": [{"type": "mse", "input": "s", "target": "t"}], "wrt": ["image"], "optimizer": {"type": "sgd"}})");
    SCOPED_TRACE(text);
    Graph graph(text, /*training=*/true);
    ASSERT_TRUE(graph.module) << graph.said;
    EXPECT_NE(graph.isOnePass(), forbid);
    mlir::OwningOpRef<mlir::ModuleOp> backward = graph.module->clone();
    mlir::PassManager passes(&graph.context);
    PipelineOptions pipeline;
    pipeline.stopAfter = Stage::Gradient;
    pipeline.training = true;
    buildPipeline(passes, pipeline);
    ASSERT_TRUE(mlir::succeeded(passes.run(*backward)));
    DifferenceOptions options;
    options.elements = 24;
    auto report = checkGradients(*graph.module, *backward,
                                 {scattered(test.image, 1), scattered({1, 3, 2, 4}, 2)}, weightsOf, options);
    ASSERT_TRUE(mlir::succeeded(report));
    EXPECT_GE(report->gradients.size(), 7u);
    for (const auto &gradient : report->gradients) {
      EXPECT_LT(gradient.result.error, 1e-6) << gradient.name;
      EXPECT_GT(gradient.result.checked, gradient.result.kinked) << gradient.name;
    }
  }
}

// A batch norm before the dense layers would see other pixels when it trains; behind them it would not.
TEST(SlidingWindow, TrainingNormsForbidOnePass) {
  const std::string rest = R"(, "training": {"targets": [{"name": "t", "shape": [1, 3, 3, 3]}],
      "losses": [{"type": "mse", "input": "s", "target": "t"}], "optimizer": {"type": "sgd"}})";
  Case early{{1, 2, 12, 12}, {8, 8}, {2, 2}, conv("a", R"("kernel": 3, "norm": "batch")") + kDense};
  Case late{{1, 2, 12, 12}, {8, 8}, {2, 2}, R"({"name": "d", "op": "dense", "units": 4, "norm": "batch"},
    {"name": "out", "op": "dense", "units": 3})"};
  Graph first(describe(early.image, early.sliding(), "s", rest), true);
  Graph second(describe(late.image, late.sliding(), "s", rest), true);
  ASSERT_TRUE(first.module && second.module) << first.said << second.said;
  EXPECT_FALSE(first.isOnePass());
  EXPECT_TRUE(second.isOnePass());
}
