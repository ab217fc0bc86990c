/// \file Optimiser and learning-rate schedule: attributes to numbers.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/TrainingTable.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace segc {

rt::TrainingDesc describeTraining(DictionaryAttr training, std::vector<int64_t> &milestones) {
  auto optimizer = training.getAs<DictionaryAttr>("optimizer");
  auto number = [&](StringRef key) -> double {
    Attribute value = optimizer.get(key);
    if (auto real = dyn_cast_or_null<FloatAttr>(value))
      return real.getValueAsDouble();
    auto integer = dyn_cast_or_null<IntegerAttr>(value);
    return integer ? static_cast<double>(integer.getInt()) : 0;
  };
  auto word = [&](StringRef key) {
    auto value = optimizer.getAs<StringAttr>(key);
    return value ? value.getValue() : StringRef();
  };
  rt::TrainingDesc desc{};
  desc.optimizer = word("type") == "sgd"    ? rt::OptimizerKind::Sgd
                   : word("type") == "adam" ? rt::OptimizerKind::Adam
                                            : rt::OptimizerKind::AdamW;
  desc.schedule = word("schedule") == "step"     ? rt::ScheduleKind::Step
                  : word("schedule") == "poly"   ? rt::ScheduleKind::Poly
                  : word("schedule") == "cosine" ? rt::ScheduleKind::Cosine
                                                 : rt::ScheduleKind::Constant;
  desc.learningRate = number("lr");
  desc.momentum = number("momentum");
  desc.beta1 = number("beta1");
  desc.beta2 = number("beta2");
  desc.eps = number("eps");
  desc.weightDecay = number("weight_decay");
  desc.gamma = number("gamma");
  desc.power = number("power");
  desc.clipNorm = number("clip_norm");
  desc.ema = number("ema");
  desc.steps = static_cast<int64_t>(number("steps"));
  desc.stepSize = static_cast<int64_t>(number("step_size"));
  desc.warmup = static_cast<int64_t>(number("warmup"));
  if (auto list = optimizer.getAs<DenseI64ArrayAttr>("milestones"))
    milestones.assign(list.asArrayRef().begin(), list.asArrayRef().end());
  return desc;
}

} // namespace segc
