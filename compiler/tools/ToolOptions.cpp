/// \file Parsing, help and suggestions.
// SPDX-License-Identifier: MIT
#include "compiler/tools/ToolOptions.h"
#include "llvm/Option/OptTable.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>

using namespace llvm;
using namespace llvm::opt;

namespace segc {
namespace {

using namespace segc::options;
#define OPTTABLE_STR_TABLE_CODE
#include "compiler/tools/Options.inc"
#undef OPTTABLE_STR_TABLE_CODE
#define OPTTABLE_PREFIXES_TABLE_CODE
#include "compiler/tools/Options.inc"
#undef OPTTABLE_PREFIXES_TABLE_CODE
constexpr OptTable::Info kInfos[] = {
#define OPTION(...) LLVM_CONSTRUCT_OPT_INFO(__VA_ARGS__),
#include "compiler/tools/Options.inc"
#undef OPTION
};

class Table : public GenericOptTable {
public:
  Table() : GenericOptTable(OptionStrTable, OptionPrefixesTable, kInfos) {}
};

} // namespace

int fail(const Twine &message) {
  errs() << "error: " << message << "\n";
  return 1;
}

std::optional<ToolOptions> ToolOptions::parse(int argc, char **argv, Tool tool, StringRef usage,
                                              int &exitCode) {
  Table table;
  unsigned missingIndex = 0, missingCount = 0;
  ToolOptions options;
  llvm::opt::Visibility visible(tool);
  options.words = std::make_shared<std::vector<std::string>>(argv + 1, argv + argc);
  std::vector<const char *> words;
  for (const std::string &word : *options.words)
    words.push_back(word.c_str());
  options.arguments = table.ParseArgs(words, missingIndex, missingCount, visible);
  exitCode = 1;
  if (missingCount) {
    fail(Twine(options.arguments.getArgString(missingIndex)) + " needs a value");
    return std::nullopt;
  }
  for (const Arg *unknown : options.arguments.filtered(OPT_UNKNOWN)) {
    std::string given = unknown->getSpelling().str(), nearest;
    std::string message = "unknown flag '" + given + "'";
    if (table.findNearest(given, nearest, visible) <= 3)
      message += "; did you mean '" + nearest + "'?";
    fail(message + " (-help lists all)");
    return std::nullopt;
  }
  exitCode = 0;
  if (options.arguments.hasArg(OPT_help)) {
    table.printHelp(outs(), usage.str().c_str(), "segc, a compiler for segmentation networks", false, false,
                    visible);
    return std::nullopt;
  }
  if (options.arguments.hasArg(OPT_version)) {
    outs() << "segc " SEGC_VERSION "\n";
    return std::nullopt;
  }
  options.inputs = options.arguments.getAllArgValues(OPT_INPUT);
  for (const Arg *argument : options.arguments)
    if (argument->getOption().getID() != OPT_INPUT)
      options.flags.emplace_back(argument->getOption().getName().rtrim('=').str(),
                                 argument->getNumValues() ? argument->getValue() : "");
  return options;
}

std::string ToolOptions::value(unsigned id, StringRef fallback) const {
  return arguments.getLastArgValue(id, fallback).str();
}

std::optional<int64_t> ToolOptions::number(unsigned id, int64_t fallback, int64_t low, int64_t high) const {
  if (!arguments.hasArg(id))
    return fallback;
  int64_t result;
  std::string text = value(id);
  if (StringRef(text).getAsInteger(10, result) || result < low || result > high) {
    fail(arguments.getLastArg(id)->getSpelling().rtrim('=') + " '" + text + "' must be a whole number from " +
         Twine(low) + " to " + Twine(high));
    return std::nullopt;
  }
  return result;
}

bool ToolOptions::extents(unsigned id, int64_t &height, int64_t &width) const {
  if (!arguments.hasArg(id))
    return true;
  std::string text = value(id);
  auto [high, wide] = StringRef(text).split('x');
  if (!high.getAsInteger(10, height) && !wide.getAsInteger(10, width) && std::min(height, width) >= 1 &&
      std::max(height, width) <= 65535)
    return true;
  fail(arguments.getLastArg(id)->getSpelling().rtrim('=') + " '" + text +
       "' must be HEIGHTxWIDTH such as 224x224");
  return false;
}

} // namespace segc
