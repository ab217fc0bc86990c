/// \file Settings: the JSON reader and the checks of fields.
// SPDX-License-Identifier: MIT
#include "runtime/train/Settings.h"
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace segc::train {

namespace {

constexpr int maxDepth = 64;

/// "3:14" of a byte in a text.
std::string lineAndColumn(const std::string &text, size_t byte) {
  const size_t end = std::min(byte > 0 ? byte - 1 : 0, text.size());
  const auto begin = text.begin();
  const auto line = 1 + std::count(begin, begin + ptrdiff_t(end), '\n');
  const size_t start = end ? text.rfind('\n', end - 1) : std::string::npos;
  return std::to_string(line) + ":" + std::to_string(start == std::string::npos ? end + 1 : end - start);
}

std::string describe(const Json &value) {
  if (value.is_object() || value.is_array())
    return value.is_object() ? "an object" : "a list";
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string shortNumber(double value) { return Json(value).dump(); }

std::string interval(double low, double high) { return shortNumber(low) + " to " + shortNumber(high); }

} // namespace

std::optional<Failure> readText(const std::string &path, std::string &text, size_t limit) {
  // Without O_NONBLOCK the opening of a pipe would wait for its writer.
  const int descriptor = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  std::unique_ptr<FILE, int (*)(FILE *)> file(descriptor < 0 ? nullptr : fdopen(descriptor, "rb"), fclose);
  struct stat info;
  if (!file || fstat(descriptor, &info) != 0)
    return path + ": cannot be opened: " + strerror(errno);
  if (!S_ISREG(info.st_mode))
    return path + ": is not a regular file";
  if (uint64_t(info.st_size) > limit)
    return path + ": has " + std::to_string(info.st_size) + " bytes; at most " + std::to_string(limit) +
           " are read";
  text.resize(size_t(info.st_size));
  text.resize(fread(text.data(), 1, text.size(), file.get()));
  if (ferror(file.get()))
    return path + ": cannot be read: " + strerror(errno);
  return std::nullopt;
}

Result<Json> parseJson(const std::string &text, const std::string &name) {
  std::vector<std::set<std::string>> keys;
  std::string problem;
  auto check = [&](int depth, Json::parse_event_t event, Json &parsed) {
    if (depth > maxDepth)
      problem = "is nested more than " + std::to_string(maxDepth) + " deep";
    if (event == Json::parse_event_t::object_start)
      keys.emplace_back();
    else if (event == Json::parse_event_t::object_end)
      keys.pop_back();
    else if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      problem = "has the field \"" + parsed.get<std::string>() + "\" twice in one object";
    return true;
  };
  try {
    Json value = Json::parse(text, check);
    if (!problem.empty())
      return name + ": " + problem;
    return value;
  } catch (const Json::parse_error &error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: what is wrong"
    const std::string full = error.what();
    const size_t colon = full.find(": ");
    return name + ":" + lineAndColumn(text, error.byte) +
           ": is not valid JSON: " + (colon == std::string::npos ? full : full.substr(colon + 2));
  } catch (const Json::exception &error) {
    return name + ": is not valid JSON: " + error.what();
  }
}

Result<Json> readJson(const std::string &path) {
  std::string text;
  if (std::optional<Failure> failure = readText(path, text))
    return *failure;
  return parseJson(text, path);
}

std::string nearest(const std::string &name, const std::vector<std::string> &candidates) {
  std::string best;
  size_t least = 3;
  for (const std::string &candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j <= candidate.size(); ++j)
      row[j] = j;
    for (size_t i = 1; i <= name.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        const size_t replaced = diagonal + (name[i - 1] != candidate[j - 1]);
        diagonal = row[j];
        row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < least) {
      least = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string suggestion(const std::string &name, const std::vector<std::string> &candidates) {
  const std::string best = nearest(name, candidates);
  return best.empty() ? "" : "; did you mean '" + best + "'?";
}

Fields::Fields(const Json &object, std::string where) : object(object), place(std::move(where)) {
  if (!object.is_object())
    first = place + ": is " + describe(object) + " where an object { } is wanted";
}

const Json *Fields::value(const std::string &name) {
  if (std::find(known.begin(), known.end(), name) == known.end())
    known.push_back(name);
  if (!object.is_object())
    return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

bool Fields::has(const std::string &name) { return value(name) != nullptr; }

void Fields::fail(const std::string &name, const std::string &what) {
  if (!first)
    first = place + ": field '" + name + "' " + what;
}

void Fields::take(const std::optional<Failure> &failure) {
  if (!first)
    first = failure;
}

bool Fields::flag(const std::string &name, bool fallback) {
  const Json *found = value(name);
  if (found && !found->is_boolean())
    fail(name, "is " + describe(*found) + "; true or false is wanted");
  return found && found->is_boolean() ? found->get<bool>() : fallback;
}

std::string Fields::text(const std::string &name, const std::string &fallback) {
  const Json *found = value(name);
  if (found && !found->is_string())
    fail(name, "is " + describe(*found) + "; a text in quotes is wanted");
  return found && found->is_string() ? found->get<std::string>() : fallback;
}

int Fields::choice(const std::string &name, const std::vector<std::string> &choices) {
  const std::string given = text(name, choices[0]);
  const auto found = std::find(choices.begin(), choices.end(), given);
  if (found != choices.end())
    return int(found - choices.begin());
  std::string list;
  for (const std::string &choice : choices)
    list += (list.empty() ? "'" : ", '") + choice + "'";
  fail(name, "is '" + given + "'; it may be " + list + suggestion(given, choices));
  return 0;
}

double Fields::checked(const std::string &name, const Json &value, double low, double high, double fallback) {
  if (value.is_number() && value.get<double>() >= low && value.get<double>() <= high)
    return value.get<double>();
  fail(name, "is " + describe(value) + "; a number from " + interval(low, high) + " is wanted");
  return fallback;
}

double Fields::number(const std::string &name, double fallback, double low, double high) {
  const Json *found = value(name);
  return found ? checked(name, *found, low, high, fallback) : fallback;
}

int64_t Fields::integer(const std::string &name, int64_t fallback, int64_t low, int64_t high) {
  const Json *found = value(name);
  if (!found)
    return fallback;
  if (found->is_number_integer() && (!found->is_number_unsigned() || found->get<uint64_t>() <= INT64_MAX) &&
      found->get<int64_t>() >= low && found->get<int64_t>() <= high)
    return found->get<int64_t>();
  fail(name, "is " + describe(*found) + "; a whole number from " + std::to_string(low) + " to " +
                 std::to_string(high) + " is wanted");
  return fallback;
}

Range Fields::range(const std::string &name, Range fallback, double low, double high) {
  const Json *found = value(name);
  if (!found)
    return fallback;
  if (!found->is_array()) {
    const double both = checked(name, *found, low, high, fallback.low);
    return {both, both};
  }
  if (found->size() != 2) {
    fail(name, "has " + std::to_string(found->size()) + " entries; [low, high] or one number is wanted");
    return fallback;
  }
  const Range result{checked(name, (*found)[0], low, high, fallback.low),
                     checked(name, (*found)[1], low, high, fallback.high)};
  if (result.low > result.high)
    fail(name, "is " + found->dump() + "; the lower end comes first");
  return result;
}

std::vector<double> Fields::numbers(const std::string &name, double low, double high) {
  const Json *found = value(name);
  std::vector<double> result;
  if (!found)
    return result;
  if (!found->is_array())
    return {checked(name, *found, low, high, low)};
  for (const Json &entry : *found)
    result.push_back(checked(name, entry, low, high, low));
  return result;
}

Fields Fields::child(const std::string &name) {
  static const Json empty = Json::object();
  const Json *found = value(name);
  return Fields(found ? *found : empty, place + ": " + name);
}

std::optional<Failure> Fields::finish() {
  if (first || !object.is_object())
    return first;
  for (const auto &member : object.items())
    if (std::find(known.begin(), known.end(), member.key()) == known.end()) {
      std::vector<std::string> names = known;
      std::sort(names.begin(), names.end());
      std::string list;
      for (const std::string &name : names)
        list += (list.empty() ? "" : ", ") + name;
      std::string hint = suggestion(member.key(), known);
      return place + ": unknown field '" + member.key() + "'" +
             (hint.empty() ? "; the fields are " + list : hint);
    }
  return std::nullopt;
}

} // namespace segc::train
