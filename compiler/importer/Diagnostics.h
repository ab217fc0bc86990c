/// \file Errors about a model description: where, which layer, what, and what would have been right.
// SPDX-License-Identifier: MIT
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/SourceMgr.h"
#include <string>

namespace segc {

/// The text of one model file and the errors found in it. MLIR passes report through the same source manager.
class Diagnostics {
public:
  explicit Diagnostics(llvm::raw_ostream &out) : out(out) {}
  /// Takes over the text; `path` is how messages call it.
  void open(std::unique_ptr<llvm::MemoryBuffer> text);
  llvm::StringRef text() const;
  llvm::StringRef path() const;
  llvm::SourceMgr &sources() { return manager; }

  /// `file:line:col: error: layer 'x': message` with the line and a caret. `layer` may be empty.
  void error(size_t offset, llvm::StringRef layer, const llvm::Twine &message);
  unsigned count() const { return errors; }
  /// Line and column (from 1) of a byte.
  std::pair<unsigned, unsigned> position(size_t offset) const;

private:
  llvm::raw_ostream &out;
  llvm::SourceMgr manager;
  unsigned buffer = 0, errors = 0;
};

/// "; did you mean 'kernel'?" if one of the candidates is close to `name`, else "; there are a, b, c" (the first few).
std::string suggestion(llvm::StringRef name, llvm::ArrayRef<std::string> candidates);

} // namespace segc
