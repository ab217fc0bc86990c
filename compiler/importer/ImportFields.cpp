/// \file Typed getters over a layer's fields.
// SPDX-License-Identifier: MIT
#include "compiler/importer/ImportFields.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <numeric>

using namespace mlir;

namespace segc {

const Field *ImportFields::take(StringRef key) {
  if (!llvm::is_contained(known, key))
    known.push_back(key.str());
  for (const Field &field : fields)
    if (field.key == key)
      return &field;
  return nullptr;
}

bool ImportFields::has(StringRef key) { return take(key) != nullptr; }

LogicalResult ImportFields::error(StringRef key, const Twine &message) {
  const Field *field = key.empty() ? nullptr : take(key);
  diagnostics.error(field ? field->value.offset : offset, owner.name, message);
  return failure();
}

LogicalResult ImportFields::missing(StringRef key) { return error("", "needs \"" + key + "\""); }

FailureOr<int64_t> ImportFields::whole(StringRef key, const Json &value, int64_t low, int64_t high) {
  if (value.isInteger() && value.integer >= low && value.integer <= high)
    return value.integer;
  diagnostics.error(value.offset, owner.name,
                    "\"" + key + "\" must be a whole number from " + Twine(low) + " to " + Twine(high) +
                        (value.isInteger() ? ", not " + std::to_string(value.integer) : ", this is " + std::string(value.kindName())));
  return failure();
}

FailureOr<int64_t> ImportFields::integer(StringRef key, std::optional<int64_t> fallback, int64_t low, int64_t high) {
  const Field *field = take(key);
  if (!field)
    return fallback ? FailureOr<int64_t>(*fallback) : FailureOr<int64_t>(missing(key));
  return whole(key, field->value, low, high);
}

FailureOr<hg::LayerFields::Pair> ImportFields::pair(StringRef key, std::optional<Pair> fallback, int64_t low, int64_t high) {
  const Field *field = take(key);
  if (!field)
    return fallback ? FailureOr<Pair>(*fallback) : FailureOr<Pair>(missing(key));
  const Json &value = field->value;
  if (value.isArray() && value.items.size() != 2)
    return error(key, "\"" + key + "\" is one number or two, [height, width]");
  auto h = whole(key, value.isArray() ? value.items[0] : value, low, high);
  auto w = value.isArray() && succeeded(h) ? whole(key, value.items[1], low, high) : h;
  if (failed(h) || failed(w))
    return failure();
  return Pair{*h, *w};
}

FailureOr<hg::Padding> ImportFields::padding(StringRef key) {
  const Field *field = take(key);
  hg::Padding result;
  if (!field)
    return result;
  const Json &value = field->value;
  if (value.isString()) {
    result.same = value.string == "same";
    if (!result.same && value.string != "valid")
      return error(key, "\"" + key + "\": '" + value.string + "' must be \"same\", \"valid\" or numbers");
    return result;
  }
  size_t count = value.isArray() ? value.items.size() : 1;
  if (count != 1 && count != 2 && count != 4)
    return error(key, "\"" + key + "\" is one number, [height, width] or [top, left, bottom, right]");
  for (size_t i = 0; i < 4; ++i) {
    auto pixels = whole(key, value.isArray() ? value.items[i % count] : value, 0, 1 << 20);
    if (failed(pixels))
      return failure();
    result.amount[i] = *pixels;
  }
  return result;
}

FailureOr<double> ImportFields::number(StringRef key, std::optional<double> fallback) {
  const Field *field = take(key);
  if (!field)
    return fallback ? FailureOr<double>(*fallback) : FailureOr<double>(missing(key));
  if (!field->value.isNumber() || !std::isfinite(field->value.number()))
    return error(key, "\"" + key + "\" must be a number, this is " + field->value.kindName());
  return field->value.number();
}

/// The fraction with the smallest denominator that is `value` in double precision.
static std::optional<hg::LayerFields::Pair> asFraction(double value) {
  if (!(value > 0) || value > 1 << 16)
    return std::nullopt;
  for (int64_t denominator = 1; denominator <= 1 << 10; ++denominator) {
    double scaled = value * static_cast<double>(denominator);
    if (std::fabs(scaled - std::round(scaled)) < 1e-9 * scaled && std::round(scaled) >= 1)
      return hg::LayerFields::Pair{static_cast<int64_t>(std::round(scaled)), denominator};
  }
  // Else the double itself, to 20 binary places.
  auto numerator = static_cast<int64_t>(std::llround(value * (1 << 20)));
  if (numerator < 1)
    return std::nullopt;
  int64_t common = std::gcd(numerator, int64_t(1) << 20);
  return hg::LayerFields::Pair{numerator / common, (int64_t(1) << 20) / common};
}

FailureOr<std::array<hg::LayerFields::Pair, 2>> ImportFields::ratios(StringRef key) {
  const Field *field = take(key);
  if (!field)
    return missing(key);
  const Json &value = field->value;
  std::array<Pair, 2> result;
  for (unsigned axis = 0; axis < 2; ++axis) {
    const Json *part = value.isArray() ? (value.items.size() == 2 ? &value.items[axis] : nullptr) : &value;
    auto fraction = part && part->isNumber() ? asFraction(part->number()) : std::nullopt;
    if (!fraction)
      return error(key, "\"" + key + "\" is one positive number or two, [height, width], at most 65536");
    result[axis] = *fraction;
  }
  return result;
}

FailureOr<bool> ImportFields::boolean(StringRef key, bool fallback) {
  const Field *field = take(key);
  if (!field)
    return fallback;
  if (field->value.kind != Json::Kind::Boolean)
    return error(key, "\"" + key + "\" must be true or false, this is " + field->value.kindName());
  return field->value.boolean;
}

FailureOr<std::string> ImportFields::word(StringRef key, std::optional<std::string> fallback, ArrayRef<StringRef> choices, bool orPair) {
  const Field *field = take(key);
  if (!field)
    return fallback ? FailureOr<std::string>(*fallback) : FailureOr<std::string>(missing(key));
  if (!field->value.isString() && orPair)
    return std::string();
  if (!field->value.isString())
    return error(key, "\"" + key + "\" must be a string, this is " + field->value.kindName());
  if (llvm::is_contained(choices, field->value.string))
    return field->value.string;
  std::vector<std::string> known(choices.begin(), choices.end());
  return error(key, "\"" + key + "\": unknown value '" + field->value.string + "'" + suggestion(field->value.string, known));
}

FailureOr<std::string> ImportFields::init(std::optional<std::string> fallback) {
  const Field *field = take("init");
  if (!field)
    return fallback ? FailureOr<std::string>(*fallback) : FailureOr<std::string>(missing("init"));
  const Json &value = field->value;
  if (value.isObject() && value.members.size() == 1 && (value.members[0].key == "normal" || value.members[0].key == "constant")) {
    const Json &number = value.members[0].value;
    if (!number.isNumber() || !std::isfinite(number.number()) || (value.members[0].key == "normal" && number.number() < 0))
      return error("init", "\"" + value.members[0].key + "\" needs a finite number");
    char text[40];
    snprintf(text, sizeof text, "%s:%.17g", value.members[0].key.c_str(), number.number());
    return std::string(text);
  }
  if (value.isObject())
    return error("init", R"(an init object is {"normal": s} or {"constant": v})");
  return word("init", fallback, {"he", "xavier", "zero", "bilinear", "identity"}, false);
}

FailureOr<Value> ImportFields::layer(StringRef key) {
  const Field *field = take(key);
  if (!field)
    return missing(key);
  return lookup(*field);
}

LogicalResult ImportFields::finish(StringRef what) {
  for (const Field &field : fields)
    if (!llvm::is_contained(known, field.key)) {
      diagnostics.error(field.keyOffset, owner.name, "unknown field '" + field.key + "' of " + what + suggestion(field.key, known));
      return failure();
    }
  return success();
}

} // namespace segc
