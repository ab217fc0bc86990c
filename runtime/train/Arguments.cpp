/// \file Arguments: parsing, and help.
// SPDX-License-Identifier: MIT
#include "runtime/train/Arguments.h"
#include "runtime/train/Settings.h"
#include <algorithm>
#include <cerrno>

namespace segc::train {

Result<Arguments> Arguments::parse(int argc, const char *const *argv, const std::vector<Flag> &flags) {
  Arguments result;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const size_t begin = word.find_first_not_of('-');
    if (word[0] != '-' || begin == std::string::npos) {
      result.words.push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const std::string name = word.substr(begin, equals == std::string::npos ? equals : equals - begin);
    const auto flag = std::find_if(flags.begin(), flags.end(), [&](const Flag &f) { return f.name == name; });
    if (begin > 2 || flag == flags.end()) {
      std::vector<std::string> names;
      for (const Flag &known : flags)
        names.push_back(known.name);
      const std::string best = nearest(name, names);
      return "unknown flag '" + word + "'" + (best.empty() ? "" : "; did you mean '-" + best + "'?") +
             " (-help lists all)";
    }
    if (!flag->takesValue && equals != std::string::npos)
      return "-" + name + " takes no value";
    if (!flag->takesValue)
      result.values[name] = "";
    else if (equals != std::string::npos)
      result.values[name] = word.substr(equals + 1);
    else if (i + 1 < argc)
      result.values[name] = argv[++i];
    else
      return "-" + name + " needs a value";
  }
  return result;
}

std::string Arguments::text(const std::string &flag, const std::string &fallback) const {
  const auto found = values.find(flag);
  return found == values.end() ? fallback : found->second;
}

Result<int64_t> Arguments::integer(const std::string &flag, int64_t fallback, int64_t low,
                                   int64_t high) const {
  const auto found = values.find(flag);
  if (found == values.end())
    return fallback;
  char *end = nullptr;
  errno = 0;
  const long long value = strtoll(found->second.c_str(), &end, 10);
  if (found->second.empty() || *end || errno || value < low || value > high)
    return "-" + flag + " is '" + found->second + "'; a whole number from " + std::to_string(low) + " to " +
           std::to_string(high) + " is wanted";
  return value;
}

std::string helpOf(const std::vector<Flag> &flags) {
  size_t widest = 0;
  for (const Flag &flag : flags)
    widest = std::max(widest, flag.name.size());
  std::string text;
  for (const Flag &flag : flags)
    text += "  -" + flag.name + std::string(widest - flag.name.size() + 2, ' ') + flag.help + "\n";
  return text;
}

} // namespace segc::train
