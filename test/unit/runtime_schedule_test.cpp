/// \file Learning rates: each schedule against its formula, and what update() makes of them.
// SPDX-License-Identifier: MIT
#include "runtime/core/Schedule.h"
#include "runtime_training_support.h"
#include <cmath>

using namespace segc::test;
using segc::rt::scheduledRate;
using segc::rt::ScheduleKind;

namespace {

segc::rt::TrainingDesc plan(ScheduleKind kind) {
  segc::rt::TrainingDesc desc = TinyOptions().desc;
  desc.schedule = kind;
  desc.learningRate = 0.4;
  return desc;
}

TEST(Schedule, Constant) {
  for (int64_t t : {int64_t(0), int64_t(1), int64_t(1) << 40})
    EXPECT_EQ(scheduledRate(plan(ScheduleKind::Constant), nullptr, 0, t), 0.4);
}

TEST(Schedule, StepsAndMilestones) {
  auto desc = plan(ScheduleKind::Step);
  desc.stepSize = 10;
  desc.gamma = 0.5;
  const double wanted[] = {0.4, 0.4, 0.2, 0.2, 0.1};
  const int64_t at[] = {0, 9, 10, 19, 20};
  for (int i = 0; i < 5; ++i)
    EXPECT_DOUBLE_EQ(scheduledRate(desc, nullptr, 0, at[i]), wanted[i]) << at[i];
  const int64_t milestones[] = {3, 20};
  const double other[] = {0.4, 0.2, 0.2, 0.2, 0.1};
  for (int i = 0; i < 5; ++i)
    EXPECT_DOUBLE_EQ(scheduledRate(desc, milestones, 2, at[i]), other[i]) << at[i];
  EXPECT_DOUBLE_EQ(scheduledRate(desc, milestones, 2, 2), 0.4);
  EXPECT_DOUBLE_EQ(scheduledRate(desc, milestones, 2, 3), 0.2);
}

TEST(Schedule, PolyAndCosineStayAtTheirEnd) {
  auto poly = plan(ScheduleKind::Poly), cosine = plan(ScheduleKind::Cosine);
  poly.steps = cosine.steps = 40;
  poly.power = 0.9;
  for (int64_t t = 0; t <= 40; ++t) {
    EXPECT_NEAR(scheduledRate(poly, nullptr, 0, t), 0.4 * std::pow(1 - t / 40.0, 0.9), 1e-15) << t;
    EXPECT_NEAR(scheduledRate(cosine, nullptr, 0, t), 0.2 * (1 + std::cos(std::acos(-1.0) * t / 40)), 1e-15)
        << t;
  }
  for (int64_t t : {41, 1000}) {
    EXPECT_EQ(scheduledRate(poly, nullptr, 0, t), 0);
    EXPECT_NEAR(scheduledRate(cosine, nullptr, 0, t), 0, 1e-15);
  }
  poly.steps = 0; // no division by zero
  EXPECT_EQ(scheduledRate(poly, nullptr, 0, 5), 0.4);
}

TEST(Schedule, WarmupRisesInALine) {
  for (ScheduleKind kind : {ScheduleKind::Constant, ScheduleKind::Poly}) {
    auto desc = plan(kind);
    desc.steps = 100;
    const auto without = [&](int64_t t) {
      desc.warmup = 0;
      return scheduledRate(desc, nullptr, 0, t);
    };
    for (int64_t t = 0; t < 8; ++t) {
      const double full = without(t);
      desc.warmup = 5;
      EXPECT_DOUBLE_EQ(scheduledRate(desc, nullptr, 0, t), full * double(t < 4 ? t + 1 : 5) / 5) << t;
    }
  }
}

struct Rates : TinyTest {};

TEST_F(Rates, UpdatesTakeTheScheduleOfTheirStep) {
  TinyOptions options;
  options.desc.schedule = ScheduleKind::Step;
  options.desc.learningRate = 0.2;
  options.desc.gamma = 0.5;
  options.desc.warmup = 2;
  options.milestones = {3};
  create(TinyModel(options));
  TinyReference reference;
  reference.desc = options.desc;
  for (double rate : {0.1, 0.2, 0.2, 0.1, 0.1}) {
    EXPECT_DOUBLE_EQ(segc_model_learning_rate(model), rate);
    fill(1, 4, 5, int(segc_model_steps(model)));
    reference.grad(*this);
    reference.update(rate);
    ASSERT_EQ(step(), SEGC_MODEL_OK) << segc_model_last_error();
  }
  // A rate of the caller's, and back to the schedule.
  for (double own : {0.03, 0.0}) {
    ASSERT_EQ(segc_model_set_learning_rate(model, own), SEGC_MODEL_OK);
    EXPECT_EQ(segc_model_learning_rate(model), own);
    reference.grad(*this);
    reference.update(own);
    ASSERT_EQ(step(), SEGC_MODEL_OK);
  }
  ASSERT_EQ(segc_model_set_learning_rate(model, -5), SEGC_MODEL_OK);
  EXPECT_DOUBLE_EQ(segc_model_learning_rate(model), 0.1);
  ASSERT_EQ(segc_model_set_steps(model, 1), SEGC_MODEL_OK);
  EXPECT_DOUBLE_EQ(segc_model_learning_rate(model), 0.2);
  const std::vector<float> w = weight(TinyModel::kW), b = weight(TinyModel::kB);
  for (int i = 0; i < 3; ++i)
    EXPECT_NEAR(w[size_t(i)], reference.w[i], 1e-5);
  EXPECT_NEAR(b[0], reference.b, 1e-5) << "half the rate";
  EXPECT_EQ(segc_model_learning_rate(nullptr), 0);
}

} // namespace
