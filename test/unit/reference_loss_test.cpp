/// \file Losses: the sums, finishes and gradients of training against hourglass.loss and its differences;
/// edge cases.
// SPDX-License-Identifier: MIT
#include "test/unit/loss_support.h"
#include <cmath>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

using Values = std::vector<double>;
const std::vector<std::string> kLabelLosses = {"cross_entropy", "focal", "dice", "soft_iou"};
/// The whole of a case: both ways to the loss, and the gradient against differences.
void check(const LossCase &test) {
  SCOPED_TRACE(test.attributes + " on " + typeOf(test.tensors[0]) +
               (test.tensors.size() == 3 ? " with pixel weights" : ""));
  Trained trained = train(test);
  EXPECT_NEAR(trained.loss, test.loss(), 1e-12 * (1 + std::abs(test.loss())));
  Function loss = test.function();
  expectGradient([&](const Tensor &x) { return kWeight * loss(with(test.tensors, 0, x)).data[0]; },
                 test.tensors[0], trained.dx);
}

std::string kindOf(const std::string &kind) { return "kind = \"" + kind + "\""; }

bool isLabelLoss(const std::string &kind) { return llvm::is_contained(kLabelLosses, kind); }

/// Random tensors of a loss; every fifth pixel or element is ignored where `ignored` says so.
LossCase caseOf(const std::string &kind, const std::string &fields, int64_t channels, bool weighted,
                double ignored = NAN) {
  constexpr int64_t kImages = 3, kHeight = 3, kWidth = 4;
  LossCase test{kindOf(kind) + fields, {scattered({kImages, channels, kHeight, kWidth}, 1, -3, 3)}};
  Extents extents = {kImages, isLabelLoss(kind) ? 1 : channels, kHeight, kWidth};
  Tensor target = scattered(extents, 2);
  for (size_t i = 0; i < target.data.size(); ++i) {
    double u = (target.data[i] + 2) / 4;
    if (isLabelLoss(kind))
      target.data[i] = std::floor(u * static_cast<double>(std::max<int64_t>(channels, 2)));
    else if (kind == "bce")
      target.data[i] = u < 0.4 ? 0 : u < 0.8 ? 1 : u; // soft targets too
    if (!std::isnan(ignored) && i % 5 == 1)
      target.data[i] = ignored;
  }
  test.tensors.push_back(target);
  if (weighted)
    test.tensors.push_back(scattered({kImages, 1, kHeight, kWidth}, 3, 0, 2));
  return test;
}

} // namespace

TEST(Loss, EveryKindReductionAndWeight) {
  for (const std::string reduction : {"", ", reduction = \"sum\""})
    for (bool weighted : {false, true}) {
      for (const std::string &kind : kLabelLosses)
        for (int64_t channels : {1, 2, 4}) {
          if (kind == "cross_entropy" && channels == 1)
            continue;
          check(caseOf(kind, reduction, channels, weighted));
          check(caseOf(kind, reduction, channels, weighted, 255));
          check(caseOf(kind, reduction + ", ignore_index = -1", channels, weighted, -1));
        }
      for (int64_t channels : {1, 3}) {
        for (const char *kind : {"mse", "l1", "smooth_l1", "score"})
          check(caseOf(kind, reduction, channels, weighted));
        for (const char *factor : {"", ", pos_weight = 1.0", ", pos_weight = 2.5"})
          check(caseOf("bce", reduction + factor, channels, weighted, 255));
      }
    }
}

TEST(Loss, EveryField) {
  const std::string sum = ", reduction = \"sum\"";
  for (bool weighted : {false, true}) {
    for (const std::string &reduction : {std::string(), sum})
      for (const char *kind : {"dice", "soft_iou"})
        for (int64_t channels : {1, 3})
          for (const char *eps : {"", ", eps = 0.125", ", eps = 0.0"})
            check(caseOf(kind, reduction + ", per_image" + eps, channels, weighted, 255));
    check(caseOf("cross_entropy", ", class_weights = array<f64: 0.5, 2.0, 0.25>", 3, weighted, 255));
    check(caseOf("cross_entropy", sum + ", class_weights = array<f64: 0.5, 2.0, 0.0>", 3, weighted, 255));
    check(caseOf("focal", ", alpha = array<f64: 0.5, 2.0, 0.25>, gamma = 1.5", 3, weighted, 255));
    for (const char *gamma : {"0.0", "0.5", "1.0", "3.0"})
      for (int64_t channels : {1, 3})
        check(
            caseOf("focal", std::string(", alpha = array<f64: 0.75>, gamma = ") + gamma, channels, weighted));
    for (const char *beta : {"0.0", "0.3", "2.5"})
      check(caseOf("smooth_l1", std::string(", beta = ") + beta, 2, weighted));
  }
}

TEST(Loss, FormulasByHand) {
  auto pixels = [](int64_t channels, Values values) {
    auto width = static_cast<int64_t>(values.size()) / channels;
    return Tensor({1, channels, 1, width}, std::move(values));
  };
  const double sure = 800; // p is 0 or 1 to the last bit
  // Two pixels of class 1, found once; one of class 0, taken for 1: dice (0 + 1) / (1 + 1 + 1) and 3 / 5.
  Tensor x = pixels(2, {0, sure, 0, sure, 0, sure}), target = pixels(1, {1, 1, 0});
  LossCase dice{kindOf("dice"), {x, target}};
  EXPECT_NEAR(dice.loss(), 1 - (1.0 / 3 + 3.0 / 5) / 2, 1e-12);
  dice.attributes = kindOf("soft_iou");
  EXPECT_NEAR(dice.loss(), 1 - (1.0 / 3 + 2.0 / 4) / 2, 1e-12);
  // bce with 1 positive and 3 negatives at p = 1/2: (3 log 2 + 3 log 2) / 4.
  LossCase bce{kindOf("bce"), {pixels(1, {0, 0, 0, 0, 5}), pixels(1, {1, 0, 0, 0, 255})}};
  EXPECT_NEAR(bce.loss(), 1.5 * std::log(2), 1e-12);
  // Of one kind alone: the count of the other is taken as 1.
  EXPECT_NEAR((LossCase{kindOf("bce"), {pixels(1, {0, 0, 0, 0}), pixels(1, {1, 1, 1, 1})}}.loss()),
              std::log(2) / 4, 1e-12);
  EXPECT_NEAR((LossCase{kindOf("bce"), {pixels(1, {0, 0, 0, 0}), pixels(1, {0, 0, 0, 0})}}.loss()),
              std::log(2), 1e-12);
  // focal at p = 1/2: 0.25 / 4 log 2 for the positive, 0.75 / 4 log 2 for the negative.
  LossCase focal{kindOf("focal"), {pixels(1, {0, 0}), pixels(1, {1, 0})}};
  EXPECT_NEAR(focal.loss(), std::log(2) / 8, 1e-12);
  // Regressions at distances 0, 0.5 and 3; 255 is a number like others.
  Tensor values = pixels(1, {255, 1.5, -2}), wanted = pixels(1, {255, 1, 1});
  for (auto [kind, expected] : {std::pair("mse", 9.25 / 3),
                                {"l1", 3.5 / 3},
                                {"smooth_l1", (0.125 + 2.5) / 3},
                                {"score", -(255.0 * 255 + 1.5 - 2) / 3}})
    EXPECT_NEAR((LossCase{kindOf(kind), {values, wanted}}.loss()), expected, 1e-12) << kind;
  // Means are by weight: class weights, and pixel weights over the channels.
  LossCase weighed{kindOf("cross_entropy") + ", class_weights = array<f64: 3.0, 1.0>",
                   {pixels(2, {0, std::log(3), 0, 0}), pixels(1, {0, 1})}};
  EXPECT_NEAR(weighed.loss(), (3 * std::log(2) + std::log(4)) / 4, 1e-12);
  LossCase sized{kindOf("l1"), {pixels(2, {1, 2, 3, 4}), pixels(2, {0, 0, 0, 0}), pixels(1, {3, 1})}};
  EXPECT_NEAR(sized.loss(), (3 * 1 + 2 + 3 * 3 + 4) / 8.0, 1e-12);
}

TEST(Loss, ExtremeLogitsStayFinite) {
  for (const char *kind : {"cross_entropy", "focal", "dice", "soft_iou", "bce"})
    for (int64_t channels : {1, 3}) {
      if (std::string(kind) == "cross_entropy" && channels == 1)
        continue;
      for (const char *gamma : {"", ", gamma = 0.0", ", gamma = 0.5"}) {
        LossCase test = caseOf(kind, gamma, channels, false, 255);
        SCOPED_TRACE(test.attributes + " on " + typeOf(test.tensors[0]));
        for (size_t i = 0; i < test.tensors[0].data.size(); ++i)
          test.tensors[0].data[i] = i % 3 == 0 ? 1e4 : i % 3 == 1 ? -1e4 : 0;
        Trained trained = train(test);
        EXPECT_TRUE(std::isfinite(test.loss()));
        EXPECT_NEAR(trained.loss, test.loss(), 1e-12 * (1 + std::abs(test.loss())));
        for (double value : trained.dx.data)
          EXPECT_TRUE(std::isfinite(value));
      }
    }
  auto one = [](double a, double b, double label) {
    return LossCase{kindOf("cross_entropy"),
                    {Tensor({1, 2, 1, 1}, Values{a, b}), Tensor({1, 1, 1, 1}, label)}};
  };
  EXPECT_EQ(one(1e4, -1e4, 0).loss(), 0);
  EXPECT_EQ(train(one(1e4, -1e4, 0)).dx.data, (Values{0, 0}));
  EXPECT_EQ(one(1e4, -1e4, 1).loss(), 2e4);
  EXPECT_EQ(train(one(1e4, -1e4, 1)).dx.data, (Values{kWeight, -kWeight}));
}

TEST(Loss, WhatDoesNotCountHasNoGradient) {
  for (const char *kind : {"cross_entropy", "focal", "dice", "soft_iou", "bce"})
    for (const char *fields : {"", ", reduction = \"sum\"", ", eps = 0.0"}) {
      LossCase test = caseOf(kind, fields, 3, true, 255);
      SCOPED_TRACE(test.attributes);
      Tensor &x = test.tensors[0], &target = test.tensors[1];
      Tensor before = train(test).dx;
      for (size_t i = 0; i < target.data.size(); ++i)
        if (target.data[i] == 255)
          for (int64_t c = 0; c < 3; ++c) { // the element itself, or all channels of its pixel
            size_t at = isLabelLoss(kind) ? (i / 12 * 3 + static_cast<size_t>(c)) * 12 + i % 12 : i;
            EXPECT_EQ(before.data[at], 0);
            x.data[at] = NAN; // is not even looked at, where it is all that this pixel has
          }
      EXPECT_FALSE(std::isnan(test.loss()));
      EXPECT_FALSE(std::isnan(train(test).loss));
      for (double &label : target.data)
        label = 255;
      EXPECT_EQ(test.loss(), 0);
      Trained nothing = train(test);
      EXPECT_EQ(nothing.loss, 0);
      for (double value : nothing.dx.data)
        EXPECT_EQ(value, 0);
    }
  // The same where all weights are zero; l1 exactly on its target.
  LossCase weightless = caseOf("mse", "", 2, true);
  for (double &weight : weightless.tensors[2].data)
    weight = 0;
  EXPECT_EQ(weightless.loss(), 0);
  EXPECT_EQ(train(weightless).loss, 0);
  LossCase exact = caseOf("l1", "", 2, false);
  exact.tensors[1] = exact.tensors[0];
  for (double value : train(exact).dx.data)
    EXPECT_EQ(value, 0);
}

TEST(Loss, EmptyClasses) {
  for (const char *kind : {"dice", "soft_iou"})
    for (const char *fields : {"", ", eps = 0.0", ", per_image, eps = 0.0"}) {
      LossCase test = caseOf(kind, fields, 3, false);
      for (double &label : test.tensors[1].data)
        label = 0; // classes 1 and 2 are in no picture
      check(test);
      for (size_t i = 0; i < test.tensors[0].data.size(); ++i)
        test.tensors[0].data[i] = test.tensors[0].channelOf(i) == 0 ? 1e4 : 0;
      Trained perfect = train(test); // nothing there and nothing found: a perfect match
      EXPECT_EQ(test.loss(), 0);
      EXPECT_NEAR(perfect.loss, 0, 1e-15);
      for (double value : perfect.dx.data)
        EXPECT_EQ(value, 0);
    }
}

TEST(Loss, RefusesLabelsItHasNoClassFor) {
  std::string said;
  mlir::ScopedDiagnosticHandler handler(&context(), [&](mlir::Diagnostic &diagnostic) {
    said = diagnostic.str();
    return mlir::success();
  });
  for (auto [label, printed] :
       {std::pair(3.0, std::string("3")), {-1.0, "-1"}, {0.5, "0.5"}, {254.0, "254"}, {double(NAN), "nan"}}) {
    LossCase test = caseOf("cross_entropy", "", 3, false, 255);
    test.tensors[1].data[12 + 7] = label;
    auto coefficients = Tensor({1, 1, 1, 1}, 1.0);
    for (std::string op : {"loss", "loss_sums", "loss_grad"}) {
      OpCase reading{op, test.attributes, test.types(), {op == "loss" ? "?xf32" : "?x?x?x?xf32"}};
      if (op == "loss_sums")
        reading.results = kSums;
      std::vector<Tensor> operands = test.tensors;
      if (op == "loss_grad") {
        reading.operands.push_back("1x1x1x1xf32");
        operands.push_back(coefficients);
      }
      auto module = moduleOf(reading);
      said.clear();
      EXPECT_TRUE(mlir::failed(evaluate(firstOp(*module), operands)));
      std::string expected = "the target at image 1, row 1, column 3 is " + printed +
                             "; labels of 3 classes lie in [0, 3), ignored pixels are 255";
      EXPECT_NE(said.find(expected), std::string::npos) << said;
    }
  }
}

TEST(Loss, RefusesSumsAndCoefficientsOfOthers) {
  std::string said;
  mlir::ScopedDiagnosticHandler handler(&context(), [&](mlir::Diagnostic &diagnostic) {
    said = diagnostic.str();
    return mlir::success();
  });
  OpCase finish{"finish_loss", kindOf("bce") + ", weight = 1.0", {"2x1x3x2xf64"}, {"?xf32", "?x?x?x?xf32"}};
  auto module = moduleOf(finish);
  EXPECT_TRUE(mlir::failed(evaluate(firstOp(*module), {Tensor({2, 1, 3, 2})})));
  EXPECT_NE(said.find("needs sums of 5 columns"), std::string::npos) << said;
  LossCase test = caseOf("dice", ", per_image", 3, false);
  OpCase gradient{
      "loss_grad", test.attributes, {typeOf(test.tensors[0]), typeOf(test.tensors[1]), "1x6x1x1xf32"}};
  module = moduleOf(gradient);
  EXPECT_TRUE(
      mlir::failed(evaluate(firstOp(*module), {test.tensors[0], test.tensors[1], Tensor({1, 6, 1, 1})})));
  EXPECT_NE(said.find("the coefficients are none of this loss"), std::string::npos) << said;
}

TEST(Loss, TotalIsTheWeightedSumBeforeItsParts) {
  OpCase total{"total_loss", "weights = array<f64: 1.0, 0.5>", {"1xf32", "1xf32"}, kVector};
  EXPECT_EQ(evaluateCase(total, {Tensor({1}, 3.0), Tensor({1}, 8.0)})[0].data, (Values{7, 3, 8}));
}
