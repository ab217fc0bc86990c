/// \file RunFolder: the files of a run, and the record that says how to repeat it.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/train/Dataset.h"
#include "runtime/train/Settings.h"

namespace segc::train {

/// A folder with run.json, which says what the run was asked for, copies of the files of settings, and what
/// the run writes as it goes.
class RunFolder {
public:
  /// Is there the record of a run in the folder?
  static bool holdsRun(const std::string &path);
  /// Makes the folder. One that holds a run already is an error.
  static Result<RunFolder> begin(const std::string &path);
  /// The folder of a run that began before, with its record.
  static Result<RunFolder> open(const std::string &path);

  std::string file(const std::string &name) const { return path + "/" + name; }
  const std::string &name() const { return path; }
  /// run.json as it was read by open().
  const Json &record() const { return json; }

  std::optional<Failure> writeRecord(const Json &record);
  /// Puts the text into the folder; the name may have folders in it.
  std::optional<Failure> keep(const std::string &name, const std::string &text) const;

private:
  explicit RunFolder(std::string path) : path(std::move(path)) {}
  std::string path;
  Json json;
};

/// What of the data decides what a run learns: the pictures and masks of `splits` by the names of their
/// files, and the text of dataset.json.
Json dataRecord(const Dataset &dataset, const std::vector<std::string> &splits);
/// What differs between two such records, or nothing.
std::optional<Failure> dataDifference(const Json &before, const Json &now);
/// The first line in which two texts differ, in words: "line 3 was 'a' and is 'b'"; nothing if they are
/// equal.
std::optional<std::string> textDifference(const std::string &before, const std::string &now);

} // namespace segc::train
