/// \file The optimizer of a training section and its learning rate: defaults, and what is said about wrong
/// ones.
// SPDX-License-Identifier: MIT
#include "frontend_training_support.h"

using namespace segc;
using namespace segc::test;

namespace {

TEST(Optimizer, HasTheDefaultsOfPyTorch) {
  auto optimizer = [](const std::string &text) {
    Parsed parsed(trainingModel({{"optimizer", text}}));
    EXPECT_TRUE(parsed.model) << parsed.messages;
    return parsed.model ? parsed.model->training->optimizer : Optimizer();
  };
  Optimizer none = optimizer(""), sgd = optimizer(R"({"type": "sgd"})"),
            adam = optimizer(R"({"type": "adam"})");
  EXPECT_EQ(none.type, "sgd");
  EXPECT_EQ(sgd.rate.base, 1e-3);
  EXPECT_EQ(sgd.rate.type, "constant");
  EXPECT_EQ(sgd.rate.warmup, 0);
  EXPECT_EQ(sgd.momentum, 0);
  EXPECT_FALSE(sgd.nesterov);
  EXPECT_EQ(sgd.weightDecay, 0);
  EXPECT_EQ(sgd.clipNorm, 0);
  EXPECT_EQ(sgd.ema, 0);
  EXPECT_EQ(adam.beta1, 0.9);
  EXPECT_EQ(adam.beta2, 0.999);
  EXPECT_EQ(adam.eps, 1e-8);
  EXPECT_EQ(adam.weightDecay, 0);
  EXPECT_EQ(optimizer(R"({"type": "adamw"})").weightDecay, 0.01);
  Optimizer all = optimizer(R"({"type": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": true,
      "weight_decay": 5e-4, "clip_norm": 1, "ema": 0.999})");
  EXPECT_EQ(all.rate.base, 0.1);
  EXPECT_EQ(all.momentum, 0.9);
  EXPECT_TRUE(all.nesterov);
  EXPECT_EQ(all.weightDecay, 5e-4);
  EXPECT_EQ(all.clipNorm, 1);
  EXPECT_EQ(all.ema, 0.999);
  Optimizer moments = optimizer(R"({"type": "adam", "betas": [0.5, 0.9], "eps": 1e-6})");
  EXPECT_EQ(moments.beta1, 0.5);
  EXPECT_EQ(moments.beta2, 0.9);
  EXPECT_EQ(moments.eps, 1e-6);
}

TEST(Optimizer, LearningRatesFollowPlans) {
  auto rate = [](const std::string &text) {
    Parsed parsed(trainingModel({{"optimizer", R"({"type": "sgd", "lr": )" + text + "}"}}));
    EXPECT_TRUE(parsed.model) << parsed.messages;
    return parsed.model ? parsed.model->training->optimizer.rate : LearningRate();
  };
  EXPECT_EQ(rate(R"({"type": "constant", "base": 0.2, "warmup": 5})").warmup, 5);
  LearningRate poly = rate(R"({"type": "poly", "base": 0.01, "steps": 100, "warmup": 99})");
  EXPECT_EQ(poly.type, "poly");
  EXPECT_EQ(poly.base, 0.01);
  EXPECT_EQ(poly.power, 0.9);
  EXPECT_EQ(poly.steps, 100);
  EXPECT_EQ(rate(R"({"type": "poly", "steps": 1, "power": 2})").power, 2);
  EXPECT_EQ(rate(R"({"type": "cosine", "steps": 7})").steps, 7);
  LearningRate step = rate(R"({"type": "step", "step_size": 30})");
  EXPECT_EQ(step.stepSize, 30);
  EXPECT_EQ(step.gamma, 0.1);
  LearningRate milestones = rate(R"({"type": "step", "milestones": [3, 9], "gamma": 0.5})");
  EXPECT_EQ(milestones.milestones, (std::vector<int64_t>{3, 9}));
  EXPECT_EQ(milestones.gamma, 0.5);
}

TEST(Optimizer, WrongFieldsAreErrors) {
  auto message = [](const std::string &text) { return sectionMessage({{"optimizer", text}}); };
  EXPECT_EQ(message("3"), "\"optimizer\" must be an object with \"type\" and \"lr\", not 3");
  EXPECT_EQ(message(R"({"lr": 1})"), "an optimizer needs \"type\"");
  EXPECT_EQ(message(R"({"type": "adma"})"), "\"type\" cannot be 'adma'; did you mean 'adam'?");
  EXPECT_EQ(message(R"({"type": "adam", "momentum": 0.9})"), "\"momentum\" goes with sgd, not with adam");
  EXPECT_EQ(message(R"({"type": "adamw", "nesterov": true})"), "\"nesterov\" goes with sgd, not with adamw");
  EXPECT_EQ(message(R"({"type": "sgd", "betas": [0, 0]})"), "\"betas\" goes with adam, adamw, not with sgd");
  EXPECT_EQ(message(R"({"type": "sgd", "eps": 1})"), "\"eps\" goes with adam, adamw, not with sgd");
  EXPECT_EQ(message(R"({"type": "sgd", "momentun": 1})"),
            "unknown field 'momentun' of sgd; did you mean 'momentum'?");
  EXPECT_EQ(message(R"({"type": "sgd", "momentum": 1})"),
            "\"momentum\" must be a number from 0 to below 1, not 1");
  EXPECT_EQ(message(R"({"type": "sgd", "nesterov": true})"), "\"nesterov\" needs a \"momentum\" above 0");
  EXPECT_EQ(message(R"({"type": "adam", "betas": [0.9]})"),
            "\"betas\" must be two numbers from 0 to below 1, like [0.9, 0.999]");
  EXPECT_EQ(message(R"({"type": "adam", "betas": [0.9, 1]})"),
            "\"betas\" must be a number from 0 to below 1, not 1");
  EXPECT_EQ(message(R"({"type": "adam", "weight_decay": -1})"),
            "\"weight_decay\" must be a number from 0 to 1e30, not -1");
  EXPECT_EQ(message(R"({"type": "adam", "clip_norm": 0})"),
            "\"clip_norm\" must be a number above 0, at most 1e30, not 0");
  EXPECT_EQ(message(R"({"type": "adam", "ema": 1})"), "\"ema\" must be a number between 0 and 1, not 1");
}

TEST(Optimizer, WrongLearningRatesAreErrors) {
  auto message = [](const std::string &rate) {
    return sectionMessage({{"optimizer", R"({"type": "sgd", "lr": )" + rate + "}"}});
  };
  EXPECT_EQ(message("-1"),
            "\"lr\" must be a number from 0 to 1e30 or an object with \"type\" and \"base\", not -1");
  EXPECT_EQ(message("\"poly\"").find("\"lr\" must be a number"), 0u);
  EXPECT_EQ(message("{}"), "a learning rate needs \"type\"");
  EXPECT_EQ(message(R"({"type": "cosin"})"), "\"type\" cannot be 'cosin'; did you mean 'cosine'?");
  EXPECT_EQ(message(R"({"type": "poly"})"), "poly needs \"steps\"");
  EXPECT_EQ(message(R"({"type": "poly", "steps": 0})"),
            "\"steps\" must be an integer from 1 to 1099511627776, not 0");
  EXPECT_EQ(message(R"({"type": "poly", "steps": 10, "warmup": 10})"),
            "\"warmup\" must end before the 10 \"steps\", not after 10");
  EXPECT_EQ(message(R"({"type": "cosine", "steps": 10, "power": 1})"),
            "\"power\" goes with poly, not with cosine");
  EXPECT_EQ(message(R"({"type": "constant", "steps": 10})"),
            "\"steps\" goes with poly, cosine, not with constant");
  EXPECT_EQ(message(R"({"type": "poly", "steps": 10, "gamma": 1})"),
            "\"gamma\" goes with step, not with poly");
  EXPECT_EQ(message(R"({"type": "constant", "bas": 10})"),
            "unknown field 'bas' of constant; did you mean 'base'?");
  EXPECT_EQ(message(R"({"type": "step"})"), "step needs \"step_size\" or \"milestones\"");
  EXPECT_EQ(message(R"({"type": "step", "step_size": 1, "milestones": [1]})"),
            "both \"step_size\" and \"milestones\"; keep one");
  for (const char *bad : {"[]", "[2, 2]", "[0]", "[1.5]", "3", "[1099511627777]"})
    EXPECT_EQ(message(R"({"type": "step", "milestones": )" + std::string(bad) + "}"),
              "\"milestones\" must be a list of rising integers from 1 on")
        << bad;
}

} // namespace
