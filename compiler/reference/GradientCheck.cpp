/// \file Losses at moved weights and inputs, and running statistics, beside what the differentiated module
/// returns.
// SPDX-License-Identifier: MIT
#include "compiler/reference/GradientCheck.h"
#include "dialects/hourglass/Hourglass.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"
#include <algorithm>
#include <cmath>
#include <map>

using namespace mlir;

namespace segc::reference {

double GradientReport::worst() const {
  double largest = lossError;
  for (const Gradient &gradient : gradients)
    largest = std::max(largest, gradient.result.error);
  for (const Running &statistics : running)
    largest = std::max(largest, statistics.error);
  return largest;
}

namespace {

/// Largest difference relative to the largest expected value; infinity where something is no number.
double relativeError(const Tensor &value, const Tensor &expected) {
  double worst = 0, largest = 0;
  if (value.shape != expected.shape)
    return INFINITY;
  for (auto [v, e] : llvm::zip(value.data, expected.data)) {
    if (std::isnan(v - e))
      return INFINITY;
    worst = std::max(worst, std::fabs(v - e));
    largest = std::max(largest, std::fabs(e));
  }
  return worst == 0 ? 0 : worst / largest;
}

class GradientChecker {
public:
  GradientChecker(ModuleOp forward, func::FuncOp main, ArrayRef<Tensor> inputs,
                  const Interpreter::Weights &weights, const DifferenceOptions &options)
      : forward(forward), main(main), inputs(inputs), weights(weights), options(options) {}

  FailureOr<GradientReport> run(func::FuncOp differentiated, ArrayRef<Tensor> results) {
    if (failed(runForward()))
      return failure();
    for (auto [index, result] : llvm::enumerate(results)) {
      auto attribute = [&](StringRef key) {
        auto text = differentiated.getResultAttrOfType<StringAttr>(index, key);
        return text ? text.getValue() : StringRef();
      };
      StringRef name = attribute("hourglass.name"), weight = attribute("hourglass.gradient"),
                statistics = attribute("hourglass.running");
      if (!weight.empty())
        checkWeight(weight, result);
      else if (!statistics.empty())
        updated[statistics.str()] = result;
      else if (name == "loss")
        report.lossError = std::fabs(result.data[0] - report.loss) / std::fmax(1, std::fabs(report.loss));
      else if (!name.consume_front("grad.") || failed(checkInput(name, result)))
        return differentiated.emitError("result #") << index << " is no loss, gradient or running statistics";
      if (stuck)
        return failure();
    }
    for (const auto &[name, value] : expected)
      report.running.push_back({name, updated.count(name) ? relativeError(updated[name], value) : INFINITY});
    return failed(checkComplete()) ? FailureOr<GradientReport>(failure()) : report;
  }

private:
  /// The total loss in training; NaN, with `stuck` set, where the graph cannot be evaluated.
  double loss(Interpreter::Weights provider, ArrayRef<Tensor> arguments, Interpreter::Observer watcher = {}) {
    Interpreter interpreter(std::move(provider), std::move(watcher));
    interpreter.train();
    auto results = interpreter.run(forward, arguments);
    stuck |= failed(results);
    return failed(results) ? NAN : (*results)[0].data[0];
  }

  /// The loss as it is, and the running statistics that follow: norm by norm, so that one which several
  /// layers share moves several times.
  LogicalResult runForward() {
    DenseMap<Value, Tensor> operands;
    for (hg::NormOp norm : main.getOps<hg::NormOp>())
      if (!norm.getFrozen())
        operands[norm.getX()] = {};
    for (auto [argument, input] : llvm::zip(main.getArguments(), inputs))
      if (auto found = operands.find(argument); found != operands.end())
        found->second = input;
    report.loss = loss(weights, inputs, [&](Operation *op, ArrayRef<Tensor> results) {
      for (auto [value, tensor] : llvm::zip(op->getResults(), results))
        if (auto found = operands.find(value); found != operands.end())
          found->second = tensor;
    });
    for (hg::NormOp norm : main.getOps<hg::NormOp>())
      if (!stuck && !norm.getFrozen() && failed(updateRunning(norm, operands[norm.getX()])))
        return failure();
    return success(!stuck);
  }

  /// running <- (1 - momentum) * running + momentum * batch, the variance unbiased (PyTorch's rule).
  LogicalResult updateRunning(hg::NormOp norm, const Tensor &x) {
    double momentum = norm.getMomentum().convertToDouble();
    auto count = static_cast<double>(x.shape[0] * x.planeSize());
    std::vector<double> mean(x.shape[1], 0), variance(x.shape[1], 0);
    for (size_t i = 0; i < x.data.size(); ++i)
      mean[x.channelOf(i)] += x.data[i] / count;
    for (size_t i = 0; i < x.data.size(); ++i)
      variance[x.channelOf(i)] += std::pow(x.data[i] - mean[x.channelOf(i)], 2) / std::fmax(1, count - 1);
    for (auto [value, batch] : {std::pair(norm.getMean(), &mean), std::pair(norm.getVariance(), &variance)}) {
      auto weight = value.getDefiningOp<hg::WeightOp>();
      if (!weight)
        return norm.emitOpError("must have running statistics of the weights file");
      auto [entry, isNew] = expected.try_emplace(weight.getName().str());
      if (isNew) {
        auto stored = weights(weight.getName(), {x.shape[1]});
        if (failed(stored))
          return failure();
        entry->second = std::move(*stored);
      }
      for (auto [running, b] : llvm::zip(entry->second.data, *batch))
        running = (1 - momentum) * running + momentum * b;
    }
    return success();
  }

  void checkWeight(StringRef name, const Tensor &gradient) {
    auto value = weights(name, gradient.shape);
    stuck |= failed(value);
    if (stuck)
      return;
    auto moved = [&](const Tensor &tensor) {
      return loss(
          [&](StringRef wanted, ArrayRef<int64_t> extents) -> FailureOr<Tensor> {
            return wanted == name ? FailureOr<Tensor>(tensor) : weights(wanted, extents);
          },
          inputs);
    };
    report.gradients.push_back({name.str(), compareGradient(moved, *value, gradient, options)});
  }

  LogicalResult checkInput(StringRef name, const Tensor &gradient) {
    for (unsigned i = 0; i < main.getNumArguments(); ++i) {
      auto argument = main.getArgAttrOfType<StringAttr>(i, "hourglass.name");
      if (!argument || argument.getValue() != name)
        continue;
      std::vector<Tensor> arguments(inputs.begin(), inputs.end());
      auto moved = [&](const Tensor &tensor) {
        arguments[i] = tensor;
        return loss(weights, arguments);
      };
      report.gradients.push_back(
          {("grad." + name).str(), compareGradient(moved, inputs[i], gradient, options)});
      return success();
    }
    return failure();
  }

  /// Every trainable weight must have its gradient, but for those of layers that no loss depends on.
  LogicalResult checkComplete() {
    llvm::StringSet<> checked;
    for (const GradientReport::Gradient &gradient : report.gradients)
      checked.insert(gradient.name);
    llvm::SetVector<Operation *> read;
    if (failed(getBackwardSlice(main.front().getTerminator(), &read)))
      return failure();
    for (hg::WeightOp weight : main.getOps<hg::WeightOp>())
      if (weight.getTrainable() && read.contains(weight) && !checked.contains(weight.getName()))
        return weight.emitOpError("is trainable, but the differentiated @main returns no gradient of it");
    return success();
  }

  ModuleOp forward;
  func::FuncOp main;
  ArrayRef<Tensor> inputs;
  const Interpreter::Weights &weights;
  const DifferenceOptions &options;
  GradientReport report;
  std::map<std::string, Tensor> expected, updated; ///< running statistics
  bool stuck = false;
};

} // namespace

FailureOr<GradientReport> checkGradients(ModuleOp forward, ModuleOp differentiated, ArrayRef<Tensor> inputs,
                                         const Interpreter::Weights &weights,
                                         const DifferenceOptions &options) {
  auto main = forward.lookupSymbol<func::FuncOp>("main"),
       backward = differentiated.lookupSymbol<func::FuncOp>("main");
  if (!main || !backward)
    return (main ? differentiated : forward).emitError("has no @main to evaluate");
  auto results = Interpreter(weights).run(differentiated, inputs);
  if (failed(results))
    return failure();
  return GradientChecker(forward, main, inputs, weights, options).run(backward, *results);
}

} // namespace segc::reference
