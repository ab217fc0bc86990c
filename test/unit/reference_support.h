/// \file What the interpreter's tests share: ops from text, inputs from a counter, tensors in short form.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/reference/Interpreter.h"
#include "dialects/hourglass/Hourglass.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <string>
#include <vector>

namespace segc::reference::test {

/// One op over function arguments: types as "1x2x5x5xf32", attributes as "stride = array<i64: 2, 2>".
struct OpCase {
  std::string op, attributes;
  std::vector<std::string> operands;
  std::vector<std::string> results = {"?x?x?x?xf32"};
};

inline mlir::MLIRContext &context() {
  static mlir::MLIRContext instance;
  static bool loaded = (instance.loadDialect<hg::HourglassDialect, mlir::func::FuncDialect>(), true);
  (void)loaded;
  return instance;
}

inline std::string types(const std::vector<std::string> &list) {
  std::string text;
  for (const std::string &type : list)
    text += (text.empty() ? "tensor<" : ", tensor<") + type + ">";
  return text;
}

inline mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  EXPECT_TRUE(module) << text;
  return module;
}

/// A module with @main(operands) that returns the op's results.
inline mlir::OwningOpRef<mlir::ModuleOp> moduleOf(const OpCase &test) {
  std::string arguments, names, values;
  for (size_t i = 0; i < test.operands.size(); ++i) {
    std::string name = "%a" + std::to_string(i), comma = i ? ", " : "";
    arguments += comma + name + ": tensor<" + test.operands[i] + ">";
    names += comma + name;
  }
  for (size_t i = 0; i < test.results.size(); ++i)
    values += (i ? ", %r#" : "%r#") + std::to_string(i);
  return parse("func.func @main(" + arguments + ") -> (" + types(test.results) +
               ") {\n  %r:" + std::to_string(test.results.size()) + " = \"hourglass." + test.op + "\"(" +
               names + ") {" + test.attributes + "} : (" + types(test.operands) + ") -> (" +
               types(test.results) + ")\n  return " + values + " : " + types(test.results) + "\n}\n");
}

inline mlir::Operation *firstOp(mlir::ModuleOp module) {
  return &(*module.getOps<mlir::func::FuncOp>().begin()).getBody().front().front();
}

/// The results of the case for these operands; a test failure where it cannot be evaluated.
inline std::vector<Tensor> evaluateCase(const OpCase &test, llvm::ArrayRef<Tensor> operands) {
  auto module = moduleOf(test);
  if (!module)
    return {};
  auto results = evaluate(firstOp(*module), operands);
  EXPECT_TRUE(mlir::succeeded(results)) << "hourglass." << test.op << " {" << test.attributes << "}";
  return mlir::succeeded(results) ? std::move(*results) : std::vector<Tensor>();
}

/// Eighths in [-2, 2] from SplitMix64 of (operand, element); scripts/make_goldens.py has the same numbers.
inline Tensor counted(llvm::ArrayRef<int64_t> extents, uint64_t operand) {
  Tensor tensor(extents);
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    uint64_t z = (operand << 32) + i + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    tensor.data[i] = (static_cast<double>(z % 33) - 16) / 8;
  }
  return tensor;
}

/// Counted operands for the declared (static) types of a case.
inline std::vector<Tensor> countedOperands(const OpCase &test) {
  std::vector<Tensor> tensors;
  auto module = moduleOf(test);
  if (!module)
    return tensors;
  for (mlir::Value operand : firstOp(*module)->getOperands())
    tensors.push_back(
        counted(llvm::cast<mlir::RankedTensorType>(operand.getType()).getShape(), tensors.size()));
  return tensors;
}

/// One image of one channel from rows of digits.
inline Tensor image(std::vector<std::string> rows) {
  Tensor tensor({1, 1, static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())});
  for (size_t y = 0; y < rows.size(); ++y)
    for (size_t x = 0; x < rows[y].size(); ++x)
      tensor.data[y * rows[y].size() + x] = rows[y][x] - '0';
  return tensor;
}

inline double dot(const Tensor &a, const Tensor &b) {
  double sum = 0;
  for (size_t i = 0; i < a.data.size(); ++i)
    sum += a.data[i] * b.data[i];
  return sum;
}

} // namespace segc::reference::test
