/// \file Reads one loss: which fields its type has, and what they may hold.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Fields.h"
#include "compiler/frontend/Symbols.h"
#include "compiler/frontend/Training.h"
#include "llvm/ADT/STLExtras.h"

namespace segc {

static constexpr llvm::StringRef kLosses[] = {"cross_entropy", "bce", "focal",     "dice", "soft_iou",
                                              "mse",           "l1",  "smooth_l1", "score"};
static constexpr OwnedField kOwned[] = {
    {"ignore_index", "cross_entropy, bce, focal, dice, soft_iou"},
    {"class_weights", "cross_entropy"},
    {"pos_weight", "bce"},
    {"alpha", "focal"},
    {"gamma", "focal"},
    {"eps", "dice, soft_iou"},
    {"per_image", "dice, soft_iou"},
    {"beta", "smooth_l1"},
};
static constexpr int64_t kLargestLabel = 1 << 24; // labels are compared in f32
static constexpr NumberRange kAlpha = {0, 1e30, false, false, "a number from 0 on, or a list of them"};
static constexpr NumberRange kPosWeight = {0, 1e30, true, false, "a number above 0 or \"auto\""};

bool Loss::has(llvm::StringRef field) const {
  return llvm::any_of(kOwned,
                      [&](const OwnedField &owned) { return owned.field == field && owned.belongsTo(type); });
}

namespace {

class LossReader {
public:
  LossReader(const Value &given, std::string title, llvm::ArrayRef<ModelInput> targets,
             const Symbols &symbols, Diagnostics &diagnostics)
      : given(given), title(std::move(title)), targets(targets), symbols(symbols), diagnostics(diagnostics) {}

  llvm::FailureOr<Loss> run();

private:
  bool readInput(Fields &fields);
  bool readTarget(Fields &fields, llvm::StringRef key, std::string &name);
  bool readOwned(Fields &fields);
  /// Takes over what a getter gave.
  template <typename T> static bool take(llvm::FailureOr<T> value, T &field) {
    if (succeeded(value))
      field = std::move(*value);
    return succeeded(value);
  }

  const Value &given;
  std::string title;
  llvm::ArrayRef<ModelInput> targets;
  const Symbols &symbols;
  Diagnostics &diagnostics;
  Loss loss;
};

} // namespace

/// The layer whose value the loss judges.
bool LossReader::readInput(Fields &fields) {
  const Value *input = fields.value("input");
  if (!take(fields.getString("input", std::nullopt, {}), loss.input))
    return false;
  auto producer = symbols.value(*input, symbols.scopes[0], title);
  if (failed(producer))
    return false;
  if (Symbol::Kind kind = symbols.find(*producer)->kind; kind == Symbol::Input || kind == Symbol::Target) {
    (void)fields.error("input", quote(loss.input) + " is " +
                                    (kind == Symbol::Input ? "an input" : "a target") +
                                    " of the model; a loss judges a layer");
    return false;
  }
  loss.producer = std::move(*producer);
  return true;
}

bool LossReader::readTarget(Fields &fields, llvm::StringRef key, std::string &name) {
  if (!take(fields.getString(key, std::nullopt, {}), name))
    return false;
  llvm::SmallVector<llvm::StringRef> known;
  for (const ModelInput &target : targets)
    known.push_back(target.name);
  if (llvm::is_contained(known, name))
    return true;
  (void)fields.error(key, "there is no target " + quote(name) + suggestion(name, known));
  return false;
}

/// The fields that not every type has.
bool LossReader::readOwned(Fields &fields) {
  auto absent = [&](llvm::StringRef field) { return !loss.has(field) || !fields.has(field); };
  const Value *alpha = loss.has("alpha") ? fields.value("alpha") : nullptr;
  const Value *posWeight = loss.has("pos_weight") ? fields.value("pos_weight") : nullptr;
  if (posWeight && posWeight->isString() && posWeight->text == "auto")
    loss.posWeight = std::nullopt;
  else if (posWeight && !take(fields.getNumber("pos_weight", 1, kPosWeight), *loss.posWeight))
    return false;
  if (alpha && alpha->kind != Value::Array) {
    if (!take(fields.getNumber("alpha", 0.25, kAlpha), loss.alpha[0]))
      return false;
  } else if (alpha && !take(fields.getNumbers("alpha", kFromZero), loss.alpha)) {
    return false;
  }
  return (absent("ignore_index") ||
          take(fields.getInt("ignore_index", 255, -kLargestLabel, kLargestLabel), loss.ignoreIndex)) &&
         (absent("class_weights") ||
          take(fields.getNumbers("class_weights", kFromZero), loss.classWeights)) &&
         (absent("gamma") || take(fields.getNumber("gamma", 2, kFromZero), loss.gamma)) &&
         (absent("eps") || take(fields.getNumber("eps", 1, kFromZero), loss.eps)) &&
         (absent("beta") || take(fields.getNumber("beta", 1, kFromZero), loss.beta)) &&
         (absent("per_image") || take(fields.getBool("per_image", false), loss.perImage));
}

llvm::FailureOr<Loss> LossReader::run() {
  if (given.kind != Value::Object)
    return diagnostics.error(
        given.loc, "must be an object with \"type\", \"input\" and \"target\", not " + given.describe(),
        title);
  Fields untyped(given.members, "a loss", title, given.loc, diagnostics);
  if (!take(untyped.getString("type", std::nullopt, kLosses), loss.type))
    return llvm::failure();
  if (const Value *input = given.find("input"); input && input->isString())
    title += " (" + loss.type + " of " + quote(input->text) + ")";
  loss.title = title;
  loss.loc = given.loc;
  Fields fields(given.members, loss.type, title, given.loc, diagnostics);
  (void)fields.has("type");
  if (!readInput(fields) || !readTarget(fields, "target", loss.target) ||
      (fields.has("pixel_weight") && !readTarget(fields, "pixel_weight", loss.pixelWeight)) ||
      !take(fields.getNumber("weight", 1, kAnyNumber), loss.weight) ||
      !take(fields.getBool("resize_target", false), loss.resizeTarget) ||
      !take(fields.getString("reduction", "mean", {"mean", "sum"}), loss.reduction) || !readOwned(fields) ||
      failed(fields.finish(kOwned)))
    return llvm::failure();
  if (loss.has("per_image") && !loss.perImage && loss.reduction == "sum")
    return fields.error("reduction",
                        "\"reduction\": \"sum\" of " + loss.type +
                            " needs \"per_image\": true; the batch has one ratio, nothing to sum");
  return std::move(loss);
}

llvm::FailureOr<Loss> readLoss(const Value &given, llvm::StringRef title, llvm::ArrayRef<ModelInput> targets,
                               const Symbols &symbols, Diagnostics &diagnostics) {
  return LossReader(given, title.str(), targets, symbols, diagnostics).run();
}

} // namespace segc
