/// \file The header's text, and files that appear all or none.
// SPDX-License-Identifier: MIT
#include "codegen_support.h"
#include "compiler/codegen/Embedded.h"
#include "compiler/codegen/Header.h"
#include "compiler/codegen/Output.h"
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace segc;
using namespace segc::test;

namespace {

HeaderInfo unet() {
  HeaderInfo info;
  info.name = "unet.small";
  info.inputs = {{"image", rt::DType::F32, {1, 3, 0, 256}}};
  info.outputs = {{"segc_model_ */ \"mask\"\n", rt::DType::U8, {1, 256, 256}}};
  info.legalSizes = {"H: a multiple of 16, at least 32 */ int x;"};
  info.variants = {"avx512", "avx2"};
  info.parameters = 31037633;
  info.workspaceBytes = uint64_t(5) << 30;
  return info;
}

bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

TEST(CodegenHeader, NamesAndNumbers) {
  const std::string text =
      modelHeader(unet(), "#ifndef SEGC_MODEL_H\n/*@model@*/\nint segc_model_run(segc_model_model *);\n");
  EXPECT_TRUE(has(text, "#ifndef UNET_X2ESMALL_H\n"));
  EXPECT_TRUE(has(text, "int unet_x2esmall_run(unet_x2esmall_model *);\n"));
  EXPECT_TRUE(has(text, "#define UNET_X2ESMALL_INPUT_0_SHAPE {1, 3, 0, 256}\n"));
  EXPECT_TRUE(has(text, "#define UNET_X2ESMALL_OUTPUT_0_DTYPE UNET_X2ESMALL_U8\n"));
  EXPECT_TRUE(has(text, "#define UNET_X2ESMALL_NUM_PARAMETERS 31037633\n"));
  EXPECT_TRUE(has(text, "#define UNET_X2ESMALL_WORKSPACE_BYTES 5368709120ULL"));
  EXPECT_TRUE(has(text, "image\" F32 [1, 3, ?, 256]"));
  EXPECT_FALSE(has(text, "@model@"));
}

TEST(CodegenHeader, NoTextEscapes) {
  const std::string text = modelHeader(unet(), "/*@model@*/");
  EXPECT_TRUE(has(text, "OUTPUT_0_NAME \"segc_model_ \\052/ \\042mask\\042\\012\"")) << text;
  // One comment: it ends where the macros begin, and the next one is the workspace's.
  EXPECT_EQ(text.find("*/"), text.find("*/\n#define UNET_X2ESMALL_NUM_INPUTS")) << text;
}

TEST(CodegenHeader, TheRealTemplate) {
  const std::string text = modelHeader(unet(), headerTemplate());
  EXPECT_TRUE(has(text, "unet_x2esmall_create("));
  EXPECT_TRUE(has(text, "#define UNET_X2ESMALL_NUM_INPUTS 1\n"));
  // Only what the description itself says may still look like the template.
  EXPECT_FALSE(has(text.substr(0, text.find("/* The network")), "segc_model_"));
  EXPECT_FALSE(has(text.substr(text.rfind("#define")), "segc_model_"));
  EXPECT_FALSE(has(text, "SEGC_MODEL_"));
}

const std::vector<uint8_t> kOld = {'o', 'l', 'd'}, kNew = {'n', 'e', 'w'};

size_t filesIn(const std::filesystem::path &path) {
  return std::distance(std::filesystem::directory_iterator(path), std::filesystem::directory_iterator());
}

TEST(CodegenOutput, WritesAndReplaces) {
  TemporaryDirectory directory;
  const std::string inner = directory / "a/b";
  EXPECT_EQ(writeOutputs(inner, {{"x", kOld, false}, {"y.so", kOld, true}}), "");
  EXPECT_EQ(writeOutputs(inner, {{"x", kNew, false}, {"y.so", kNew, true}}), "");
  EXPECT_EQ(read(inner + "/x"), "new");
  EXPECT_EQ(filesIn(inner), 2u);
  struct stat plain, executable;
  stat((inner + "/x").c_str(), &plain);
  stat((inner + "/y.so").c_str(), &executable);
  EXPECT_FALSE(plain.st_mode & 0111);
  EXPECT_TRUE(plain.st_mode & 0400);
  EXPECT_TRUE(executable.st_mode & 0100);
}

TEST(CodegenOutput, AllOrNone) {
  TemporaryDirectory directory;
  ASSERT_EQ(writeOutputs(directory.path.string(), {{"x", kOld, false}}), "");
  std::filesystem::create_directory(directory.path / "y"); // a directory in the way of the second file
  const std::string error = writeOutputs(directory.path.string(), {{"x", kNew, false}, {"y", kNew, false}});
  EXPECT_TRUE(has(error, directory / "y")) << error;
  EXPECT_EQ(read(directory / "x"), "old");
  EXPECT_EQ(filesIn(directory.path), 2u);
}

TEST(CodegenOutput, UnwritableDirectory) {
  TemporaryDirectory directory;
  write(directory / "file", kOld);
  EXPECT_TRUE(has(writeOutputs(directory / "file", {{"x", kNew, false}}), directory / "file"));
  EXPECT_TRUE(has(writeOutputs("/proc/none", {{"x", kNew, false}}), "/proc/none"));
  EXPECT_NE(writeOutputs("/proc/self", {{"x", kNew, false}}), "");
}

} // namespace
