/// \file Every way to call the C interface wrongly gives a code and a text; and the choice of variants.
// SPDX-License-Identifier: MIT
#include "runtime/core/Cpu.h"
#include "runtime_support.h"
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>

using segc::test::ToyModel;

extern "C" segc::rt::Variant segc_model_variants[1];

namespace {

struct Misuse : testing::Test {
  ToyModel toy;
  segc_model_model *model = nullptr;
  alignas(64) float x[3 * 8 * 6 + 64], y[2 * 8 * 6 + 64];
  segc_model_tensor in = {x, SEGC_MODEL_F32, 4, {1, 3, 8, 6}, {}},
                    out = {y, SEGC_MODEL_F32, 4, {1, 2, 8, 6}, {}};
  void SetUp() override {
    toy.install();
    std::string block = toy.weights.block();
    ASSERT_EQ(segc_model_create_from_memory(block.data(), block.size(), &model), SEGC_MODEL_OK);
    segc_model_dense_nchw(&in);
    segc_model_dense_nchw(&out);
  }
  void TearDown() override {
    EXPECT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK)
        << "still usable: " << segc_model_last_error();
    segc_model_destroy(model);
  }
};

TEST_F(Misuse, TensorMatrix) {
  using Change = std::function<void(segc_model_tensor &)>;
  const struct {
    const char *what;
    int status;
    Change change;
  } cases[] = {
      {"NULL", SEGC_MODEL_INVALID_ARGUMENT, [](auto &t) { t.data = nullptr; }},
      {"type", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.dtype = SEGC_MODEL_U8; }},
      {"type -1", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.dtype = -1; }},
      {"type 99", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.dtype = 99; }},
      {"rank 3", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.rank = 3; }},
      {"rank 0", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.rank = 0; }},
      {"rank -1", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.rank = -1; }},
      {"rank max", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.rank = INT32_MAX; }},
      {"N + 1", SEGC_MODEL_NEEDS_RESHAPE, [](auto &t) { ++t.shape[0]; }},
      {"C + 1", SEGC_MODEL_NEEDS_RESHAPE, [](auto &t) { ++t.shape[1]; }},
      {"H - 1", SEGC_MODEL_NEEDS_RESHAPE, [](auto &t) { --t.shape[2]; }},
      {"W 0", SEGC_MODEL_NEEDS_RESHAPE, [](auto &t) { t.shape[3] = 0; }},
      {"W min", SEGC_MODEL_NEEDS_RESHAPE, [](auto &t) { t.shape[3] = INT64_MIN; }},
      {"stride 0", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.strides[3] = 0; }},
      {"stride -1", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.strides[2] = -1; }},
      {"stride min", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.strides[1] = INT64_MIN; }},
      {"stride max", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.strides[1] = INT64_MAX; }},
      {"stride 2^31", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.strides[1] = int64_t(1) << 31; }},
      {"rows overlap", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.strides[2] = 5; }},
      {"planes overlap", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.strides[1] = 47; }},
      {"equal strides", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.strides[1] = t.strides[2]; }},
      {"misaligned", SEGC_MODEL_INVALID_TENSOR, [](auto &t) { t.data = static_cast<char *>(t.data) + 1; }},
      {"end of memory", SEGC_MODEL_INVALID_TENSOR,
       [](auto &t) { t.data = reinterpret_cast<void *>(UINTPTR_MAX - 63); }},
  };
  for (const auto &c : cases) {
    segc_model_tensor badIn = in, badOut = out;
    c.change(badIn);
    c.change(badOut);
    EXPECT_EQ(segc_model_run(model, &badIn, 1, &out, 1), c.status) << c.what;
    EXPECT_NE(std::string(segc_model_last_error()).find("input 'image'"), std::string::npos)
        << c.what << segc_model_last_error();
    EXPECT_EQ(segc_model_run(model, &in, 1, &badOut, 1), c.status) << c.what;
    EXPECT_NE(std::string(segc_model_last_error()).find("output 'scores'"), std::string::npos)
        << c.what << segc_model_last_error();
  }
  in.strides[0] = -5; // of an extent of 1: never used
}

TEST_F(Misuse, OverlappingInputAndOutput) {
  segc_model_tensor bad = out;
  for (float *data : {x, x + 3 * 48 - 1}) {
    bad.data = data;
    EXPECT_EQ(segc_model_run(model, &in, 1, &bad, 1), SEGC_MODEL_INVALID_TENSOR);
    EXPECT_STREQ(segc_model_last_error(), "output 'scores' overlaps 'image': give it memory of its own");
  }
}

TEST_F(Misuse, NullsCountsAndIndices) {
  segc_model_info info;
  size_t bytes;
  const int64_t shape[4] = {1, 3, 8, 6};
  segc_model_model *other = model;
  const int invalid = SEGC_MODEL_INVALID_ARGUMENT;
  EXPECT_EQ(segc_model_create(nullptr, &other), invalid);
  EXPECT_EQ(other, nullptr);
  EXPECT_EQ(segc_model_create("x", nullptr), invalid);
  EXPECT_EQ(segc_model_create_from_memory(nullptr, 8, &other), invalid);
  EXPECT_EQ(segc_model_create_from_memory("", 0, &other), SEGC_MODEL_INVALID_WEIGHTS);
  EXPECT_EQ(segc_model_create_from_memory("", 0, nullptr), invalid);
  segc_model_destroy(nullptr);
  segc_model_dense_nchw(nullptr);
  segc_model_dense_nhwc(nullptr);
  EXPECT_EQ(segc_model_run(nullptr, &in, 1, &out, 1), invalid);
  EXPECT_EQ(segc_model_run(model, nullptr, 1, &out, 1), invalid);
  EXPECT_EQ(segc_model_run(model, &in, 1, nullptr, 1), invalid);
  for (int count : {-1, 0, 2, INT32_MAX}) {
    EXPECT_EQ(segc_model_run(model, &in, count, &out, 1), invalid);
    EXPECT_EQ(segc_model_run(model, &in, 1, &out, count), invalid);
  }
  EXPECT_EQ(segc_model_reshape(nullptr, shape), invalid);
  EXPECT_EQ(segc_model_reshape(model, nullptr), invalid);
  EXPECT_EQ(segc_model_set_threads(nullptr, 1), invalid);
  EXPECT_EQ(segc_model_set_threads(model, -1), invalid);
  EXPECT_EQ(segc_model_set_workspace(nullptr, nullptr, 0), invalid);
  EXPECT_EQ(segc_model_set_device_tensors(nullptr, 1, 1), invalid);
  EXPECT_EQ(segc_model_set_stream(nullptr, nullptr), invalid);
  EXPECT_EQ(segc_model_set_device_tensors(model, 1, 1), SEGC_MODEL_UNSUPPORTED);
  EXPECT_STREQ(segc_model_last_error(),
               "tensors on a device: this library is for processors; -target cuda makes one that can");
  EXPECT_EQ(segc_model_set_stream(model, nullptr), SEGC_MODEL_UNSUPPORTED);
  EXPECT_EQ(segc_model_workspace_bytes(nullptr, shape, 1, &bytes), invalid);
  EXPECT_EQ(segc_model_workspace_bytes(model, shape, 1, nullptr), invalid);
  EXPECT_EQ(segc_model_workspace_bytes(model, shape, -1, &bytes), invalid);
  EXPECT_EQ(segc_model_set_observer(nullptr, nullptr, nullptr), invalid);
  for (auto query : {segc_model_input_info, segc_model_output_info, segc_model_weight_info}) {
    EXPECT_EQ(query(model, 0, nullptr), invalid);
    for (int index : {-1, 2, INT32_MAX, INT32_MIN})
      EXPECT_EQ(query(model, index, &info), invalid);
    EXPECT_EQ(query(model, 0, &info), SEGC_MODEL_OK);
  }
  EXPECT_EQ(segc_model_input_info(nullptr, 0, &info), invalid);
  EXPECT_STREQ(segc_model_note(nullptr), "");
  EXPECT_STREQ(segc_model_status_name(-1), "UNKNOWN");
  EXPECT_STREQ(segc_model_status_name(SEGC_MODEL_KERNEL_FAILED), "KERNEL_FAILED");
  EXPECT_STREQ(segc_model_status_name(SEGC_MODEL_UNSUPPORTED), "UNSUPPORTED");
  EXPECT_STREQ(segc_model_status_name(SEGC_MODEL_DEVICE_FAILED), "DEVICE_FAILED");
  EXPECT_STREQ(segc_model_status_name(16), "UNKNOWN");
}

TEST_F(Misuse, WeightsCanBeListedBeforeThereAreAny) {
  segc_model_info info;
  ASSERT_EQ(segc_model_num_weights(nullptr), 2);
  ASSERT_EQ(segc_model_weight_info(nullptr, 1, &info), SEGC_MODEL_OK);
  EXPECT_STREQ(info.name, "box.bias");
  EXPECT_EQ(info.shape[0], 2);
  EXPECT_EQ(info.rank, 1);
}

TEST_F(Misuse, TheHandleIsBusyDuringItsOwnObserver) {
  static int inner;
  auto observer = [](void *user, int, const char *, const char *, uint64_t) {
    inner = segc_model_set_threads(static_cast<segc_model_model *>(user), 2);
  };
  ASSERT_EQ(segc_model_set_observer(model, observer, model), SEGC_MODEL_OK);
  EXPECT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
  EXPECT_EQ(inner, SEGC_MODEL_BUSY);
  ASSERT_EQ(segc_model_set_observer(model, nullptr, nullptr), SEGC_MODEL_OK);
}

TEST(Cpu, ChoosesTheFirstVariantThatRuns) {
  using namespace segc::rt;
  Header tables[3] = {};
  tables[0].isa = kIsaAvx512 | kIsaAvx2Fma;
  tables[1].isa = kIsaAvx2Fma;
  const Variant variants[3] = {{&tables[0], nullptr}, {&tables[1], nullptr}, {&tables[2], nullptr}};
  EXPECT_EQ(chooseVariant(variants, 3, ~0u), &variants[0]);
  EXPECT_EQ(chooseVariant(variants, 3, isaLimit("avx2")), &variants[1]);
  EXPECT_EQ(chooseVariant(variants, 3, isaLimit("portable")), &variants[2]);
  EXPECT_EQ(chooseVariant(variants, 2, kIsaBaseline), nullptr);
  EXPECT_EQ(isaLimit("avx512"), uint32_t(kIsaAvx2Fma | kIsaAvx512));
  EXPECT_EQ(isaLimit("avx512bf16"), uint32_t(kIsaAvx2Fma | kIsaAvx512 | kIsaAvx512Bf16));
  EXPECT_EQ(isaLimit("amx"), ~0u);
  EXPECT_STREQ(isaName(kIsaAmx | kIsaAvx512Bf16 | kIsaAvx512 | kIsaAvx2Fma), "amx");
  EXPECT_EQ(availableIsa(kIsaAvx2Fma) & ~uint32_t(kIsaAvx2Fma), 0u) << "what is not wanted is not asked for";
  EXPECT_STREQ(isaName(tables[0].isa), "avx512");
  EXPECT_EQ(availableIsa() & kIsaAvx2Fma, __builtin_cpu_supports("avx2") ? uint32_t(kIsaAvx2Fma) : 0u);
  EXPECT_EQ(availableIsa() & kIsaAvx512, __builtin_cpu_supports("avx512vl") ? uint32_t(kIsaAvx512) : 0u);
}

TEST(Cpu, ProcessorsThatAreTooOldGetAText) {
  ToyModel toy;
  reinterpret_cast<segc::rt::Header *>(toy.table.data())->isa = segc::rt::kIsaAvx2Fma;
  toy.install();
  setenv("SEGC_ISA", "portable", 1);
  segc_model_model *model = nullptr;
  const std::string block = toy.weights.block();
  EXPECT_EQ(segc_model_create_from_memory(block.data(), block.size(), &model), SEGC_MODEL_UNSUPPORTED_CPU);
  EXPECT_STREQ(
      segc_model_last_error(),
      "this library is built for avx2 or better; this processor (with SEGC_ISA set) has only portable");
  unsetenv("SEGC_ISA");
}

} // namespace
