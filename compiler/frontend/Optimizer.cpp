/// \file Reads the optimiser and the plan of its learning rate; defaults as in PyTorch.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Fields.h"
#include "compiler/frontend/Training.h"

namespace segc {

static constexpr OwnedField kOptimizerFields[] = {
    {"momentum", "sgd"}, {"nesterov", "sgd"}, {"betas", "adam, adamw"}, {"eps", "adam, adamw"}};
static constexpr OwnedField kRateFields[] = {{"power", "poly"},
                                             {"steps", "poly, cosine"},
                                             {"gamma", "step"},
                                             {"step_size", "step"},
                                             {"milestones", "step"}};
static constexpr int64_t kMostSteps = int64_t(1) << 40;

/// Updates at which a step schedule takes its next step: rising integers from 1 on.
static llvm::LogicalResult readMilestones(Fields &fields, std::vector<int64_t> &milestones) {
  const Value *given = fields.value("milestones");
  bool good = given->kind == Value::Array && !given->items.empty();
  for (const Value &item : given->items) {
    good = good && item.kind == Value::Int && item.integer <= kMostSteps &&
           item.integer > (milestones.empty() ? 0 : milestones.back());
    milestones.push_back(item.integer);
  }
  return good ? llvm::success()
              : fields.error("milestones", "\"milestones\" must be a list of rising integers from 1 on");
}

static llvm::LogicalResult readStep(Fields &fields, LearningRate &rate) {
  auto gamma = fields.getNumber("gamma", rate.gamma, kAboveZero);
  if (failed(gamma))
    return llvm::failure();
  rate.gamma = *gamma;
  if (fields.has("step_size") == fields.has("milestones"))
    return fields.error("milestones", fields.has("step_size")
                                          ? "both \"step_size\" and \"milestones\"; keep one"
                                          : "step needs \"step_size\" or \"milestones\"");
  if (fields.has("milestones"))
    return readMilestones(fields, rate.milestones);
  auto size = fields.getInt("step_size", std::nullopt, 1, kMostSteps);
  if (succeeded(size))
    rate.stepSize = *size;
  return size;
}

/// `lr`: a number or an object.
static llvm::FailureOr<LearningRate> readRate(const Value &given, Diagnostics &diagnostics) {
  LearningRate rate;
  if (given.isNumber() && kFromZero.contains(given.number())) {
    rate.base = given.number();
    return rate;
  }
  if (given.kind != Value::Object)
    return diagnostics.error(given.loc, "\"lr\" must be " + kFromZero.text +
                                            " or an object with \"type\" and \"base\", not " +
                                            given.describe());
  Fields untyped(given.members, "a learning rate", "", given.loc, diagnostics);
  auto type = untyped.getString("type", std::nullopt, {"constant", "step", "poly", "cosine"});
  if (failed(type))
    return llvm::failure();
  rate.type = *type;
  Fields fields(given.members, rate.type, "", given.loc, diagnostics);
  (void)fields.has("type");
  auto base = fields.getNumber("base", rate.base, kFromZero);
  auto warmup = fields.getInt("warmup", rate.warmup, 0, kMostSteps);
  if (failed(base) || failed(warmup))
    return llvm::failure();
  rate.base = *base;
  rate.warmup = *warmup;
  if (rate.type == "step" && failed(readStep(fields, rate)))
    return llvm::failure();
  if (rate.type == "poly") {
    auto power = fields.getNumber("power", rate.power, kAboveZero);
    if (failed(power))
      return llvm::failure();
    rate.power = *power;
  }
  if (rate.type == "poly" || rate.type == "cosine") {
    auto steps = fields.getInt("steps", std::nullopt, 1, kMostSteps);
    if (failed(steps))
      return llvm::failure();
    rate.steps = *steps;
    if (rate.warmup >= rate.steps)
      return fields.error("warmup", "\"warmup\" must end before the " + llvm::Twine(rate.steps) +
                                        " \"steps\", not after " + llvm::Twine(rate.warmup));
  }
  if (failed(fields.finish(kRateFields)))
    return llvm::failure();
  return rate;
}

static llvm::LogicalResult readMomentum(Fields &fields, Optimizer &optimizer) {
  auto momentum = fields.getNumber("momentum", optimizer.momentum, kBelowOne);
  auto nesterov = fields.getBool("nesterov", false);
  if (failed(momentum) || failed(nesterov))
    return llvm::failure();
  if (*nesterov && *momentum == 0)
    return fields.error("nesterov", "\"nesterov\" needs a \"momentum\" above 0");
  optimizer.momentum = *momentum;
  optimizer.nesterov = *nesterov;
  return llvm::success();
}

static llvm::LogicalResult readMoments(Fields &fields, Optimizer &optimizer) {
  if (fields.has("betas")) {
    auto betas = fields.getNumbers("betas", kBelowOne);
    if (failed(betas))
      return llvm::failure();
    if (betas->size() != 2)
      return fields.error("betas", "\"betas\" must be two numbers from 0 to below 1, like [0.9, 0.999]");
    optimizer.beta1 = (*betas)[0];
    optimizer.beta2 = (*betas)[1];
  }
  auto eps = fields.getNumber("eps", optimizer.eps, kFromZero);
  if (succeeded(eps))
    optimizer.eps = *eps;
  return eps;
}

llvm::FailureOr<Optimizer> readOptimizer(const Value &given, Diagnostics &diagnostics) {
  Optimizer optimizer;
  if (given.kind != Value::Object)
    return diagnostics.error(given.loc, "\"optimizer\" must be an object with \"type\" and \"lr\", not " +
                                            given.describe());
  Fields untyped(given.members, "an optimizer", "", given.loc, diagnostics);
  auto type = untyped.getString("type", std::nullopt, {"sgd", "adam", "adamw"});
  if (failed(type))
    return llvm::failure();
  optimizer.type = *type;
  Fields fields(given.members, optimizer.type, "", given.loc, diagnostics);
  (void)fields.has("type");
  if (const Value *rate = fields.value("lr")) {
    auto read = readRate(*rate, diagnostics);
    if (failed(read))
      return llvm::failure();
    optimizer.rate = std::move(*read);
  }
  if (failed(optimizer.type == "sgd" ? readMomentum(fields, optimizer) : readMoments(fields, optimizer)))
    return llvm::failure();
  auto decay = fields.getNumber("weight_decay", optimizer.type == "adamw" ? 0.01 : 0, kFromZero);
  auto clip = fields.getNumber("clip_norm", 0, kAboveZero);
  auto ema = fields.getNumber("ema", 0, kBetweenZeroAndOne);
  if (failed(decay) || failed(clip) || failed(ema) || failed(fields.finish(kOptimizerFields)))
    return llvm::failure();
  optimizer.weightDecay = *decay;
  optimizer.clipNorm = *clip;
  optimizer.ema = *ema;
  return optimizer;
}

} // namespace segc
