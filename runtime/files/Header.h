/// \file The JSON header of a tensor file, read by a bounded state machine.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/files/Safetensors.h"

namespace segc::files {

/// Limits of a header; beyond them a file is refused.
constexpr uint64_t kMaxHeaderBytes = 100000000;
constexpr size_t kMaxTensors = 100000;
constexpr size_t kMaxNameBytes = 1024;
constexpr size_t kMaxRank = 8;

/// What the header says of one tensor: checked for its own sense, its offsets not yet against the file.
struct HeaderEntry {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  uint64_t begin, end;
};
struct HeaderContents {
  std::vector<HeaderEntry> entries; ///< in the order of the text
  std::map<std::string, std::string> metadata;
};

/// The header, or a sentence saying what is wrong with it.
std::variant<HeaderContents, std::string> parseHeader(const char *text, size_t size);
/// "text" as a JSON string; nothing if it is not UTF-8.
std::optional<std::string> quote(const std::string &text);

} // namespace segc::files
