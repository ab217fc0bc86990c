/// \file Messages about a text that somebody wrote: where, which layer, what is wrong, what would be right.
///
/// A message is one line, then the line of the source and a caret:
///   unet.json:12:38: error: layer 'enc1.0': unknown field 'kernle' of conv; did you mean 'kernel'?
/// Whatever a message quotes is untrusted: control characters and bytes beyond ASCII are shown escaped, long
/// names and long source lines are clipped.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/LogicalResult.h"
#include "llvm/Support/SMLoc.h"
#include "llvm/Support/SourceMgr.h"
#include <set>
#include <string>

namespace segc {

class Diagnostics {
public:
  /// `out` outlives the diagnostics.
  explicit Diagnostics(llvm::raw_ostream &out) : out(out) {}

  /// Copies `text` into the source manager under `name`; the result stays valid as long as this object.
  llvm::StringRef addText(llvm::StringRef text, llvm::StringRef name);
  /// Reads a file of at most `limit` bytes; a file that cannot be read or is larger is reported.
  llvm::FailureOr<llvm::StringRef> addFile(const std::string &path, uint64_t limit);

  /// Reports an error and returns failure, so that callers can `return diagnostics.error(...)`. An invalid
  /// `loc` prints the message alone; an empty `layer` names none. A `layer` with a space in it, which no name
  /// has, is no layer but said as it is: "loss 0 (dice of 'logits')".
  llvm::LogicalResult error(llvm::SMLoc loc, const llvm::Twine &message, llvm::StringRef layer = "");
  /// Says what is allowed but hardly meant; `layer` as for errors.
  void warning(llvm::SMLoc loc, const llvm::Twine &message, llvm::StringRef layer = "");
  /// Adds where something else stands that the error before is about.
  void note(llvm::SMLoc loc, const llvm::Twine &message);
  unsigned errorCount() const { return errors; }
  /// While one of these lives, errors are neither printed nor counted: for what is tried only.
  class Muted {
  public:
    explicit Muted(Diagnostics &diagnostics) : muted(diagnostics.muted), before(muted) { muted = true; }
    ~Muted() { muted = before; }

  private:
    bool &muted, before;
  };

  /// Line and column (bytes), both from 1, of a place in any of the texts.
  std::pair<unsigned, unsigned> lineAndColumn(llvm::SMLoc loc) const;
  /// The name of the text that `loc` lies in.
  llvm::StringRef fileOf(llvm::SMLoc loc) const;
  /// The place that an MLIR FileLineColLoc names; invalid when no such text or line was added.
  llvm::SMLoc at(llvm::StringRef file, unsigned line, unsigned column);
  llvm::SourceMgr &sources() { return manager; }

private:
  void print(llvm::SMLoc loc, llvm::StringRef kind, llvm::StringRef message);

  llvm::raw_ostream &out;
  llvm::SourceMgr manager;
  unsigned errors = 0;
  std::set<std::pair<const char *, std::string>> warned;
  bool muted = false;
};

/// The text in quotes, clipped to a readable length.
std::string quote(llvm::StringRef text);
/// The candidate that `name` was probably meant to be (few edits away), or an empty string.
llvm::StringRef nearest(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates);
/// The remedy for an unknown name, to be put behind a message: "; did you mean 'kernel'?", else "; known are
/// 'a', 'b'" when `what` there is can be listed, else nothing.
std::string suggestion(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates);
/// Is it a name: [A-Za-z_][A-Za-z0-9_.]*, at most kLongestName bytes?
bool isName(llvm::StringRef text);
constexpr size_t kLongestName = 128;

} // namespace segc
