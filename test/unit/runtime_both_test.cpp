/// \file Running and training in one handle: whose weights run() sees, shapes, workspace, observer; libraries
/// with one program only.
// SPDX-License-Identifier: MIT
#include "runtime_training_support.h"
#include <cmath>

using namespace segc;
using namespace segc::test;

namespace {

struct Both : TinyTest {
  /// run() against the weights as get_weight() gives them.
  void expectCurrent(const char *when) {
    SCOPED_TRACE(when);
    ASSERT_EQ(run(), SEGC_MODEL_OK) << segc_model_last_error();
    const std::vector<float> w = weight(TinyModel::kW);
    const float gain = weight(TinyModel::kGain)[0],
                shift = weight(TinyModel::kB)[0] - weight(TinyModel::kRunning)[0];
    const size_t plane = y.size();
    for (size_t i = 0; i < plane; ++i) {
      float sum = shift;
      for (size_t c = 0; c < 3; ++c)
        sum += w[c] * gain * x[c * plane + i];
      ASSERT_EQ(y[i], sum) << i;
    }
  }
};

TEST_F(Both, RunSeesTheCurrentWeights) {
  create(TinyModel());
  fill(1, 4, 5);
  segc_model_info info;
  EXPECT_EQ(segc_model_num_weights(model), 4);
  ASSERT_EQ(segc_model_weight_info(model, TinyModel::kW, &info), SEGC_MODEL_OK);
  EXPECT_STREQ(info.name, "w") << "in the order of training";
  ASSERT_EQ(segc_model_weight_info(nullptr, TinyModel::kB, &info), SEGC_MODEL_OK);
  EXPECT_STREQ(info.name, "b");
  expectCurrent("at first");
  const std::vector<float> before = y;
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  expectCurrent("after grad, which moves statistics");
  EXPECT_NE(y, before);
  const std::vector<float> between = y;
  ASSERT_EQ(segc_model_update(model), SEGC_MODEL_OK);
  expectCurrent("after update");
  EXPECT_NE(y, between);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  expectCurrent("after step");
  const float w[3] = {4, 5, 6}, gain = -2;
  ASSERT_EQ(segc_model_set_weight(model, TinyModel::kW, w), SEGC_MODEL_OK);
  expectCurrent("after set_weight");
  EXPECT_EQ(weight(TinyModel::kW), (std::vector<float>{4, 5, 6}));
  ASSERT_EQ(segc_model_set_weight(model, TinyModel::kGain, &gain), SEGC_MODEL_OK);
  expectCurrent("after set_weight of a frozen one");
  float *parameters;
  size_t count;
  ASSERT_EQ(segc_model_flat(model, SEGC_MODEL_FLAT_PARAMETERS, &parameters, &count), SEGC_MODEL_OK);
  parameters[0] = 9;
  parameters[16] = -3;
  expectCurrent("after writing parameters");
  EXPECT_EQ(weight(TinyModel::kB)[0], -3);
}

TEST_F(Both, TrainingPreparesAgainOnlyWhatIsFrozen) {
  TinyModel::prepareCalls = 0;
  create(TinyModel());
  EXPECT_EQ(TinyModel::prepareCalls, 1);
  fill(1, 4, 5);
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(step(), SEGC_MODEL_OK);
  EXPECT_EQ(TinyModel::prepareCalls, 1) << "update() does not move what @prepare reads";
  const float gain = 3;
  ASSERT_EQ(segc_model_set_weight(model, TinyModel::kGain, &gain), SEGC_MODEL_OK);
  TinyReference reference;
  reference.gain = 3;
  const std::vector<float> w = weight(TinyModel::kW);
  std::copy(w.begin(), w.end(), reference.w);
  reference.b = weight(TinyModel::kB)[0];
  reference.grad(*this);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  EXPECT_EQ(TinyModel::prepareCalls, 2) << "once for each change";
  EXPECT_NEAR(loss(), reference.loss, 1e-4 * reference.loss);
}

TEST_F(Both, ShapesAreTheirOwn) {
  create(TinyModel());
  const int64_t shapes[8] = {3, 3, 7, 2, 3, 7, 2, 0}, other[4] = {2, 3, 9, 8};
  ASSERT_EQ(segc_model_reshape_train(model, shapes), SEGC_MODEL_OK) << segc_model_last_error();
  fill(1, 4, 5);
  expectCurrent("the old shape of run()");
  EXPECT_EQ(step(), SEGC_MODEL_NEEDS_RESHAPE);
  EXPECT_STREQ(segc_model_last_error(), "input 'x': extent 0 is 1, but the model is set to 3: correct it, or "
                                        "call reshape_train first");
  fill(3, 7, 2);
  ASSERT_EQ(step(), SEGC_MODEL_OK) << segc_model_last_error();
  EXPECT_EQ(run(), SEGC_MODEL_NEEDS_RESHAPE);
  EXPECT_NE(std::string(segc_model_last_error()).find("call reshape first"), std::string::npos);
  ASSERT_EQ(segc_model_reshape(model, other), SEGC_MODEL_OK);
  ASSERT_EQ(step(), SEGC_MODEL_OK) << "training keeps its own";
  segc_model_info info;
  ASSERT_EQ(segc_model_input_info(model, 0, &info), SEGC_MODEL_OK);
  EXPECT_EQ(info.shape[2], 9);
  ASSERT_EQ(segc_model_train_input_info(model, 1, &info), SEGC_MODEL_OK);
  EXPECT_STREQ(info.name, "labels");
  EXPECT_EQ(info.rank, 3);
  EXPECT_EQ(info.dtype, SEGC_MODEL_I32);
  EXPECT_EQ(info.shape[1], 7);
  const int64_t uneven[8] = {3, 3, 7, 2, 3, 6, 2, 0};
  EXPECT_EQ(segc_model_reshape_train(model, uneven), SEGC_MODEL_INVALID_SHAPE);
  EXPECT_STREQ(segc_model_last_error(), "input 'labels': H is 6, the model wants 7");
  ASSERT_EQ(step(), SEGC_MODEL_OK) << "the old shape stays";
}

TEST_F(Both, OpenShapesNeedReshapeTrain) {
  TinyOptions options;
  options.height = options.width = 0;
  create(TinyModel(options));
  fill(1, 4, 5);
  EXPECT_EQ(step(), SEGC_MODEL_NEEDS_RESHAPE);
  EXPECT_NE(std::string(segc_model_last_error()).find("call reshape_train first"), std::string::npos);
  ASSERT_EQ(segc_model_set_accumulation(model, 1), SEGC_MODEL_OK) << "needs no shape";
  ASSERT_EQ(segc_model_set_accumulation(model, 0), SEGC_MODEL_OK);
  const int64_t shapes[8] = {1, 3, 4, 5, 1, 4, 5, 0};
  ASSERT_EQ(segc_model_reshape_train(model, shapes), SEGC_MODEL_OK);
  ASSERT_EQ(step(), SEGC_MODEL_OK) << segc_model_last_error();
  EXPECT_EQ(run(), SEGC_MODEL_NEEDS_RESHAPE);
}

TEST_F(Both, OneWorkspaceServesBoth) {
  create(TinyModel());
  ASSERT_EQ(segc_model_set_threads(model, 2), SEGC_MODEL_OK);
  size_t infer = 0, train = 0, larger = 0;
  const int64_t shapes[8] = {2, 3, 40, 5, 2, 40, 5, 0};
  ASSERT_EQ(segc_model_workspace_bytes(model, nullptr, 0, &infer), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_train_workspace_bytes(model, nullptr, 0, &train), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_train_workspace_bytes(model, shapes, 0, &larger), SEGC_MODEL_OK);
  ASSERT_LT(infer, train);
  ASSERT_LT(train, larger);
  alignas(64) static char memory[1 << 16];
  std::memset(memory, 0x5a, sizeof memory);
  EXPECT_EQ(segc_model_set_workspace(model, memory, train - 1), SEGC_MODEL_WORKSPACE_TOO_SMALL);
  ASSERT_EQ(segc_model_set_workspace(model, memory, train), SEGC_MODEL_OK);
  EXPECT_EQ(segc_model_reshape_train(model, shapes), SEGC_MODEL_WORKSPACE_TOO_SMALL);
  fill(1, 4, 5);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(step(), SEGC_MODEL_OK) << segc_model_last_error();
    expectCurrent("in the caller's workspace");
  }
  for (size_t i = train; i < sizeof memory; ++i)
    ASSERT_EQ(memory[i], 0x5a) << i - train;
  batch[0].data = memory;
  EXPECT_EQ(step(), SEGC_MODEL_INVALID_TENSOR) << "a training input in the workspace";
  ASSERT_EQ(segc_model_set_workspace(model, nullptr, 0), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_reshape_train(model, shapes), SEGC_MODEL_OK);
  fill(2, 40, 5);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
}

TEST_F(Both, TheObserverSeesTraining) {
  TinyOptions options;
  options.desc.clipNorm = 1;
  options.desc.ema = 0.5;
  create(TinyModel(options));
  fill(1, 4, 5);
  std::string seen;
  auto observer = [](void *user, int step, const char *layers, const char *, uint64_t) {
    *static_cast<std::string *>(user) += std::to_string(step) + " " + layers + ", ";
  };
  ASSERT_EQ(segc_model_set_observer(model, observer, &seen), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_set_accumulation(model, 1), SEGC_MODEL_OK);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  EXPECT_EQ(seen, "0 x, 1 labels, 2 error, 3 sums, 4 grad w, 5 grad b, 6 loss, 7 running, 12 accumulate, "
                  "8 norm, 9 update, 10 update, 11 average, ");
  seen.clear();
  ASSERT_EQ(run(), SEGC_MODEL_OK);
  EXPECT_EQ(seen, "0 predict, ");
}

TEST_F(Both, ALibraryThatOnlyTrains) {
  TinyOptions options;
  options.infers = false;
  create(TinyModel(options));
  fill(1, 4, 5);
  ASSERT_EQ(step(), SEGC_MODEL_OK) << segc_model_last_error();
  const int64_t shape[4] = {1, 3, 4, 5};
  size_t bytes;
  segc_model_info info;
  EXPECT_EQ(run(), SEGC_MODEL_UNSUPPORTED);
  EXPECT_STREQ(segc_model_last_error(),
               "this library only trains: compile the model with -mode both to run it too");
  EXPECT_EQ(segc_model_reshape(model, shape), SEGC_MODEL_UNSUPPORTED);
  EXPECT_EQ(segc_model_workspace_bytes(model, shape, 1, &bytes), SEGC_MODEL_UNSUPPORTED);
  EXPECT_EQ(segc_model_input_info(model, 0, &info), SEGC_MODEL_UNSUPPORTED);
  EXPECT_EQ(segc_model_output_info(model, 0, &info), SEGC_MODEL_UNSUPPORTED);
  EXPECT_EQ(segc_model_num_inputs(nullptr), 0);
  EXPECT_EQ(segc_model_num_outputs(model), 0);
  EXPECT_EQ(segc_model_num_weights(nullptr), 4);
  EXPECT_STREQ(segc_model_variant(model), "portable");
  ASSERT_EQ(segc_model_weight_info(model, TinyModel::kW, &info), SEGC_MODEL_OK);
  EXPECT_STREQ(info.name, "w");
  EXPECT_EQ(info.shape[1], 3);
}

TEST_F(Both, ALibraryThatOnlyRuns) {
  TinyOptions options;
  options.trains = false;
  create(TinyModel(options));
  fill(1, 4, 5);
  ASSERT_EQ(run(), SEGC_MODEL_OK) << segc_model_last_error();
  EXPECT_EQ(step(), SEGC_MODEL_UNSUPPORTED);
  EXPECT_NE(std::string(segc_model_last_error()).find("-mode train"), std::string::npos);
  EXPECT_EQ(segc_model_num_losses(model), 0);
  EXPECT_EQ(segc_model_num_train_inputs(nullptr), 0);
  EXPECT_STREQ(segc_model_loss_name(model, 0), "");
  EXPECT_EQ(segc_model_steps(model), 0);
}

} // namespace
