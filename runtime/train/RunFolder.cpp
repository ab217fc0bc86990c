/// \file RunFolder: making, opening, comparing.
// SPDX-License-Identifier: MIT
#include "runtime/train/RunFolder.h"
#include "runtime/files/WriteWhole.h"
#include <filesystem>
#include <sstream>

namespace fs = std::filesystem;

namespace segc::train {
namespace {

constexpr char recordName[] = "run.json";

std::string leaf(const std::string &path) { return fs::path(path).filename().string(); }

/// "picture.png mask.png"
std::string pairOf(const Item &item) {
  return leaf(item.image) + (item.mask.empty() ? "" : " " + leaf(item.mask));
}

} // namespace

bool RunFolder::holdsRun(const std::string &path) {
  std::error_code code;
  return fs::exists(path + "/" + recordName, code);
}

Result<RunFolder> RunFolder::begin(const std::string &path) {
  std::error_code code;
  if (holdsRun(path))
    return path + ": holds a run already; -resume " + path + " goes on with it, or name another folder";
  fs::create_directories(path, code);
  if (code)
    return path + ": the folder of the run cannot be made: " + code.message();
  return RunFolder(path);
}

Result<RunFolder> RunFolder::open(const std::string &path) {
  if (!holdsRun(path))
    return path + ": is not the folder of a run, it has no " + recordName + "; -out " + path + " begins one";
  RunFolder folder(path);
  Result<Json> json = readJson(folder.file(recordName));
  if (const Failure *failure = failureOf(json))
    return *failure;
  folder.json = std::move(std::get<Json>(json));
  const auto format = folder.json.is_object() ? folder.json.find("format") : folder.json.end();
  if (format == folder.json.end() || *format != "segc-run/1")
    return folder.file(recordName) + ": is not the record of a run, its format is not segc-run/1";
  return folder;
}

std::optional<Failure> RunFolder::writeRecord(const Json &record) {
  json = record;
  return keep(recordName, record.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::optional<Failure> RunFolder::keep(const std::string &name, const std::string &text) const {
  std::error_code code; // what cannot be made, cannot be written to either
  fs::create_directories(fs::path(file(name)).parent_path(), code);
  return files::writeWhole(file(name), text);
}

Json dataRecord(const Dataset &dataset, const std::vector<std::string> &splits) {
  Json record = {{"description", nullptr}, {"splits", Json::object()}};
  std::string text;
  std::error_code code;
  if (fs::is_regular_file(dataset.description().file, code) && !readText(dataset.description().file, text))
    record["description"] = text;
  for (const std::string &split : splits) {
    Json &list = record["splits"][split] = Json::array();
    const Result<const std::vector<Item> *> items = dataset.items(split);
    if (!failureOf(items))
      for (const Item &item : *std::get<0>(items))
        list.push_back(pairOf(item));
  }
  return record;
}

std::optional<Failure> dataDifference(const Json &before, const Json &now) {
  auto text = [](const Json &record) {
    const auto found = record.find("description");
    return found != record.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (const auto difference = textDifference(text(before), text(now)))
    return "the data's description: " + *difference;
  const Json none = Json::object(), splits = now.value("splits", none),
             oldSplits = before.value("splits", none);
  for (const auto &[split, list] : splits.items()) {
    const Json old = oldSplits.value(split, Json::array());
    if (old.size() != list.size())
      return "split '" + split + "' had " + std::to_string(old.size()) + " pictures and has " +
             std::to_string(list.size());
    for (size_t i = 0; i < list.size(); ++i)
      if (old[i] != list[i])
        return "picture " + std::to_string(i + 1) + " of split '" + split + "' was " + old[i].dump() +
               " and is " + list[i].dump();
  }
  return std::nullopt;
}

std::optional<std::string> textDifference(const std::string &before, const std::string &now) {
  std::istringstream oldText(before), newText(now);
  std::string oldLine, newLine;
  for (int number = 1;; ++number) {
    const bool oldEnds = !std::getline(oldText, oldLine), newEnds = !std::getline(newText, newLine);
    if (oldEnds && newEnds)
      return std::nullopt;
    if (oldEnds || newEnds || oldLine != newLine)
      return "line " + std::to_string(number) + (oldEnds ? " was not there" : " was '" + oldLine + "'") +
             (newEnds ? " and is gone" : " and is '" + newLine + "'");
  }
}

} // namespace segc::train
