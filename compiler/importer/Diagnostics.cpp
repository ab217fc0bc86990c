/// \file Printing errors with carets; suggestions by edit distance.
// SPDX-License-Identifier: MIT
#include "compiler/importer/Diagnostics.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>

namespace segc {

void Diagnostics::open(std::unique_ptr<llvm::MemoryBuffer> text) {
  buffer = manager.AddNewSourceBuffer(std::move(text), llvm::SMLoc());
}

llvm::StringRef Diagnostics::text() const { return manager.getMemoryBuffer(buffer)->getBuffer(); }
llvm::StringRef Diagnostics::path() const { return manager.getMemoryBuffer(buffer)->getBufferIdentifier(); }

std::pair<unsigned, unsigned> Diagnostics::position(size_t offset) const {
  const char *at = text().data() + std::min(offset, text().size());
  return manager.getLineAndColumn(llvm::SMLoc::getFromPointer(at), buffer);
}

void Diagnostics::error(size_t offset, llvm::StringRef layer, const llvm::Twine &message) {
  ++errors;
  auto [line, column] = position(offset);
  out << path() << ":" << line << ":" << column << ": error: ";
  if (!layer.empty())
    out << "layer '" << layer << "': ";
  out << message << "\n";
  // The line itself; of a very long one the part around the caret.
  constexpr size_t kWidth = 120;
  llvm::StringRef whole = text();
  size_t at = std::min(offset, whole.size());
  size_t begin = whole.rfind('\n', at ? at - 1 : 0);
  begin = begin == llvm::StringRef::npos || begin >= at ? 0 : begin + 1;
  size_t end = std::min(whole.find('\n', at), whole.size());
  if (at - begin > kWidth / 2)
    begin = at - kWidth / 2;
  end = std::min(end, begin + kWidth);
  std::string shown = whole.slice(begin, end).str();
  for (char &c : shown)
    if (static_cast<unsigned char>(c) < 32 || c == 127)
      c = ' ';
  out << shown << "\n" << std::string(at - begin, ' ') << "^\n";
}

std::string suggestion(llvm::StringRef name, llvm::ArrayRef<std::string> candidates) {
  const std::string *best = nullptr;
  unsigned bestDistance = static_cast<unsigned>(name.size() / 3 + 1);
  for (const std::string &candidate : candidates) {
    unsigned distance = name.edit_distance(candidate, true, bestDistance + 1);
    if (distance <= bestDistance && (!best || distance < bestDistance)) {
      best = &candidate;
      bestDistance = distance;
    }
  }
  if (best)
    return "; did you mean '" + *best + "'?";
  if (candidates.empty())
    return "";
  std::string list = "; there are ";
  constexpr size_t kShown = 24;
  for (size_t i = 0; i < std::min(candidates.size(), kShown); ++i)
    list += (i ? ", " : "") + candidates[i];
  return list + (candidates.size() > kShown ? ", ..." : "");
}

} // namespace segc
