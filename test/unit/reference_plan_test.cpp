/// \file Plans in an arena that forgets: right ones run, and each way of being wrong is caught.
// SPDX-License-Identifier: MIT
#include "compiler/reference/PlanInterpreter.h"
#include "dialects/plan/Plan.h"
#include "test/unit/reference_support.h"

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

/// Import into a buffer with an apron, a convolution of two channels with one pixel of padding, a pool, its
/// unpool into a slice of an interleaved buffer, an export. @A, ... are replaced by the tests.
const char *const kPlan = R"(
  plan.kernel @double problem "pointwise" schedule "" {
  ^bb0(%x: tensor<1x1x1x1xf32>):
    %y = hourglass.add %x, %x : (tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x1x1xf32>
    plan.yield %y : tensor<1x1x1x1xf32>
  }
  plan.program @prepare sizes [] {
    %w = plan.weight "w" init "he" : !plan.view<tensor<1x1x3x3xf32>>
    %p = plan.prepared 0 : !plan.view<tensor<9xf32>>
    plan.launch "pack" problem "" schedule "" reads(%w) shapes() writes(%p) {
    ^bb0(%a: tensor<1x1x3x3xf32>):
      %b = hourglass.pack %a {problem = "", extents = array<i64: 9>} : (tensor<1x1x3x3xf32>) -> tensor<9xf32>
      plan.yield %b : tensor<9xf32>
    } : (!plan.view<tensor<1x1x3x3xf32>>, !plan.view<tensor<9xf32>>) -> ()
  }
  plan.program @run sizes ["input 0 0 1", "input 0 2 4", "input 0 3 4", "const 0", "const -1", "const 2", "add 1 5",
                           "add 2 5"] attributes {checks = ["least 1 3: too small"]} {
    %in = plan.input 0 "x" extents [0, 1, 2] : !plan.view<tensor<1x1x4x4xf32>>
    %out = plan.output 0 "y" extents [0, 1, 2] : !plan.view<tensor<1x1x4x4xf32>>
    %a = plan.alloc "a" f32 extents [0, 1, 2] channels 1 apron [1, 1, 1, 1] offset 0 : !plan.buffer
    %b = plan.alloc "b" f32 extents [0, 1, 2] channels 2 apron [0, 0, 0, 0] offset @B : !plan.buffer
    %c = plan.alloc "c" f32 extents [0, 1, 2] channels 1 apron [0, 0, 0, 0] offset 0 : !plan.buffer
    %late = plan.view %c channels 0 of 1 extents [0, 1, 2] origin [3, 3] step [1, 1] : !plan.view<tensor<1x1x4x4xf32>>
    %whole = plan.view %a channels 0 of 1 extents [0, 1, 2] origin [3, 3] step [1, 1] : !plan.view<tensor<1x1x4x4xf32>>
    %window = plan.view %a channels 0 of 1 extents [0, 6, 7] origin [4, 4] step [1, 1] : !plan.view<tensor<1x1x6x6xf32>>
    %slice = plan.view %b channels 1 of 2 extents [0, 1, 2] origin [3, 3] step [1, 1] : !plan.view<tensor<1x1x4x4xf32>>
    %p = plan.prepared 0 : !plan.view<tensor<9xf32>>
    @BORDER
    plan.launch "import" problem "" schedule "" reads(%in) shapes() writes(%whole) {
    ^bb0(%x: tensor<1x1x4x4xf32>):
      plan.yield %x : tensor<1x1x4x4xf32>
    } : (!plan.view<tensor<1x1x4x4xf32>>, !plan.view<tensor<1x1x4x4xf32>>) -> ()
    plan.launch "conv" problem "" schedule "" reads(%window, %p) shapes() writes(%slice) {
    ^bb0(%x: tensor<1x1x6x6xf32>, %q: tensor<9xf32>):
      %w = hourglass.unpack %q {extents = array<i64: 1, 1, 3, 3>} : (tensor<9xf32>) -> tensor<1x1x3x3xf32>
      %y = hourglass.conv %x, %w {operandSegmentSizes = array<i32: 1, 1, 0, 0>}
          : (tensor<1x1x6x6xf32>, tensor<1x1x3x3xf32>) -> tensor<1x1x4x4xf32>
      plan.yield %y : tensor<1x1x4x4xf32>
    } : (!plan.view<tensor<1x1x6x6xf32>>, !plan.view<tensor<9xf32>>, !plan.view<tensor<1x1x4x4xf32>>) -> ()
    plan.launch "double" @double problem "pointwise" schedule "" reads(%slice) shapes() writes(@TO) {
    } : (!plan.view<tensor<1x1x4x4xf32>>, !plan.view<tensor<1x1x4x4xf32>>) -> ()
    plan.launch "export" problem "" schedule "" reads(@FROM) shapes() writes(%out) {
    ^bb0(%x: tensor<1x1x4x4xf32>):
      plan.yield %x : tensor<1x1x4x4xf32>
    } : (!plan.view<tensor<1x1x4x4xf32>>, !plan.view<tensor<1x1x4x4xf32>>) -> ()
    @END
  })";

struct Variant {
  std::string offset = "144", border = "plan.border %a", from = "%slice", to = "%slice", end;
};

std::string textOf(const Variant &variant) {
  std::string text = kPlan;
  for (const auto &[mark, value] : {std::pair<std::string, std::string>{"@BORDER", variant.border},
                                    {"@B", variant.offset},
                                    {"@FROM", variant.from},
                                    {"@TO", variant.to},
                                    {"@END", variant.end}})
    text.replace(text.find(mark), mark.size(), value);
  return text;
}

llvm::FailureOr<Tensor> ones(llvm::StringRef, llvm::ArrayRef<int64_t> extents) {
  return Tensor(extents, 1.0);
}

/// What the plan says against running, "" if it runs.
std::string refusal(const Variant &variant, llvm::ArrayRef<int64_t> extents) {
  context().loadDialect<plan::PlanDialect>();
  std::string said;
  mlir::ScopedDiagnosticHandler handler(&context(), [&](mlir::Diagnostic &diagnostic) {
    said += diagnostic.str() + "\n";
    return mlir::success();
  });
  // Unverified: the memory's verifier must not be what catches a wrong plan here.
  mlir::ParserConfig config(&context(), /*verifyAfterParse=*/false);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(textOf(variant), config);
  if (!module)
    return "does not parse: " + said;
  auto results = runPlan(*module, {counted(extents, 0)}, ones);
  return mlir::succeeded(results) ? "" : said;
}

} // namespace

TEST(PlanInterpreter, RunsAtAnySize) {
  context().loadDialect<plan::PlanDialect>();
  auto module = parse(textOf({}));
  ASSERT_TRUE(module);
  OpCase conv{"conv",
              "operandSegmentSizes = array<i32: 1, 1, 0, 0>, padding = array<i64: 1, 1, 1, 1>",
              {"?x1x?x?xf32", "1x1x3x3xf32"}};
  for (Extents extents : {Extents{1, 1, 4, 4}, Extents{1, 1, 3, 7}, Extents{2, 1, 5, 4}}) {
    Tensor x = counted(extents, 0);
    unsigned launches = 0;
    auto results = runPlan(*module, {x}, ones, [&](mlir::Operation *op, llvm::ArrayRef<Tensor>) {
      launches += llvm::isa<plan::LaunchOp>(op);
    });
    ASSERT_TRUE(mlir::succeeded(results));
    ASSERT_EQ(results->size(), 1u);
    Tensor expected = evaluateCase(conv, {x, Tensor({1, 1, 3, 3}, 1.0)})[0];
    for (double &value : expected.data)
      value *= 2;
    EXPECT_EQ((*results)[0].shape, expected.shape);
    EXPECT_EQ((*results)[0].data, expected.data);
    EXPECT_EQ(launches, 5u);
  }
}

TEST(PlanInterpreter, CatchesWrongMemory) {
  Extents extents{1, 1, 4, 4};
  EXPECT_EQ(refusal({}, extents), "");
  auto expect = [&](const Variant &variant, const char *words) {
    EXPECT_NE(refusal(variant, extents).find(words), std::string::npos) << refusal(variant, extents);
  };
  Variant variant;
  variant.border = ""; // the convolution reads an apron that nothing wrote
  expect(variant, "reads what no step wrote: buffer a");
  variant = {};
  variant.from = "%whole"; // a lives until the export, its bytes are its own
  EXPECT_EQ(refusal(variant, extents), "");
  variant = {};
  variant.to = variant.from = "%late"; // c takes the bytes of a, which is dead by then
  EXPECT_EQ(refusal(variant, extents), "");
  variant.from = "%slice"; // whereas the convolution still reads a while it writes b
  variant.to = "%slice";
  variant.offset = "96";
  expect(variant, "reads what no step wrote: buffer b");
  for (const char *offset : {"96", "94"}) {
    variant.offset = offset;
    variant.from = "%whole";        // but not if a lives on, whether elements coincide or not
    variant.end = "plan.border %b"; // b lives on too: its bytes must not pass for a's
    expect(variant, "reads what no step wrote: buffer a");
  }
  variant = {};
  variant.offset = "-4";
  expect(variant, "negative offset");
}

TEST(PlanInterpreter, HoldsTheChecksOfTheProgram) {
  EXPECT_NE(refusal({}, {1, 1, 2, 4}).find("too small"), std::string::npos);
}
