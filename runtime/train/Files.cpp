/// \file Files: lists, patterns and folders.
// SPDX-License-Identifier: MIT
#include "runtime/train/Files.h"
#include "runtime/train/Random.h"
#include "runtime/train/Settings.h"
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>

namespace fs = std::filesystem;

namespace segc::train {

namespace {

const char *const endings[] = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".ppm", ".pgm"};

bool isFile(const fs::path &path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// Whether the name ends like a picture's.
bool isPicture(const fs::path &path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return std::find(std::begin(endings), std::end(endings), ending) != std::end(endings);
}

std::string stemOf(const std::string &entry) {
  return isPicture(entry) ? fs::path(entry).replace_extension().string() : entry;
}

std::string replaced(std::string text, const std::string &mark, const std::string &by) {
  for (size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += by.size())
    text.replace(at, mark.size(), by);
  return text;
}

/// Finds the files of one split's entries.
class Finder {
public:
  Finder(const Description &description, std::string split)
      : description(description), split(std::move(split)) {}

  /// The file of `entry` by a pattern: a folder, or a name with {name} in it; {split} is the split's name.
  /// Without an ending all known ones are tried. Empty if there is none; `tried` then says what was wanted.
  std::string find(const std::string &pattern, const std::string &entry, std::string &tried) const {
    std::string path = replaced(pattern, "{split}", split);
    const bool folder = path.find("{name}") == std::string::npos;
    const fs::path root = description.root;
    if (folder && isPicture(entry) && isFile(root / path / entry))
      return (root / path / entry).string();
    path = folder ? (fs::path(path) / stemOf(entry)).string() : replaced(path, "{name}", stemOf(entry));
    tried = (root / path).string();
    if (!folder && isFile(tried))
      return tried;
    for (const char *ending : endings)
      if (isFile(tried + ending))
        return tried + ending;
    tried += folder || !isPicture(path) ? ".png (or another kind of picture)" : "";
    return "";
  }

  /// One line of a list: a name, or a picture and a mask.
  Result<Item> item(const std::string &line, const std::string &where) const {
    Item result;
    std::string tried;
    result.image = find(description.images, line, tried);
    std::istringstream words(line);
    std::string first, second, third;
    words >> first >> second >> third;
    if (result.image.empty() && !second.empty() && third.empty()) {
      const fs::path root = description.root;
      result.image = (root / first).string();
      result.mask = (root / second).string();
      for (const std::string &path : {result.image, result.mask})
        if (!isFile(path))
          return where + ": there is no file " + path + "; names in lists start from " + description.root;
    }
    if (result.image.empty())
      return where + ": there is no picture " + tried + " for '" + line +
             "'; put it there, correct the list, or set 'images'";
    result.name = fs::path(result.image).stem().string();
    if (needsMask() && result.mask.empty()) {
      result.mask = find(description.masks, line, tried);
      if (result.mask.empty())
        return where + ": " + result.image + " has no mask: there is no " + tried +
               "; add it, or take the picture out of the list";
    }
    if (!description.objects.empty())
      result.objects = find(description.objects, line, tried);
    return result;
  }

private:
  bool needsMask() const { return description.target != Target::ColourBins; }

  const Description &description;
  std::string split;
};

/// The lines of a list file without comments, with their numbers.
std::optional<Failure> readList(const std::string &path, std::vector<std::pair<int, std::string>> &lines) {
  std::string text;
  if (std::optional<Failure> failure = readText(path, text))
    return *failure;
  std::istringstream stream(text);
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    const size_t begin = line.find_first_not_of(" \t\r"), end = line.find_last_not_of(" \t\r");
    if (begin != std::string::npos && line[begin] != '#')
      lines.emplace_back(number, line.substr(begin, end - begin + 1));
  }
  if (lines.empty())
    return path + ": names no picture; write one name a line, or 'picture mask'";
  return std::nullopt;
}

/// The folder in which the pictures of a split lie, by the pattern of their names.
fs::path imageFolder(const Description &description, const std::string &split) {
  const fs::path path = fs::path(description.root) / replaced(description.images, "{split}", split);
  return description.images.find("{name}") == std::string::npos ? path : path.parent_path();
}

/// All pictures of a folder that the pattern means, by name.
std::vector<std::string> picturesIn(const Description &description, const std::string &split) {
  // What stands before and after {name} in a pattern's last part.
  const std::string last = fs::path(description.images).filename().string();
  const size_t mark = last.find("{name}");
  const bool folder = mark == std::string::npos;
  const std::string before = folder ? "" : last.substr(0, mark), after = folder ? "" : last.substr(mark + 6);
  std::vector<std::string> names;
  std::error_code error;
  for (const auto &entry : fs::directory_iterator(imageFolder(description, split), error)) {
    std::string name = entry.path().filename().string();
    if (!isPicture(name))
      continue;
    if (!folder) {
      if (!isPicture("x" + after))
        name = stemOf(name);
      if (name.size() <= before.size() + after.size() || name.compare(0, before.size(), before) != 0 ||
          name.compare(name.size() - after.size(), after.size(), after) != 0)
        continue;
      name = name.substr(before.size(), name.size() - before.size() - after.size());
    }
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<Failure> addItems(SplitFiles &to, const Finder &finder, const std::vector<std::string> &names,
                                const std::string &where) {
  for (const std::string &name : names) {
    Result<Item> item = finder.item(name, where);
    if (const Failure *failure = failureOf(item))
      return *failure;
    to.items.push_back(std::move(std::get<Item>(item)));
  }
  return std::nullopt;
}

/// Cuts all pictures into shares, after mixing them: neighbours in a folder are often alike.
Result<FileLists> shareOut(const Description &description) {
  std::vector<std::string> names = picturesIn(description, "");
  Random random(description.splitSeed, 0, 0);
  random.shuffle(names);
  FileLists lists;
  double sum = 0;
  size_t begin = 0;
  for (const Split &split : description.splits) {
    sum += split.share;
    const auto end = std::min(names.size(), size_t(std::floor(sum * double(names.size()) + 0.5)));
    SplitFiles files{split.name, {}};
    const std::vector<std::string> part(names.begin() + ptrdiff_t(begin), names.begin() + ptrdiff_t(end));
    if (auto failure = addItems(files, Finder(description, split.name), part, description.file))
      return *failure;
    if (files.items.empty())
      return description.file + ": split '" + split.name + "' gets none of the " +
             std::to_string(names.size()) + " pictures in " + imageFolder(description, "").string() +
             "; add pictures or raise its share";
    lists.push_back(std::move(files));
    begin = end;
  }
  return lists;
}

/// Without lists: folders of the splits' names, or one split of everything.
Result<FileLists> listFolders(const Description &description) {
  const bool perSplit = description.images.find("{split}") != std::string::npos;
  FileLists lists;
  for (const char *name : {"train", "val", "test"}) {
    const std::string split = perSplit ? name : "all";
    SplitFiles files{split, {}};
    if (auto failure = addItems(files, Finder(description, split), picturesIn(description, split),
                                imageFolder(description, split).string()))
      return *failure;
    if (!files.items.empty())
      lists.push_back(std::move(files));
    if (!perSplit)
      break;
  }
  if (lists.empty())
    return description.file + ": there are no pictures in " +
           imageFolder(description, perSplit ? "train" : "").string() +
           "; put PNG, JPEG, TIFF, PGM or PPM files there, or set 'images'";
  return lists;
}

} // namespace

void dropWrongGuesses(Description &description) {
  auto isWrong = [&](const Split &split) {
    for (const char *name : {"train", "val", "trainval", "test"})
      if (!split.guessed || split.name == name)
        return false;
    std::vector<std::pair<int, std::string>> lines;
    return readList((fs::path(description.root) / split.list).string(), lines) ||
           failureOf(Finder(description, split.name).item(lines[0].second, ""));
  };
  auto &splits = description.splits;
  splits.erase(std::remove_if(splits.begin(), splits.end(), isWrong), splits.end());
}

Result<FileLists> listFiles(const Description &description) {
  if (description.splits.empty())
    return listFolders(description);
  if (description.splits[0].list.empty())
    return shareOut(description);
  FileLists lists;
  for (const Split &split : description.splits) {
    const std::string path = (fs::path(description.root) / split.list).string();
    std::vector<std::pair<int, std::string>> lines;
    if (std::optional<Failure> failure = readList(path, lines))
      return *failure;
    SplitFiles files{split.name, {}};
    const Finder finder(description, split.name);
    for (const auto &[number, line] : lines)
      if (auto failure = addItems(files, finder, {line}, path + ":" + std::to_string(number)))
        return *failure;
    lists.push_back(std::move(files));
  }
  return lists;
}

} // namespace segc::train
