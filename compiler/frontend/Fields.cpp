/// \file The typed getters of a layer's fields.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Fields.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <numeric>

namespace segc {

static constexpr int64_t kLargestPadding = 1 << 16;
static constexpr int64_t kLargestDenominator = 1 << 20;
static constexpr int64_t kLargestExtent = INT32_MAX; ///< of a list for N, C, H, W

const Member *Fields::member(llvm::StringRef key) const {
  for (const Member &member : members)
    if (member.key == key)
      return &member;
  return nullptr;
}

const Value *Fields::value(llvm::StringRef key) {
  if (!llvm::is_contained(used, key))
    used.push_back(key.str());
  const Member *found = member(key);
  return found ? &found->value : nullptr;
}

llvm::LogicalResult Fields::error(llvm::StringRef key, const llvm::Twine &message) {
  const Member *found = member(key);
  return diagnostics.error(found ? found->value.loc : loc, message, layer);
}

llvm::LogicalResult Fields::missing(llvm::StringRef key) {
  // Misspelt is likelier than forgotten.
  for (const Member &member : members)
    if (!llvm::is_contained(used, member.key) && !nearest(member.key, key).empty())
      return diagnostics.error(
          member.keyLoc, "unknown field " + quote(member.key) + " of " + what + suggestion(member.key, key),
          layer);
  return diagnostics.error(loc, what + " needs \"" + key + "\"", layer);
}

bool OwnedField::belongsTo(llvm::StringRef kind) const {
  llvm::SmallVector<llvm::StringRef> list;
  kinds.split(list, ", ");
  return llvm::is_contained(list, kind);
}

llvm::LogicalResult Fields::finish(llvm::ArrayRef<OwnedField> owned) {
  llvm::SmallVector<llvm::StringRef> known(used.begin(), used.end());
  bool good = true;
  for (const Member &member : members) {
    if (llvm::is_contained(used, member.key))
      continue;
    const auto *owner =
        llvm::find_if(owned, [&](const OwnedField &field) { return field.field == member.key; });
    (void)diagnostics.error(member.keyLoc,
                            owner == owned.end()
                                ? "unknown field " + quote(member.key) + " of " + what +
                                      suggestion(member.key, known)
                                : "\"" + member.key + "\" goes with " + owner->kinds + ", not with " + what,
                            layer);
    good = false;
  }
  return llvm::success(good);
}

llvm::FailureOr<int64_t> Fields::integer(const Value &value, llvm::StringRef key, int64_t low, int64_t high) {
  std::string range =
      "\"" + key.str() + "\" must be an integer from " + std::to_string(low) + " to " + std::to_string(high);
  if (value.kind != Value::Int || value.integer < low || value.integer > high)
    return diagnostics.error(value.loc, range + ", not " + value.describe(), layer);
  return value.integer;
}

llvm::FailureOr<int64_t> Fields::getInt(llvm::StringRef key, std::optional<int64_t> fallback, int64_t low,
                                        int64_t high) {
  if (const Value *found = value(key))
    return integer(*found, key, low, high);
  if (fallback)
    return *fallback;
  return missing(key);
}

llvm::FailureOr<Fields::Pair> Fields::getPair(llvm::StringRef key, std::optional<Pair> fallback, int64_t low,
                                              int64_t high) {
  const Value *found = value(key);
  if (!found) {
    if (fallback)
      return *fallback;
    return missing(key);
  }
  if (found->kind != Value::Array) {
    auto both = integer(*found, key, low, high);
    if (failed(both))
      return llvm::failure();
    return Pair{*both, *both};
  }
  if (found->items.size() != 2)
    return error(key, "\"" + key + "\" must be one number or [height, width]");
  auto h = integer(found->items[0], key, low, high);
  auto w = integer(found->items[1], key, low, high);
  if (failed(h) || failed(w))
    return llvm::failure();
  return Pair{*h, *w};
}

llvm::FailureOr<Fields::Padding> Fields::getPadding(llvm::StringRef key) {
  const Value *found = value(key);
  Padding padding;
  if (!found || (found->isString() && found->text == "valid"))
    return padding;
  if (found->isString() && found->text == "same") {
    padding.same = true;
    return padding;
  }
  size_t count = found->items.size();
  if (found->kind != Value::Int && !(found->kind == Value::Array && (count == 2 || count == 4)))
    return error(key, "\"" + key +
                          "\" must be a number, [height, width], [top, left, bottom, right], \"same\" or "
                          "\"valid\", not " +
                          found->describe());
  for (unsigned side = 0; side < 4; ++side) {
    // [h, w] stands for [h, w, h, w], so the given amounts are taken round and round.
    auto amount = integer(count ? found->items[side % count] : *found, key, 0, kLargestPadding);
    if (failed(amount))
      return llvm::failure();
    padding.amount[side] = *amount;
  }
  return padding;
}

llvm::FailureOr<std::array<int64_t, 4>> Fields::getExtents(llvm::StringRef key, int64_t low) {
  const Value *found = value(key);
  if (!found)
    return missing(key);
  if (found->kind != Value::Array || found->items.size() != 4)
    return error(key,
                 "\"" + key + "\" must be a list of four integers, for N, C, H, W, not " + found->describe());
  std::array<int64_t, 4> extents;
  for (auto [axis, item] : llvm::enumerate(found->items)) {
    auto extent = integer(item, key, low, kLargestExtent);
    if (failed(extent))
      return llvm::failure();
    extents[axis] = *extent;
  }
  return extents;
}

llvm::FailureOr<double> Fields::getNumber(llvm::StringRef key, std::optional<double> fallback) {
  const Value *found = value(key);
  if (!found) {
    if (fallback)
      return *fallback;
    return missing(key);
  }
  if (!found->isNumber())
    return error(key, "\"" + key + "\" must be a number, not " + found->describe());
  return found->number();
}

llvm::FailureOr<double> Fields::number(const Value &value, llvm::StringRef key, const NumberRange &range) {
  if (value.isNumber() && range.contains(value.number()))
    return value.number();
  return diagnostics.error(value.loc, "\"" + key + "\" must be " + range.text + ", not " + value.describe(),
                           layer);
}

llvm::FailureOr<double> Fields::getNumber(llvm::StringRef key, std::optional<double> fallback,
                                          const NumberRange &range) {
  if (const Value *found = value(key))
    return number(*found, key, range);
  if (fallback)
    return *fallback;
  return missing(key);
}

llvm::FailureOr<std::vector<double>> Fields::getNumbers(llvm::StringRef key, const NumberRange &range) {
  const Value *found = value(key);
  if (!found)
    return missing(key);
  if (found->kind != Value::Array || found->items.empty())
    return error(key, "\"" + key + "\" must be a list of at least one number");
  std::vector<double> numbers;
  for (const Value &item : found->items) {
    auto next = number(item, key, range);
    if (failed(next))
      return llvm::failure();
    numbers.push_back(*next);
  }
  return numbers;
}

/// The fraction with the smallest denominator that reads as the same double (continued fractions), so that
/// 0.1 is 1/10 and not the binary fraction beside it; {0, 0} if none has a denominator of at most 2^20.
static Fields::Pair exactFraction(double value) {
  double rest = value;
  int64_t p0 = 0, q0 = 1, p1 = 1, q1 = 0;
  while (true) {
    double whole = std::floor(rest);
    if (whole > kLargestDenominator)
      return {0, 0};
    int64_t p = int64_t(whole) * p1 + p0, q = int64_t(whole) * q1 + q0;
    if (q > kLargestDenominator)
      return {0, 0};
    if (double(p) / double(q) == value)
      return {p, q};
    p0 = p1, q0 = q1, p1 = p, q1 = q;
    if (rest == whole)
      return {0, 0};
    rest = 1 / (rest - whole);
  }
}

llvm::FailureOr<std::array<Fields::Pair, 2>> Fields::getRatios(llvm::StringRef key) {
  const Value *found = value(key);
  if (!found)
    return missing(key);
  if (found->kind == Value::Array && found->items.size() != 2)
    return error(key, "\"" + key + "\" must be one number or [height, width]");
  std::array<Pair, 2> result;
  for (unsigned axis = 0; axis < 2; ++axis) {
    const Value &given = found->kind == Value::Array ? found->items[axis] : *found;
    bool inRange = given.isNumber() && given.number() > 0 && given.number() <= kLargestDenominator;
    result[axis] = inRange ? exactFraction(given.number()) : Pair{0, 0};
    if (!result[axis][1])
      return diagnostics.error(given.loc,
                               "\"" + key +
                                   "\" must be a positive number that is a fraction with a denominator of at "
                                   "most 1048576, not " +
                                   given.describe(),
                               layer);
  }
  return result;
}

llvm::FailureOr<bool> Fields::getBool(llvm::StringRef key, bool fallback) {
  const Value *found = value(key);
  if (!found)
    return fallback;
  if (found->kind != Value::Bool)
    return error(key, "\"" + key + "\" must be true or false, not " + found->describe());
  return found->boolean;
}

llvm::FailureOr<std::string> Fields::getString(llvm::StringRef key, std::optional<std::string> fallback,
                                               llvm::ArrayRef<llvm::StringRef> choices, bool orOther) {
  const Value *found = value(key);
  if (!found) {
    if (fallback)
      return *fallback;
    return missing(key);
  }
  if (!found->isString()) {
    if (orOther)
      return std::string();
    return error(key, "\"" + key + "\" must be a string, not " + found->describe() + suggestion("", choices));
  }
  if (!choices.empty() && !llvm::is_contained(choices, found->text))
    return error(key, "\"" + key + "\" cannot be " + quote(found->text) + suggestion(found->text, choices));
  return found->text;
}

llvm::FailureOr<std::string> Fields::getInit(std::optional<std::string> fallback) {
  const Value *found = value("init");
  if (!found || found->isString())
    return getString("init", fallback, {"he", "xavier", "zero", "bilinear", "identity"});
  if (found->kind == Value::Object && found->members.size() == 1) {
    const Member &given = found->members[0];
    bool normal = given.key == "normal";
    if ((normal || given.key == "constant") && given.value.isNumber() &&
        (!normal || given.value.number() >= 0)) {
      std::string text;
      llvm::raw_string_ostream os(text);
      os << given.key << ':';
      printJson(os, given.value);
      return text;
    }
  }
  return error("init",
               "\"init\" must be 'he', 'xavier', 'zero', 'bilinear', 'identity', {\"normal\": s} with "
               "s >= 0 or {\"constant\": v}");
}

} // namespace segc
