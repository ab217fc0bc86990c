/// \file The interpreter as a whole: every op known, functions, groups, unknown extents, observers, misuse.
// SPDX-License-Identifier: MIT
#include "test/unit/reference_support.h"
#include <algorithm>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

mlir::func::FuncOp function(mlir::ModuleOp module, llvm::StringRef name) {
  return module.lookupSymbol<mlir::func::FuncOp>(name);
}

const char *const kNetwork = R"(
  func.func @main(%x: tensor<?x1x?x?xf32>) -> tensor<?x2x?x?xf32> {
    %w = hourglass.weight "c.weight" init "he" : tensor<2x1x3x3xf32>
    %y = hourglass.conv %x, %w {same, operandSegmentSizes = array<i32: 1, 1, 0, 0>}
        : (tensor<?x1x?x?xf32>, tensor<2x1x3x3xf32>) -> tensor<?x2x?x?xf32>
    %z = hourglass.group (%y) {
    ^bb0(%a: tensor<?x2x?x?xf32>):
      %b = hourglass.add %a, %a : (tensor<?x2x?x?xf32>, tensor<?x2x?x?xf32>) -> tensor<?x2x?x?xf32>
      %c = hourglass.activation %b {function = "relu"} : (tensor<?x2x?x?xf32>) -> tensor<?x2x?x?xf32>
      hourglass.yield %c : tensor<?x2x?x?xf32>
    } : (tensor<?x2x?x?xf32>) -> tensor<?x2x?x?xf32>
    return %z : tensor<?x2x?x?xf32>
  }
  func.func @outer(%x: tensor<1x1x2x3xf32>) -> tensor<?x2x?x?xf32> {
    %c = builtin.unrealized_conversion_cast %x : tensor<1x1x2x3xf32> to tensor<?x1x?x?xf32>
    %y = func.call @main(%c) : (tensor<?x1x?x?xf32>) -> tensor<?x2x?x?xf32>
    return %y : tensor<?x2x?x?xf32>
  }
  func.func @caller(%x: tensor<?x1x?x?xf32>) -> tensor<?x2x?x?xf32> {
    %y = func.call @main(%x) : (tensor<?x1x?x?xf32>) -> tensor<?x2x?x?xf32>
    return %y : tensor<?x2x?x?xf32>
  })";

llvm::FailureOr<Tensor> centreTap(llvm::StringRef name, llvm::ArrayRef<int64_t> extents) {
  EXPECT_EQ(name, "c.weight");
  Tensor weight(extents);
  weight.data[4] = 1;
  weight.data[9 + 4] = -1;
  return weight;
}

} // namespace

TEST(Interpreter, KnowsEveryOpOfTheDialect) {
  for (mlir::RegisteredOperationName name : context().getRegisteredOperations()) {
    if (name.getDialectNamespace() != "hourglass" ||
        name.getStringRef() == hg::WeightOp::getOperationName() ||
        name.getStringRef() == hg::YieldOp::getOperationName())
      continue; // a weight needs a provider, a yield is no computation
    EXPECT_TRUE(hasEvaluator(name.getStringRef())) << name.getStringRef().str();
  }
  EXPECT_FALSE(hasEvaluator("hourglass.weight"));
}

TEST(Interpreter, RunsFunctionsOfAnySize) {
  auto module = parse(kNetwork);
  ASSERT_TRUE(module);
  std::vector<std::string> seen;
  Interpreter interpreter(centreTap, [&](mlir::Operation *op, llvm::ArrayRef<Tensor> results) {
    seen.push_back(op->getName().stripDialect().str() + ":" + std::to_string(results[0].data.size()));
  });
  for (const char *name : {"main", "caller"})
    for (int64_t width : {1, 3, 4}) {
      seen.clear();
      Tensor x = counted({2, 1, 2, width}, 0);
      auto y = interpreter.run(function(*module, name), {x});
      ASSERT_TRUE(mlir::succeeded(y));
      ASSERT_EQ((*y)[0].shape, (Extents{2, 2, 2, width}));
      for (int64_t n = 0; n < 2; ++n)
        for (int64_t i = 0; i < 2 * width; ++i) {
          EXPECT_EQ((*y)[0].plane(n, 0)[i], std::max(0.0, 2 * x.plane(n, 0)[i]));
          EXPECT_EQ((*y)[0].plane(n, 1)[i], std::max(0.0, -2 * x.plane(n, 0)[i]));
        }
      std::string elements = ":" + std::to_string(8 * width);
      std::vector<std::string> expected = {"weight:18", "conv" + elements, "add" + elements,
                                           "activation" + elements, "group" + elements};
      if (std::string(name) == "caller")
        expected.push_back("call" + elements);
      EXPECT_EQ(seen, expected);
    }
}

TEST(Interpreter, RefusesWhatDoesNotFit) {
  std::string said;
  mlir::ScopedDiagnosticHandler handler(&context(), [&](mlir::Diagnostic &diagnostic) {
    said += diagnostic.str() + "\n";
    return mlir::success();
  });
  auto module = parse(kNetwork);
  ASSERT_TRUE(module);
  auto main = function(*module, "main");
  EXPECT_TRUE(mlir::failed(Interpreter(centreTap).run(main, {})));
  EXPECT_TRUE(mlir::failed(Interpreter(centreTap).run(main, {counted({1, 2, 4, 4}, 0)}))); // two channels
  EXPECT_TRUE(mlir::failed(Interpreter().run(main, {counted({1, 1, 4, 4}, 0)})));          // no weights
  auto wrong = [](llvm::StringRef, llvm::ArrayRef<int64_t>) -> llvm::FailureOr<Tensor> {
    return Tensor({3}, 0.0);
  };
  EXPECT_TRUE(mlir::failed(Interpreter(wrong).run(main, {counted({1, 1, 4, 4}, 0)})));
  // An op of another dialect.
  EXPECT_TRUE(
      mlir::failed(Interpreter(centreTap).run(function(*module, "outer"), {counted({1, 1, 2, 3}, 0)})));
  // Fewer elements than the extents say.
  Tensor torn({1, 1, 2, 2}, std::vector<double>{1, 2, 3});
  EXPECT_TRUE(mlir::failed(Interpreter(centreTap).run(main, {torn})));
  // A kernel larger than the image that the call brings.
  OpCase conv{"conv", "operandSegmentSizes = array<i32: 1, 1, 0, 0>", {"1x1x?x?xf32", "1x1x3x3xf32"}};
  auto small = moduleOf(conv);
  EXPECT_TRUE(mlir::failed(evaluate(firstOp(*small), {Tensor({1, 1, 2, 5}), Tensor({1, 1, 3, 3})})));
  EXPECT_NE(said.find("evaluated with extents [1, 2, 4, 4]"), std::string::npos) << said;
  EXPECT_NE(said.find("needs a provider of weights"), std::string::npos) << said;
  EXPECT_NE(said.find("result height is too small"), std::string::npos) << said;
}
