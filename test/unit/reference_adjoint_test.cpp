/// \file transpose() of every linear op: <A x, y> = <x, A^T y>, and transposing twice gives the op back.
// SPDX-License-Identifier: MIT
#include "mlir/IR/Builders.h"
#include "test/unit/reference_support.h"
#include <cmath>
#include <set>

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

const std::string kPlain = "operandSegmentSizes = array<i32: 1, 1, 0, 0>";
const std::string kLike = "operandSegmentSizes = array<i32: 1, 1, 0, 1>";
const std::string kPool = "kernel = array<i64: 2, 3>, stride = array<i64: 2, 2>";

const std::vector<OpCase> kCases = {
    {"conv", kPlain, {"2x3x5x6xf32", "4x3x3x2xf32"}},
    {"conv", kPlain + ", same, stride = array<i64: 2, 3>", {"1x2x7x8xf32", "3x2x3x4xf32"}},
    {"conv",
     kPlain + ", padding = array<i64: 1, 0, 2, 3>, dilation = array<i64: 2, 1>",
     {"1x2x6x5xf32", "3x2x3x3xf32"}},
    {"conv", kPlain + ", groups = 2 : i64, stride = array<i64: 2, 2>", {"2x4x6x7xf32", "6x2x2x2xf32"}},
    {"conv", kPlain + ", padding = array<i64: -1, -2, 0, -1>", {"1x1x6x7xf32", "2x1x2x3xf32"}},
    {"conv",
     kLike + ", stride = array<i64: 2, 2>, padding = array<i64: 1, 1, 0, 0>",
     {"1x2x6x6xf32", "3x2x3x3xf32", "1x3x3x3xf32"}},
    {"deconv", kPlain + ", stride = array<i64: 2, 2>", {"1x2x3x4xf32", "2x3x2x2xf32"}},
    {"deconv",
     kPlain +
         ", stride = array<i64: 3, 2>, padding = array<i64: 1, 0, 0, 1>, output_padding = array<i64: 2, 1>",
     {"2x2x3x3xf32", "2x2x3x4xf32"}},
    {"deconv", kPlain + ", groups = 2 : i64, dilation = array<i64: 1, 2>", {"1x4x3x3xf32", "4x1x3x2xf32"}},
    {"deconv", kLike + ", same, stride = array<i64: 2, 2>", {"1x2x4x3xf32", "2x3x3x3xf32", "1x3x7x6xf32"}},
    {"unpool", kPool, {"2x2x2x3xf32", "2x2x2x3xi8", "2x2x5x7xf32"}},
    {"unpool",
     "kernel = array<i64: 3, 3>, stride = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>",
     {"1x2x4x5xf32", "1x2x4x5xi8", "1x2x4x5xf32"}},
    {"unpool",
     "kernel = array<i64: 3, 2>, stride = array<i64: 2, 2>, same, dilation = array<i64: 1, 2>",
     {"1x1x3x3xf32", "1x1x3x3xi8", "1x1x5x6xf32"}},
    {"take", kPool, {"1x2x5x7xf32", "1x2x2x3xi8"}},
    {"take", "kernel = array<i64: 2, 2>, stride = array<i64: 1, 1>", {"1x1x4x4xf32", "1x1x3x3xi8"}},
    {"unpool",
     "kernel = array<i64: 3, 3>, stride = array<i64: 1, 2>, padding = array<i64: 1, 0, 1, 1>, sum",
     {"2x2x4x3xf32", "2x2x4x3xi8", "2x2x4x7xf32"}},
    {"take", "kernel = array<i64: 3, 2>, stride = array<i64: 1, 1>, sum", {"1x2x5x4xf32", "1x2x3x3xi8"}},
    {"drop", "rate = 0.5, site = 7 : i64", {"2x3x4x5xf32", "2xi32"}},
    {"upsample", "mode = \"nearest\", size = array<i64: 5, 7>", {"1x2x3x4xf32"}},
    {"upsample", "mode = \"nearest\", size = array<i64: 2, 3>", {"1x1x5x4xf32"}},
    {"upsample",
     "mode = \"bilinear\", scale_num = array<i64: 2, 3>, scale_den = array<i64: 1, 2>",
     {"1x2x3x4xf32"}},
    {"upsample", "mode = \"bilinear\", align_corners, size = array<i64: 7, 1>", {"1x1x3x4xf32"}},
    {"upsample", "mode = \"bilinear\"", {"1x2x3x4xf32", "1x1x4x9xf32"}},
    {"upsample_transpose", "mode = \"bilinear\"", {"1x2x6x5xf32", "1x2x3x4xf32"}},
    {"upsample_transpose", "mode = \"nearest\"", {"1x2x6x5xf32", "1x2x4x5xf32"}},
    {"upsample", "mode = \"bicubic\", size = array<i64: 7, 5>", {"1x2x3x4xf32"}},
    {"upsample", "mode = \"bicubic\", align_corners, size = array<i64: 2, 9>", {"1x1x5x3xf32"}},
    {"upsample", "mode = \"zeros\", size = array<i64: 6, 2>", {"1x2x3x5xf32"}},
    {"upsample_transpose", "mode = \"bicubic\"", {"1x2x6x5xf32", "1x2x3x4xf32"}},
    {"upsample_transpose", "mode = \"zeros\"", {"1x2x6x8xf32", "1x2x3x4xf32"}},
    {"avgpool", kPool, {"2x2x5x7xf32"}},
    {"avgpool", kPool + ", padding = array<i64: 1, 1, 1, 0>, ceil, count_include_pad", {"1x2x6x6xf32"}},
    {"avgpool", "kernel = array<i64: 3, 2>, stride = array<i64: 1, 3>, same", {"1x2x5x7xf32"}},
    {"avgpool_transpose", kPool + ", padding = array<i64: 1, 1, 1, 1>, ceil", {"1x2x4x4xf32", "1x2x6x6xf32"}},
    {"adaptive_avgpool", "size = array<i64: 3, 2>", {"1x2x7x9xf32"}},
    {"adaptive_avgpool", "size = array<i64: 0, 5>", {"1x2x3x3xf32"}},
    {"adaptive_avgpool", "", {"1x2x7x9xf32", "1x1x1x4xf32"}},
    {"adaptive_avgpool_transpose", "", {"1x2x3x4xf32", "1x2x7x9xf32"}},
    {"crop", "size = array<i64: 2, 3>, offset = array<i64: 1, 2>", {"1x2x5x6xf32"}},
    {"crop", "size = array<i64: 2, 3>", {"1x2x5x6xf32"}},
    {"crop", "", {"1x2x5x6xf32", "1x1x4x6xf32", "1x3x5x3xf32"}},
    {"pad", "amount = array<i64: 1, 2, 0, 3>", {"1x2x3x4xf32"}},
    {"pad", "", {"1x2x3x4xf32", "1x2x6x8xf32"}},
    {"concat", "", {"2x1x3x3xf32", "2x3x3x3xf32", "2x2x3x3xf32"}},
    {"slice", "offset = 1 : i64, size = 2 : i64", {"2x4x3x3xf32"}},
    {"reshape", "shape = array<i64: 0, 6, -1, 2>", {"2x4x3x3xf32"}},
    {"reshape", "", {"2x4x3x3xf32", "6x3x2x2xf32"}},
    {"transpose", "perm = array<i64: 0, 1, 3, 2>", {"2x4x3x5xf32"}},
    {"transpose", "perm = array<i64: 3, 2, 0, 1>, channels = 3 : i64", {"2x4x3x5xf32"}},
    {"windows", "kernel = array<i64: 3, 2>, stride = array<i64: 1, 2>", {"2x2x5x6xf32"}},
    {"windows",
     "kernel = array<i64: 3, 4>, stride = array<i64: 2, 1>, padding = array<i64: 1, 0, 2, 1>",
     {"1x2x5x4xf32"}},
    {"windows_transpose", "kernel = array<i64: 2, 2>", {"24x2x2x2xf32", "2x2x4x5xf32"}},
    {"windows_transpose", "kernel = array<i64: 1, 1>", {"12x3x1x1xf32", "2x1x2x3xf32"}},
    {"embed", "offset = 1 : i64, channels = 5 : i64", {"2x2x3x3xf32"}},
    {"add", "", {"1x2x3x3xf32", "1x2x3x3xf32"}},
    {"sub", "", {"1x2x3x3xf32", "1x2x3x3xf32"}},
    {"scale", "factor = -2.5", {"1x2x3x3xf32"}},
    {"broadcast", "", {"2x3x1x1xf32", "2x3x4x5xf32"}},
    {"broadcast", "", {"1x1x4x5xf32", "2x3x1x5xf32"}},
    {"reduce_sum", "axes = array<i64: 2, 3>", {"2x3x4x5xf32"}},
    {"reduce_sum", "axes = array<i64: 0, 1, 3>", {"2x3x4x5xf32"}},
};

/// Counted operands, but indices below the window's pixels.
std::vector<Tensor> operandsOf(mlir::Operation *op) {
  std::vector<Tensor> tensors;
  for (mlir::Value operand : op->getOperands()) {
    auto type = llvm::cast<mlir::RankedTensorType>(operand.getType());
    tensors.push_back(counted(type.getShape(), tensors.size()));
    if (type.getElementType().isInteger(8)) {
      auto kernel = op->getAttrOfType<mlir::DenseI64ArrayAttr>("kernel");
      for (double &index : tensors.back().data)
        index = std::fmod(8 * index + 16, static_cast<double>(kernel[0] * kernel[1]));
    }
  }
  return tensors;
}

/// A case's op beside a free cotangent, with room to emit transposes and evaluate them.
struct Transposer {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::Operation *op;
  std::vector<Tensor> operands;
  llvm::DenseMap<mlir::Value, Tensor> known;

  explicit Transposer(const OpCase &test)
      : module(moduleOf(test)), op(firstOp(*module)), operands(operandsOf(op)) {
    EXPECT_TRUE(mlir::succeeded(hg::inferResultTypes(op)));
    for (auto [value, tensor] : llvm::zip(op->getOperands(), operands))
      known[value] = tensor;
  }
  /// A new function argument of `type` holding counted numbers.
  mlir::Value cotangent(mlir::Type type, uint64_t salt) {
    mlir::Value value = op->getBlock()->addArgument(type, op->getLoc());
    known[value] = counted(llvm::cast<mlir::RankedTensorType>(type).getShape(), salt);
    return value;
  }
  llvm::SmallVector<mlir::Value> transpose(mlir::Operation *linear, mlir::Value cotangent) {
    mlir::OpBuilder builder(op->getBlock()->getTerminator());
    return llvm::cast<hg::LinearOp>(linear).transpose(builder, cotangent);
  }
  Tensor valueOf(mlir::Value value) {
    if (auto found = known.find(value); found != known.end())
      return found->second;
    std::vector<Tensor> inputs;
    for (mlir::Value operand : value.getDefiningOp()->getOperands())
      inputs.push_back(valueOf(operand));
    auto results = evaluate(value.getDefiningOp(), inputs);
    EXPECT_TRUE(mlir::succeeded(results));
    if (mlir::failed(results)) // a tensor of the right extents, so that the test can go on to its end
      return counted(llvm::cast<mlir::RankedTensorType>(value.getType()).getShape(), 0);
    return (*results)[0];
  }
};

/// Name, result type, and all that determines the op's values but the operand it is linear in.
std::string signature(mlir::Operation *op) {
  std::string text = op->getName().getStringRef().str();
  llvm::raw_string_ostream stream(text);
  stream << " " << op->getResult(0).getType();
  for (mlir::NamedAttribute attribute : op->getAttrDictionary())
    stream << " " << attribute.getName().getValue() << "=" << attribute.getValue();
  for (mlir::OpOperand &operand : op->getOpOperands())
    stream << " "
           << (operand.getOperandNumber() && !hg::isShapeOnly(operand)
                   ? reinterpret_cast<uintptr_t>(operand.get().getAsOpaquePointer())
                   : 0);
  return text;
}

} // namespace

TEST(Adjoint, EveryLinearOpHasCases) {
  std::set<std::string> covered;
  for (const OpCase &test : kCases)
    covered.insert("hourglass." + test.op);
  for (mlir::RegisteredOperationName name : context().getRegisteredOperations())
    if (name.hasInterface<hg::LinearOp>()) {
      EXPECT_TRUE(covered.count(name.getStringRef().str())) << name.getStringRef().str();
    }
}

TEST(Adjoint, InnerProductsAgree) {
  for (const OpCase &test : kCases) {
    SCOPED_TRACE(test.op + " {" + test.attributes + "}");
    Transposer t(test);
    mlir::Value cotangent = t.cotangent(t.op->getResult(0).getType(), 77);
    llvm::SmallVector<mlir::Value> back = t.transpose(t.op, cotangent);
    ASSERT_EQ(back.size(), t.op->getNumOperands());
    // <A (x1, x2, ...), y> is the sum over the operands it is linear in.
    double left = dot(t.valueOf(t.op->getResult(0)), t.valueOf(cotangent)), right = 0, scale = 1;
    unsigned terms = 0;
    for (auto [operand, value] : llvm::zip(t.op->getOperands(), back))
      if (value) {
        ASSERT_EQ(value.getType(), operand.getType());
        right += dot(t.valueOf(operand), t.valueOf(value));
        ++terms;
      }
    scale += std::abs(left);
    EXPECT_GE(terms, 1u);
    EXPECT_NE(left, 0);
    EXPECT_NEAR(left, right, 1e-12 * scale);
  }
}

TEST(Adjoint, TransposingTwiceGivesTheOpBack) {
  for (const OpCase &test : kCases) {
    if (test.op == "add" || test.op == "sub" || test.op == "concat")
      continue; // several operands: their transposes are no single op
    SCOPED_TRACE(test.op + " {" + test.attributes + "}");
    Transposer t(test);
    mlir::Type in = t.op->getOperand(0).getType(), out = t.op->getResult(0).getType();
    mlir::Operation *once = t.transpose(t.op, t.cotangent(out, 77))[0].getDefiningOp();
    mlir::Operation *twice = t.transpose(once, t.op->getOperand(0))[0].getDefiningOp();
    mlir::Operation *thrice = t.transpose(twice, t.cotangent(out, 78))[0].getDefiningOp();
    mlir::Operation *four = t.transpose(thrice, t.op->getOperand(0))[0].getDefiningOp();
    EXPECT_EQ(twice->getName(), t.op->getName());
    EXPECT_EQ(twice->getResult(0).getType(), out);
    EXPECT_EQ(once->getResult(0).getType(), in);
    EXPECT_EQ(t.valueOf(twice->getResult(0)).data, t.valueOf(t.op->getResult(0)).data);
    // Extents that the op computed come from a `like` operand now; from there on nothing changes.
    EXPECT_EQ(signature(thrice), signature(once));
    EXPECT_EQ(signature(four), signature(twice));
    if (t.op->getNumOperands() == twice->getNumOperands() && test.op != "crop") {
      EXPECT_EQ(signature(twice), signature(t.op));
    }
  }
}
