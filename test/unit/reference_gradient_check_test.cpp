/// \file The judges of gradients themselves: finite differences at kinks, the check of differentiated
/// modules, and gradient descent through a pool's indices.
// SPDX-License-Identifier: MIT
#include "compiler/reference/GradientCheck.h"
#include "mlir/IR/BuiltinOps.h"
#include "test/unit/gradient_support.h"
#include <cmath>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {
using Values = std::vector<double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// What the graph and the differentiated module share: conv, batch norm, relu; then dropout, a 1x1
/// convolution and the loss.
const char *const kHead = R"(
    %w = hourglass.weight "a.weight" init "he" {trainable} : tensor<3x1x3x3xf32>
    %g = hourglass.weight "a.norm.weight" init "one" {trainable} : tensor<3xf32>
    %b = hourglass.weight "a.norm.bias" init "zero" {trainable} : tensor<3xf32>
    %m = hourglass.weight "a.norm.running_mean" init "zero" {running} : tensor<3xf32>
    %v = hourglass.weight "a.norm.running_var" init "one" {running} : tensor<3xf32>
    %u = hourglass.weight "b.weight" init "he" {trainable} : tensor<2x3x1x1xf32>
    %c = hourglass.conv %x, %w {same, operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (!x, tensor<3x1x3x3xf32>) -> !y
)";

const std::string kForward = std::string(R"(!x = tensor<2x1x4x5xf32>
!y = tensor<2x3x4x5xf32>
!l = tensor<2x2x4x5xf32>
!c = tensor<3xf32>
module {
  func.func @main(%x: !x {hourglass.name = "image"}, %t: !x {hourglass.name = "mask"})
      -> (tensor<2xf32> {hourglass.name = "loss"}) {)") +
                             kHead + R"(
    %n = hourglass.norm %c, %g, %b, %m, %v {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1>} : (!y, !c, !c, !c, !c) -> !y
    %r = hourglass.activation %n {function = "relu"} : (!y) -> !y
    %d = hourglass.dropout %r {rate = 0.5} : (!y) -> !y loc("drop")
    %z = hourglass.conv %d, %u {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (!y, tensor<2x3x1x1xf32>) -> !l
    %e = hourglass.loss %z, %t {kind = "cross_entropy"} : (!l, !x) -> tensor<1xf32>
    %s = hourglass.total_loss %e {weights = array<f64: 0.5>} : (tensor<1xf32>) -> tensor<2xf32>
    return %s : tensor<2xf32>
  }
})";

const std::string kBackward = std::string(R"(!x = tensor<2x1x4x5xf32>
!y = tensor<2x3x4x5xf32>
!l = tensor<2x2x4x5xf32>
!c = tensor<3xf32>
module {
  func.func @main(%x: !x {hourglass.name = "image"}, %t: !x {hourglass.name = "mask"})
      -> (tensor<2xf32> {hourglass.name = "loss"}, tensor<3x1x3x3xf32> {hourglass.gradient = "a.weight"},
          !c {hourglass.gradient = "a.norm.weight"}, !c {hourglass.gradient = "a.norm.bias"},
          tensor<2x3x1x1xf32> {hourglass.gradient = "b.weight"}, !x {hourglass.name = "grad.image"},
          !c {hourglass.running = "a.norm.running_mean"}, !c {hourglass.running = "a.norm.running_var"}) {)") +
                              kHead + R"(
    %1 = hourglass.channel_sums %c {kind = "stats"} : (!y) -> tensor<2x3x4x3xf64>
    %mean, %var = hourglass.finish_stats %1 : (tensor<2x3x4x3xf64>) -> (!c, !c)
    %2 = hourglass.running_update %m, %mean, %1 {momentum = 0.1} : (!c, !c, tensor<2x3x4x3xf64>) -> !c
    %3 = hourglass.running_update %v, %var, %1 {momentum = 0.1, unbiased} : (!c, !c, tensor<2x3x4x3xf64>) -> !c
    %n = hourglass.norm %c, %g, %b, %mean, %var {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1>} : (!y, !c, !c, !c, !c) -> !y
    %r = hourglass.activation %n {function = "relu"} : (!y) -> !y
    %seed = hourglass.step_seed : () -> tensor<2xi32>
    %d = hourglass.drop %r, %seed {rate = 0.5, site = 1975488342 : i64} : (!y, tensor<2xi32>) -> !y
    %z = hourglass.conv %d, %u {operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (!y, tensor<2x3x1x1xf32>) -> !l
    %4 = hourglass.loss_sums %z, %t {kind = "cross_entropy"} : (!l, !x) -> tensor<2x1x4x2xf64>
    %e, %k = hourglass.finish_loss %4 {kind = "cross_entropy", weight = 0.5} : (tensor<2x1x4x2xf64>) -> (tensor<1xf32>, tensor<1x1x1x1xf32>)
    %s = hourglass.total_loss %e {weights = array<f64: 0.5>} : (tensor<1xf32>) -> tensor<2xf32>
    %dz = hourglass.loss_grad %z, %t, %k {kind = "cross_entropy"} : (!l, !x, tensor<1x1x1x1xf32>) -> !l
    %du = hourglass.conv_weight_grad %d, %dz {kernel = array<i64: 1, 1>} : (!y, !l) -> tensor<2x3x1x1xf32>
    %dd = hourglass.deconv %dz, %u, %d {operandSegmentSizes = array<i32: 1, 1, 0, 1>} : (!l, tensor<2x3x1x1xf32>, !y) -> !y
    %dr = hourglass.drop %dd, %seed {rate = 0.5, site = 1975488342 : i64} : (!y, tensor<2xi32>) -> !y
    %dn = hourglass.activation_grad %dr, %r {from_value, function = "relu"} : (!y, !y) -> !y
    %5 = hourglass.channel_sums %dn, %c {kind = "product"} : (!y, !y) -> tensor<2x3x4x3xf64>
    %dg, %db, %p, %q, %o = hourglass.finish_norm_grad %5, %mean, %var, %g {eps = 1.0e-5} : (tensor<2x3x4x3xf64>, !c, !c, !c) -> (!c, !c, !c, !c, !c)
    %dc = hourglass.norm_grad %dn, %c, %p, %q, %o : (!y, !y, !c, !c, !c) -> !y
    %dw = hourglass.conv_weight_grad %x, %dc {kernel = array<i64: 3, 3>, same} : (!x, !y) -> tensor<3x1x3x3xf32>
    %dx = hourglass.deconv %dc, %w, %x {operandSegmentSizes = array<i32: 1, 1, 0, 1>, same} : (!y, tensor<3x1x3x3xf32>, !x) -> !x
    return %s, %dw, %dg, %db, %du, %dx, %2, %3 : tensor<2xf32>, tensor<3x1x3x3xf32>, !c, !c, tensor<2x3x1x1xf32>, !x, !c, !c
  }
})";

llvm::FailureOr<Tensor> randomWeights(llvm::StringRef name, llvm::ArrayRef<int64_t> extents) {
  return scattered(extents, name.size(), name.ends_with("_var") ? 0.5 : -1, 1);
}

struct Checked {
  bool ran = false;
  GradientReport report;
  std::string said;
};

/// The check of kBackward with one piece of it replaced.
Checked checkWith(const std::string &from = "", const std::string &to = "",
                  const DifferenceOptions &options = {}) {
  Checked checked;
  mlir::ScopedDiagnosticHandler handler(&context(), [&](mlir::Diagnostic &diagnostic) {
    checked.said += diagnostic.str();
    return mlir::success();
  });
  std::string text = kBackward;
  EXPECT_NE(text.find(from), std::string::npos);
  text.replace(text.find(from), from.size(), to);
  auto forward = parse(kForward), backward = parse(text);
  Tensor image = scattered({2, 1, 4, 5}, 1), mask = scattered({2, 1, 4, 5}, 2);
  for (double &label : mask.data)
    label = label > 1.5 ? 255 : label > 0 ? 1 : 0;
  auto report = checkGradients(*forward, *backward, {image, mask}, randomWeights, options);
  checked.ran = mlir::succeeded(report);
  if (checked.ran)
    checked.report = *report;
  return checked;
}

/// Names of what the check finds wrong.
std::vector<std::string> wrong(const GradientReport &report) {
  std::vector<std::string> names;
  if (!(report.lossError < 1e-12))
    names.push_back("loss");
  for (const auto &gradient : report.gradients)
    if (!(gradient.result.error < 1e-6))
      names.push_back(gradient.name);
  for (const auto &statistics : report.running)
    if (!(statistics.error < 1e-12))
      names.push_back(statistics.name);
  return names;
}

} // namespace

TEST(FiniteDifferences, SlopesOfSmoothFunctions) {
  EXPECT_NEAR(slopeAtZero([](double t) { return std::exp(3 * t); }, 1).value, 3, 1e-10);
  EXPECT_NEAR(slopeAtZero([](double t) { return std::sin(20 * t) + 1e3; }, 1).value, 20, 1e-6);
  EXPECT_EQ(slopeAtZero([](double) { return 1.0; }, 1).value, 0);
  for (auto smooth : {+[](double t) { return t * t; }, +[](double t) { return 1 / (1 + std::exp(-t)); },
                      +[](double t) { return std::fabs(t + 0.01); }})
    EXPECT_TRUE(slopeAtZero(smooth, 1).smooth);
}

TEST(FiniteDifferences, KinksAreSeen) {
  // At 0, and anywhere within the smallest step.
  for (double at : {0.0, 1e-9, 1e-7, -3e-7, 4.9e-7}) {
    EXPECT_FALSE(slopeAtZero([&](double t) { return std::fmax(t - at, 0); }, 1).smooth) << at;
    EXPECT_FALSE(slopeAtZero([&](double t) { return std::fabs(t - at) + 5 * t; }, 1).smooth) << at;
  }
  // Further away a smaller step sees none.
  for (double at : {-2e-6, 3e-6, 1e-5, -7e-5}) {
    Slope slope = slopeAtZero([&](double t) { return std::fmax(t - at, 0); }, 1);
    EXPECT_TRUE(slope.smooth) << at;
    EXPECT_NEAR(slope.value, at < 0 ? 1 : 0, 1e-7) << at;
  }
}

TEST(FiniteDifferences, CompareElementsAndDirections) {
  // f = sum of i * x[i]^2 / 2, and |x[2]| on top.
  auto f = [](const Tensor &x) {
    double sum = std::fabs(x.data[2]);
    for (size_t i = 0; i < x.data.size(); ++i)
      sum += double(i) * x.data[i] * x.data[i] / 2;
    return sum;
  };
  for (int64_t elements : {5, 100}) { // 5: all of them, 100: directions
    Tensor x = scattered({elements}, 1), gradient(Extents{elements});
    for (size_t i = 0; i < x.data.size(); ++i)
      gradient.data[i] = double(i) * x.data[i] + (i == 2 ? (x.data[i] > 0 ? 1 : -1) : 0);
    GradientError right = compareGradient(f, x, gradient);
    EXPECT_LT(right.error, 1e-7);
    EXPECT_EQ(right.checked, elements == 5 ? 5 : 3);
    gradient.data[4] += 1e-3 * right.largest;
    EXPECT_GT(compareGradient(f, x, gradient).error, 1e-4);
    gradient.data[4] = NAN;
    EXPECT_EQ(compareGradient(f, x, gradient).error, kInfinity);
    x.data[2] = 0; // the kink concerns one element, but every direction
    GradientError kinked = compareGradient(f, x, Tensor(Extents{elements}, 1.0));
    EXPECT_EQ(kinked.kinked, elements == 5 ? 1 : 3);
    EXPECT_EQ(kinked.checked, elements == 5 ? 4 : 1); // one of the elements probed besides
    EXPECT_EQ(compareGradient(f, x, Tensor(Extents{elements + 1})).error, kInfinity);
  }
  // A function whose values have no slope above their rounding: what is small enough passes.
  Tensor x({2}, 0.5);
  EXPECT_LT(compareGradient([](const Tensor &) { return 1.0; }, x, Tensor({2}, 1e-12)).error, 1e-6);
  EXPECT_GT(compareGradient([](const Tensor &) { return 1.0; }, x, Tensor({2}, 1e-9)).error, 1e-6);
}

TEST(GradientCheck, HoldsAWholeModule) {
  for (int64_t elements : {64, 1}) { // element by element, along directions
    DifferenceOptions options;
    options.elements = elements;
    Checked checked = checkWith("", "", options);
    ASSERT_TRUE(checked.ran) << checked.said;
    EXPECT_EQ(wrong(checked.report), std::vector<std::string>());
    EXPECT_LT(checked.report.worst(), 1e-6);
    EXPECT_GT(checked.report.loss, 0);
    ASSERT_EQ(checked.report.gradients.size(), 5u);
    EXPECT_EQ(checked.report.running.size(), 2u);
    for (const auto &gradient : checked.report.gradients) {
      EXPECT_GT(gradient.result.checked, 0) << gradient.name;
      EXPECT_GT(gradient.result.largest, 0) << gradient.name;
    }
  }
}

TEST(GradientCheck, FindsWhatIsWrong) {
  using Names = std::vector<std::string>;
  struct Case {
    std::string from, to;
    Names wrong;
  };
  for (const Case &test : {
           // The batch's variance as if it were a constant.
           Case{"%p, %q, %o :", "%p, %b, %b :", {"a.weight", "grad.image"}},
           Case{"return %s, %dw, %dg, %db", "return %s, %dw, %db, %db", {"a.norm.weight"}},
           Case{"weight = 0.5",
                "weight = 1.0",
                {"a.weight", "a.norm.weight", "a.norm.bias", "b.weight", "grad.image"}},
           Case{"array<f64: 0.5>", "array<f64: 0.25>", {"loss"}},
           Case{"momentum = 0.1, unbiased", "momentum = 0.1", {"a.norm.running_var"}},
           Case{"{momentum = 0.1}", "{momentum = 0.9}", {"a.norm.running_mean"}},
           // A mask of its own on the way back.
           Case{"%dd, %seed {rate = 0.5, site = 1975488342",
                "%dd, %seed {rate = 0.5, site = 1975488343",
                {"a.weight", "a.norm.weight", "a.norm.bias", "grad.image"}},
       }) {
    SCOPED_TRACE(test.to);
    Checked checked = checkWith(test.from, test.to);
    ASSERT_TRUE(checked.ran) << checked.said;
    EXPECT_EQ(wrong(checked.report), test.wrong);
    EXPECT_GT(checked.report.worst(), 1e-6);
  }
}

TEST(GradientCheck, SaysWhatIsMissing) {
  Checked unnamed = checkWith("{hourglass.gradient = \"b.weight\"}", "");
  EXPECT_FALSE(unnamed.ran);
  EXPECT_NE(unnamed.said.find("result #4 is no loss, gradient or running statistics"), std::string::npos)
      << unnamed.said;
  Checked twice = checkWith("hourglass.gradient = \"a.norm.bias\"", "hourglass.gradient = \"a.norm.weight\"");
  EXPECT_FALSE(twice.ran);
  EXPECT_NE(twice.said.find("is trainable, but the differentiated @main returns no gradient of it"),
            std::string::npos)
      << twice.said;
  Checked unknown = checkWith("grad.image", "grad.picture");
  EXPECT_FALSE(unknown.ran);
  Checked stale = checkWith("hourglass.running = \"a.norm.running_var\"", "hourglass.running = \"other\"");
  ASSERT_TRUE(stale.ran);
  EXPECT_EQ(wrong(stale.report), std::vector<std::string>{"a.norm.running_var"});
}

// f(w) = w1 if w1 is the maximum, else 0: a pool's index decides, and the gradient does not see it. Descent
// from (1.1, 1.05, 1) reaches, after one step of 0.1, the point (1, 1.05, 1) where f and all its derivatives
// are 0.
TEST(GradientCheck, DescentThroughPoolIndicesStopsWhereTheMaximumMoves) {
  const char *const text = R"(!w = tensor<1x1x1x3xf32>
  !f = tensor<1x1x1x1xf32>
  func.func @main(%w: !w, %one: !f) -> (!f, !w) {
    %y, %i = hourglass.maxpool %w {kernel = array<i64: 1, 3>, stride = array<i64: 1, 3>} : (!w) -> (!f, tensor<1x1x1x1xi8>)
    %u = hourglass.unpool %y, %i, %w {kernel = array<i64: 1, 3>, stride = array<i64: 1, 3>} : (!f, tensor<1x1x1x1xi8>, !w) -> !w
    %f = hourglass.crop %u {size = array<i64: 1, 1>, offset = array<i64: 0, 0>} : (!w) -> !f
    %du = hourglass.pad %one, %u {amount = array<i64: 0, 0, 0, 0>} : (!f, !w) -> !w
    %dy = hourglass.take %du, %i {kernel = array<i64: 1, 3>, stride = array<i64: 1, 3>} : (!w, tensor<1x1x1x1xi8>) -> !f
    %dw = hourglass.unpool %dy, %i, %w {kernel = array<i64: 1, 3>, stride = array<i64: 1, 3>, sum} : (!f, tensor<1x1x1x1xi8>, !w) -> !w
    return %f, %dw : !f, !w
  })";
  auto module = parse(text);
  Interpreter interpreter;
  Tensor w({1, 1, 1, 3}, Values{1.1, 1.05, 1}), one({1, 1, 1, 1}, 1.0);
  std::vector<Values> path;
  Values f;
  for (int step = 0; step < 4; ++step) {
    auto results = interpreter.run(*module, {w, one});
    ASSERT_TRUE(mlir::succeeded(results));
    auto value = [&](const Tensor &moved) { return (*interpreter.run(*module, {moved, one}))[0].data[0]; };
    expectGradient(value, w, (*results)[1]);
    f.push_back((*results)[0].data[0]);
    for (int i = 0; i < 3; ++i)
      w.data[i] -= 0.1 * (*results)[1].data[i];
    path.push_back(w.data);
  }
  EXPECT_EQ(f, (Values{1.1, 0, 0, 0}));
  for (const Values &point : path)
    EXPECT_EQ(point, (Values{1, 1.05, 1}));
}
