/// \file What the tests of training data share: a folder of their own, and files written into it.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/pictures/File.h"
#include "runtime/train/Types.h"
#include "test/unit/pictures_support.h"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace segc::test {

namespace fs = std::filesystem;
using namespace segc::train;

template <typename T> std::string why(const Result<T> &result) {
  return result.index() == 0 ? "(no failure)" : std::get<1>(result);
}
inline bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

/// A message that must have several parts.
inline testing::AssertionResult says(const std::string &text, const std::vector<std::string> &parts) {
  for (const std::string &part : parts)
    if (!contains(text, part))
      return testing::AssertionFailure() << "'" << part << "' is not in: " << text;
  return testing::AssertionSuccess();
}

/// A folder for each test, gone afterwards.
class DataFolder : public testing::Test {
protected:
  void SetUp() override {
    const auto *info = testing::UnitTest::GetInstance()->current_test_info();
    folder = fs::temp_directory_path() / ("segc-train-" + std::to_string(getpid()) + "-" + info->name());
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string path(const std::string &name) const { return (folder / name).string(); }
  void write(const std::string &name, const std::string &text) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << text;
  }
  void write(const std::string &name, const Bytes &bytes) const {
    write(name, std::string(bytes.begin(), bytes.end()));
  }
  void write(const std::string &name, const Picture &picture) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    ASSERT_EQ(pictures::writePicture(path(name), picture), std::nullopt);
  }
  std::string read(const std::string &name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  fs::path folder;
};

/// A picture of one value, or of the values given row by row.
inline Picture plain(int64_t width, int64_t height, int channels, uint8_t value) {
  Picture picture(width, height, channels);
  picture.bytes.assign(picture.bytes.size(), value);
  return picture;
}
inline Picture gray(int64_t width, const std::vector<uint8_t> &values) {
  Picture picture(width, int64_t(values.size()) / width, 1);
  picture.bytes = values;
  return picture;
}

/// A gray PNG of 16 bits.
inline Bytes deepPng(int64_t width, const std::vector<uint16_t> &values) {
  std::vector<Bytes> rows;
  for (size_t i = 0; i < values.size(); ++i) {
    if (int64_t(i) % width == 0)
      rows.emplace_back();
    rows.back().push_back(uint8_t(values[i] >> 8));
    rows.back().push_back(uint8_t(values[i]));
  }
  return makePng(uint32_t(width), uint32_t(rows.size()), PNG_COLOR_TYPE_GRAY, 16, false, rows);
}

inline Labels labelsOf(int64_t width, const std::vector<int32_t> &values) {
  Labels labels(width, int64_t(values.size()) / width);
  labels.values = values;
  return labels;
}

} // namespace segc::test
