/// \file Training as GPU code by OpenCL: gradients of every loss and kind of layer against the interpreter,
/// steps beside those of a library for processors, what crosses between device and host.
///
/// On a GPU where there is one; skipped where OpenCL has no device either. SEGC_LONG=1 tests 40 random
/// networks instead of 3.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Import.h"
#include "compiler/tools/CheckSupport.h"
#include "compiler/tools/InitialWeights.h"
#include "compiler/tools/Library.h"
#include "test/unit/e2e_support.h"
#include "test/unit/gpu_support.h"
#include "test/unit/random_model.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>

using namespace segc;

namespace {

CompileOptions optionsFor(schedules::Isa isa) {
  CompileOptions compile = test::compileOptions();
  compile.variants = {isa};
  return compile;
}

class GpuGradients : public testing::Test {
protected:
  void SetUp() override {
    if (!test::runsGpuCode())
      GTEST_SKIP() << "no GPU, and OpenCL has no driver here";
  }
  static std::string differences(const std::string &json, double differences = 1e-6, uint64_t seed = 0) {
    GradientCheckOptions options;
    options.differences = differences;
    options.seed = seed;
    options.threads = {1};
    return test::gradientDifferences(json, optionsFor(test::gpuIsa()), options);
  }
  /// A convolution with `channels` channels and this training section.
  static std::string judged(int channels, const std::string &targets, const std::string &losses) {
    return R"({"format": "segc-model/1", "name": "net",
      "inputs": [{"name": "x", "shape": [2, 3, 9, 40], "dtype": "f32"}],
      "layers": [{"name": "a", "op": "conv", "channels": )" +
           std::to_string(channels) + R"(, "kernel": 1, "padding": "same"}], "outputs": ["a"],
      "training": {"targets": [)" +
           targets + R"(], "losses": [)" + losses + R"(], "optimizer": {"type": "sgd"}}})";
  }
};

class RandomGpuGradients : public GpuGradients, public testing::WithParamInterface<int> {};

const char *const kLabels = R"({"name": "t", "shape": [2, 9, 40], "dtype": "i32"},
  {"name": "w", "shape": [2, 9, 40], "dtype": "f32"})";

} // namespace

TEST_F(GpuGradients, OfLossesOnLabels) {
  EXPECT_EQ(differences(judged(5, kLabels, R"(
    {"type": "cross_entropy", "input": "a", "target": "t", "class_weights": [1, 2, 0.5, 3, 1]},
    {"type": "cross_entropy", "input": "a", "target": "t", "pixel_weight": "w"},
    {"type": "focal", "input": "a", "target": "t", "alpha": [0.1, 0.2, 0.3, 0.4, 0.5]},
    {"type": "dice", "input": "a", "target": "t"},
    {"type": "dice", "input": "a", "target": "t", "per_image": true, "weight": 0.5},
    {"type": "soft_iou", "input": "a", "target": "t", "pixel_weight": "w"})")),
            "");
}

TEST_F(GpuGradients, OfLossesOnMasksAndValues) {
  EXPECT_EQ(differences(judged(1, kLabels, R"(
    {"type": "focal", "input": "a", "target": "t"}, {"type": "dice", "input": "a", "target": "t"},
    {"type": "soft_iou", "input": "a", "target": "t", "per_image": true, "reduction": "sum"})")),
            "");
  EXPECT_EQ(differences(judged(3, R"({"name": "t", "shape": [2, 3, 9, 40], "dtype": "f32"})", R"(
    {"type": "bce", "input": "a", "target": "t", "pos_weight": "auto"}, {"type": "mse", "input": "a", "target": "t"},
    {"type": "l1", "input": "a", "target": "t", "reduction": "sum", "weight": 0.01},
    {"type": "bce", "input": "a", "target": "t", "pos_weight": 2, "reduction": "sum", "weight": 0.01},
    {"type": "smooth_l1", "input": "a", "target": "t", "beta": 0.3},
    {"type": "score", "input": "a", "target": "t", "weight": 0.1})"),
                        1e-5),
            "");
}

// More classes than a block has threads for at 128 shares.
TEST_F(GpuGradients, OfManyClasses) {
  EXPECT_EQ(differences(judged(40, kLabels, R"({"type": "dice", "input": "a", "target": "t"})")), "");
}

TEST_F(GpuGradients, OfNormsPoolsAndDropout) {
  EXPECT_EQ(differences(R"({"format": "segc-model/1", "name": "net",
    "inputs": [{"name": "image", "shape": [2, 3, 12, 10], "dtype": "f32"}],
    "layers": [
      {"name": "a", "op": "conv", "channels": 12, "kernel": 3, "padding": "same", "norm": {"type": "group", "groups": 3},
       "activation": "silu"},
      {"name": "p", "op": "maxpool", "kernel": 2},
      {"name": "b", "op": "conv", "channels": 12, "kernel": 3, "padding": "same", "groups": 4, "norm": "instance",
       "activation": "tanh"},
      {"name": "drop", "op": "dropout", "rate": 0.3},
      {"name": "u", "op": "unpool", "pool": "p"},
      {"name": "c", "op": "deconv", "channels": 5, "kernel": 2, "stride": 2, "norm": "layer"},
      {"name": "q", "op": "avgpool", "kernel": 2},
      {"name": "e", "op": "conv", "channels": 5, "groups": 5, "kernel": 3, "padding": "same", "norm": "batch",
       "activation": "prelu"},
      {"name": "s", "op": "conv", "channels": 9, "kernel": 3, "stride": 2, "dilation": 2, "padding": "same"},
      {"name": "d", "op": "conv", "channels": 4, "kernel": 1}],
    "outputs": ["d"],
    "training": {"targets": [{"name": "t", "shape": [2, 4, 6, 5], "dtype": "f32"}], "wrt": ["image"],
      "losses": [{"type": "mse", "input": "d", "target": "t"}], "optimizer": {"type": "sgd"}}})",
                        1e-4),
            "");
}

/// What finishes norms and overlaps shares bands, 32 here, among threads, and channels by divisors: of 40 in
/// groups of 20, of 17, a prime, of 21 by themselves.
TEST_F(GpuGradients, OfNormsAndOverlapsOfOddChannels) {
  EXPECT_EQ(differences(R"({"format": "segc-model/1", "name": "net",
    "inputs": [{"name": "image", "shape": [2, 3, 33, 2], "dtype": "f32"}],
    "layers": [
      {"name": "a", "op": "conv", "channels": 40, "kernel": 1, "norm": {"type": "group", "groups": 2},
       "activation": "silu"},
      {"name": "b", "op": "conv", "channels": 21, "kernel": 1, "norm": "instance", "activation": "tanh"},
      {"name": "c", "op": "conv", "channels": 17, "kernel": 1, "norm": "layer"}],
    "outputs": ["c"],
    "training": {"targets": [{"name": "t", "shape": [2, 33, 2], "dtype": "i32"}], "optimizer": {"type": "sgd"},
      "losses": [{"type": "dice", "input": "c", "target": "t", "per_image": true},
                 {"type": "soft_iou", "input": "c", "target": "t", "per_image": true, "reduction": "sum"},
                 {"type": "soft_iou", "input": "c", "target": "t"}]}})",
                        1e-4),
            "");
}

TEST_P(RandomGpuGradients, Agree) {
  auto context = test::makeContext();
  auto seed = static_cast<uint64_t>(GetParam());
  const std::string json = test::randomTraining(*context, seed);
  EXPECT_EQ(differences(json, 1e-3, seed), "") << json;
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGpuGradients, test::randomSeeds(3, 40));

namespace {

const char *const kSteps = R"({"format": "segc-model/1", "name": "net",
  "inputs": [{"name": "x", "shape": [2, 3, 16, 16], "dtype": "f32"}],
  "layers": [
    {"name": "a", "op": "conv", "channels": 8, "kernel": 3, "padding": "same", "norm": "batch", "activation": "relu"},
    {"name": "down", "op": "maxpool", "kernel": 2}, {"name": "drop", "op": "dropout", "rate": 0.2},
    {"name": "up", "op": "deconv", "channels": 8, "kernel": 2, "stride": 2},
    {"name": "b", "op": "conv", "channels": 3, "kernel": 1}],
  "outputs": ["b"],
  "training": {"targets": [{"name": "t", "shape": [2, 16, 16], "dtype": "i32"}],
    "losses": [{"type": "cross_entropy", "input": "b", "target": "t"}, {"type": "dice", "input": "b", "target": "t"}],
    "lr_scale": {"a": 0.5}, "optimizer": )";

/// A library that trains and infers, and a handle of it.
struct Trained {
  CheckedLibrary checked;
  std::vector<float> image = std::vector<float>(2 * 3 * 256);
  std::vector<int32_t> labels = std::vector<int32_t>(2 * 256);
  segc_model_tensor batch[2] = {{image.data(), SEGC_MODEL_F32, 4, {2, 3, 16, 16}, {}},
                                {labels.data(), SEGC_MODEL_I32, 3, {2, 16, 16}, {}}};

  Trained(const std::string &optimizer, schedules::Isa isa, const std::string &precision = "f32") {
    auto context = test::makeContext();
    Diagnostics diagnostics(llvm::errs());
    auto model = parseModel(diagnostics.addText(kSteps + optimizer + "}}", "net.json"), {}, {}, diagnostics);
    EXPECT_TRUE(mlir::succeeded(model));
    ImportOptions training;
    training.training = true;
    auto infer = importModel(*context, diagnostics, *model, {}),
         train = importModel(*context, diagnostics, *model, training);
    auto weights = checkWeights(*train, 1);
    std::string problem;
    const auto bytes = std::get<std::vector<uint8_t>>(files::serialise(*weights));
    CompileOptions compile = optionsFor(isa);
    compile.precision = precision;
    EXPECT_TRUE(checked.build({*infer, *train}, model->name, compile, bytes, problem)) << problem;
    for (size_t i = 0; i < image.size(); ++i)
      image[i] = float(uniform(1, i));
    for (size_t i = 0; i < labels.size(); ++i)
      labels[i] = int32_t(i / 7 % 3);
    for (segc_model_tensor &tensor : batch)
      library().denseNchw(&tensor);
  }
  const Library &library() const { return checked.instance->library; }
  segc_model_model *model() const { return checked.instance->model; }

  void grad() { ASSERT_EQ(library().grad(model(), batch, 2, nullptr, 0), 0) << library().lastError(); }
  void update() { ASSERT_EQ(library().update(model()), 0) << library().lastError(); }
  int gradientsFinite() const {
    int finite = -1;
    EXPECT_EQ(library().gradientsFinite(model(), &finite), 0) << library().lastError();
    return finite;
  }
  float loss(int index = 0) const {
    float value = 0;
    EXPECT_EQ(library().loss(model(), index, &value), 0) << library().lastError();
    return value;
  }
  std::vector<float> flat(int which) const {
    float *data = nullptr;
    size_t count = 0;
    EXPECT_EQ(library().flat(model(), which, &data, &count), 0) << library().lastError();
    return {data, data + count};
  }
  void put(int which, const std::vector<float> &values) const {
    float *data = nullptr;
    size_t count = 0;
    ASSERT_EQ(library().flat(model(), which, &data, &count), 0) << library().lastError();
    ASSERT_EQ(count, values.size());
    std::copy(values.begin(), values.end(), data);
  }
  std::vector<float> run() {
    std::vector<float> out(2 * 3 * 256);
    segc_model_tensor y = {out.data(), SEGC_MODEL_F32, 4, {2, 3, 16, 16}, {}};
    library().denseNchw(&y);
    EXPECT_EQ(library().run(model(), batch, 1, &y, 1), 0) << library().lastError();
    return out;
  }
};

void expectNear(const std::vector<float> &a, const std::vector<float> &b, float tolerance) {
  ASSERT_EQ(a.size(), b.size());
  float largest = 0;
  for (float value : b)
    largest = std::max(largest, std::fabs(value));
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], tolerance * largest) << i;
}

class GpuSteps : public GpuGradients, public testing::WithParamInterface<const char *> {};

const char *const kAdam = R"({"type": "adam", "lr": 0.01, "ema": 0.9, "clip_norm": 0.5})";

} // namespace

TEST_P(GpuSteps, FollowThoseOfProcessors) {
  Trained gpu(GetParam(), test::gpuIsa()), again(GetParam(), test::gpuIsa()),
      cpu(GetParam(), schedules::Isa::Portable);
  for (Trained *one : {&gpu, &again, &cpu})
    ASSERT_EQ(one->library().setAccumulation(one->model(), 1), 0);
  for (int step = 0; step < 6; ++step) {
    for (Trained *one : {&gpu, &again, &cpu}) {
      one->grad();
      if (step % 2)
        one->grad(); // the mean of two, which drop other elements
      one->update();
    }
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(gpu.loss(i), again.loss(i)) << step;
      EXPECT_NEAR(gpu.loss(i), cpu.loss(i), 1e-4) << step;
    }
    // The device is left alone between most steps: what is asked for must not change what follows.
    if (step == 3)
      gpu.flat(SEGC_MODEL_FLAT_PARAMETERS);
  }
  for (int which = 0; which < SEGC_MODEL_NUM_FLAT_BUFFERS; ++which) {
    const std::vector<float> values = gpu.flat(which);
    EXPECT_EQ(values, again.flat(which)) << which;
    if (which != SEGC_MODEL_FLAT_GRADIENTS) // of Adam, tiny ones are mostly rounding
      expectNear(values, cpu.flat(which), 2e-3f);
  }
  expectNear(gpu.run(), cpu.run(), 1e-3f);
}

INSTANTIATE_TEST_SUITE_P(Optimisers, GpuSteps,
                         testing::Values(kAdam, R"({"type": "sgd", "momentum": 0.9, "nesterov": true})",
                                         R"({"type": "adamw", "lr": 0.01})"));

// A checkpoint: all flat buffers and the number of steps, put into another handle.
TEST_F(GpuGradients, StateGoesOutAndIn) {
  Trained one(kAdam, test::gpuIsa()), other(kAdam, test::gpuIsa());
  for (int step = 0; step < 2; ++step) {
    one.grad();
    one.update();
  }
  ASSERT_EQ(other.library().setSteps(other.model(), 2), 0);
  for (int which :
       {SEGC_MODEL_FLAT_PARAMETERS, SEGC_MODEL_FLAT_STATE0, SEGC_MODEL_FLAT_STATE1, SEGC_MODEL_FLAT_AVERAGE})
    other.put(which, one.flat(which));
  EXPECT_EQ(other.run(), one.run());
  for (Trained *trained : {&one, &other}) {
    trained->grad();
    trained->update();
  }
  EXPECT_EQ(one.loss(), other.loss());
  EXPECT_EQ(one.flat(SEGC_MODEL_FLAT_PARAMETERS), other.flat(SEGC_MODEL_FLAT_PARAMETERS));
  EXPECT_EQ(one.run(), other.run());
}

TEST_F(GpuGradients, SingleWeightsAndGradients) {
  Trained gpu(kAdam, test::gpuIsa());
  gpu.grad();
  const std::vector<float> gradients = gpu.flat(SEGC_MODEL_FLAT_GRADIENTS), before = gpu.run();
  float *base = nullptr;
  size_t count = 0;
  ASSERT_EQ(gpu.library().flat(gpu.model(), SEGC_MODEL_FLAT_GRADIENTS, &base, &count), 0);
  for (int i = 0; i < gpu.library().numWeights(gpu.model()); ++i) {
    const float *gradient = nullptr;
    segc_model_info info;
    ASSERT_EQ(gpu.library().gradient(gpu.model(), i, &gradient), 0);
    ASSERT_EQ(gpu.library().weightInfo(gpu.model(), i, &info), 0);
    if (gradient) {
      EXPECT_EQ(*gradient, gradients[size_t(gradient - base)]) << info.name;
    }
    if (std::strcmp(info.name, "b.bias") != 0)
      continue;
    float bias[3], read[3] = {};
    ASSERT_EQ(gpu.library().getWeight(gpu.model(), i, bias), 0);
    bias[1] += 1;
    ASSERT_EQ(gpu.library().setWeight(gpu.model(), i, bias), 0);
    ASSERT_EQ(gpu.library().getWeight(gpu.model(), i, read), 0);
    EXPECT_EQ(read[1], bias[1]);
    const std::vector<float> after = gpu.run();
    EXPECT_NEAR(after[256], before[256] + 1, 1e-5);
    EXPECT_EQ(after[0], before[0]);
  }
}

/// A processor's library has no sum of squares without clipping and looks itself.
TEST_F(GpuGradients, GradientsThatAreNotFiniteAreFound) {
  for (schedules::Isa isa : {test::gpuIsa(), schedules::Isa::Portable}) {
    Trained model(kAdam, isa);
    model.grad();
    EXPECT_EQ(model.gradientsFinite(), 1);
    model.image[5] = NAN;
    EXPECT_EQ(model.gradientsFinite(), 1);
    model.grad();
    EXPECT_EQ(model.gradientsFinite(), 0);
  }
}

/// In f16 update() skips such a step, statistics of norms included.
TEST_F(GpuGradients, ASkippedStepChangesNothing) {
  Trained gpu(kAdam, test::gpuIsa(), "f16");
  gpu.grad();
  gpu.update();
  const std::vector<float> parameters = gpu.flat(SEGC_MODEL_FLAT_PARAMETERS),
                           state = gpu.flat(SEGC_MODEL_FLAT_STATE1), before = gpu.run();
  gpu.image[5] = 1e38f; // infinite in f16
  gpu.grad();
  EXPECT_NE(gpu.flat(SEGC_MODEL_FLAT_PARAMETERS), parameters) << "grad() has updated the statistics";
  gpu.update();
  EXPECT_EQ(gpu.flat(SEGC_MODEL_FLAT_PARAMETERS), parameters);
  EXPECT_EQ(gpu.flat(SEGC_MODEL_FLAT_STATE1), state);
  gpu.image[5] = 0.25f;
  gpu.run();
  gpu.image[5] = float(uniform(1, 5));
  EXPECT_EQ(gpu.run(), before);
  gpu.grad();
  gpu.update();
  EXPECT_NE(gpu.flat(SEGC_MODEL_FLAT_PARAMETERS), parameters);
}

TEST_F(GpuGradients, ANaNIsFoundOnTheDevice) {
  Trained gpu(kAdam, test::gpuIsa());
  gpu.grad();
  gpu.image[5] = NAN;
  ASSERT_EQ(gpu.library().setCheckFinite(gpu.model(), 1), 0);
  EXPECT_EQ(gpu.library().grad(gpu.model(), gpu.batch, 2, nullptr, 0), SEGC_MODEL_NOT_FINITE);
  const std::string text = gpu.library().lastError();
  EXPECT_NE(text.find("wrote NaN at n 0, y 0, x 5, channel 0"), std::string::npos) << text;
  gpu.image[5] = 0;
  gpu.labels[3] = 9;
  EXPECT_EQ(gpu.library().grad(gpu.model(), gpu.batch, 2, nullptr, 0), SEGC_MODEL_INVALID_TENSOR);
  gpu.labels[3] = 0;
  gpu.grad();
}
