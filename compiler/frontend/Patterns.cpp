/// \file Patterns of tensor names: what they match, and what was meant by one that matches nothing.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Importer.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

namespace segc {

/// Calls `visit` for the name and for each beginning of it that a dot ends, until it returns true.
template <typename VisitT> static bool anyBeginning(llvm::StringRef name, VisitT visit) {
  for (size_t dot = name.find('.'); dot != llvm::StringRef::npos; dot = name.find('.', dot + 1))
    if (visit(name.take_front(dot)))
      return true;
  return visit(name);
}

Patterns::Patterns(llvm::ArrayRef<NamePattern> patterns) {
  for (const NamePattern &pattern : patterns)
    globs.push_back(llvm::cantFail(llvm::GlobPattern::create(pattern.text))); // the reader checked it
}

bool Patterns::match(size_t index, llvm::StringRef tensor) const {
  return anyBeginning(tensor, [&](llvm::StringRef name) { return globs[index].match(name); });
}

bool Patterns::matchAny(llvm::StringRef tensor) const {
  for (size_t i = 0; i < globs.size(); ++i)
    if (match(i, tensor))
      return true;
  return false;
}

/// "; did you mean 'enc1'?" or the tensor whose name is nearest.
static std::string remedy(llvm::StringRef pattern, const llvm::StringSet<> &names,
                          const std::vector<std::string> &tensors) {
  std::string plain; // what is no wildcard
  for (char c : pattern)
    if (c != '*' && c != '?')
      plain += c;
  llvm::StringRef trimmed = llvm::StringRef(plain).trim('.');
  llvm::SmallVector<llvm::StringRef> candidates(names.keys());
  llvm::sort(candidates);
  if (llvm::StringRef best = nearest(trimmed, candidates); !best.empty())
    return "; did you mean " + quote(best) + "?";
  if (tensors.empty())
    return "; the model has none";
  const auto &best = *llvm::min_element(tensors, [&](llvm::StringRef a, llvm::StringRef b) {
    return trimmed.edit_distance(a) < trimmed.edit_distance(b);
  });
  return "; the nearest is " + quote(best);
}

llvm::LogicalResult checkPatterns(const Training &training, const std::vector<std::string> &tensors,
                                  Diagnostics &diagnostics) {
  llvm::StringSet<> names;
  for (llvm::StringRef tensor : tensors)
    anyBeginning(tensor, [&](llvm::StringRef name) {
      names.insert(name);
      return false;
    });
  std::vector<NamePattern> patterns = training.patterns();
  for (const NamePattern &pattern : patterns) {
    llvm::GlobPattern glob = llvm::cantFail(llvm::GlobPattern::create(pattern.text));
    if (llvm::none_of(names.keys(), [&](llvm::StringRef name) { return glob.match(name); }))
      return diagnostics.error(pattern.loc, "the pattern " + quote(pattern.text) + " matches no tensor" +
                                                remedy(pattern.text, names, tensors));
  }
  return llvm::success();
}

} // namespace segc
