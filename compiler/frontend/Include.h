/// \file Files of blocks that a model includes: where they may lie, and what they define.
///
/// A model is untrusted, and so is what it includes: a path has no "..", is not absolute, and what it leads
/// to, links followed, lies in the folder of the model or in that of the zoo.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Json.h"
#include "llvm/ADT/StringMap.h"
#include <deque>

namespace segc {

constexpr size_t kMostIncludes = 64;    ///< files
constexpr size_t kDeepestIncludes = 16; ///< files that include one another

/// Where included files may lie; an empty name is no folder.
struct IncludeFolders {
  std::string model; ///< that of the model's own file
  std::string zoo;   ///< the installed example models
};

class Includes {
public:
  Includes(const IncludeFolders &folders, Diagnostics &diagnostics)
      : folders(folders), diagnostics(diagnostics) {}

  /// Reads what the `include` of a model lists, and what those files include. Reports the first error.
  llvm::LogicalResult read(const Value &list);
  /// The `blocks` of all files, each file after those that it includes; they live as long as this object.
  llvm::ArrayRef<const Value *> blocks() const { return found; }

private:
  /// A file that is being read: the folder that its own includes start from, and the one that bounds them.
  struct Place {
    std::string folder, root;
  };
  llvm::LogicalResult readList(const Value &list, const Place &from);
  llvm::LogicalResult readEntry(const Value &entry, const Place &from);
  llvm::LogicalResult readFile(const Value &entry, const std::string &path, const Place &place);
  llvm::LogicalResult checkPath(const Value &entry);

  IncludeFolders folders;
  Diagnostics &diagnostics;
  std::deque<Value> files;
  std::vector<const Value *> found;
  llvm::StringMap<bool> done;                            ///< by real path
  std::vector<std::pair<std::string, std::string>> open; ///< real path, and as shown, of those being read
};

} // namespace segc
