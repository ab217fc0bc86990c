/// \file Finds, bounds and reads included files.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Include.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace segc {

namespace path = llvm::sys::path;
namespace fs = llvm::sys::fs;

static constexpr uint64_t kMostBytes = 4 << 20; ///< of one included file

static std::string join(llvm::StringRef folder, llvm::StringRef name) {
  llvm::SmallString<256> result(folder);
  path::append(result, name);
  return result.str().str();
}

/// The path without links; empty where nothing is.
static std::string realPath(llvm::StringRef given) {
  llvm::SmallString<256> result;
  return fs::real_path(given, result) ? "" : result.str().str();
}

static bool liesIn(llvm::StringRef real, llvm::StringRef folder) {
  std::string root = realPath(folder);
  return !root.empty() && (real.consume_front(root) && (real.starts_with("/") || root == "/"));
}

llvm::LogicalResult Includes::read(const Value &list) {
  if (folders.model.empty())
    return diagnostics.error(list.loc, "only a model that was read from a file can include others");
  return readList(list, {folders.model, folders.model});
}

llvm::LogicalResult Includes::readList(const Value &list, const Place &from) {
  if (list.kind != Value::Array)
    return diagnostics.error(list.loc, "\"include\" must be an array of file names, not " + list.describe());
  for (const Value &entry : list.items)
    if (failed(readEntry(entry, from)))
      return llvm::failure();
  return llvm::success();
}

llvm::LogicalResult Includes::checkPath(const Value &entry) {
  if (!entry.isString())
    return diagnostics.error(entry.loc, "an included file is a string such as \"blocks/resnet.json\", not " +
                                            entry.describe());
  llvm::StringRef given = entry.text;
  if (given.empty() || given.find('\0') != llvm::StringRef::npos)
    return diagnostics.error(entry.loc, quote(given) + " is no file name");
  if (path::is_absolute(given))
    return diagnostics.error(entry.loc, quote(given) + " is absolute; an included file is named from the "
                                                       "folder of the file that includes it");
  if (llvm::is_contained(llvm::make_range(path::begin(given), path::end(given)), ".."))
    return diagnostics.error(entry.loc, quote(given) + " leads out with '..'; an included file lies in the "
                                                       "folder of the file that includes it, or below");
  return llvm::success();
}

/// Finds the file: beside the one that includes it, else in the zoo.
llvm::LogicalResult Includes::readEntry(const Value &entry, const Place &from) {
  if (failed(checkPath(entry)))
    return llvm::failure();
  std::vector<Place> places = {from};
  if (!folders.zoo.empty())
    places.push_back({folders.zoo, folders.zoo});
  for (const Place &place : places) {
    std::string file = join(place.folder, entry.text);
    if (!fs::exists(file))
      continue;
    std::string real = realPath(file);
    if (!liesIn(real, place.root))
      return diagnostics.error(entry.loc, quote(entry.text) + " is a link that leads out of the folder '" +
                                              place.root + "'; copy the file instead");
    return readFile(entry, file, {path::parent_path(file).str(), place.root});
  }
  std::string looked;
  for (const Place &place : places)
    looked += (looked.empty() ? "'" : " and '") + place.folder + "'";
  return diagnostics.error(entry.loc, "there is no file " + quote(entry.text) + " in " + looked);
}

llvm::LogicalResult Includes::readFile(const Value &entry, const std::string &file, const Place &place) {
  std::string real = realPath(file);
  auto isThis = [&](const auto &other) { return other.first == real; };
  if (auto it = llvm::find_if(open, isThis); it != open.end()) {
    std::string cycle;
    for (; it != open.end(); ++it)
      cycle += it->second + " -> ";
    return diagnostics.error(entry.loc, "the file includes itself: " + cycle + entry.text);
  }
  if (!done.try_emplace(real, true).second) // included along two ways
    return llvm::success();
  if (open.size() == kDeepestIncludes)
    return diagnostics.error(entry.loc, "files include one another more than " +
                                            llvm::Twine(kDeepestIncludes) + " deep");
  if (files.size() == kMostIncludes)
    return diagnostics.error(entry.loc, "more than " + llvm::Twine(kMostIncludes) + " included files");
  if (!fs::is_regular_file(file))
    return diagnostics.error(entry.loc, quote(entry.text) + " is no file");
  auto text = diagnostics.addFile(file, kMostBytes);
  if (failed(text)) {
    diagnostics.note(entry.loc, "included here");
    return llvm::failure();
  }
  auto parsed = parseJson(*text, diagnostics);
  if (failed(parsed)) {
    diagnostics.note(entry.loc, "included here");
    return llvm::failure();
  }
  files.push_back(std::move(*parsed));
  const Value &content = files.back();
  if (content.kind != Value::Object)
    return diagnostics.error(content.loc, "a file of blocks must be an object, not " + content.describe());
  if (content.find("layers") || content.find("inputs")) {
    auto failure = diagnostics.error(content.loc, "this is a model; only files of blocks can be included, "
                                                  "which have \"format\" and \"blocks\"");
    diagnostics.note(entry.loc, "included here");
    return failure;
  }
  if (failed(checkWords(content, "a file of blocks", {"format", "include", "blocks", "description"},
                        diagnostics)) ||
      failed(checkDescription(content, diagnostics)) || failed(checkFormat(content, "the file", diagnostics)))
    return llvm::failure();
  const Value *blocks = content.find("blocks");
  if (!blocks)
    return diagnostics.error(content.loc, "the file needs \"blocks\", an object of names and blocks");
  open.push_back({real, entry.text});
  const Value *more = content.find("include");
  if (more && failed(readList(*more, place)))
    return llvm::failure();
  open.pop_back();
  found.push_back(blocks);
  return llvm::success();
}

} // namespace segc
