/// \file The scale of losses: what it leaves alone, when it falls and rises, what a step with gradients that
/// are not finite changes.
// SPDX-License-Identifier: MIT
#include "runtime_training_support.h"
#include <cmath>

using namespace segc;
using namespace segc::test;

namespace {

struct LossScale : TinyTest {
  static TinyOptions options(bool scaled) {
    TinyOptions result;
    result.desc.lossScaling = scaled;
    result.desc.momentum = 0.9;
    result.desc.ema = 0.5;
    result.desc.learningRate = 0.01;
    return result;
  }
  /// "scale, good steps, steps"
  std::string state() const {
    double scale = -1;
    int64_t good = -1;
    EXPECT_EQ(segc_model_loss_scale(model, &scale, &good), SEGC_MODEL_OK);
    return std::to_string(scale) + ", " + std::to_string(good) + ", " +
           std::to_string(segc_model_steps(model));
  }
  /// All that updates and gradients change: parameters with the statistics behind them, state, average.
  std::vector<float> all() const {
    std::vector<float> values;
    for (int which : {SEGC_MODEL_FLAT_PARAMETERS, SEGC_MODEL_FLAT_STATE0, SEGC_MODEL_FLAT_AVERAGE}) {
      const std::vector<float> buffer = flat(which);
      values.insert(values.end(), buffer.begin(), buffer.end());
    }
    return values;
  }
  /// Pixels of this size: products with errors of their size are gradients.
  void enlarge(float factor) {
    for (float &value : x)
      value = factor * (value + 1);
  }
};

TEST_F(LossScale, PowersOfTwoChangeNoBit) {
  std::vector<float> expected;
  for (bool scaled : {false, true}) {
    create(TinyModel(options(scaled)));
    for (int i = 0; i < 3; ++i) {
      fill(1, 4, 5, i);
      ASSERT_EQ(step(), SEGC_MODEL_OK) << segc_model_last_error();
    }
    if (!scaled)
      expected = all();
  }
  EXPECT_EQ(all(), expected);
  EXPECT_EQ(state(), "65536.000000, 3, 3");
}

TEST_F(LossScale, NothingChangesWhereGradientsAreNotFinite) {
  create(TinyModel(options(true)));
  fill(1, 4, 5);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  const std::vector<float> before = all();
  enlarge(2e17f); // gradients of some 1e35, times 65536 beyond f32
  ASSERT_EQ(step(), SEGC_MODEL_OK) << segc_model_last_error();
  EXPECT_EQ(all(), before);
  EXPECT_EQ(state(), "32768.000000, 0, 1");
  int halved = 1;
  for (; segc_model_steps(model) == 1 && halved < 20; ++halved)
    ASSERT_EQ(step(), SEGC_MODEL_OK);
  EXPECT_LT(halved, 20) << "the scale falls until the gradients fit";
  EXPECT_NE(all(), before);
}

TEST_F(LossScale, StatisticsOfABatchThatIsNotFiniteAreForgotten) {
  create(TinyModel(options(true)));
  fill(1, 4, 5);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  const std::vector<float> before = weight(TinyModel::kRunning);
  ASSERT_EQ(run(), SEGC_MODEL_OK);
  const std::vector<float> prediction = y;
  const std::vector<float> good = x;
  x[3] = INFINITY;
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  EXPECT_FALSE(std::isfinite(weight(TinyModel::kRunning)[0])) << "grad() has updated them";
  ASSERT_EQ(run(), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_update(model), SEGC_MODEL_OK) << segc_model_last_error();
  EXPECT_EQ(weight(TinyModel::kRunning), before);
  x = good;
  ASSERT_EQ(run(), SEGC_MODEL_OK);
  EXPECT_EQ(y, prediction) << "run() prepares what it reads anew";
}

TEST_F(LossScale, StatisticsOfAStepThatCountsStay) {
  create(TinyModel(options(true)));
  fill(1, 4, 5);
  const std::vector<float> before = weight(TinyModel::kRunning);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  const std::vector<float> after = weight(TinyModel::kRunning);
  EXPECT_NE(after, before);
  enlarge(2e17f);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  EXPECT_EQ(weight(TinyModel::kRunning), after) << "not those of the step before";
}

TEST_F(LossScale, WhatWasAccumulatedIsForgotten) {
  create(TinyModel(options(true)));
  ASSERT_EQ(segc_model_set_accumulation(model, 1), SEGC_MODEL_OK);
  fill(1, 4, 5);
  const std::vector<float> before = all();
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  enlarge(2e17f);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  EXPECT_NE(all(), before) << "two batches are in the statistics";
  ASSERT_EQ(segc_model_update(model), SEGC_MODEL_OK);
  EXPECT_EQ(all(), before);
  EXPECT_EQ(flat(SEGC_MODEL_FLAT_ACCUMULATED), std::vector<float>(32, 0.f));
  EXPECT_EQ(segc_model_update(model), SEGC_MODEL_INVALID_ARGUMENT) << "there is no gradient any more";
}

TEST_F(LossScale, RisesAfterManyGoodSteps) {
  create(TinyModel(options(true)));
  fill(1, 4, 5);
  ASSERT_EQ(segc_model_set_loss_scale(model, 1024, 1998), SEGC_MODEL_OK);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  EXPECT_EQ(state(), "1024.000000, 1999, 1");
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  EXPECT_EQ(state(), "2048.000000, 0, 2");
  ASSERT_EQ(segc_model_set_loss_scale(model, 16777216, 1999), SEGC_MODEL_OK);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  EXPECT_EQ(state(), "16777216.000000, 0, 3") << "there is a largest one";
}

TEST_F(LossScale, FailsAtTheSmallestOne) {
  create(TinyModel(options(true)));
  fill(1, 4, 5);
  ASSERT_EQ(segc_model_set_loss_scale(model, 0x1p-14, 5), SEGC_MODEL_OK);
  const std::vector<float> before = all();
  enlarge(1e30f);
  EXPECT_EQ(step(), SEGC_MODEL_NOT_FINITE);
  EXPECT_NE(std::string(segc_model_last_error()).find("the gradients are not finite"), std::string::npos);
  EXPECT_EQ(all(), before);
}

TEST_F(LossScale, RefusesWhatItNeverIs) {
  create(TinyModel(options(true)));
  for (double scale : {0.0, -1.0, 3.0, 0x1p-15, 0x1p25, double(NAN), double(INFINITY)})
    EXPECT_EQ(segc_model_set_loss_scale(model, scale, 0), SEGC_MODEL_INVALID_ARGUMENT) << scale;
  for (int64_t good : {-1, 2000})
    EXPECT_EQ(segc_model_set_loss_scale(model, 2, good), SEGC_MODEL_INVALID_ARGUMENT) << good;
  EXPECT_EQ(state(), "65536.000000, 0, 0");
}

} // namespace
