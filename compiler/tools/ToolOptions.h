/// \file The command line of all tools: parsed with LLVM's option library from Options.td.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/StringRef.h"
#include "llvm/Option/ArgList.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace segc {

namespace options {
enum ID {
  OPT_INVALID = 0,
#define OPTION(...) LLVM_MAKE_OPT_ID(__VA_ARGS__),
#include "compiler/tools/Options.inc"
#undef OPTION
};
enum Tool {
  SegcTool = 1 << 0,
  RunTool = 1 << 1,
  CheckTool = 1 << 2,
  TrainTool = 1 << 3,
  EvalTool = 1 << 4,
  LookTool = 1 << 5,
  BenchTool = 1 << 6
};
} // namespace options

/// The parsed arguments of one tool, or why the tool should stop.
class ToolOptions {
public:
  /// Prints help, version or an error and returns an exit code in `exitCode` when the tool should stop there.
  static std::optional<ToolOptions> parse(int argc, char **argv, options::Tool tool, llvm::StringRef usage,
                                          int &exitCode);

  std::string value(unsigned id, llvm::StringRef fallback = "") const;
  bool has(unsigned id) const { return arguments.hasArg(id); }
  std::vector<std::string> all(unsigned id) const { return arguments.getAllArgValues(id); }
  /// A whole number from `low` to `high`; prints an error and returns nothing otherwise.
  std::optional<int64_t> number(unsigned id, int64_t fallback, int64_t low, int64_t high) const;
  /// HEIGHTxWIDTH, each from 1 to 65535; leaves both as they are without the flag. Prints an error and
  /// returns false if it is something else.
  bool extents(unsigned id, int64_t &height, int64_t &width) const;
  const std::vector<std::string> &positional() const { return inputs; }
  /// All flags in their order, without dashes, with their values ("" where a flag takes none).
  const std::vector<std::pair<std::string, std::string>> &given() const { return flags; }

private:
  std::shared_ptr<std::vector<std::string>> words; ///< of the command line, which `arguments` point into
  llvm::opt::InputArgList arguments;
  std::vector<std::string> inputs;
  std::vector<std::pair<std::string, std::string>> flags;
};

/// "error: ..." on stderr; returns 1.
int fail(const llvm::Twine &message);

} // namespace segc
