/// \file Reverse-mode differentiation of @main: from the total loss back to every trainable weight.
///
/// First the ops that mean something else in training are written out: norms take the statistics of their
/// batch, dropout gets a seed, a loss becomes its sums and what its gradient needs. Then the ops are walked
/// from the last to the first; each turns the gradient of its results into that of its operands
/// (DifferentiableOp, or LinearOp: the transpose), several gradients of one value are added. Only values
/// between a trainable weight (or an input in `wrt`) and a loss have gradients, so what is frozen has no
/// backward ops and saves nothing.
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "compiler/passes/Passes.h.inc"

namespace {

/// Adds a result to @main with one attribute.
struct NewResult {
  Value value;
  StringRef key;
  std::string name;
};

class Differentiator {
public:
  explicit Differentiator(func::FuncOp main) : main(main), b(main.getContext()) {}

  LogicalResult run() {
    auto ret = cast<func::ReturnOp>(main.getBody().front().getTerminator());
    auto total =
        ret.getNumOperands() == 1 ? ret.getOperand(0).getDefiningOp<hg::TotalLossOp>() : hg::TotalLossOp();
    if (!total)
      return main.emitError("@main must return one total loss: import the model for training");
    if (failed(expandNorms()) || failed(expandDropouts()))
      return failure();
    findActive();
    b.setInsertionPoint(ret);
    if (failed(expandLosses(total)) || failed(walkBack()))
      return failure();
    return finish(ret, total);
  }

private:
  //===-- what training means --===//

  /// mean, variance = those of the batch; the running ones follow them. Norms of each image share their
  /// statistics with their gradients.
  LogicalResult expandNorms() {
    for (hg::NormOp norm : llvm::make_early_inc_range(main.getOps<hg::NormOp>())) {
      if (norm.getFrozen())
        continue;
      b.setInsertionPoint(norm);
      Location loc = norm.getLoc();
      auto sums = hg::createInferred<hg::ChannelSumsOp>(b, loc, norm.getX().getType(), norm.getX(), Value(),
                                                        b.getStringAttr("stats"));
      if (!sums)
        return failure();
      Type vector = norm.getMean().getType();
      auto batch = hg::createInferred<hg::FinishStatsOp>(b, loc, TypeRange{vector, vector}, sums.getSums());
      if (!batch)
        return failure();
      for (auto [running, value, unbiased] : {std::tuple(norm.getMean(), batch.getMean(), false),
                                              std::tuple(norm.getVariance(), batch.getVariance(), true)}) {
        auto weight = running.getDefiningOp<hg::WeightOp>();
        if (!weight)
          return norm.emitOpError("must have running statistics of the weights file");
        // Layers that share a norm update it one after the other.
        auto [known, isFirst] = updates.try_emplace(weight.getName(), results.size());
        Value before = isFirst ? running : results[known->second].value;
        auto updated = hg::createInferred<hg::RunningUpdateOp>(b, loc, vector, before, value, sums.getSums(),
                                                               norm.getMomentumAttr(),
                                                               unbiased ? b.getUnitAttr() : UnitAttr());
        if (!updated)
          return failure();
        if (isFirst)
          results.push_back({updated.getUpdated(), "hourglass.running", weight.getName().str()});
        else
          results[known->second].value = updated.getUpdated();
      }
      norm.getMeanMutable().assign(batch.getMean());
      norm.getVarianceMutable().assign(batch.getVariance());
    }
    for (hg::GroupNormOp norm : main.getOps<hg::GroupNormOp>()) {
      b.setInsertionPoint(norm);
      hg::FinishGroupStatsOp statistics = norm.makeStatistics(b);
      if (!statistics)
        return failure();
      norm.getScaleMutable().assign(statistics.getScale());
      norm.getShiftMutable().assign(statistics.getShift());
    }
    return success();
  }

  /// Each dropout's random numbers depend on its name, so that other layers do not change them.
  LogicalResult expandDropouts() {
    for (hg::DropoutOp dropout : llvm::make_early_inc_range(main.getOps<hg::DropoutOp>())) {
      b.setInsertionPoint(dropout);
      Location loc = dropout.getLoc();
      auto seed = hg::createInferred<hg::StepSeedOp>(b, loc, RankedTensorType::get({2}, b.getI32Type()));
      auto site = static_cast<uint32_t>(llvm::xxh3_64bits(hg::layerName(loc)));
      auto drop =
          hg::createInferred<hg::DropOp>(b, loc, dropout.getX().getType(), dropout.getX(), seed.getSeed(),
                                         dropout.getRateAttr(), b.getI64IntegerAttr(site));
      if (!drop)
        return failure();
      dropout.replaceAllUsesWith(drop.getY());
      dropout.erase();
    }
    return success();
  }

  /// loss = finish(sums); its gradient with respect to its input starts the way back.
  LogicalResult expandLosses(hg::TotalLossOp total) {
    for (auto [operand, weight] : llvm::zip(total->getOpOperands(), total.getWeights())) {
      auto loss = operand.get().getDefiningOp<hg::LossOp>();
      if (!loss)
        return total.emitOpError("must add losses");
      b.setInsertionPoint(total);
      Location loc = loss.getLoc();
      NamedAttrList fields(loss->getAttrs());
      auto create = [&](auto tag, ValueRange operands, TypeRange types, NamedAttrList attributes) {
        using OpT = decltype(tag);
        OperationState state(loc, OpT::getOperationName(), operands, types, attributes);
        auto op = cast<OpT>(b.create(state));
        return succeeded(hg::inferResultTypes(op)) ? op : OpT();
      };
      Type vector = loss.getLoss().getType(), any = loss.getX().getType();
      auto sums = create(hg::LossSumsOp(), loss->getOperands(), any, fields);
      if (!sums)
        return failure();
      NamedAttrList weighted = fields;
      weighted.set("weight", b.getF64FloatAttr(weight));
      auto finish = create(hg::FinishLossOp(), sums.getSums(), {vector, any}, weighted);
      if (!finish)
        return failure();
      operand.set(finish.getLoss());
      if (active.contains(loss.getX())) {
        b.setInsertionPointAfter(total);
        SmallVector<Value> operands(loss->getOperands());
        operands.push_back(finish.getCoefficients());
        auto grad = create(hg::LossGradOp(), operands, any, fields);
        if (!grad)
          return failure();
        gradients[loss.getX()].push_back(grad.getDx());
      }
      if (loss.use_empty())
        loss.erase();
    }
    b.setInsertionPoint(main.getBody().front().getTerminator());
    return success();
  }

  //===-- the way back --===//

  /// Marks what depends on a trainable weight or an input whose gradient is wanted.
  void findActive() {
    DenseSet<StringRef> wanted;
    if (auto training =
            main->getParentOfType<ModuleOp>()->getAttrOfType<DictionaryAttr>("hourglass.training"))
      if (auto names = training.getAs<ArrayAttr>("wrt"))
        for (StringAttr name : names.getAsRange<StringAttr>())
          wanted.insert(name.getValue());
    for (BlockArgument argument : main.getArguments()) {
      auto name = main.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "hourglass.name");
      if (name && wanted.contains(name.getValue())) {
        active.insert(argument);
        inputs.push_back(argument);
      }
    }
    for (Operation &op : main.getBody().front().without_terminator()) {
      auto layer = dyn_cast<hg::LayerOp>(op);
      auto weight = dyn_cast<hg::WeightOp>(op);
      bool depends = weight && weight.getTrainable();
      for (OpOperand &operand : op.getOpOperands())
        depends |= active.contains(operand.get()) && operand.getOperandNumber() < layer.firstShapeOperand();
      if (depends)
        for (Value result : op.getResults())
          if (cast<RankedTensorType>(result.getType()).getElementType().isF32())
            active.insert(result);
    }
  }

  LogicalResult walkBack() {
    SmallVector<Operation *> ops;
    for (Operation &op : main.getBody().front().without_terminator())
      if (!isa<hg::WeightOp>(op) &&
          llvm::any_of(op.getOperands(), [&](Value operand) { return active.contains(operand); }))
        ops.push_back(&op);
    for (Operation *op : llvm::reverse(ops))
      if (failed(pass(op)))
        return failure();
    return success();
  }

  /// Adds up what came back to `value`; null if nothing did.
  FailureOr<Value> gradientOf(Value value) {
    auto found = gradients.find(value);
    if (found == gradients.end() || found->second.empty())
      return Value();
    Value sum = found->second[0];
    bool isWeight = value.getDefiningOp<hg::WeightOp>() != nullptr;
    for (Value next : ArrayRef<Value>(found->second).drop_front()) {
      Location loc = value.getLoc();
      if (isWeight) {
        auto op = hg::createInferred<hg::SumWeightsOp>(b, loc, sum.getType(), sum, next);
        sum = op ? op.getSum() : Value();
      } else {
        auto op = hg::createInferred<hg::AddOp>(b, loc, sum.getType(), sum, next);
        sum = op ? op.getY() : Value();
      }
      if (!sum)
        return failure();
    }
    found->second = {sum};
    return sum;
  }

  LogicalResult pass(Operation *op) {
    SmallVector<Value> arriving;
    bool any = false;
    for (Value result : op->getResults()) {
      auto gradient = gradientOf(result);
      if (failed(gradient))
        return failure();
      arriving.push_back(*gradient);
      any |= *gradient != nullptr;
    }
    if (!any)
      return success();
    SmallVector<bool> wanted;
    for (Value operand : op->getOperands())
      wanted.push_back(active.contains(operand));
    SmallVector<Value> leaving;
    if (auto differentiable = dyn_cast<hg::DifferentiableOp>(op))
      leaving = differentiable.adjoint(b, arriving, wanted);
    else if (auto linear = dyn_cast<hg::LinearOp>(op))
      leaving = linear.transpose(b, arriving[0]);
    else
      return op->emitOpError("has no derivative: no loss may depend on trainable weights through it");
    for (auto [operand, gradient] : llvm::zip(op->getOperands(), leaving))
      if (gradient && active.contains(operand))
        gradients[operand].push_back(gradient);
    return success();
  }

  //===-- results --===//

  LogicalResult finish(func::ReturnOp ret, hg::TotalLossOp total) {
    SmallVector<NewResult> all;
    SmallVector<hg::WeightOp> weights(main.getOps<hg::WeightOp>());
    bool trains = false;
    for (hg::WeightOp weight : weights) {
      if (!weight.getTrainable())
        continue;
      auto gradient = gradientOf(weight.getValue());
      if (failed(gradient))
        return failure();
      if (!*gradient) { // nothing depends on it
        weight.setTrainable(false);
        continue;
      }
      trains = true;
      all.push_back({*gradient, "hourglass.gradient", weight.getName().str()});
    }
    for (BlockArgument input : inputs) {
      auto gradient = gradientOf(input);
      if (failed(gradient))
        return failure();
      auto name = main.getArgAttrOfType<StringAttr>(input.getArgNumber(), "hourglass.name");
      if (!*gradient)
        return main.emitError("no loss depends on the input '") << name.getValue() << "' in \"wrt\"";
      trains = true;
      all.push_back({*gradient, "hourglass.name", "grad." + name.getValue().str()});
    }
    if (!trains)
      return main.emitError("nothing is trainable: every weight is frozen, or no loss depends on one");
    all.append(results.begin(), results.end());
    SmallVector<Value> values{total.getTotal()};
    SmallVector<DictionaryAttr> attributes{main.getResultAttrDict(0)};
    for (const NewResult &result : all) {
      values.push_back(result.value);
      attributes.push_back(b.getDictionaryAttr(b.getNamedAttr(result.key, b.getStringAttr(result.name))));
    }
    if (Attribute losses = main.getResultAttr(0, "hourglass.losses"))
      main->getParentOfType<ModuleOp>()->setAttr("hourglass.losses", losses);
    ret->setOperands(values);
    main.setFunctionType(b.getFunctionType(main.getArgumentTypes(), ValueRange(values).getTypes()));
    main.setAllResultAttrs(attributes);
    return success();
  }

  func::FuncOp main;
  OpBuilder b;
  DenseSet<Value> active;
  SmallVector<BlockArgument> inputs; ///< whose gradients are wanted
  DenseMap<Value, SmallVector<Value>> gradients;
  SmallVector<NewResult> results;    ///< the new running statistics
  llvm::StringMap<unsigned> updates; ///< by the statistic's name
};

struct DifferentiatePass : impl::DifferentiateBase<DifferentiatePass> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main) {
      getOperation().emitError("has no @main");
      return signalPassFailure();
    }
    if (failed(Differentiator(main).run()))
      signalPassFailure();
  }
};

} // namespace
} // namespace segc
