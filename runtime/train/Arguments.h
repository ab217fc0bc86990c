/// \file Arguments: command lines of tools that are built without the compiler: -flag value, -flag=value,
/// --flag value, --flag=value.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Types.h"
#include <map>

namespace segc::train {

struct Flag {
  std::string name; ///< without dashes
  bool takesValue = true;
  std::string help;
};

class Arguments {
public:
  /// Fails at an unknown flag, with the nearest one, and at a flag without its value.
  static Result<Arguments> parse(int argc, const char *const *argv, const std::vector<Flag> &flags);

  const std::vector<std::string> &positional() const { return words; }
  bool has(const std::string &flag) const { return values.count(flag) > 0; }
  std::string text(const std::string &flag, const std::string &fallback) const;
  /// A whole number from `low` to `high`.
  Result<int64_t> integer(const std::string &flag, int64_t fallback, int64_t low, int64_t high) const;

private:
  std::vector<std::string> words;
  std::map<std::string, std::string> values;
};

/// One line a flag.
std::string helpOf(const std::vector<Flag> &flags);

} // namespace segc::train
