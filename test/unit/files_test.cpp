/// \file Tensor files: round trips of every dtype, hostile files, atomic writing.
// SPDX-License-Identifier: MIT
#include "runtime/files/Safetensors.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

using namespace segc::files;

namespace {

using Values = std::vector<double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A file with this header and that many bytes of data.
std::vector<uint8_t> fileOf(const std::string &header, size_t dataBytes) {
  std::vector<uint8_t> bytes(8);
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<uint8_t>(uint64_t(header.size()) >> (8 * i));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.resize(bytes.size() + dataBytes);
  return bytes;
}

/// What parse says against the bytes, "" if it takes them.
std::string refusal(const std::vector<uint8_t> &bytes) {
  auto result = parse(bytes.data(), bytes.size(), "w.safetensors");
  auto *problem = std::get_if<std::string>(&result);
  return problem ? *problem : "";
}
std::string refusal(const std::string &header, size_t dataBytes) {
  return refusal(fileOf(header, dataBytes));
}

std::string entry(const std::string &name, const std::string &dtype, const std::string &shape,
                  const std::string &offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + shape + "],\"data_offsets\":[" +
         offsets + "]}";
}

std::vector<uint8_t> bytesOf(const TensorFile &file) {
  auto result = serialise(file);
  auto *problem = std::get_if<std::string>(&result);
  EXPECT_EQ(problem, nullptr) << *problem;
  return problem ? std::vector<uint8_t>() : std::get<0>(result);
}

Values roundTrip(DType dtype, const Values &values) {
  return Tensor::fromNumbers("t", dtype, {static_cast<int64_t>(values.size())}, values).numbers();
}

/// A folder that goes away with the test.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "segc-files-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const char *name) const { return (path / name).string(); }
};

TensorFile sample() {
  TensorFile file;
  file.metadata = {{"step", "7"}, {"note", "\"quoted\" \n"}};
  file.tensors.push_back(Tensor::fromNumbers("mask", DType::U8, {3}, {0, 1, 255}));
  file.tensors.push_back(
      Tensor::fromNumbers("enc1.weight", DType::F32, {2, 1, 1, 2}, {1, -0.5, 3e38, 1e-40}));
  file.tensors.push_back(Tensor::fromNumbers("empty", DType::F32, {0, 4}, {}));
  file.tensors.push_back(Tensor::fromNumbers("scalar", DType::BF16, {}, {1.5}));
  file.tensors.push_back(Tensor::fromNumbers("half", DType::F16, {2}, {65504, -2}));
  return file;
}

} // namespace

TEST(Numbers, HalfPrecisionRoundsToEven) {
  EXPECT_EQ(roundTrip(DType::F16, {1, -2, 65504, 65519, 65520, 1e300, std::ldexp(1, -24), std::ldexp(1, -25),
                                   std::ldexp(3, -26)}),
            (Values{1, -2, 65504, 65504, kInfinity, kInfinity, std::ldexp(1, -24), 0, std::ldexp(1, -24)}));
  EXPECT_EQ(roundTrip(DType::F16, {1 + std::ldexp(1, -11), 1 + std::ldexp(3, -11), 2047.5, -kInfinity}),
            (Values{1, 1 + std::ldexp(1, -9), 2048, -kInfinity}));
  EXPECT_EQ(
      roundTrip(DType::BF16, {1 + std::ldexp(1, -8), 1 + std::ldexp(3, -8), 3.4e38, std::ldexp(1, -133)}),
      (Values{1, 1 + std::ldexp(1, -6), kInfinity, std::ldexp(1, -133)}));
  EXPECT_TRUE(std::isnan(roundTrip(DType::F16, {std::nan("")})[0]));
  EXPECT_TRUE(std::isnan(roundTrip(DType::BF16, {std::nan("")})[0]));
  EXPECT_TRUE(std::signbit(roundTrip(DType::BF16, {-0.0})[0]));
}

TEST(Numbers, EveryHalfSurvives) {
  for (DType dtype : {DType::F16, DType::BF16})
    for (int bits = 0; bits < 65536; ++bits) {
      Tensor tensor{"t", dtype, {1}, {static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8)}};
      double value = tensor.numbers()[0];
      if (!std::isnan(value)) {
        ASSERT_EQ(Tensor::fromNumbers("t", dtype, {1}, {value}).bytes, tensor.bytes) << bits;
      }
    }
}

TEST(Numbers, IntegersAreClamped) {
  EXPECT_EQ(roundTrip(DType::I8, {-129, 127.4, 0.5, 1.5, std::nan("")}), (Values{-128, 127, 0, 2, 0}));
  EXPECT_EQ(roundTrip(DType::U8, {-1, 255.4, 300}), (Values{0, 255, 255}));
  EXPECT_EQ(roundTrip(DType::I32, {-1e10, 2147483647, kInfinity}),
            (Values{-2147483648.0, 2147483647, 2147483647}));
  EXPECT_EQ(roundTrip(DType::I64, {-1e30, 5}), (Values{-0x1p63, 5}));
}

TEST(Safetensors, RoundTrip) {
  TensorFile file = sample();
  std::vector<uint8_t> bytes = bytesOf(file);
  EXPECT_EQ(bytes, bytesOf(file));
  EXPECT_EQ(bytes[0] % 8, 0);
  auto parsed = parse(bytes.data(), bytes.size(), "w");
  ASSERT_TRUE(std::holds_alternative<TensorFile>(parsed)) << std::get<std::string>(parsed);
  const TensorFile &again = std::get<TensorFile>(parsed);
  EXPECT_EQ(again.metadata, file.metadata);
  ASSERT_EQ(again.tensors.size(), file.tensors.size());
  for (const Tensor &tensor : file.tensors) {
    const Tensor *found = again.find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->dtype, tensor.dtype);
    EXPECT_EQ(found->shape, tensor.shape);
    EXPECT_EQ(found->bytes, tensor.bytes);
  }
  EXPECT_EQ(again.find("nothing"), nullptr);
  EXPECT_EQ(again.tensors.back().name, "mask"); // wide elements first: all stay aligned
}

TEST(Safetensors, EveryTruncationIsRefused) {
  std::vector<uint8_t> bytes = bytesOf(sample());
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(refusal(std::vector<uint8_t>(bytes.begin(), bytes.begin() + size)), "") << size;
  bytes.push_back(0);
  EXPECT_NE(refusal(bytes).find("1 bytes after the last tensor"), std::string::npos);
}

TEST(Safetensors, EveryFlippedBitIsSurvived) {
  std::vector<uint8_t> bytes = bytesOf(sample());
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<uint8_t> changed = bytes;
      changed[i] ^= static_cast<uint8_t>(1 << bit);
      parse(changed.data(), changed.size(), "w"); // refused or taken, never a crash
    }
}

TEST(Safetensors, OffsetsMustTileTheData) {
  EXPECT_EQ(refusal("{" + entry("a", "F32", "1", "0,4") + "," + entry("b", "U8", "2", "4,6") + "}", 6), "");
  EXPECT_EQ(refusal("{" + entry("b", "U8", "2", "4,6") + "," + entry("a", "F32", "1", "0,4") + "}  ", 6), "");
  auto expect = [](const std::string &header, size_t bytes, const char *words) {
    EXPECT_NE(refusal(header, bytes).find(words), std::string::npos) << refusal(header, bytes);
  };
  expect("{" + entry("a", "F32", "1", "0,4") + "," + entry("b", "F32", "1", "0,4") + "}", 4, "overlaps");
  expect("{" + entry("a", "F32", "1", "0,4") + "," + entry("b", "F32", "1", "2,6") + "}", 6, "overlaps");
  expect("{" + entry("a", "F32", "1", "0,4") + "," + entry("b", "F32", "1", "5,9") + "}", 9, "hole");
  expect("{" + entry("a", "F32", "1", "0,4") + "}", 3, "ends at byte 4");
  expect("{" + entry("a", "F32", "2", "0,4") + "}", 4, "needs 8 bytes");
  expect("{" + entry("a", "F32", "1", "4,0") + "}", 4, "offsets are [4, 0]");
  expect("{" + entry("a", "F32", "1", "18446744073709551612,0") + "}", 4, "needs 4 bytes");
  expect("{" + entry("a", "F32", "4294967296,4294967296", "0,0") + "}", 0, "overflows");
  expect("{" + entry("a", "F32", "4611686018427387904", "0,0") + "}", 0, "overflows");
  expect("{" + entry("a", "F32", "9223372036854775808", "0,0") + "}", 0, "extent beyond");
  expect("{" + entry("a", "F32", "1,1,1,1,1,1,1,1,1", "0,4") + "}", 4, "rank");
}

TEST(Safetensors, HeadersMustHaveTheirForm) {
  auto expect = [](const std::string &header, const char *words) {
    EXPECT_NE(refusal(header, 4).find(words), std::string::npos) << refusal(header, 4);
  };
  std::string a = entry("a", "F32", "1", "0,4");
  expect("{" + a + "," + a + "}", "twice");
  expect("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "twice");
  expect("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}," + a + "}", "twice");
  expect("{\"__metadata__\":{\"k\":1}," + a + "}", "number");
  expect("{\"__metadata__\":{\"k\":{}}," + a + "}", "object");
  expect("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", "no dtype, shape or data_offsets");
  expect("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", "not two numbers");
  expect("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", "number");
  expect("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", "unknown field");
  expect("{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", "number");
  expect("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", "negative");
  expect("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", "no integer");
  expect("{\"a\":{\"dtype\":\"F32\",\"shape\":[null],\"data_offsets\":[0,4]}}", "null");
  expect("{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,4]}}", "F64");
  expect("{\"a\":3}", "number");
  expect("{\"a\":[]}", "array");
  expect("[]", "start with {");
  expect("{" + a + "} x", "no valid JSON");
  expect("{" + a, "no valid JSON");
  expect("{\"" + std::string(2000, 'n') + "\":{}}", "longer than");
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100000; ++i)
    deep += "{\"a\":";
  expect(deep, "unknown field");
  expect("{\"a\":{\"shape\":" + std::string(100000, '['), "array where none");
  std::vector<uint8_t> claims(8, 0xff);
  EXPECT_NE(refusal(claims).find("at most"), std::string::npos);
}

TEST(Safetensors, RefusesToWriteNonsense) {
  auto problem = [](Tensor tensor) {
    TensorFile file;
    file.tensors = {std::move(tensor)};
    auto result = serialise(file);
    return std::holds_alternative<std::string>(result);
  };
  EXPECT_FALSE(problem({"a", DType::F32, {1}, std::vector<uint8_t>(4)}));
  EXPECT_TRUE(problem({"a", DType::F32, {2}, std::vector<uint8_t>(4)}));
  EXPECT_TRUE(problem({"a", DType::F32, {-1}, {}}));
  EXPECT_TRUE(problem({"a", DType::I64, {1}, std::vector<uint8_t>(8)}));
  EXPECT_TRUE(problem({"\xff", DType::F32, {1}, std::vector<uint8_t>(4)}));
  EXPECT_TRUE(problem({"__metadata__", DType::F32, {1}, std::vector<uint8_t>(4)}));
  TensorFile twice;
  twice.tensors.assign(2, {"a", DType::U8, {1}, {1}});
  EXPECT_TRUE(std::holds_alternative<std::string>(serialise(twice)));
}

TEST(Safetensors, FilesAreWrittenWholeOrNotAtAll) {
  Folder folder;
  std::string path = folder.file("w.safetensors");
  EXPECT_EQ(write(path, sample()), std::nullopt);
  auto again = read(path);
  ASSERT_TRUE(std::holds_alternative<TensorFile>(again));
  EXPECT_EQ(bytesOf(std::get<TensorFile>(again)), bytesOf(sample()));
  // A failed write leaves the old file and nothing beside it.
  TensorFile bad;
  bad.tensors = {{"a", DType::F32, {2}, {}}};
  EXPECT_NE(write(path, bad), std::nullopt);
  EXPECT_TRUE(std::holds_alternative<TensorFile>(read(path)));
  std::filesystem::create_directory(folder.path / "taken");
  std::ofstream(folder.path / "taken" / "file") << "x";
  auto problem = write(folder.file("taken"), sample());
  ASSERT_NE(problem, std::nullopt);
  EXPECT_NE(problem->find("not a regular file"), std::string::npos);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path), {}), 2);
  EXPECT_NE(write(folder.file("no/such/folder"), sample()), std::nullopt);
  EXPECT_TRUE(std::holds_alternative<std::string>(read(folder.file("none"))));
  EXPECT_TRUE(std::holds_alternative<std::string>(read(folder.path.string())));
}
