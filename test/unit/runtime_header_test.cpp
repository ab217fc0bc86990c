/// \file The C headers of libraries that run, that train and that do both: what they declare, and that they
/// compile as C and as C++.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/Embedded.h"
#include "compiler/codegen/Header.h"
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace segc;

namespace {

HeaderInfo describe(bool infers, bool trains) {
  HeaderInfo info;
  info.name = "net";
  info.infers = infers;
  info.trains = trains;
  const HeaderTensor image = {"image", rt::DType::F32, {1, 3, 0, 256}};
  if (infers) {
    info.inputs = {image};
    info.outputs = {{"mask", rt::DType::U8, {1, 0, 256}}};
    info.workspaceBytes = 1000;
  }
  if (trains) {
    info.trainInputs = {image, {"labels */", rt::DType::I32, {1, 0, 256}}};
    info.trainOutputs = {{"grad.image", rt::DType::F32, {1, 3, 0, 256}}};
    info.losses = {"cross_entropy:logits", "dice:*/"};
    info.trainWorkspaceBytes = uint64_t(5) << 30;
  }
  info.parameters = 12;
  info.variants = {"avx2"};
  return info;
}

bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

/// The compiler's exit status for a source with this name's ending.
int compile(const std::string &command, const std::string &header, const std::string &source,
            const char *ending) {
  std::string name = (std::filesystem::temp_directory_path() / "segc-header-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(name.data());
  std::ofstream(folder / "net.h") << header;
  std::ofstream(folder / (std::string("use.") + ending)) << "#include \"net.h\"\n#include \"net.h\"\n"
                                                         << source;
  const int status = std::system((command + " -Wall -Wextra -Wpedantic -Werror -fsyntax-only '" +
                                  (folder / (std::string("use.") + ending)).string() + "'")
                                     .c_str());
  std::filesystem::remove_all(folder);
  return status;
}

const char *const kRun = "int run(net_model *m, net_tensor *t) { return net_run(m, t, NET_NUM_INPUTS, t + 1, "
                         "NET_NUM_OUTPUTS); }\n";
const char *const kTrain =
    "int train(net_model *m, net_tensor *t) {\n"
    "  float loss, *data;\n  size_t count = NET_TRAIN_WORKSPACE_BYTES;\n"
    "  const char *names[NET_NUM_LOSSES] = {NET_LOSS_0_NAME, NET_LOSS_1_NAME, NET_LOSS_2_NAME};\n"
    "  int64_t shapes[2][4] = {NET_TRAIN_INPUT_0_SHAPE, NET_TRAIN_INPUT_1_SHAPE};\n"
    "  return net_grad(m, t, NET_NUM_TRAIN_INPUTS, t + 2, NET_NUM_TRAIN_OUTPUTS) == NET_NOT_FINITE ||\n"
    "         net_update(m) || net_loss(m, 0, &loss) || net_flat(m, NET_FLAT_STATE1, &data, &count) ||\n"
    "         net_set_learning_rate(m, net_learning_rate(m) / 2) || !names[0] || shapes[0][0];\n}\n";

TEST(Headers, CompileAsCAndAsCpp) {
  for (int programs : {1, 2, 3}) {
    const bool infers = programs & 1, trains = programs & 2;
    const std::string header = modelHeader(describe(infers, trains), headerTemplate());
    const std::string source = std::string(infers ? kRun : "") + (trains ? kTrain : "");
    EXPECT_EQ(compile(SEGC_CC " -std=c99", header, source, "c"), 0) << programs;
    EXPECT_EQ(compile(SEGC_CXX " -std=c++11", header, source, "cpp"), 0) << programs;
  }
  EXPECT_NE(compile(SEGC_CC " -std=c99 2>/dev/null", "", kRun, "c"), 0) << "the compiler does compile";
}

TEST(Headers, DeclareTrainingOnlyWhereThereIsSome) {
  const std::string infers = modelHeader(describe(true, false), headerTemplate()),
                    trains = modelHeader(describe(false, true), headerTemplate()),
                    both = modelHeader(describe(true, true), headerTemplate());
  for (const char *name : {"net_grad(", "net_update(", "net_flat_buffer", "net_train_workspace_bytes("}) {
    EXPECT_FALSE(has(infers, name)) << name;
    EXPECT_TRUE(has(trains, name)) << name;
    EXPECT_TRUE(has(both, name)) << name;
  }
  for (const std::string &text : {infers, trains, both}) {
    EXPECT_TRUE(has(text, "int net_run("));
    EXPECT_TRUE(has(text, "const char *net_note(")) << "what stands behind the training part";
    EXPECT_FALSE(has(text, "@train@"));
    EXPECT_FALSE(has(text, "@end@"));
  }
  EXPECT_TRUE(has(infers, "#define NET_NUM_INPUTS 1\n"));
  EXPECT_FALSE(has(infers, "NUM_TRAIN_INPUTS"));
  EXPECT_FALSE(has(trains, "NET_NUM_INPUTS"));
  EXPECT_TRUE(has(trains, "This library only trains"));
  EXPECT_FALSE(has(both, "This library only trains"));
  EXPECT_TRUE(has(both, "#define NET_NUM_TRAIN_INPUTS 2\n"));
  EXPECT_TRUE(has(both, "#define NET_TRAIN_INPUT_1_DTYPE NET_I32\n"));
  EXPECT_TRUE(has(both, "#define NET_TRAIN_INPUT_1_SHAPE {1, 0, 256}\n"));
  EXPECT_TRUE(has(both, "#define NET_NUM_LOSSES 3\n"));
  EXPECT_TRUE(has(both, "#define NET_LOSS_1_NAME \"cross_entropy:logits\"\n"));
  EXPECT_TRUE(has(both, "#define NET_TRAIN_WORKSPACE_BYTES 5368709120ULL"));
}

} // namespace
