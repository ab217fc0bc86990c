/// \file What training adds to @main: targets, losses, which weights learn, the optimizer.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Importer.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace segc {

/// Can the model be trained like this at all?
bool Importer::checkTraining() {
  auto fail = [&](llvm::SMLoc loc, const Twine &message) {
    (void)diagnostics.error(loc, message);
    return false;
  };
  if (!model.training)
    return fail(model.nameLoc, "model " + quote(model.name) +
                                   " has no \"training\" section; add one with \"targets\", \"losses\" and "
                                   "\"optimizer\" to train it");
  if (!options.tensors.empty())
    return fail(llvm::SMLoc(), "-tensors: a training step returns losses and gradients, no layers");
  size_t phases = model.training->phases.size();
  if (options.phase >= 0 && static_cast<size_t>(options.phase) >= phases)
    return fail(model.training->loc, "there is no phase " + Twine(options.phase) + ": \"training\" has " +
                                         (phases ? Twine(phases) + " (counted from 0)" : "no \"phases\""));
  return true;
}

bool Importer::importTraining() {
  if (!checkTraining() || !start())
    return false;
  const std::vector<Loss> &losses = model.training->lossesIn(options.phase);
  std::vector<std::string> wanted;
  for (const Loss &loss : losses)
    wanted.push_back(loss.producer);
  if (!importLayers(wanted))
    return false;
  SmallVector<mlir::Value> values;
  SmallVector<double> weights;
  SmallVector<Attribute> names;
  for (const Loss &loss : losses) {
    values.push_back(importLoss(loss));
    if (!values.back())
      return false;
    weights.push_back(loss.weight);
    names.push_back(b.getStringAttr(loss.type + ":" + loss.input));
  }
  Operation *total = create(location(model.training->loc, "total loss"), hg::TotalLossOp::getOperationName(),
                            values, {b.getNamedAttr("weights", b.getDenseF64ArrayAttr(weights))});
  if (!total)
    return false;
  finish(total->getResults(), model.training->loc);
  main.setResultAttr(0, "hourglass.name", b.getStringAttr("loss"));
  main.setResultAttr(0, "hourglass.losses", b.getArrayAttr(names));
  describeTraining();
  if (!markFrozen() || !markTrainable())
    return false;
  warnOfEmptyNorms();
  return true;
}

/// The target, or with `resize_target` the target at the loss's size.
mlir::Value Importer::resized(const Loss &loss, StringRef target, mlir::Value like) {
  mlir::Value value = values.lookup(target);
  if (!loss.resizeTarget)
    return value;
  Operation *op = create(location(loss.loc, loss.title), hg::UpsampleOp::getOperationName(), {value, like},
                         {b.getNamedAttr("mode", b.getStringAttr("nearest"))});
  return op ? op->getResult(0) : mlir::Value();
}

/// Null after an error.
mlir::Value Importer::importLoss(const Loss &loss) {
  mlir::Value x = values.lookup(loss.producer);
  if (cast<RankedTensorType>(x.getType()).getElementType().isInteger()) {
    (void)diagnostics.error(loss.loc, quote(loss.input) + " is an argmax, which has no gradient", loss.title);
    return {};
  }
  SmallVector<mlir::Value> operands{x, resized(loss, loss.target, x)};
  if (!loss.pixelWeight.empty())
    operands.push_back(resized(loss, loss.pixelWeight, x));
  if (!llvm::all_of(operands, [](mlir::Value operand) { return static_cast<bool>(operand); }))
    return {};
  SmallVector<NamedAttribute> fields;
  auto set = [&](StringRef field, Attribute value) { fields.push_back(b.getNamedAttr(field, value)); };
  set("kind", b.getStringAttr(loss.type));
  set("reduction", b.getStringAttr(loss.reduction));
  if (loss.has("ignore_index"))
    set("ignore_index", b.getI64IntegerAttr(loss.ignoreIndex));
  if (!loss.classWeights.empty())
    set("class_weights", b.getDenseF64ArrayAttr(loss.classWeights));
  if (loss.has("pos_weight") && loss.posWeight)
    set("pos_weight", b.getF64FloatAttr(*loss.posWeight));
  if (loss.has("alpha"))
    set("alpha", b.getDenseF64ArrayAttr(loss.alpha));
  if (loss.has("gamma"))
    set("gamma", b.getF64FloatAttr(loss.gamma));
  if (loss.has("eps"))
    set("eps", b.getF64FloatAttr(loss.eps));
  if (loss.has("beta"))
    set("beta", b.getF64FloatAttr(loss.beta));
  if (loss.perImage)
    set("per_image", b.getUnitAttr());
  Operation *op = create(location(loss.loc, loss.title), hg::LossOp::getOperationName(), operands, fields);
  if (!op)
    return {};
  if (int64_t classes = cast<RankedTensorType>(x.getType()).getDimSize(1);
      hg::isLabelLoss(loss.type) && classes > 1)
    markLabels(loss, classes);
  return op->getResult(0);
}

/// Says which labels the target may have: those of the loss with the most classes, and one that is ignored.
void Importer::markLabels(const Loss &loss, int64_t classes) {
  unsigned index = cast<BlockArgument>(values.lookup(loss.target)).getArgNumber();
  if (auto known = main.getArgAttrOfType<IntegerAttr>(index, "hourglass.classes"))
    classes = std::max(classes, known.getInt());
  main.setArgAttr(index, "hourglass.classes", b.getI64IntegerAttr(classes));
  main.setArgAttr(index, "hourglass.ignore", b.getI64IntegerAttr(loss.ignoreIndex));
}

/// A norm whose running statistics `freeze` names uses them in training too. Norms that share statistics must
/// agree on that.
bool Importer::markFrozen() {
  Patterns frozen(model.training->freezeIn(options.phase));
  llvm::DenseMap<mlir::Value, hg::NormOp> first;
  for (hg::NormOp norm : main.getOps<hg::NormOp>()) {
    for (mlir::Value statistics : {norm.getMean(), norm.getVariance()})
      if (frozen.matchAny(statistics.getDefiningOp<hg::WeightOp>().getName()))
        norm.setFrozen(true);
    auto [other, isNew] = first.try_emplace(norm.getMean(), norm);
    if (!isNew && other->second.getFrozen() != norm.getFrozen()) {
      norm.emitOpError("shares its tensors with '")
          << hg::layerName(other->second.getLoc()) << "', but only one of the two norms is frozen";
      return false;
    }
  }
  return true;
}

/// A value less its own mean is 0: a norm with one value in each mean cannot learn.
void Importer::warnOfEmptyNorms() {
  // `channels` of one image share a mean.
  auto isEmpty = [](mlir::Value x, bool ofBatch, int64_t channels) {
    auto type = cast<RankedTensorType>(x.getType());
    return channels == 1 && type.getDimSize(2) == 1 && type.getDimSize(3) == 1 &&
           (!ofBatch || type.getDimSize(0) == 1);
  };
  for (hg::NormOp norm : main.getOps<hg::NormOp>())
    if (!norm.getFrozen() && isEmpty(norm.getX(), true, 1))
      norm.emitWarning(
          "has one value a channel, a batch of 1 with 1 x 1 pixels: in training this batch norm is "
          "its bias whatever it reads; use a larger batch, or \"frozen\"");
  for (hg::GroupNormOp norm : main.getOps<hg::GroupNormOp>())
    if (isEmpty(norm.getX(), false,
                cast<RankedTensorType>(norm.getX().getType()).getDimSize(1) /
                    static_cast<int64_t>(norm.getGroups())))
      norm.emitWarning(
          "has one value in each group, a channel with 1 x 1 pixels: this norm is its bias whatever "
          "it reads; use fewer groups");
}

/// All weights learn but running statistics, those of frozen norms, and what `freeze` names.
bool Importer::markTrainable() {
  const Training &training = *model.training;
  llvm::DenseSet<mlir::Value> kept;
  for (hg::NormOp norm : main.getOps<hg::NormOp>())
    if (norm.getFrozen())
      kept.insert_range(ValueRange{norm.getGamma(), norm.getBeta()});
  std::vector<NamePattern> scaled;
  for (const auto &[pattern, factor] : training.rateScales)
    scaled.push_back(pattern);
  Patterns frozen(training.freezeIn(options.phase)), scales(scaled);
  bool learns = false;
  for (hg::WeightOp weight : main.getOps<hg::WeightOp>()) {
    if (weight.getRunning() || kept.contains(weight.getValue()) || frozen.matchAny(weight.getName()))
      continue;
    weight.setTrainable(true);
    learns = true;
    double scale = 1;
    bool isScaled = false;
    for (auto [index, entry] : llvm::enumerate(training.rateScales))
      if (scales.match(index, weight.getName())) {
        scale *= entry.second;
        isScaled = true;
      }
    if (isScaled)
      weight.setLrScaleAttr(b.getF64FloatAttr(scale));
  }
  for (const InputName &input : training.wrt)
    if (values.lookup(input.name).use_empty()) {
      (void)diagnostics.error(input.loc, "\"wrt\": no loss depends on the input " + quote(input.name));
      return false;
    }
  if (learns || !training.wrt.empty())
    return true;
  (void)diagnostics.error(training.loc,
                          "nothing is trainable: every weight that a loss depends on is frozen, or "
                          "there is none; free some, or list an input in \"wrt\"");
  return false;
}

void Importer::describeTraining() {
  const Training &training = *model.training;
  const Optimizer &optimizer = training.optimizer;
  const LearningRate &rate = optimizer.rate;
  SmallVector<NamedAttribute> fields;
  auto word = [&](StringRef field, StringRef value) {
    fields.push_back(b.getNamedAttr(field, b.getStringAttr(value)));
  };
  auto number = [&](StringRef field, double value) {
    fields.push_back(b.getNamedAttr(field, b.getF64FloatAttr(value)));
  };
  auto integer = [&](StringRef field, int64_t value) {
    fields.push_back(b.getNamedAttr(field, b.getI64IntegerAttr(value)));
  };
  word("type", optimizer.type);
  number("lr", rate.base);
  number("momentum", optimizer.momentum);
  fields.push_back(b.getNamedAttr("nesterov", b.getBoolAttr(optimizer.nesterov)));
  number("beta1", optimizer.beta1);
  number("beta2", optimizer.beta2);
  number("eps", optimizer.eps);
  number("weight_decay", optimizer.weightDecay);
  word("schedule", rate.type);
  integer("warmup", rate.warmup);
  integer("steps", rate.steps);
  number("power", rate.power);
  number("gamma", rate.gamma);
  integer("step_size", rate.stepSize);
  fields.push_back(b.getNamedAttr("milestones", b.getDenseI64ArrayAttr(rate.milestones)));
  number("clip_norm", optimizer.clipNorm);
  number("ema", optimizer.ema);
  SmallVector<Attribute> wrt;
  for (const InputName &input : training.wrt)
    wrt.push_back(b.getStringAttr(input.name));
  (*module)->setAttr("hourglass.training",
                     b.getDictionaryAttr({b.getNamedAttr("optimizer", b.getDictionaryAttr(fields)),
                                          b.getNamedAttr("wrt", b.getArrayAttr(wrt))}));
}

} // namespace segc
