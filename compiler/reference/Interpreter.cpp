/// \file Drives the evaluators: extents of results, one op, blocks, functions.
// SPDX-License-Identifier: MIT
#include "compiler/reference/Interpreter.h"
#include "compiler/reference/Evaluators.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/TypeUtilities.h"
#include <cmath>
#include <random>

using namespace mlir;

namespace segc::reference {

static const EvaluatorTable &evaluators() {
  static const EvaluatorTable table = [] {
    EvaluatorTable entries;
    enterWindowOps(entries);
    enterPoolOps(entries);
    enterMeanPoolOps(entries);
    enterResizeOps(entries);
    enterPointwiseOps(entries);
    enterShapeOps(entries);
    enterLayoutOps(entries);
    enterWeightOps(entries);
    enterGradientOps(entries);
    enterSumOps(entries);
    enterGroupNormOps(entries);
    enterLossOps(entries);
    enterLossGradientOps(entries);
    return entries;
  }();
  return table;
}

bool hasEvaluator(StringRef opName) {
  return opName == hg::GroupOp::getOperationName() || opName == hg::StepSeedOp::getOperationName() ||
         evaluators().contains(opName);
}

/// Does a tensor of these extents belong to `type`?
static bool fits(ArrayRef<int64_t> extents, Type type, bool exact) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.getRank() != static_cast<int64_t>(extents.size()))
    return false;
  for (auto [declared, actual] : llvm::zip(tensor.getShape(), extents))
    if (exact && !ShapedType::isDynamic(declared) && declared != actual)
      return false;
  return true;
}

static std::string print(ArrayRef<int64_t> extents) {
  std::string text = "[";
  for (int64_t extent : extents)
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

/// Error unless there is one tensor for each type and each fits.
static LogicalResult checkTensors(Operation *op, TypeRange types, ArrayRef<Tensor> tensors, const char *what,
                                  bool exact = true) {
  if (types.size() != tensors.size())
    return op->emitOpError() << "has " << types.size() << " " << what << "s, evaluated with "
                             << tensors.size();
  for (auto [index, type] : llvm::enumerate(types)) {
    const Tensor &tensor = tensors[index];
    bool sized =
        tensor.isPacked() || Tensor::elements(tensor.shape) == static_cast<int64_t>(tensor.data.size());
    if (!fits(tensor.shape, type, exact) || !sized)
      return op->emitOpError() << what << " #" << index << " is " << type << ", evaluated with extents "
                               << print(tensor.shape) << " and " << tensor.data.size() << " elements";
  }
  return success();
}

FailureOr<SmallVector<Extents>> resultExtents(Operation *op, ArrayRef<Tensor> operands, bool exact) {
  auto layer = dyn_cast<hg::LayerOp>(op);
  if (!layer)
    return op->emitOpError("has no shape function");
  if (failed(checkTensors(op, op->getOperandTypes(), operands, "operand", exact)))
    return failure();
  hg::SizeTable table;
  SmallVector<hg::Shape> in, out;
  for (auto [tensor, type] : llvm::zip(operands, op->getOperandTypes())) {
    hg::Shape shape;
    shape.element = cast<RankedTensorType>(type).getElementType();
    for (int64_t extent : tensor.shape)
      shape.dims.push_back(table.constant(extent));
    in.push_back(shape);
  }
  if (failed(layer.inferShapes(table, in, out)))
    return failure();
  if (table.overflowed() || out.size() != op->getNumResults())
    return op->emitOpError("shape function fails on these operands");
  SmallVector<Extents> results;
  constexpr int64_t kMaxElements = (int64_t(1) << 31) - 1;
  for (auto [shape, type] : llvm::zip(out, op->getResultTypes())) {
    Extents extents;
    int64_t elements = 1;
    for (hg::Size dim : shape.dims) {
      extents.push_back(*table.constantValue(dim));
      if (extents.back() < 1 || elements > kMaxElements / extents.back())
        return op->emitOpError("result would be empty or too large: ") << print(extents);
      elements *= extents.back();
    }
    if (!fits(extents, type, exact))
      return op->emitOpError("result is ") << type << ", the operands give " << print(extents);
    results.push_back(extents);
  }
  return results;
}

FailureOr<std::vector<Tensor>> evaluate(Operation *op, ArrayRef<Tensor> operands) {
  return Interpreter().evaluate(op, operands);
}

/// Adds uniform numbers up to `amplitude` times the largest value.
static void addNoise(Tensor &tensor, double amplitude, uint64_t seed) {
  std::mt19937_64 random(seed);
  double largest = 0;
  for (double value : tensor.data)
    largest = std::fmax(largest, std::fabs(value));
  for (double &value : tensor.data)
    value += amplitude * largest * (2 * static_cast<double>(random() >> 11) / 9007199254740992.0 - 1);
}

/// What an op leaves in f32 is rounded to it.
static void roundToFloat(Operation *op, std::vector<Tensor> &results) {
  for (auto [tensor, type] : llvm::zip(results, op->getResultTypes()))
    if (getElementTypeOrSelf(type).isF32())
      for (double &value : tensor.data)
        value = static_cast<float>(value);
}

FailureOr<std::vector<Tensor>> Interpreter::evaluate(Operation *op, ArrayRef<Tensor> operands) {
  auto results = dispatch(op, operands);
  if (noise > 0 && succeeded(results)) {
    if (isa<hg::ConvOp, hg::DeconvOp>(op))
      addNoise(results->front(), noise, ++noiseSeed);
    roundToFloat(op, *results);
  }
  if (succeeded(results) && observer)
    observer(op, *results);
  return results;
}

FailureOr<std::vector<Tensor>> Interpreter::dispatch(Operation *op, ArrayRef<Tensor> operands) {
  if (auto weight = dyn_cast<hg::WeightOp>(op)) {
    if (!weights)
      return op->emitOpError("needs a provider of weights");
    auto value = weights(weight.getName(), cast<RankedTensorType>(weight.getType()).getShape());
    if (failed(value) || failed(checkTensors(op, op->getResultTypes(), *value, "result")))
      return failure();
    return std::vector<Tensor>{std::move(*value)};
  }
  if (auto group = dyn_cast<hg::GroupOp>(op)) {
    if (failed(checkTensors(op, op->getOperandTypes(), operands, "operand", exact)))
      return failure();
    return runBlock(group.getBody().front(), operands);
  }
  if (auto call = dyn_cast<func::CallOp>(op)) {
    auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, call.getCalleeAttr());
    if (!callee)
      return op->emitOpError("calls an unknown function");
    return run(callee, operands);
  }
  if (isa<hg::StepSeedOp>(op))
    return std::vector<Tensor>{stepSeed};
  auto entry = evaluators().find(op->getName().getStringRef());
  if (entry == evaluators().end())
    return op->emitOpError("has no meaning to the reference interpreter");
  auto extents = resultExtents(op, operands, exact);
  if (failed(extents))
    return failure();
  std::vector<Tensor> results;
  for (const Extents &shape : *extents)
    results.emplace_back(shape);
  if (TrainingEvaluator evaluator = training ? findTrainingEvaluator(op) : nullptr)
    evaluator(op, operands, stepSeed, results[0]);
  else if (failed(entry->second(op, operands, results)))
    return failure();
  return results;
}

FailureOr<std::vector<Tensor>> Interpreter::runBlock(Block &block, ArrayRef<Tensor> arguments) {
  DenseMap<Value, Tensor> known;
  DenseMap<Value, int64_t> usesLeft;
  auto define = [&](Value value, Tensor tensor) {
    usesLeft[value] = std::distance(value.use_begin(), value.use_end());
    if (usesLeft[value])
      known[value] = std::move(tensor);
  };
  // The last use takes the tensor: a network's intermediate values do not fit in memory all at once.
  auto read = [&](OperandRange values) {
    std::vector<Tensor> tensors;
    for (Value value : values) {
      if (--usesLeft[value]) {
        tensors.push_back(known[value]);
        continue;
      }
      tensors.push_back(std::move(known[value]));
      known.erase(value);
    }
    return tensors;
  };
  for (auto [argument, tensor] : llvm::zip(block.getArguments(), arguments))
    define(argument, tensor);
  for (Operation &op : block.without_terminator()) {
    auto results = evaluate(&op, read(op.getOperands()));
    if (failed(results))
      return failure();
    for (auto [value, tensor] : llvm::zip(op.getResults(), *results))
      define(value, std::move(tensor));
  }
  return read(block.back().getOperands());
}

FailureOr<std::vector<Tensor>> Interpreter::run(func::FuncOp function, ArrayRef<Tensor> inputs) {
  if (function.isExternal() || !function.getBody().hasOneBlock())
    return function.emitOpError("must have a body of one block to be evaluated");
  if (failed(checkTensors(function, function.getArgumentTypes(), inputs, "argument")))
    return failure();
  constexpr unsigned kDeepest = 16;
  if (callDepth == kDeepest)
    return function.emitOpError("calls nest too deeply");
  ++callDepth;
  auto results = runBlock(function.getBody().front(), inputs);
  --callDepth;
  return results;
}

FailureOr<std::vector<Tensor>> Interpreter::run(ModuleOp module, ArrayRef<Tensor> inputs) {
  auto main = module.lookupSymbol<func::FuncOp>("main"),
       prepare = module.lookupSymbol<func::FuncOp>("prepare");
  if (!main)
    return module.emitError("has no @main to evaluate");
  std::vector<Tensor> arguments(inputs.begin(), inputs.end());
  if (prepare) {
    auto prepared = run(prepare, {});
    if (failed(prepared))
      return failure();
    arguments.insert(arguments.end(), prepared->begin(), prepared->end());
  }
  return run(main, arguments);
}

} // namespace segc::reference
