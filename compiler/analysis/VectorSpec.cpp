/// \file Describes ops on vectors and the words of losses; the table is docs/kernels.md.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/VectorSpec.h"
#include "compiler/analysis/GroupSpec.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace segc {
namespace {

std::string number(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.9g", value);
  return text;
}
std::string number(const APFloat &value) { return number(value.convertToDouble()); }

std::string numbers(ArrayRef<double> values) {
  std::string text;
  for (double value : values)
    text += (text.empty() ? "" : "/") + number(value);
  return text;
}

int channelsOf(Value sums) { return static_cast<int>(cast<RankedTensorType>(sums.getType()).getDimSize(1)); }

schedules::KernelSpec named(Operation *op) {
  schedules::KernelSpec spec;
  spec.op = op->getName().stripDialect().str();
  return spec;
}

/// A kernel on sums: their channels and pixel stride.
schedules::KernelSpec onSums(Operation *op, Value sums) {
  schedules::KernelSpec spec = named(op);
  spec.fields["c"] = spec.fields["in"] = {channelsOf(sums)};
  return spec;
}

/// What the sums and the gradient of a loss both depend on.
template <typename OpT> void describeTerms(OpT op, schedules::KernelSpec &spec) {
  StringRef kind = op.getKind();
  spec.words["kind"] = kind.str();
  if (hg::isLabelLoss(kind) || kind == "bce")
    spec.words["ignore"] = std::to_string(op.getIgnoreIndex());
  if (op.getClassWeights())
    spec.words["cw"] = numbers(*op.getClassWeights());
  if (kind == "focal") {
    spec.words["alpha"] = op.getAlpha() ? numbers(*op.getAlpha()) : "0.25";
    spec.words["gamma"] = op.getGamma() ? number(*op.getGamma()) : "2";
  }
  if (kind == "smooth_l1")
    spec.words["beta"] = op.getBeta() ? number(*op.getBeta()) : "1";
}

schedules::KernelSpec describeFinish(hg::FinishLossOp op) {
  StringRef kind = op.getKind();
  schedules::KernelSpec spec = onSums(op, op.getSums());
  spec.words["kind"] = kind.str();
  spec.words["reduction"] = op.getReduction().str();
  spec.fields["per_image"] = {op.getPerImage()};
  if (kind == "bce")
    spec.words["pos"] = op.getPosWeight() ? number(*op.getPosWeight()) : "auto";
  if (kind == "dice" || kind == "soft_iou")
    spec.words["eps"] = op.getEps() ? number(*op.getEps()) : "1";
  spec.words["scale"] = number(op.getWeight());
  if (precisionOf(op) == "f16")
    spec.words["scaled"] = "1";
  return spec;
}

} // namespace

void describeLoss(hg::LossSumsOp op, schedules::KernelSpec &spec) { describeTerms(op, spec); }

void describeLoss(hg::LossGradOp op, schedules::KernelSpec &spec) {
  describeTerms(op, spec);
  spec.fields["per_image"] = {op.getPerImage()};
}

std::optional<schedules::KernelSpec> describeVectorOp(Operation *op) {
  using Spec = std::optional<schedules::KernelSpec>;
  return llvm::TypeSwitch<Operation *, Spec>(op)
      .Case([](hg::NormScaleOp scale) -> Spec {
        schedules::KernelSpec spec = named(scale);
        spec.fields["gamma"] = {scale.getGamma() != nullptr};
        spec.words["eps"] = number(scale.getEps());
        return spec;
      })
      .Case([](hg::NormShiftOp shift) -> Spec {
        schedules::KernelSpec spec = named(shift);
        spec.fields["beta"] = {shift.getBeta() != nullptr};
        spec.fields["bias"] = {shift.getBias() != nullptr};
        return spec;
      })
      .Case<hg::FinishSumOp, hg::FinishStatsOp>(
          [](auto finish) -> Spec { return onSums(finish, finish.getSums()); })
      .Case([](hg::FinishNormGradOp finish) -> Spec {
        schedules::KernelSpec spec = onSums(finish, finish.getSums());
        spec.fields["gamma"] = {finish.getGamma() != nullptr};
        spec.words["eps"] = number(finish.getEps());
        return spec;
      })
      .Case([](hg::FinishGroupStatsOp finish) -> Spec {
        schedules::KernelSpec spec = onSums(finish, finish.getSums());
        spec.fields["groups"] = {static_cast<int>(finish.getGroups())};
        spec.fields["gamma"] = {finish.getGamma() != nullptr};
        spec.fields["beta"] = {finish.getBeta() != nullptr};
        spec.words["eps"] = number(finish.getEps());
        return spec;
      })
      .Case([](hg::FinishGroupNormGradOp finish) -> Spec {
        schedules::KernelSpec spec = onSums(finish, finish.getSums());
        spec.fields["groups"] = {static_cast<int>(finish.getGroups())};
        spec.fields["gamma"] = {finish.getGamma() != nullptr};
        return spec;
      })
      .Case([](hg::RunningUpdateOp update) -> Spec {
        schedules::KernelSpec spec = onSums(update, update.getSums());
        spec.fields["unbiased"] = {update.getUnbiased()};
        spec.words["momentum"] = number(update.getMomentum());
        return spec;
      })
      .Case([](hg::FinishLossOp finish) -> Spec { return describeFinish(finish); })
      .Case([](hg::TotalLossOp total) -> Spec {
        schedules::KernelSpec spec = named(total);
        spec.fields["n"] = {static_cast<int>(total.getLosses().size())};
        spec.words["weights"] = numbers(total.getWeights());
        return spec;
      })
      .Case([](hg::SumWeightsOp sum) -> Spec {
        schedules::KernelSpec spec;
        spec.op = "accumulate"; // flattened: any extents
        return spec;
      })
      .Default([](Operation *) -> Spec { return std::nullopt; });
}

} // namespace segc
