/// \file Reads the `training` section: targets, losses, what learns, phases.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Training.h"
#include "compiler/frontend/Fields.h"
#include "compiler/frontend/Symbols.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/GlobPattern.h"

namespace segc {

static constexpr llvm::StringRef kWords[] = {"targets",  "losses", "optimizer", "freeze",
                                             "lr_scale", "wrt",    "phases"};
// Far more than networks need; lists of each are searched for each of the other.
static constexpr size_t kMostEntries = 256;
static constexpr int64_t kMostSteps = int64_t(1) << 40;

const std::vector<Loss> &Training::lossesIn(int phase) const {
  return phase >= 0 && phases[phase].losses ? *phases[phase].losses : losses;
}

const std::vector<NamePattern> &Training::freezeIn(int phase) const {
  return phase >= 0 && phases[phase].freeze ? *phases[phase].freeze : freeze;
}

std::vector<NamePattern> Training::patterns() const {
  std::vector<NamePattern> all = freeze;
  for (const Phase &phase : phases)
    if (phase.freeze)
      all.insert(all.end(), phase.freeze->begin(), phase.freeze->end());
  for (const auto &[pattern, factor] : rateScales)
    all.push_back(pattern);
  return all;
}

namespace {

class TrainingReader {
public:
  TrainingReader(const Value &section, llvm::ArrayRef<ModelInput> inputs, Symbols &symbols,
                 Diagnostics &diagnostics)
      : section(section), inputs(inputs), symbols(symbols), diagnostics(diagnostics) {}

  llvm::FailureOr<Training> run();

private:
  bool isList(const Value &given, llvm::StringRef key, llvm::StringRef of, bool mayBeEmpty);
  bool readTargets();
  bool readLosses(const Value &given, const std::string &prefix, std::vector<Loss> &losses);
  bool checkLabels(llvm::ArrayRef<Loss> losses);
  bool checkPattern(llvm::StringRef text, llvm::SMLoc loc);
  bool readFreeze(const Value &given, std::vector<NamePattern> &patterns);
  bool readRateScales(const Value &given);
  bool readWrt(const Value &given);
  bool readPhase(const Value &given, size_t index, bool isLast);

  bool fail(llvm::SMLoc loc, const llvm::Twine &message) {
    (void)diagnostics.error(loc, message);
    return false;
  }

  const Value &section;
  llvm::ArrayRef<ModelInput> inputs;
  Symbols &symbols;
  Diagnostics &diagnostics;
  Training training;
};

} // namespace

bool TrainingReader::isList(const Value &given, llvm::StringRef key, llvm::StringRef of, bool mayBeEmpty) {
  if (given.kind != Value::Array)
    return fail(given.loc, "\"" + key + "\" must be a list of " + of + ", not " + given.describe());
  if (given.items.empty() && !mayBeEmpty)
    return fail(given.loc, "\"" + key + "\" is empty; it must be a list of " + of);
  if (given.items.size() > kMostEntries)
    return fail(given.loc, "\"" + key + "\" has " + llvm::Twine(given.items.size()) + " entries; at most " +
                               llvm::Twine(kMostEntries) + " are allowed");
  return true;
}

bool TrainingReader::readTargets() {
  const Value *given = section.find("targets");
  if (!given)
    return fail(section.loc, "training needs \"targets\", a list of at least one");
  if (!isList(*given, "targets", "objects with \"name\", \"shape\" and \"dtype\"", false))
    return false;
  for (const Value &item : given->items) {
    auto target = readModelInput(item, /*isTarget=*/true, diagnostics);
    if (failed(target) || failed(symbols.declare(target->name, target->loc)))
      return false;
    symbols[target->name].kind = Symbol::Target;
    symbols[target->name].producer = target->name;
    training.targets.push_back(std::move(*target));
  }
  return true;
}

bool TrainingReader::readLosses(const Value &given, const std::string &prefix, std::vector<Loss> &losses) {
  if (!isList(given, "losses", "objects with \"type\", \"input\" and \"target\"", false))
    return false;
  for (auto [index, item] : llvm::enumerate(given.items)) {
    auto loss =
        readLoss(item, prefix + "loss " + std::to_string(index), training.targets, symbols, diagnostics);
    if (failed(loss))
      return false;
    losses.push_back(std::move(*loss));
  }
  return checkLabels(losses);
}

/// Labels are checked before a step, against one label that is ignored: losses must agree on it.
bool TrainingReader::checkLabels(llvm::ArrayRef<Loss> losses) {
  auto readsLabels = [](const Loss &loss) { return loss.has("ignore_index") && loss.type != "bce"; };
  for (auto [index, loss] : llvm::enumerate(losses))
    for (const Loss &other : losses.take_front(index))
      if (readsLabels(loss) && readsLabels(other) && loss.target == other.target &&
          loss.ignoreIndex != other.ignoreIndex)
        return succeeded(diagnostics.error(loss.loc,
                                           "ignores the label " + llvm::Twine(loss.ignoreIndex) + " of " +
                                               quote(loss.target) + ", " + other.title + " the label " +
                                               llvm::Twine(other.ignoreIndex) +
                                               "; give both the same \"ignore_index\"",
                                           loss.title));
  return true;
}

bool TrainingReader::checkPattern(llvm::StringRef text, llvm::SMLoc loc) {
  if (text.empty() || text.size() > kLongestName)
    return fail(loc, "a name pattern has 1 to " + llvm::Twine(kLongestName) + " characters, " + quote(text) +
                         " has " + llvm::Twine(text.size()));
  if (auto glob = llvm::GlobPattern::create(text); !glob)
    return fail(loc, quote(text) + " is no name pattern (*, ?, [a-c]): " + llvm::toString(glob.takeError()));
  return true;
}

bool TrainingReader::readFreeze(const Value &given, std::vector<NamePattern> &patterns) {
  if (!isList(given, "freeze", "name patterns", true))
    return false;
  for (const Value &item : given.items) {
    if (!item.isString())
      return fail(item.loc,
                  "\"freeze\" must be a list of name patterns like \"enc1.*\", not of " + item.describe());
    if (!checkPattern(item.text, item.loc))
      return false;
    patterns.push_back({item.text, item.loc});
  }
  return true;
}

bool TrainingReader::readRateScales(const Value &given) {
  if (given.kind != Value::Object)
    return fail(given.loc,
                "\"lr_scale\" must be an object of name patterns and factors, not " + given.describe());
  if (given.members.size() > kMostEntries)
    return fail(given.loc, "\"lr_scale\" has more than " + llvm::Twine(kMostEntries) + " entries");
  Fields fields(given.members, "lr_scale", "", given.loc, diagnostics);
  for (const Member &member : given.members) {
    if (!checkPattern(member.key, member.keyLoc))
      return false;
    auto factor = fields.getNumber(member.key, std::nullopt, kFromZero);
    if (failed(factor))
      return false;
    training.rateScales.push_back({{member.key, member.keyLoc}, *factor});
  }
  return true;
}

bool TrainingReader::readWrt(const Value &given) {
  if (!isList(given, "wrt", "inputs", true))
    return false;
  llvm::SmallVector<llvm::StringRef> known;
  for (const ModelInput &input : inputs)
    known.push_back(input.name);
  for (const Value &item : given.items) {
    if (!item.isString())
      return fail(item.loc, "\"wrt\" must be a list of inputs, not of " + item.describe());
    if (!llvm::is_contained(known, item.text))
      return fail(item.loc, "\"wrt\": there is no input " + quote(item.text) + suggestion(item.text, known));
    if (llvm::any_of(training.wrt, [&](const InputName &other) { return other.name == item.text; }))
      return fail(item.loc, "\"wrt\": the input " + quote(item.text) + " is listed twice");
    training.wrt.push_back({item.text, item.loc});
  }
  return true;
}

bool TrainingReader::readPhase(const Value &given, size_t index, bool isLast) {
  std::string title = "phase " + std::to_string(index);
  if (given.kind != Value::Object)
    return fail(given.loc, title + " must be an object with \"freeze\", \"losses\" or \"steps\", not " +
                               given.describe());
  Phase phase;
  phase.loc = given.loc;
  Fields fields(given.members, "a phase", title, given.loc, diagnostics);
  if (const Value *freeze = fields.value("freeze"))
    if (!readFreeze(*freeze, phase.freeze.emplace()))
      return false;
  if (const Value *losses = fields.value("losses"))
    if (!readLosses(*losses, title + ", ", phase.losses.emplace()))
      return false;
  auto steps = fields.getInt("steps", isLast ? std::optional<int64_t>(0) : std::nullopt, 1, kMostSteps);
  if (failed(steps) || failed(fields.finish()))
    return false;
  phase.steps = *steps;
  training.phases.push_back(std::move(phase));
  return true;
}

llvm::FailureOr<Training> TrainingReader::run() {
  if (section.kind != Value::Object)
    return diagnostics.error(section.loc, "\"training\" must be an object, not " + section.describe());
  training.loc = section.loc;
  if (failed(checkWords(section, "training", kWords, diagnostics)) || !readTargets())
    return llvm::failure();
  const Value *losses = section.find("losses"), *freeze = section.find("freeze");
  const Value *scales = section.find("lr_scale"), *wrt = section.find("wrt");
  if (!losses)
    return diagnostics.error(section.loc, "training needs \"losses\", a list of at least one");
  if (!readLosses(*losses, "", training.losses) || (freeze && !readFreeze(*freeze, training.freeze)) ||
      (scales && !readRateScales(*scales)) || (wrt && !readWrt(*wrt)))
    return llvm::failure();
  if (const Value *given = section.find("optimizer")) {
    auto optimizer = readOptimizer(*given, diagnostics);
    if (failed(optimizer))
      return llvm::failure();
    training.optimizer = std::move(*optimizer);
  }
  if (const Value *phases = section.find("phases")) {
    if (!isList(*phases, "phases", "objects with \"freeze\", \"losses\" and \"steps\"", true))
      return llvm::failure();
    for (auto [index, phase] : llvm::enumerate(phases->items))
      if (!readPhase(phase, index, index + 1 == phases->items.size()))
        return llvm::failure();
  }
  return std::move(training);
}

llvm::FailureOr<Training> readTraining(const Value &section, llvm::ArrayRef<ModelInput> inputs,
                                       Symbols &symbols, Diagnostics &diagnostics) {
  return TrainingReader(section, inputs, symbols, diagnostics).run();
}

} // namespace segc
