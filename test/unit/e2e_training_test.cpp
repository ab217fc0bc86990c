/// \file Training through the compiled library: 50 steps beside PyTorch's (test/goldens), and the gradients
/// of whole networks against differences, the stages and the interpreter.
// SPDX-License-Identifier: MIT
#include "compiler/tools/CheckSupport.h"
#include "compiler/tools/RunTraining.h"
#include "test/unit/e2e_support.h"
#include "test/unit/random_model.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace segc;

namespace {

std::string readText(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The tensors of `file` whose names start with `prefix`, without it.
files::TensorFile under(const files::TensorFile &file, const std::string &prefix) {
  files::TensorFile part;
  for (files::Tensor tensor : file.tensors)
    if (tensor.name.rfind(prefix, 0) == 0) {
      tensor.name = tensor.name.substr(prefix.size());
      part.tensors.push_back(std::move(tensor));
    }
  return part;
}

class Steps : public testing::TestWithParam<std::string> {};

} // namespace

TEST_P(Steps, FollowPyTorch) {
  std::string folder = SEGC_GOLDENS "/";
  auto read = files::read(folder + GetParam() + ".safetensors");
  ASSERT_TRUE(std::holds_alternative<files::TensorFile>(read)) << std::get<std::string>(read);
  const auto &golden = std::get<files::TensorFile>(read);
  auto context = test::makeContext();
  Diagnostics diagnostics(llvm::errs());
  auto model = parseModel(diagnostics.addText(readText(folder + GetParam() + ".json"), "golden.json"), {}, {},
                          diagnostics);
  ASSERT_TRUE(mlir::succeeded(model));
  ImportOptions importing;
  importing.training = true;
  auto graph = importModel(*context, diagnostics, *model, importing);
  ASSERT_TRUE(graph);
  // The library takes the weights it knows out of the file; tensors of other names are ignored.
  auto bytes = files::serialise(golden);
  CheckedLibrary checked;
  std::string problem;
  ASSERT_TRUE(checked.build({{}, *graph}, model->name, test::compileOptions(),
                            std::get<std::vector<uint8_t>>(bytes), problem))
      << problem;
  const Library &library = checked.instance->library;
  segc_model_model *handle = checked.instance->model;
  files::TensorFile batch = under(golden, "input/"), targets = under(golden, "target/"),
                    gradients = under(golden, "gradient/"), final = under(golden, "final/");
  batch.tensors.insert(batch.tensors.end(), targets.tensors.begin(), targets.tensors.end());
  std::vector<double> losses = golden.find("loss")->numbers();
  std::vector<OutputTensor> first;
  double milliseconds[2];
  for (size_t step = 0; step < losses.size(); ++step) {
    std::vector<OutputTensor> outputs;
    auto why = runTrainingStep(*checked.instance, batch, 1, outputs, milliseconds);
    ASSERT_FALSE(why) << *why;
    EXPECT_NEAR(outputs[0].floats[0], losses[step], 1e-4 * std::fabs(losses[step])) << "step " << step;
    if (step == 0)
      first = outputs;
    ASSERT_EQ(library.update(handle), 0) << library.lastError();
  }
  unsigned compared = 0;
  for (const files::Tensor &wanted : gradients.tensors)
    for (const OutputTensor &output : first)
      if (output.name == "grad." + wanted.name) {
        reference::Tensor expected(wanted.shape, wanted.numbers());
        EXPECT_LE(compare(tensorOf(output), expected).maximum, 1e-4) << output.name;
        ++compared;
      }
  EXPECT_EQ(compared, gradients.tensors.size());
  for (int i = 0; i < library.numWeights(handle); ++i) {
    segc_model_info info;
    ASSERT_EQ(library.weightInfo(handle, i, &info), 0);
    const files::Tensor *wanted = final.find(info.name);
    ASSERT_TRUE(wanted) << info.name;
    OutputTensor own;
    own.shape = wanted->shape;
    own.floats.resize(static_cast<size_t>(wanted->elements()));
    ASSERT_EQ(library.getWeight(handle, i, own.floats.data()), 0) << library.lastError();
    reference::Tensor expected(wanted->shape, wanted->numbers());
    EXPECT_LE(compare(tensorOf(own), expected).maximum, 1e-4) << info.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Goldens, Steps,
                         testing::Values("single_sgd", "single_momentum", "single_nesterov", "single_adam",
                                         "single_adamw", "single_clip", "single_step", "small_sgd",
                                         "small_nesterov", "small_adam", "small_adamw", "norms_sgd"));

// Norms of each image, and vectors of norms that stay while the norms' other vectors learn.
TEST(Gradients, NormsOfEachImage) {
  const std::string json = R"({"format": "segc-model/1", "name": "norms",
    "inputs": [{"name": "image", "shape": [2, 3, 9, 7], "dtype": "f32"}],
    "layers": [
      {"name": "a", "op": "conv", "channels": 12, "kernel": 3, "padding": "same", "norm": {"type": "group", "groups": 3},
       "activation": "silu"},
      {"name": "b", "op": "conv", "channels": 18, "kernel": 3, "norm": "instance", "activation": "tanh"},
      {"name": "c", "op": "deconv", "channels": 4, "kernel": 2, "stride": 2, "norm": "layer"},
      {"name": "d", "op": "conv", "channels": 4, "kernel": 1, "norm": "batch"}],
    "outputs": ["d"],
    "training": {"targets": [{"name": "t", "shape": [2, 4, 14, 10], "dtype": "f32"}], "wrt": ["image"],
      "losses": [{"type": "mse", "input": "d", "target": "t"}], "optimizer": {"type": "sgd"},
      "freeze": ["a.norm.weight", "b.norm.bias", "d.norm.weight"]}})";
  EXPECT_EQ(test::gradientDifferences(json, test::compileOptions(), GradientCheckOptions()), "");
}

// Only its kernel's extents are read, by the deconvolution that mirrors it.
TEST(Gradients, LayersThatNoLossDependsOn) {
  const char *json = R"({"format": "segc-model/1", "name": "unread",
    "inputs": [{"name": "image", "shape": [1, 3, 8, 8], "dtype": "f32"}],
    "layers": [
      {"name": "a", "op": "conv", "channels": 4, "kernel": 3},
      {"name": "b", "op": "conv", "channels": 4, "kernel": 1},
      {"name": "c", "op": "deconv", "input": "a", "channels": 2, "mirror": "b"}],
    "outputs": ["c"],
    "training": {"targets": [{"name": "t", "shape": [1, 6, 6], "dtype": "i32"}],
      "losses": [{"type": "cross_entropy", "input": "c", "target": "t"}], "optimizer": {"type": "sgd"}}})";
  EXPECT_EQ(test::gradientDifferences(json, test::compileOptions(), GradientCheckOptions()), "");
}

namespace {

class RandomTraining : public testing::TestWithParam<int> {};

auto seeds() {
  const char *longer = std::getenv("SEGC_LONG");
  return testing::Range(0, longer && std::string(longer) == "1" ? 200 : 12);
}

} // namespace

TEST_P(RandomTraining, GradientsAgree) {
  auto context = test::makeContext();
  auto seed = static_cast<uint64_t>(GetParam());
  std::string json = test::randomTraining(*context, seed);
  std::ofstream(std::string(SEGC_RANDOM_FOLDER "/train") + std::to_string(seed) + ".json") << json;
  CompileOptions compile = test::compileOptions();
  std::string error;
  if (seed % 4 == 3 && compile.variants.front() == schedules::Isa::Avx512)
    compile.variants = parseVariants("avx2", error);
  compile.winograd = seed % 5 != 4;
  GradientCheckOptions options;
  options.seed = seed;
  options.differences = 1e-3; // pools and activations bend; gradient_test holds smooth networks at 1e-6
  EXPECT_EQ(test::gradientDifferences(json, compile, options), "") << json;
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomTraining, seeds());
