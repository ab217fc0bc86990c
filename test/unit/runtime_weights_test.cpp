/// \file Weights, hostile and honest: the safetensors reader, binding to a model, conversion, files.
// SPDX-License-Identifier: MIT
#include "runtime/core/Safetensors.h"
#include "runtime_support.h"
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <unistd.h>

using namespace segc::rt;
using segc::test::ToyModel;
using segc::test::WeightSet;

namespace {

/// Reads a block from memory of exactly its size, so that sanitizers see every byte read beyond it.
int readExact(const std::string &block, Safetensors &file) {
  std::unique_ptr<char[]> exact(new char[block.size() ? block.size() : 1]);
  std::memcpy(exact.get(), block.data(), block.size());
  int status = file.read(exact.get(), block.size());
  return status;
}

int statusOf(const std::string &block) {
  Safetensors file;
  int status = readExact(block, file);
  file.free();
  return status;
}

std::string entry(const std::string &shape, const std::string &offsets, const std::string &type = "F32") {
  return "{\"dtype\":\"" + type + "\",\"shape\":[" + shape + "],\"data_offsets\":[" + offsets + "]}";
}
int statusOfHeader(const std::string &header, size_t dataBytes) {
  return statusOf(WeightSet::frame(header) + std::string(dataBytes, '\1'));
}

TEST(Safetensors, ReadsWhatTheFormatAllows) {
  const std::string header =
      " {\n\"__metadata__\" : {\"format\":\"pt\", \"k\":\"\\u00e9\"}, \"b\":" + entry("2 , 1", "0,8") +
      ", \"a\\u0041\\ud83d\\ude00\\n\": " + entry("", "8,10", "BF16") + ",\"e\":" + entry("0,5", "10,10") +
      "}  ";
  Safetensors file;
  ASSERT_EQ(readExact(WeightSet::frame(header.substr(1)) + std::string(10, '\1'), file), SEGC_MODEL_OK)
      << segc_model_last_error();
  ASSERT_EQ(file.count, 3u);
  ASSERT_NE(file.find("aA\xf0\x9f\x98\x80\n"), nullptr);
  EXPECT_EQ(file.find("aA\xf0\x9f\x98\x80\n")->rank, 0u);
  EXPECT_EQ(file.find("b")->shape[0], 2);
  EXPECT_EQ(file.find("e")->shape[1], 5);
  EXPECT_EQ(file.find("c"), nullptr);
  file.free();
  EXPECT_EQ(statusOfHeader("{}", 0), SEGC_MODEL_OK);
}

TEST(Safetensors, TruncatedAnywhereIsAnError) {
  const std::string block = ToyModel().weights.block();
  ASSERT_EQ(statusOf(block), SEGC_MODEL_OK);
  for (size_t length = 0; length < block.size(); ++length)
    ASSERT_EQ(statusOf(block.substr(0, length)), SEGC_MODEL_INVALID_WEIGHTS) << length;
  // The header cut and its length corrected: the JSON itself ends early.
  const size_t headerBytes = size_t(static_cast<unsigned char>(block[0]));
  for (size_t length = 0; length < headerBytes; ++length)
    ASSERT_EQ(statusOf(WeightSet::frame(block.substr(8, length)) + block.substr(8 + headerBytes)),
              SEGC_MODEL_INVALID_WEIGHTS)
        << length;
  EXPECT_EQ(statusOf(block + "x"), SEGC_MODEL_INVALID_WEIGHTS) << "bytes behind the last tensor";
}

TEST(Safetensors, EveryByteOfTheHeaderChanged) {
  const std::string block = ToyModel().weights.block();
  const size_t end = 8 + size_t(static_cast<unsigned char>(block[0]));
  for (size_t i = 0; i < end; ++i)
    for (int value = 0; value < 256; ++value) {
      std::string changed = block;
      changed[i] = char(value);
      Safetensors file;
      readExact(changed, file); // any status; never a crash, never a tensor outside the data
      for (uint32_t k = 0; k < file.count; ++k)
        ASSERT_LE(file.tensors[k].end, block.size() - end);
      file.free();
    }
}

TEST(Safetensors, HostileHeaders) {
  const std::string good = entry("2", "0,8");
  const struct {
    const char *why;
    std::string header;
    size_t data;
  } cases[] = {
      {"twice", "{\"a\":" + good + ",\"a\":" + entry("2", "8,16") + "}", 16},
      {"twice, escaped", "{\"a\":" + good + ",\"\\u0061\":" + entry("2", "8,16") + "}", 16},
      {"overlap", "{\"a\":" + good + ",\"b\":" + entry("2", "4,12") + "}", 12},
      {"same bytes", "{\"a\":" + good + ",\"b\":" + good + "}", 8},
      {"hole", "{\"a\":" + good + ",\"b\":" + entry("1", "12,16") + "}", 16},
      {"not from 0", "{\"a\":" + entry("2", "8,16") + "}", 16},
      {"bytes left", "{\"a\":" + good + "}", 9},
      {"beyond the end", "{\"a\":" + entry("4", "0,16") + "}", 8},
      {"backwards", "{\"a\":" + entry("2", "8,0") + "}", 8},
      {"shape too small", "{\"a\":" + entry("1", "0,8") + "}", 8},
      {"product wraps to 8", "{\"a\":" + entry("4294967296,1073741824,2", "0,8") + "}", 8},
      {"product wraps to 0", "{\"a\":" + entry("4294967296,4294967296", "0,0") + "}", 0},
      {"huge extent", "{\"a\":" + entry("18446744073709551618", "0,8") + "}", 8},
      {"2^63", "{\"a\":" + entry("9223372036854775808", "0,8") + "}", 8},
      {"negative", "{\"a\":" + entry("-2", "0,8") + "}", 8},
      {"fraction", "{\"a\":" + entry("2.0", "0,8") + "}", 8},
      {"exponent", "{\"a\":" + entry("2e0", "0,8") + "}", 8},
      {"leading zero", "{\"a\":" + entry("02", "0,8") + "}", 8},
      {"rank 9", "{\"a\":" + entry("1,1,1,1,1,1,1,1,2", "0,8") + "}", 8},
      {"three offsets", "{\"a\":" + entry("2", "0,8,8") + "}", 8},
      {"one offset", "{\"a\":" + entry("2", "8") + "}", 8},
      {"unknown type", "{\"a\":" + entry("2", "0,8", "F31") + "}", 8},
      {"no dtype", "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8},
      {"dtype twice", "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
       8},
      {"extra key", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8},
      {"deep list", "{\"a\":" + std::string(200000, '['), 0},
      {"deep object", std::string(200000, '{'), 0},
      {"deep metadata", "{\"__metadata__\":{\"a\":" + std::string(200000, '{'), 0},
      {"metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0},
      {"metadata of numbers", "{\"__metadata__\":{\"a\":1}}", 0},
      {"list at the top", "[]", 0},
      {"space first", " {}", 0},
      {"text behind", "{} x", 0},
      {"comma at the end", "{\"a\":" + good + ",}", 8},
      {"no quotes", "{a:" + good + "}", 8},
      {"zero in a name", "{\"a\\u0000\":" + good + "}", 8},
      {"control character", "{\"a\n\":" + good + "}", 8},
      {"bad escape", "{\"a\\x\":" + good + "}", 8},
      {"half a pair", "{\"a\\ud83d\":" + good + "}", 8},
      {"low half", "{\"a\\ude00\":" + good + "}", 8},
      {"escape at the end", "{\"a\\", 0},
      {"empty", "", 0},
  };
  for (const auto &c : cases)
    EXPECT_EQ(statusOfHeader(c.header, c.data), SEGC_MODEL_INVALID_WEIGHTS) << c.why;
}

TEST(Safetensors, TooManyTensorsAndTooLongHeaders) {
  std::string header = "{";
  for (int i = 0; i <= 100000; ++i)
    header += (i ? ",\"" : "\"") + std::to_string(i) + "\":" + entry("0", "0,0");
  EXPECT_EQ(statusOfHeader(header + "}", 0), SEGC_MODEL_INVALID_WEIGHTS);
  EXPECT_NE(std::string(segc_model_last_error()).find("100000"), std::string::npos);
  for (uint64_t length : {uint64_t(100 << 20) + 1, UINT64_MAX, UINT64_MAX - 7, uint64_t(1) << 63}) {
    std::string block(16, ' ');
    std::memcpy(&block[0], &length, 8);
    EXPECT_EQ(statusOf(block), SEGC_MODEL_INVALID_WEIGHTS);
  }
}

struct WeightsTest : testing::Test {
  ToyModel toy;
  segc_model_model *model = nullptr;
  int create(const std::string &block) {
    toy.install();
    return segc_model_create_from_memory(block.data(), block.size(), &model);
  }
  /// The score of class 0 for an image of ones, at an inner pixel: 27 w + b.
  float score() {
    std::vector<float> x(3 * 48, 1.f), y(2 * 48);
    segc_model_tensor in = {x.data(), SEGC_MODEL_F32, 4, {1, 3, 8, 6}, {}},
                      out = {y.data(), SEGC_MODEL_F32, 4, {1, 2, 8, 6}, {}};
    segc_model_dense_nchw(&in);
    segc_model_dense_nchw(&out);
    EXPECT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK) << segc_model_last_error();
    return y[7];
  }
  void TearDown() override { segc_model_destroy(model); }
};

TEST_F(WeightsTest, AllDifferencesInOneText) {
  toy.weights.entries = {{"box.bias", {1, 2}, {0, 0}}, {"box.wait", {2}, {0, 0}}};
  EXPECT_EQ(create(toy.weights.block()), SEGC_MODEL_INVALID_WEIGHTS);
  EXPECT_EQ(model, nullptr);
  EXPECT_STREQ(segc_model_last_error(), "2 of 2 weights do not fit the model:\n"
                                        "  'box.weight': the model wants F32 [2], the file does not have it\n"
                                        "  'box.bias': the model wants F32 [2], the file has F32 [1, 2]\n"
                                        "  in the file but not in the model: box.wait");
}

TEST_F(WeightsTest, ExtraTensorsAreNoted) {
  toy.weights.entries.push_back({"other", {1}, {0}});
  ASSERT_EQ(create(toy.weights.block()), SEGC_MODEL_OK) << segc_model_last_error();
  EXPECT_STREQ(segc_model_note(model), "1 tensor of the weights is not used: other");
}

TEST_F(WeightsTest, BlockMayGoAfterCreate) {
  std::string block = toy.weights.block();
  ASSERT_EQ(create(block), SEGC_MODEL_OK);
  std::fill(block.begin(), block.end(), '\x7f'); // the bias is read by run() itself
  EXPECT_EQ(score(), 27.5f);
}

TEST_F(WeightsTest, MisalignedAndNarrowTypesAreConverted) {
  for (int shift = 0; shift < 4; ++shift) {
    std::string block = toy.weights.block(), padded(block.size() + 8, ' ');
    padded.replace(size_t(shift), block.size(), block);
    toy.install();
    ASSERT_EQ(segc_model_create_from_memory(padded.data() + shift, block.size(), &model), SEGC_MODEL_OK);
    EXPECT_EQ(score(), 27.5f);
    segc_model_destroy(model);
  }
  ASSERT_EQ(create(toy.weights.block("BF16")), SEGC_MODEL_OK) << segc_model_last_error();
  EXPECT_EQ(score(), 27.5f);
  segc_model_destroy(model);
  // F16: weight 1 = 0x3c00, smallest subnormal 2^-24 = 0x0001 as the bias; F64 beside it.
  const uint16_t halves[4] = {0x0001, 0xfc00, 0x3c00, 0xc200};
  const std::string header =
      "{\"box.bias\":" + entry("2", "0,4", "F16") + ",\"box.weight\":" + entry("2", "4,8", "F16") + "}";
  ASSERT_EQ(create(WeightSet::frame(header) + std::string(reinterpret_cast<const char *>(halves), 8)),
            SEGC_MODEL_OK);
  EXPECT_EQ(score(), 27.f + 0x1p-24f);
  segc_model_destroy(model);
  ASSERT_EQ(create(WeightSet::frame("{\"box.bias\":" + entry("2", "0,2", "U8") +
                                    ",\"box.weight\":" + entry("2", "2,10") + "}") +
                   std::string(10, '\0')),
            SEGC_MODEL_INVALID_WEIGHTS);
  EXPECT_NE(std::string(segc_model_last_error()).find("the file has U8 [2]"), std::string::npos);
}

TEST_F(WeightsTest, Files) {
  toy.install();
  EXPECT_EQ(segc_model_create("no/such/file", &model), SEGC_MODEL_IO_ERROR);
  EXPECT_NE(std::string(segc_model_last_error()).find("no/such/file"), std::string::npos);
  EXPECT_EQ(segc_model_create(".", &model), SEGC_MODEL_IO_ERROR);
  EXPECT_EQ(segc_model_create("/dev/null", &model), SEGC_MODEL_IO_ERROR);
  const std::string path = testing::TempDir() + "segc_weights_" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary) << toy.weights.block();
  ASSERT_EQ(segc_model_create(path.c_str(), &model), SEGC_MODEL_OK) << segc_model_last_error();
  std::remove(path.c_str());
  EXPECT_EQ(score(), 27.5f);
  std::ofstream(path, std::ios::binary) << "";
  segc_model_model *empty = nullptr;
  EXPECT_EQ(segc_model_create(path.c_str(), &empty), SEGC_MODEL_INVALID_WEIGHTS);
  std::remove(path.c_str());
}

} // namespace
