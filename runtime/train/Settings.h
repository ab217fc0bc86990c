/// \file Settings: JSON files of settings, read with names that must be known and numbers that must fit.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Types.h"
#include <memory>
#include <nlohmann/json.hpp>

namespace segc::train {

using Json = nlohmann::ordered_json;

/// The JSON in `text`; `name` opens messages. Refuses more than 16 MiB, keys given twice and deep nesting.
Result<Json> parseJson(const std::string &text, const std::string &name);
Result<Json> readJson(const std::string &path);
/// Puts a whole file of at most `limit` bytes into `text`.
std::optional<Failure> readText(const std::string &path, std::string &text, size_t limit = size_t(1) << 24);

/// The candidate within two edits of `name` (Levenshtein 1966), or nothing.
std::string nearest(const std::string &name, const std::vector<std::string> &candidates);
/// "; did you mean 'x'?", or nothing.
std::string suggestion(const std::string &name, const std::vector<std::string> &candidates);

/// From where to where a number may be drawn.
struct Range {
  double low = 0, high = 0;
};

/// Reads the fields of one JSON object. The first thing that is wrong is kept and returned by finish(); after
/// it the getters return their fallbacks. Each getter makes its name a known one.
class Fields {
public:
  /// `where` opens messages: a file, or a file and an object in it.
  Fields(const Json &object, std::string where);

  bool has(const std::string &name);
  bool flag(const std::string &name, bool fallback);
  std::string text(const std::string &name, const std::string &fallback);
  /// One of `choices`, the first of which is the default; returns its position.
  int choice(const std::string &name, const std::vector<std::string> &choices);
  double number(const std::string &name, double fallback, double low, double high);
  int64_t integer(const std::string &name, int64_t fallback, int64_t low, int64_t high);
  /// A number, or [low, high].
  Range range(const std::string &name, Range fallback, double low, double high);
  /// A list of numbers; one number stands for a list of one.
  std::vector<double> numbers(const std::string &name, double low, double high);
  /// The value itself, or null.
  const Json *value(const std::string &name);
  /// The fields of an object in this one; of an empty object where there is none.
  Fields child(const std::string &name);

  /// Notes that the field `name` is wrong.
  void fail(const std::string &name, const std::string &what);
  void take(const std::optional<Failure> &failure);
  /// The first error; fields that nobody asked for are errors too.
  std::optional<Failure> finish();
  const std::string &where() const { return place; }

private:
  double checked(const std::string &name, const Json &value, double low, double high, double fallback);

  const Json &object;
  std::string place;
  std::vector<std::string> known;
  std::optional<Failure> first;
};

} // namespace segc::train
