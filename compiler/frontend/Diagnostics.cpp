/// \file Printing of messages with their source lines, and guesses at what a misspelt name was meant to be.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

namespace segc {

static constexpr size_t kLongestMessage = 1000, kLongestLine = 100, kLongestQuote = 64;

llvm::StringRef Diagnostics::addText(llvm::StringRef text, llvm::StringRef name) {
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(text, name);
  llvm::StringRef result = buffer->getBuffer();
  manager.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  return result;
}

llvm::FailureOr<llvm::StringRef> Diagnostics::addFile(const std::string &path, uint64_t limit) {
  auto tooLarge = [&](uint64_t bytes) {
    return error(llvm::SMLoc(), "'" + path + "' has " + llvm::Twine(bytes) + " bytes; at most " +
                                    llvm::Twine(limit) + " are read");
  };
  uint64_t bytes = 0;
  if (!llvm::sys::fs::file_size(path, bytes) && bytes > limit)
    return tooLarge(bytes);
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return error(llvm::SMLoc(), "cannot read '" + path + "': " + buffer.getError().message());
  if ((*buffer)->getBufferSize() > limit) // a pipe tells its size only by being read
    return tooLarge((*buffer)->getBufferSize());
  llvm::StringRef text = (*buffer)->getBuffer();
  manager.AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
  return text;
}

/// The message with what it is about in front.
static std::string about(llvm::StringRef layer, const llvm::Twine &message) {
  std::string subject = layer.contains(' ') ? layer.str() : "layer " + quote(layer);
  return (layer.empty() ? "" : subject + ": ") + message.str();
}

llvm::LogicalResult Diagnostics::error(llvm::SMLoc loc, const llvm::Twine &message, llvm::StringRef layer) {
  if (muted)
    return llvm::failure();
  ++errors;
  print(loc, "error", about(layer, message));
  return llvm::failure();
}

void Diagnostics::warning(llvm::SMLoc loc, const llvm::Twine &message, llvm::StringRef layer) {
  std::string text = about(layer, message);
  if (!muted && warned.insert({loc.getPointer(), text}).second) // a model may be imported several times
    print(loc, "warning", text);
}

void Diagnostics::note(llvm::SMLoc loc, const llvm::Twine &message) {
  if (!muted)
    print(loc, "note", message.str());
}

std::pair<unsigned, unsigned> Diagnostics::lineAndColumn(llvm::SMLoc loc) const {
  return manager.getLineAndColumn(loc);
}

llvm::StringRef Diagnostics::fileOf(llvm::SMLoc loc) const {
  return manager.getMemoryBuffer(manager.FindBufferContainingLoc(loc))->getBufferIdentifier();
}

llvm::SMLoc Diagnostics::at(llvm::StringRef file, unsigned line, unsigned column) {
  for (unsigned id = 1; id <= manager.getNumBuffers(); ++id)
    if (manager.getMemoryBuffer(id)->getBufferIdentifier() == file)
      return manager.FindLocForLineAndColumn(id, line, column);
  return {};
}

/// Shows every byte that is not plain printable ASCII as \xNN: a message must not steer a terminal, and text
/// that changes its direction must not read as something else.
static std::string printable(llvm::StringRef text, size_t limit) {
  std::string result;
  for (char c : text.take_front(limit)) {
    if (llvm::isPrint(c))
      result += c;
    else
      result += "\\x" + llvm::toHex(llvm::StringRef(&c, 1), /*LowerCase=*/true);
  }
  if (text.size() > limit)
    result += "...";
  return result;
}

void Diagnostics::print(llvm::SMLoc loc, llvm::StringRef kind, llvm::StringRef message) {
  std::string text = printable(message, kLongestMessage);
  unsigned id = loc.isValid() ? manager.FindBufferContainingLoc(loc) : 0;
  if (!id) {
    out << kind << ": " << text << "\n";
    return;
  }
  auto [line, column] = manager.getLineAndColumn(loc, id);
  out << manager.getMemoryBuffer(id)->getBufferIdentifier() << ":" << line << ":" << column << ": " << kind
      << ": " << text << "\n";

  // One byte of the source is one column of the picture, so that the caret stands below what it means; of a
  // long line only the surroundings of the caret are shown.
  llvm::StringRef buffer = manager.getMemoryBuffer(id)->getBuffer();
  size_t start = loc.getPointer() - buffer.data() - (column - 1);
  llvm::StringRef source = buffer.substr(start).take_until([](char c) { return c == '\n' || c == '\r'; });
  size_t from = column > kLongestLine * 3 / 4 ? column - kLongestLine / 2 : 0;
  std::string shown = from ? "..." : "";
  size_t caret = shown.size() + column - 1 - from;
  for (char c : source.substr(from, kLongestLine))
    shown += llvm::isPrint(c) ? c : (c == '\t' ? ' ' : '?');
  if (source.size() > from + kLongestLine)
    shown += "...";
  out << shown << "\n" << std::string(caret, ' ') << "^\n";
}

std::string quote(llvm::StringRef text) {
  return ("'" + text.take_front(kLongestQuote) + (text.size() > kLongestQuote ? "..." : "") + "'").str();
}

llvm::StringRef nearest(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates) {
  if (name.size() > kLongestName)
    return {};
  // A third of the letters may be wrong, and two swapped ones (two edits) from four letters on: fewer miss
  // plain slips, more suggest nonsense.
  unsigned best = std::max<size_t>(name.size() < 4 ? 1 : 2, name.size() / 3) + 1;
  llvm::StringRef found;
  for (llvm::StringRef candidate : candidates) {
    unsigned distance = name.edit_distance(candidate, /*AllowReplacements=*/true, best);
    if (distance < best && distance < std::max(name.size(), candidate.size())) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string suggestion(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates) {
  llvm::StringRef best = nearest(name, candidates);
  if (!best.empty())
    return "; did you mean " + quote(best) + "?";
  if (candidates.empty() || candidates.size() > 40)
    return "";
  std::string list;
  for (llvm::StringRef candidate : candidates)
    list += (list.empty() ? "" : ", ") + quote(candidate);
  return "; known are " + list;
}

bool isName(llvm::StringRef text) {
  if (text.empty() || text.size() > kLongestName || !(llvm::isAlpha(text[0]) || text[0] == '_'))
    return false;
  return llvm::all_of(text, [](char c) { return llvm::isAlnum(c) || c == '_' || c == '.'; });
}

} // namespace segc
