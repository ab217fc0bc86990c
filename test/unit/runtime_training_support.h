/// \file A hand-made network that trains: a table for each program, kernels in plain C++, and what they
/// should compute, in double.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime_support.h"
#include <gtest/gtest.h>

namespace segc::test {

struct TinyOptions {
  rt::TrainingDesc desc = {};
  std::vector<int64_t> milestones;
  bool nesterov = false;
  bool wrt = false;       ///< training returns the gradient of x
  bool preparesB = false; ///< training reads b as its @prepare copies it
  bool infers = true, trains = true;
  int height = 4, width = 5;             ///< of the default shape; 0: open
  const rt::KernelFn *kernels = nullptr; ///< those of a device in place of the tiny network's

  TinyOptions() {
    desc.learningRate = 0.1;
    desc.beta1 = 0.9;
    desc.beta2 = 0.999;
    desc.eps = 1e-8;
    desc.gamma = 0.1;
    desc.power = 1;
  }
};

/// prediction = gain * sum over c of w(c) * x(c) + b; the loss is the mean of (prediction - label)^2 over the
/// pixels whose label is not 255. w and b learn, b at half the rate; gain is frozen and copied by training's
/// @prepare, with `preparesB` b too; running <- 0.9 * running + 0.1 * mean of x. run() computes the
/// prediction minus running, from weights that its @prepare has put together. A second loss, without weight,
/// is 1000 * seed + step. Inputs: x f32 [N, 3, H, W], labels i32 [N, H, W] with 5 classes.
struct TinyModel {
  static constexpr int channels = 3, classes = 5, ignore = 255;
  /// In the order of the training table.
  enum Weight { kB, kGain, kRunning, kW };
  explicit TinyModel(const TinyOptions &options = TinyOptions());
  std::vector<uint64_t> inferTable, trainTable;
  TinyOptions options;
  WeightSet weights;
  /// Makes this the model behind segc_model_create.
  void install() const;
  static int prepareCalls; ///< how often training's @prepare ran
};

/// One handle of a TinyModel, with a batch.
struct TinyTest : testing::Test {
  TinyModel tiny; ///< owns the tables of `model`
  segc_model_model *model = nullptr;
  std::vector<float> x, y, dx;
  std::vector<int32_t> labels;
  segc_model_tensor batch[2], in, out, grad;

  void create(const TinyModel &which);
  /// Values that depend on `salt`; every seventh label is to be ignored.
  void fill(int n, int h, int w, int salt = 0);
  int step() { return segc_model_step(model, batch, 2); }
  int run() { return segc_model_run(model, &in, 1, &out, 1); }
  std::vector<float> weight(int index) const;
  std::vector<float> flat(int which) const;
  float loss(int index = 0) const;
  void TearDown() override;
};

/// The same training in double, for one batch at a time.
struct TinyReference {
  rt::TrainingDesc desc;
  bool nesterov = false;
  double w[3] = {0.5, -1, 0.25}, b = 0.125, gain = 1.5, running = 0.25;
  double state0[4] = {}, state1[4] = {}, average[4] = {0.5, -1, 0.25, 0.125}, gradient[4] = {};
  double loss = 0, norm = 0;
  int64_t steps = 0;

  /// The gradient of (w, b) for a batch of TinyTest, the loss and the new running.
  void grad(const TinyTest &test);
  /// One update with the given learning rate and gradient.
  void update(double rate);
  double parameter(int i) const { return i < 3 ? w[i] : b; }
};

} // namespace segc::test
