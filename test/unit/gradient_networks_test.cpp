/// \file Whole networks from their descriptions: what differentiation makes of them against finite
/// differences, and against PyTorch's first step (test/goldens, scripts/goldens_training.py).
// SPDX-License-Identifier: MIT
#include "compiler/Pipeline.h"
#include "compiler/frontend/Import.h"
#include "compiler/reference/GradientCheck.h"
#include "runtime/files/Safetensors.h"
#include "test/unit/gradient_support.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/xxhash.h"
#include <cmath>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

/// A description imported for training, and what the compiler makes of it up to the end of differentiation.
struct Network {
  std::string said;
  mlir::MLIRContext context{registry(), mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> forward, backward;

  explicit Network(const std::string &text, unsigned recompute = 0) {
    context.loadAllAvailableDialects();
    llvm::raw_string_ostream out(said);
    Diagnostics diagnostics(out);
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
      out << diagnostic << "\n";
      return mlir::success();
    });
    ImportOptions options;
    options.training = true;
    auto model = parseModel(diagnostics.addText(text, "network.json"), {}, {}, diagnostics);
    if (mlir::succeeded(model))
      forward = importModel(context, diagnostics, *model, options);
    if (!forward)
      return;
    mlir::OwningOpRef<mlir::ModuleOp> copy = forward->clone();
    mlir::PassManager passes(&context);
    PipelineOptions pipeline;
    pipeline.stopAfter = Stage::Gradient;
    pipeline.training = true;
    pipeline.recompute = recompute;
    buildPipeline(passes, pipeline);
    if (mlir::succeeded(passes.run(*copy)))
      backward = std::move(copy);
  }

  /// One random tensor an argument of @main: labels where labels belong, some of them ignored.
  std::vector<Tensor> inputs() {
    auto main = forward->lookupSymbol<mlir::func::FuncOp>("main");
    std::vector<Tensor> tensors;
    for (unsigned i = 0; i < main.getNumArguments(); ++i) {
      auto classes = main.getArgAttrOfType<mlir::IntegerAttr>(i, "hourglass.classes");
      auto type = llvm::cast<mlir::RankedTensorType>(main.getArgument(i).getType());
      tensors.push_back(scattered(type.getShape(), i));
      if (classes) {
        auto ignored =
            static_cast<double>(main.getArgAttrOfType<mlir::IntegerAttr>(i, "hourglass.ignore").getInt());
        for (size_t e = 0; e < tensors.back().data.size(); ++e) {
          double &label = tensors.back().data[e];
          label = e % 7 == 3 ? ignored : std::floor((label + 2) / 4 * static_cast<double>(classes.getInt()));
        }
      } else if (main.getArgAttr(i, "hourglass.target")) // factors, or what bce wants: between 0 and 1
        for (double &value : tensors.back().data)
          value = (value + 2) / 4;
    }
    return tensors;
  }

private:
  static mlir::DialectRegistry registry() {
    mlir::DialectRegistry dialects;
    registerDialects(dialects);
    return dialects;
  }
};

llvm::FailureOr<Tensor> randomWeights(llvm::StringRef name, llvm::ArrayRef<int64_t> extents) {
  bool positive = name.ends_with("running_var");
  return scattered(extents, llvm::xxh3_64bits(name) % 1000, positive ? 0.5 : -0.7, positive ? 1.5 : 0.7);
}

/// A network of these layers, the first of which is `a`, on an image [2, 3, 6, 8].
std::string describe(const std::string &layers, const std::string &targets, const std::string &losses,
                     const std::string &rest = "") {
  return R"({"format": "segc-model/1", "name": "n", "inputs": [{"name": "image", "shape": [2, 3, 6, 8]}],
    "layers": [)" +
         layers + R"(], "outputs": ["a"], "training": {"targets": [)" + targets + R"(], "losses": [)" +
         losses + R"(], "wrt": ["image"], "optimizer": {"type": "sgd"})" + rest + "}}";
}

/// The same, judged by mse: `shape` is that of the last layer, "[2, 4, 6, 8]".
std::string regress(const std::string &layers, const std::string &last, const std::string &shape) {
  return describe(layers, R"({"name": "t", "shape": )" + shape + "}",
                  R"({"type": "mse", "target": "t", "input": ")" + last + "\"}");
}

void expectGradients(const std::string &text) {
  SCOPED_TRACE(text);
  for (unsigned recompute : {0u, 4u}) {
    Network network(text, recompute);
    ASSERT_TRUE(network.backward) << network.said;
    DifferenceOptions options;
    options.elements = 24;
    auto report =
        checkGradients(*network.forward, *network.backward, network.inputs(), randomWeights, options);
    ASSERT_TRUE(mlir::succeeded(report));
    EXPECT_LT(report->lossError, 1e-12);
    for (const auto &gradient : report->gradients) {
      EXPECT_LT(gradient.result.error, 1e-6) << gradient.name;
      EXPECT_GT(gradient.result.checked, gradient.result.kinked) << gradient.name;
    }
    for (const auto &statistics : report->running)
      EXPECT_LT(statistics.error, 1e-12) << statistics.name;
    EXPECT_EQ(report->gradients.back().name, "grad.image");
  }
}

const std::string kConv = R"({"name": "a", "op": "conv", "channels": 4, "kernel": 3, "padding": "same"})";

} // namespace

TEST(GradientNetworks, Convolutions) {
  expectGradients(regress(R"({"name": "a", "op": "conv", "channels": 6, "kernel": [3, 2], "stride": [2, 1],
    "padding": [1, 0, 2, 1], "dilation": [1, 2], "groups": 3},
    {"name": "b", "op": "conv", "channels": 2, "kernel": 3, "padding": "same", "stride": [1, 3], "bias": false})",
                          "b", "[2, 2, 4, 3]"));
  expectGradients(regress(kConv + R"(, {"name": "b", "op": "deconv", "channels": 3, "kernel": 3, "stride": 2,
    "padding": [1, 0, 0, 1], "output_padding": [1, 0]})",
                          "b", "[2, 3, 13, 16]"));
  expectGradients(
      regress(R"({"name": "a", "op": "conv", "channels": 4, "kernel": 3, "stride": 2, "padding": 1},
    {"name": "up", "op": "deconv", "channels": 2, "mirror": "a"})",
              "up", "[2, 2, 6, 8]"));
  expectGradients(
      regress(kConv + R"(, {"name": "b", "op": "conv", "channels": 4, "kernel": 3, "padding": "same"},
    {"name": "c", "op": "conv", "channels": 4, "kernel": 3, "padding": "same", "share": "b"})",
              "c", "[2, 4, 6, 8]"));
}

TEST(GradientNetworks, Activations) {
  for (const char *type : {"relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "sigmoid",
                           "tanh", "hardsigmoid", "hardswish"})
    expectGradients(regress(
        R"({"name": "a", "op": "conv", "channels": 4, "kernel": 3, "padding": "same", "activation": ")" +
            std::string(type) + R"("}, {"name": "b", "op": "conv", "channels": 2, "kernel": 1})",
        "b", "[2, 2, 6, 8]"));
  expectGradients(regress(R"({"name": "a", "op": "conv", "channels": 4, "kernel": 1, "activation":
    {"type": "leaky_relu", "alpha": -0.3}}, {"name": "b", "op": "activation", "type": "elu", "alpha": 0.4})",
                          "b", "[2, 4, 6, 8]"));
}

TEST(GradientNetworks, PoolsAndResizing) {
  expectGradients(regress(kConv + R"(, {"name": "p", "op": "maxpool", "kernel": 3, "stride": 2, "padding": 1},
    {"name": "u", "op": "unpool", "pool": "p"})",
                          "u", "[2, 4, 6, 8]"));
  expectGradients(
      regress(kConv + R"(, {"name": "p", "op": "maxpool", "kernel": [2, 3], "stride": 1, "ceil": true},
    {"name": "c", "op": "conv", "channels": 4, "kernel": 1}, {"name": "u", "op": "unpool", "pool": "p"})",
              "u", "[2, 4, 6, 8]"));
  for (const char *fields : {R"("scale": 2, "mode": "nearest")", R"("size": [12, 16], "mode": "bilinear")",
                             R"("size": [12, 16], "mode": "bilinear", "align_corners": true)",
                             R"("size": [12, 16], "mode": "bicubic")", R"("scale": 2, "mode": "zeros")"})
    expectGradients(
        regress(kConv + R"(, {"name": "u", "op": "upsample", )" + fields + "}", "u", "[2, 4, 12, 16]"));
  for (const char *mode : {"zero", "reflect", "replicate"})
    expectGradients(regress(kConv + R"(, {"name": "p", "op": "pad", "amount": [2, 1, 0, 3], "mode": ")" +
                                std::string(mode) +
                                R"("}, {"name": "c", "op": "crop", "size": [5, 9], "offset": [1, 2]})",
                            "c", "[2, 4, 5, 9]"));
}

TEST(GradientNetworks, Means) {
  expectGradients(
      regress(kConv + R"(, {"name": "p", "op": "avgpool", "kernel": 3, "stride": [2, 1], "padding": "same"})",
              "p", "[2, 4, 3, 8]"));
  expectGradients(
      regress(kConv + R"(, {"name": "p", "op": "avgpool", "kernel": [2, 3], "stride": 2, "padding": 1,
    "ceil": true, "count_include_pad": true}, {"name": "c", "op": "conv", "channels": 3, "kernel": 1})",
              "c", "[2, 3, 4, 5]"));
  expectGradients(regress(kConv + R"(, {"name": "p", "op": "adaptive_avgpool", "size": [4, 3]},
    {"name": "c", "op": "conv", "channels": 4, "kernel": 1, "activation": "tanh"},
    {"name": "u", "op": "upsample", "like": "a", "mode": "bilinear"}, {"name": "s", "op": "add", "inputs": ["a", "u"]})",
                          "s", "[2, 4, 6, 8]"));
  expectGradients(regress(kConv + R"(, {"name": "p", "op": "global_avgpool"},
    {"name": "c", "op": "conv", "channels": 3, "kernel": 1})",
                          "c", "[2, 3, 1, 1]"));
}

TEST(GradientNetworks, JunctionsNormsAndDropout) {
  expectGradients(regress(kConv + R"(, {"name": "b", "op": "conv", "channels": 2, "kernel": 3, "input": "a"},
    {"name": "j", "op": "concat", "inputs": ["a", "b", "a"], "crop": "center"},
    {"name": "c", "op": "conv", "channels": 10, "kernel": 1}, {"name": "s", "op": "add", "inputs": ["j", "c", "j"]})",
                          "s", "[2, 10, 4, 6]"));
  expectGradients(
      regress(R"({"name": "a", "op": "conv", "channels": 4, "kernel": 3, "padding": "same", "norm": "batch",
    "activation": "relu"}, {"name": "d", "op": "dropout", "rate": 0.3},
    {"name": "n", "op": "norm", "type": "batch", "affine": false, "momentum": 0.3},
    {"name": "b", "op": "conv", "channels": 3, "kernel": 3, "norm": {"type": "batch", "frozen": true}},
    {"name": "e", "op": "dropout", "rate": 0.5})",
              "e", "[2, 3, 4, 6]"));
  // Layers that share a norm move its statistics one after the other.
  expectGradients(
      regress(kConv + R"(, {"name": "b", "op": "conv", "channels": 4, "kernel": 3, "padding": "same",
    "norm": "batch", "activation": "relu"}, {"name": "c", "op": "conv", "channels": 4, "kernel": 3, "padding": "same",
    "norm": "batch", "share": "b"})",
              "c", "[2, 4, 6, 8]"));
  expectGradients(regress(kConv + R"(, {"name": "s", "op": "softmax"},
    {"name": "b", "op": "conv", "channels": 3, "kernel": 1}, {"name": "l", "op": "log_softmax"})",
                          "l", "[2, 3, 6, 8]"));
}

TEST(GradientNetworks, NormsOfEachImage) {
  expectGradients(regress(
      R"({"name": "a", "op": "conv", "channels": 4, "kernel": 3, "padding": "same", "norm": "instance",
    "activation": "silu"}, {"name": "b", "op": "conv", "channels": 6, "kernel": 3,
    "norm": {"type": "group", "groups": 3, "eps": 0.01}, "activation": "relu"},
    {"name": "c", "op": "conv", "channels": 3, "kernel": 1, "norm": "layer"})",
      "c", "[2, 3, 4, 6]"));
  // Behind other ops, read twice, without vectors, frozen, shared.
  expectGradients(
      regress(kConv + R"(, {"name": "n", "op": "norm", "type": "group", "groups": 2, "affine": false},
    {"name": "s", "op": "add", "inputs": ["a", "n"], "norm": "layer"},
    {"name": "up", "op": "deconv", "channels": 4, "kernel": 2, "stride": 2, "norm": {"type": "instance", "frozen": true}},
    {"name": "b", "op": "conv", "channels": 4, "kernel": 1, "norm": "layer"},
    {"name": "c", "op": "conv", "channels": 4, "kernel": 1, "norm": "layer", "share": "b"})",
              "c", "[2, 4, 12, 16]"));
}

TEST(GradientNetworks, Losses) {
  const std::string labels = R"({"name": "m", "shape": [2, 6, 8], "dtype": "u8"})",
                    values = R"({"name": "v", "shape": [2, 4, 6, 8]})",
                    factors = R"({"name": "w", "shape": [2, 6, 8]})";
  auto loss = [](const std::string &type, const std::string &target, const std::string &fields = "") {
    return R"({"type": ")" + type + R"(", "input": "a", "target": ")" + target + "\"" + fields + "}";
  };
  const std::string weighted = R"(, "pixel_weight": "w")";
  for (const char *type : {"cross_entropy", "focal", "dice", "soft_iou"})
    expectGradients(describe(kConv, labels + ", " + factors, loss(type, "m", weighted)));
  for (const char *type : {"bce", "mse", "l1", "smooth_l1", "score"})
    expectGradients(describe(kConv, values + ", " + factors, loss(type, "v", weighted)));
  // Several at once, with weights; one of a layer inside, at half the target's size.
  expectGradients(
      describe(kConv + R"(, {"name": "p", "op": "maxpool", "kernel": 2},
    {"name": "b", "op": "conv", "channels": 4, "kernel": 1})",
               labels + ", " + values + ", " + factors,
               loss("cross_entropy", "m", R"(, "weight": 0.5, "class_weights": [1, 2, 0.5, 1])") + ", " +
                   loss("dice", "m", R"(, "per_image": true)") + ", " +
                   loss("bce", "v", R"(, "pos_weight": "auto", "reduction": "sum", "weight": 0.01)") +
                   R"(, {"type": "focal", "input": "b", "target": "m", "resize_target": true,
                                     "pixel_weight": "w", "alpha": [1, 2, 3, 4], "gamma": 1.5})"));
}

TEST(GradientNetworks, FrozenPartsPassGradientsOn) {
  std::string layers =
      R"({"name": "a", "op": "conv", "channels": 4, "kernel": 3, "norm": "batch", "activation": "relu"},
    {"name": "b", "op": "conv", "channels": 3, "kernel": 3, "norm": "batch"})";
  std::string text = describe(layers, R"({"name": "t", "shape": [2, 3, 2, 4]})",
                              R"({"type": "mse", "target": "t", "input": "b"})", R"(, "freeze": ["a"])");
  expectGradients(text);
  Network network(text);
  ASSERT_TRUE(network.backward) << network.said;
  auto report = checkGradients(*network.forward, *network.backward, network.inputs(), randomWeights);
  ASSERT_TRUE(mlir::succeeded(report));
  for (const auto &gradient : report->gradients)
    EXPECT_NE(gradient.name.substr(0, 2), "a.") << "is frozen";
  EXPECT_EQ(report->running.size(), 2u);
}

TEST(GradientNetworks, FirstStepsAgreeWithPyTorch) {
  for (std::string name : {"small_sgd", "norms_sgd", "single_sgd"}) {
    SCOPED_TRACE(name);
    std::string path = std::string(SEGC_TRAINING_GOLDENS) + "/" + name;
    auto text = llvm::MemoryBuffer::getFile(path + ".json");
    auto read = files::read(path + ".safetensors");
    ASSERT_TRUE(text && std::holds_alternative<files::TensorFile>(read));
    const auto &file = std::get<files::TensorFile>(read);
    auto tensor = [&](const std::string &key) {
      const files::Tensor *found = file.find(key);
      EXPECT_TRUE(found) << key;
      return found ? Tensor(llvm::ArrayRef(found->shape), found->numbers()) : Tensor();
    };
    Network network((*text)->getBuffer().str());
    ASSERT_TRUE(network.backward) << network.said;
    auto main = network.backward->lookupSymbol<mlir::func::FuncOp>("main");
    std::vector<Tensor> inputs;
    for (unsigned i = 0; i < main.getNumArguments(); ++i) {
      std::string argument = main.getArgAttrOfType<mlir::StringAttr>(i, "hourglass.name").str();
      inputs.push_back(tensor((main.getArgAttr(i, "hourglass.target") ? "target/" : "input/") + argument));
      auto type = llvm::cast<mlir::RankedTensorType>(main.getArgument(i).getType());
      inputs.back().shape.assign(type.getShape().begin(),
                                 type.getShape().end()); // [N, H, W] is [N, 1, H, W] inside
    }
    Interpreter interpreter([&](llvm::StringRef weight, llvm::ArrayRef<int64_t>) -> llvm::FailureOr<Tensor> {
      return tensor(weight.str());
    });
    auto results = interpreter.run(*network.backward, inputs);
    ASSERT_TRUE(mlir::succeeded(results));
    unsigned gradients = 0;
    for (auto [index, result] : llvm::enumerate(*results)) {
      auto weight = main.getResultAttrOfType<mlir::StringAttr>(index, "hourglass.gradient");
      if (index == 0) {
        EXPECT_NEAR(result.data[0], tensor("loss").data[0], 1e-6);
      }
      if (!weight)
        continue;
      ++gradients;
      Tensor expected = tensor("gradient/" + weight.str());
      ASSERT_EQ(result.data.size(), expected.data.size());
      double largest = 0;
      for (double value : expected.data)
        largest = std::max(largest, std::abs(value));
      for (size_t i = 0; i < expected.data.size(); ++i)
        EXPECT_NEAR(result.data[i], expected.data[i], 1e-6 * largest) << weight.str(); // the file has f32
    }
    EXPECT_EQ(gradients, name == "small_sgd" ? 10u : name == "norms_sgd" ? 11u : 2u);
  }
}
