/// \file Training a tiny network: gradients, optimisers, clipping, accumulation, averages, checkpoints, bits.
// SPDX-License-Identifier: MIT
#include "runtime_training_support.h"
#include <cmath>
#include <functional>

using namespace segc;
using namespace segc::test;

namespace {

struct Training : TinyTest {
  /// Parameters against the reference, in the reference's order: w, b.
  void expectParameters(const TinyReference &reference, double tolerance = 2e-5) {
    const std::vector<float> w = weight(TinyModel::kW), b = weight(TinyModel::kB);
    for (int i = 0; i < 4; ++i) {
      const double want = reference.parameter(i), have = i < 3 ? w[size_t(i)] : b[0];
      EXPECT_NEAR(have, want, tolerance * std::max(1.0, std::fabs(want))) << "parameter " << i;
    }
  }
};

TEST_F(Training, GradientsLossesAndStatistics) {
  create(TinyModel());
  const int64_t shapes[8] = {2, 3, 6, 3, 2, 6, 3, 0};
  for (int n : {1, 2}) {
    if (n == 2) {
      ASSERT_EQ(segc_model_reshape_train(model, shapes), SEGC_MODEL_OK) << segc_model_last_error();
    }
    fill(n, n == 1 ? 4 : 6, n == 1 ? 5 : 3);
    TinyReference reference;
    reference.running = weight(TinyModel::kRunning)[0];
    reference.grad(*this);
    ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK) << segc_model_last_error();
    EXPECT_NEAR(loss(0), reference.loss, 1e-5);
    EXPECT_EQ(loss(1), loss(0));
    const float *dw, *db, *none;
    ASSERT_EQ(segc_model_gradient(model, TinyModel::kW, &dw), SEGC_MODEL_OK);
    ASSERT_EQ(segc_model_gradient(model, TinyModel::kB, &db), SEGC_MODEL_OK);
    for (int c = 0; c < 3; ++c)
      EXPECT_NEAR(dw[c], reference.gradient[c], 1e-5) << c;
    EXPECT_NEAR(db[0], reference.gradient[3], 1e-5);
    for (int frozen : {TinyModel::kGain, TinyModel::kRunning}) {
      ASSERT_EQ(segc_model_gradient(model, frozen, &none), SEGC_MODEL_OK);
      EXPECT_EQ(none, nullptr);
    }
    EXPECT_NEAR(weight(TinyModel::kRunning)[0], reference.running, 1e-6);
    EXPECT_EQ(weight(TinyModel::kGain)[0], 1.5f);
    EXPECT_EQ(weight(TinyModel::kW), (std::vector<float>{0.5f, -1, 0.25f})) << "grad() moves nothing";
  }
  EXPECT_EQ(segc_model_num_losses(model), 3);
  EXPECT_STREQ(segc_model_loss_name(model, 0), "total");
  EXPECT_STREQ(segc_model_loss_name(nullptr, 1), "mse:y");
  EXPECT_STREQ(segc_model_loss_name(model, 2), "seed:y");
  EXPECT_STREQ(segc_model_loss_name(model, 3), "");
  EXPECT_STREQ(segc_model_loss_name(model, -1), "");
}

TEST_F(Training, GradientsOfInputsAreOutputs) {
  TinyOptions options;
  options.wrt = true;
  create(TinyModel(options));
  fill(1, 4, 5);
  segc_model_dense_nhwc(&grad);
  ASSERT_EQ(segc_model_num_train_outputs(model), 1);
  ASSERT_EQ(segc_model_grad(model, batch, 2, &grad, 1), SEGC_MODEL_OK) << segc_model_last_error();
  // A small step against the gradient makes the loss smaller by its square.
  const float before = loss();
  double square = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const float g = dx[i % 20 * 3 + i / 20];
    square += double(g) * g;
    x[i] -= 1e-3f * g;
  }
  ASSERT_EQ(segc_model_grad(model, batch, 2, &grad, 1), SEGC_MODEL_OK);
  EXPECT_GT(square, 0.1);
  EXPECT_NEAR((before - loss()) / 1e-3, square, 2e-2 * square);
}

TEST_F(Training, OptimisersFollowTheirRules) {
  struct Case {
    const char *name;
    std::function<void(TinyOptions &)> set;
  };
  const Case cases[] = {
      {"sgd", [](TinyOptions &) {}},
      {"sgd decay", [](TinyOptions &o) { o.desc.weightDecay = 0.1; }},
      {"momentum", [](TinyOptions &o) { o.desc.momentum = 0.9; }},
      {"nesterov",
       [](TinyOptions &o) {
         o.desc.momentum = 0.8;
         o.nesterov = true;
       }},
      {"clipped", [](TinyOptions &o) { o.desc.clipNorm = 0.5; }},
      {"not clipped", [](TinyOptions &o) { o.desc.clipNorm = 1e3; }},
      {"average", [](TinyOptions &o) { o.desc.ema = 0.9; }},
      {"adam",
       [](TinyOptions &o) {
         o.desc.optimizer = rt::OptimizerKind::Adam;
         o.desc.weightDecay = 0.1;
       }},
      {"adamw",
       [](TinyOptions &o) {
         o.desc.optimizer = rt::OptimizerKind::AdamW;
         o.desc.weightDecay = 0.1;
         o.desc.clipNorm = 0.5;
         o.desc.ema = 0.99;
       }},
  };
  for (const Case &c : cases) {
    SCOPED_TRACE(c.name);
    TinyOptions options;
    options.desc.learningRate = 0.05;
    c.set(options);
    create(TinyModel(options));
    TinyReference reference;
    reference.desc = options.desc;
    reference.nesterov = options.nesterov;
    for (int i = 0; i < 20; ++i) {
      fill(1, 4, 5, i);
      reference.grad(*this);
      reference.update(0.05);
      ASSERT_EQ(step(), SEGC_MODEL_OK) << segc_model_last_error();
      EXPECT_NEAR(loss(), reference.loss, 1e-4 * std::max(1.0, reference.loss)) << i;
    }
    expectParameters(reference);
    EXPECT_EQ(segc_model_steps(model), 20);
    const std::vector<float> average = flat(SEGC_MODEL_FLAT_AVERAGE);
    EXPECT_EQ(average.size(), options.desc.ema != 0 ? 32u : 0u);
    for (size_t i = 0; i < 4 && !average.empty(); ++i)
      EXPECT_NEAR(average[i < 3 ? i : 16], reference.average[i], 2e-5) << i;
  }
}

/// Whatever the gradient, Adam's first step is as long as the rate: its corrections fit the f32 betas.
TEST_F(Training, AdamsFirstStepIsTheRate) {
  TinyOptions options;
  options.desc.optimizer = rt::OptimizerKind::Adam;
  options.desc.eps = 0;
  create(TinyModel(options));
  fill(1, 4, 5);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  const std::vector<float> w = weight(TinyModel::kW), before = {0.5f, -1, 0.25f};
  for (size_t c = 0; c < 3; ++c)
    EXPECT_NEAR(std::fabs(w[c] - before[c]), 0.1, 1.5e-7) << c;
}

TEST_F(Training, OnlyTheStateThatIsNeededExists) {
  const auto sizes = [&](const TinyOptions &options) {
    create(TinyModel(options));
    std::vector<size_t> result;
    for (int which = 0; which < SEGC_MODEL_NUM_FLAT_BUFFERS; ++which)
      result.push_back(flat(which).size());
    return result;
  };
  TinyOptions options;
  EXPECT_EQ(sizes(options), (std::vector<size_t>{64, 32, 0, 0, 0, 0}));
  options.desc.momentum = 0.9;
  EXPECT_EQ(sizes(options), (std::vector<size_t>{64, 32, 32, 0, 0, 0}));
  options.desc.optimizer = rt::OptimizerKind::AdamW;
  options.desc.ema = 0.5;
  EXPECT_EQ(sizes(options), (std::vector<size_t>{64, 32, 32, 32, 32, 0}));
  ASSERT_EQ(segc_model_set_accumulation(model, 1), SEGC_MODEL_OK);
  EXPECT_EQ(flat(SEGC_MODEL_FLAT_ACCUMULATED), std::vector<float>(32, 0.f));
  const std::vector<float> parameters = flat(SEGC_MODEL_FLAT_PARAMETERS),
                           average = flat(SEGC_MODEL_FLAT_AVERAGE);
  EXPECT_EQ(parameters[1], -1.f);
  EXPECT_EQ(parameters[16], 0.125f);
  EXPECT_EQ(parameters[32], 1.5f);
  EXPECT_EQ(std::vector<float>(parameters.begin(), parameters.begin() + 32), average);
}

TEST_F(Training, AccumulationTakesTheMeanAndClears) {
  for (double clip : {0.0, 0.5}) {
    TinyOptions options;
    options.desc.momentum = 0.9;
    options.desc.clipNorm = clip;
    create(TinyModel(options));
    ASSERT_EQ(segc_model_set_accumulation(model, 1), SEGC_MODEL_OK);
    TinyReference reference;
    reference.desc = options.desc;
    for (int i = 0; i < 6; ++i) {
      double sum[4] = {};
      for (int part = 0; part < 3; ++part) {
        fill(1, 4, 5, 3 * i + part);
        reference.grad(*this);
        for (int k = 0; k < 4; ++k)
          sum[k] += reference.gradient[k] / 3;
        ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
      }
      std::copy(sum, sum + 4, reference.gradient);
      reference.update(0.1);
      ASSERT_EQ(segc_model_update(model), SEGC_MODEL_OK) << segc_model_last_error();
      EXPECT_EQ(flat(SEGC_MODEL_FLAT_ACCUMULATED), std::vector<float>(32, 0.f));
    }
    expectParameters(reference);
    EXPECT_EQ(segc_model_update(model), SEGC_MODEL_INVALID_ARGUMENT) << "nothing is left";
    // Switched again, what was added is forgotten; switched off, gradients replace each other.
    ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
    ASSERT_EQ(segc_model_set_accumulation(model, 1), SEGC_MODEL_OK);
    EXPECT_EQ(flat(SEGC_MODEL_FLAT_ACCUMULATED), std::vector<float>(32, 0.f));
    ASSERT_EQ(segc_model_set_accumulation(model, 0), SEGC_MODEL_OK);
    EXPECT_EQ(segc_model_update(model), SEGC_MODEL_INVALID_ARGUMENT);
    ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
    reference.grad(*this);
    reference.update(0.1);
    ASSERT_EQ(step(), SEGC_MODEL_OK);
    expectParameters(reference);
  }
}

/// The norm takes a pass over all gradients: gradients_finite() and update() share it, unless the caller may
/// have changed them in between.
TEST_F(Training, TheNormIsComputedOnceAStep) {
  TinyOptions options;
  options.desc.clipNorm = 0.5;
  create(TinyModel(options));
  fill(1, 4, 5);
  int norms = 0;
  auto observer = [](void *user, int, const char *layers, const char *, uint64_t) {
    *static_cast<int *>(user) += std::string(layers) == "norm";
  };
  ASSERT_EQ(segc_model_set_observer(model, observer, &norms), SEGC_MODEL_OK);
  int finite = 0;
  for (int i = 1; i <= 2; ++i) {
    fill(1, 4, 5, i);
    ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
    ASSERT_EQ(segc_model_gradients_finite(model, &finite), SEGC_MODEL_OK);
    EXPECT_EQ(finite, 1);
    ASSERT_EQ(segc_model_update(model), SEGC_MODEL_OK);
    EXPECT_EQ(norms, i) << "each gradient has a norm of its own";
  }

  float *gradients = nullptr;
  size_t count = 0;
  ASSERT_EQ(segc_model_flat(model, SEGC_MODEL_FLAT_GRADIENTS, &gradients, &count), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_gradients_finite(model, &finite), SEGC_MODEL_OK);
  std::fill(gradients, gradients + count, 0.f);
  gradients[0] = 100;
  const float before = weight(TinyModel::kW)[0];
  ASSERT_EQ(segc_model_update(model), SEGC_MODEL_OK);
  EXPECT_NEAR(weight(TinyModel::kW)[0], before - 0.1 * 0.5, 1e-6) << "clipped by the norm of what is there";
}

TEST_F(Training, ACheckpointContinuesBitForBit) {
  TinyOptions options;
  options.desc.optimizer = rt::OptimizerKind::Adam;
  options.desc.schedule = rt::ScheduleKind::Cosine;
  options.desc.steps = 12;
  options.desc.warmup = 3;
  options.desc.clipNorm = 1;
  options.desc.ema = 0.9;
  const TinyModel tiny(options);
  const auto train = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      fill(1, 4, 5, i);
      ASSERT_EQ(step(), SEGC_MODEL_OK) << segc_model_last_error();
    }
  };
  const auto state = [&] {
    std::vector<std::vector<float>> buffers;
    for (int which = 0; which < SEGC_MODEL_NUM_FLAT_BUFFERS; ++which)
      buffers.push_back(flat(which));
    return buffers;
  };
  create(tiny);
  train(0, 5);
  const std::vector<std::vector<float>> saved = state();
  train(5, 10);
  const std::vector<std::vector<float>> wanted = state();
  create(tiny);
  for (size_t which = 0; which < saved.size(); ++which) {
    float *data;
    size_t count;
    ASSERT_EQ(segc_model_flat(model, int(which), &data, &count), SEGC_MODEL_OK);
    ASSERT_EQ(count, saved[which].size());
    std::copy(saved[which].begin(), saved[which].end(), data);
  }
  ASSERT_EQ(segc_model_set_steps(model, 5), SEGC_MODEL_OK);
  train(5, 10);
  EXPECT_EQ(state(), wanted);
  EXPECT_EQ(segc_model_steps(model), 10);
  EXPECT_NE(saved, wanted);
}

TEST_F(Training, SameBitsForAnyThreads) {
  TinyOptions options;
  options.desc.clipNorm = 1;
  options.desc.momentum = 0.9;
  const TinyModel tiny(options);
  const int64_t shapes[8] = {2, 3, 90, 400, 2, 90, 400, 0};
  std::vector<float> first;
  for (int threads : {1, 2, 5, 16})
    for (int check : {0, 1}) {
      create(tiny);
      ASSERT_EQ(segc_model_set_threads(model, threads), SEGC_MODEL_OK);
      ASSERT_EQ(segc_model_set_check_finite(model, check), SEGC_MODEL_OK);
      ASSERT_EQ(segc_model_reshape_train(model, shapes), SEGC_MODEL_OK);
      for (int i = 0; i < 3; ++i) {
        fill(2, 90, 400, i);
        ASSERT_EQ(step(), SEGC_MODEL_OK) << segc_model_last_error();
      }
      if (first.empty())
        first = flat(SEGC_MODEL_FLAT_PARAMETERS);
      EXPECT_EQ(flat(SEGC_MODEL_FLAT_PARAMETERS), first) << threads;
    }
}

TEST_F(Training, StepsAllocateNothingAndStartNoThread) {
  TinyOptions options;
  options.desc.optimizer = rt::OptimizerKind::AdamW;
  options.desc.clipNorm = 1;
  options.desc.ema = 0.9;
  create(TinyModel(options));
  fill(1, 4, 5);
  for (int threads : {1, 4})
    for (int on : {0, 1}) {
      ASSERT_EQ(segc_model_set_threads(model, threads), SEGC_MODEL_OK);
      ASSERT_EQ(segc_model_set_accumulation(model, on), SEGC_MODEL_OK);
      ASSERT_EQ(segc_model_set_check_finite(model, on), SEGC_MODEL_OK);
      const int before = threadsOfProcess();
      const long count = allocations();
      int status = 0;
      for (int i = 0; i < 20; ++i) {
        status |= segc_model_grad(model, batch, 2, nullptr, 0);
        status |= segc_model_update(model);
        status |= segc_model_step(model, batch, 2);
        status |= segc_model_run(model, &in, 1, &out, 1);
      }
      const long after = allocations();
      EXPECT_EQ(status, 0);
      EXPECT_EQ(after - count, 0);
      EXPECT_EQ(threadsOfProcess(), before);
    }
}

TEST_F(Training, SeedsReachTheKernels) {
  create(TinyModel());
  fill(1, 4, 5);
  ASSERT_EQ(step(), SEGC_MODEL_OK);
  EXPECT_EQ(loss(2), 0);
  ASSERT_EQ(segc_model_set_seed(model, 7), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  EXPECT_EQ(loss(2), 7001);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  EXPECT_EQ(loss(2), 7001) << "the same step";
  ASSERT_EQ(segc_model_set_steps(model, 41), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_set_accumulation(model, 1), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_set_seed(model, 0), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  EXPECT_EQ(loss(2), 41);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  EXPECT_EQ(loss(2), float(int32_t(41 + 0x9e3779b9u))) << "the second part of the batch drops other elements";
  ASSERT_EQ(segc_model_update(model), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_grad(model, batch, 2, nullptr, 0), SEGC_MODEL_OK);
  EXPECT_EQ(loss(2), 42);
}

} // namespace
