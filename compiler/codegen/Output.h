/// \file Puts the files of one compilation into the output directory, all of them or none.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include <string>
#include <vector>

namespace segc {

struct OutputFile {
  std::string name; ///< without directories
  llvm::ArrayRef<uint8_t> bytes;
  bool executable = false;
};

/// Writes all files under temporary names in `directory`, which is created if need be, then renames them:
/// who reads the directory meanwhile sees old or new files, each whole. Returns nothing, or a sentence that
/// names the path and the reason; no temporary is left behind then.
std::string writeOutputs(const std::string &directory, const std::vector<OutputFile> &files);

} // namespace segc
