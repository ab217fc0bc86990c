/// \file What is checked and set up for tensor cores when a shape is set, without any driver.
// SPDX-License-Identifier: MIT
#include "runtime/core/Device.h"
#include "runtime/core/Lane.h"
#include "runtime/core/TensorCores.h"
#include "runtime/include/segc/model.h"
#include <HalideRuntime.h>
#include <gtest/gtest.h>
#include <vector>

extern "C" int segc_tensorcore_launch(const segc::rt::TensorCoreKernel *kernel, void **args);

namespace segc::rt {
namespace {

int loads, launches, releases;
tensorcore::Arguments launched; ///< the last launch's
uint32_t launchedThreads, launchedBlocks;
const char *loadedCode;
uint64_t allocated;
char memory[64];

uint64_t room; ///< bytes that allocate() has in all

int allocate(Device &, uint64_t bytes, const char *, char **at) {
  if (bytes > room)
    return SEGC_MODEL_OUT_OF_MEMORY;
  return allocated = bytes, *at = memory, 0;
}
void release(Device &, char *) { ++releases; }
bool load(Device &, const char *code, uint64_t, Module &) { return loadedCode = code, ++loads > 0; }
bool launch(Device &, Module &, const Launch &what) {
  launched = *static_cast<const tensorcore::Arguments *>(what.args[0]);
  launchedThreads = what.threads[0], launchedBlocks = what.blocks[0];
  return ++launches > 0;
}

/// A 1x1 convolution of 8 channels, in two parts.
struct TensorCoreLaunch : testing::Test {
  Driver driver = {};
  Device device = {};
  Crew crew = {};
  Lane lane = {};
  Lane *context = &lane;
  void *state = nullptr;
  TensorCoreKernel kernel = {nullptr, &state,         "ptx", "gemm", "sum",
                             "conv",  "tensor_cores", "",    4,      {8, 1, 2, 128, 64, 0, 0, 128, 0, 0}};

  void SetUp() override {
    loads = launches = releases = 0;
    allocated = 0;
    room = UINT64_MAX;
    driver.allocate = allocate;
    driver.release = release;
    driver.load = load;
    driver.launch = launch;
    device.driver = &driver;
    device.loading = true;
    crew.device = &device;
    lane.crew = &crew;
  }
  /// Sets a shape; the status. `operand` is a tensor of the epilogue, if the kernel has one.
  int set(int n, int h, int w, halide_buffer_t *operand = nullptr) {
    halide_dimension_t dims[] = {{0, 8, 1}, {0, w, 8}, {0, h, 8 * w}, {0, n, n > 1 ? 8 * w * h : 0}};
    halide_buffer_t view = {};
    view.host = reinterpret_cast<uint8_t *>(memory);
    view.type = halide_type_t(halide_type_bfloat, 16);
    view.dimensions = 4;
    view.dim = dims;
    halide_dimension_t packed[] = {{0, 2, 1}, {0, 4, 2}, {0, 1, 8}, {0, 1, 8}, {0, 8, 8}};
    halide_buffer_t weights = view;
    weights.dimensions = 5;
    weights.dim = packed;
    void *plain[] = {&context, &view, &weights, &view}, *with[] = {&context, &view, &weights, operand, &view};
    const int result = segc_tensorcore_launch(&kernel, operand ? with : plain);
    EXPECT_EQ(result != 0, device.status != 0);
    return device.status;
  }
};

TEST_F(TensorCoreLaunch, ASettableShapeHasItsCodeAndItsPartialSums) {
  EXPECT_EQ(set(1, 16, 16), SEGC_MODEL_OK) << device.text;
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(launches, 0);
  EXPECT_EQ(allocated, 4u * 2 * 256 * 8);
  device.loading = false;
  EXPECT_EQ(set(1, 16, 16), SEGC_MODEL_OK);
  EXPECT_EQ(launches, 2) << "the parts, then their sum";
  EXPECT_EQ(set(1, 16, 32), SEGC_MODEL_DEVICE_FAILED) << "run() allocates nothing";
}

/// The other program of a handle that trains still has the shape that it was made for.
TEST_F(TensorCoreLaunch, PartialSumsStayWhereThereIsNoRoomForMore) {
  ASSERT_EQ(set(1, 16, 16), SEGC_MODEL_OK) << device.text;
  room = 4 * 2 * 256 * 8;
  EXPECT_EQ(set(1, 16, 32), SEGC_MODEL_OUT_OF_MEMORY);
  EXPECT_NE(std::string(device.text).find("32768 bytes of partial sums"), std::string::npos) << device.text;
  EXPECT_EQ(releases, 0);
  device.loading = false;
  device.status = SEGC_MODEL_OK; // as the executor does before each launch
  EXPECT_EQ(set(1, 16, 16), SEGC_MODEL_OK) << device.text;
  EXPECT_EQ(launches, 2);
  device.loading = true;
  room = UINT64_MAX;
  EXPECT_EQ(set(1, 16, 32), SEGC_MODEL_OK) << device.text;
  EXPECT_EQ(releases, 1);
}

TEST_F(TensorCoreLaunch, PartialSumsTakeNoMoreThan64MB) {
  EXPECT_EQ(set(1, 1024, 1024), SEGC_MODEL_OK) << device.text;
  EXPECT_EQ(allocated, 64u << 20);
  EXPECT_EQ(set(1, 1024, 1025), SEGC_MODEL_OK) << device.text;
  EXPECT_EQ(allocated, 64u << 20);
  device.loading = false;
  EXPECT_EQ(set(1, 1024, 1025), SEGC_MODEL_OK);
  EXPECT_EQ(launches, 1) << "one part has no sum";
  EXPECT_EQ(set(1, 1024, 1024), SEGC_MODEL_OK);
  EXPECT_EQ(launches, 3);
  const TensorCoreGrid five = {8, 1, 5, 128, 64, 0, 0, 128, 0, 0};
  EXPECT_EQ(launchedParts(five, 1, 1024, 512), 4) << "as many as there is room for";
  EXPECT_EQ(partialBytes(five, 1, 1024, 512), 64 << 20);
}

/// One pixel of f32 an image, repeated, in a buffer of 16 channels, beside activations in 16 bits: strides
/// count octets of its own elements.
TEST_F(TensorCoreLaunch, TensorsOfEpiloguesHaveTheirOwnOctets) {
  kernel.operands = "t";
  float statistics[2 * 16] = {};
  halide_dimension_t dims[] = {{0, 8, 1}, {0, 16, 0}, {0, 16, 0}, {0, 2, 16}};
  halide_buffer_t operand = {};
  operand.host = reinterpret_cast<uint8_t *>(statistics + 8);
  operand.type = halide_type_t(halide_type_float, 32);
  operand.dimensions = 4;
  operand.dim = dims;
  ASSERT_EQ(set(2, 16, 16, &operand), SEGC_MODEL_OK) << device.text;
  device.loading = false;
  ASSERT_EQ(set(2, 16, 16, &operand), SEGC_MODEL_OK) << device.text;
  const tensorcore::View &view = launched.tensors[0];
  EXPECT_EQ(view.data, reinterpret_cast<char *>(statistics + 8));
  EXPECT_EQ(view.image, 2);
  EXPECT_EQ(view.row, 0);
  EXPECT_EQ(view.pixel, 0);
}

TEST_F(TensorCoreLaunch, MorePixelsThanAreCountedAreRefused) {
  EXPECT_EQ(set(1, 16384, 16383), SEGC_MODEL_OK) << device.text;
  EXPECT_EQ(set(1, 16384, 16384), SEGC_MODEL_INVALID_SHAPE);
  EXPECT_NE(std::string(device.text).find("1 images of 16384 x 16384 pixels are too many"), std::string::npos)
      << device.text;
}

/// Code, grid, threads and parts are those of the variant that the GPU runs.
TEST_F(TensorCoreLaunch, GpusOf90aGetTheirVariant) {
  void *otherState = nullptr;
  const TensorCoreKernel groups = {
      nullptr, &otherState, "ptx 90a", "gemm", nullptr,
      "conv",  "",          "",        7,      {8, 1, 1, 64, 64, 0, 0, 256, 0, 0}};
  kernel.groups = &groups;
  for (const bool runs : {false, true}) {
    device.runs90a = runs;
    device.loading = true;
    allocated = 0, launches = 0;
    ASSERT_EQ(set(1, 16, 16), SEGC_MODEL_OK) << device.text;
    EXPECT_STREQ(loadedCode, runs ? "ptx 90a" : "ptx");
    EXPECT_EQ(allocated, runs ? 0u : 4u * 2 * 256 * 8);
    device.loading = false;
    ASSERT_EQ(set(1, 16, 16), SEGC_MODEL_OK) << device.text;
    EXPECT_EQ(launches, runs ? 1 : 2);
    if (runs) {
      EXPECT_EQ(launchedThreads, 256u);
      EXPECT_EQ(launchedBlocks, 4u);
      EXPECT_EQ(launched.parts, 1);
    }
  }
  EXPECT_EQ(loads, 2);
}

TEST_F(TensorCoreLaunch, WithoutTheToolsNobodyEmulates) {
  kernel.code = nullptr;
  EXPECT_EQ(set(1, 16, 16), SEGC_MODEL_NO_DEVICE);
  EXPECT_NE(std::string(device.text).find("compile the model with -target cuda"), std::string::npos)
      << device.text;
}

} // namespace
} // namespace segc::rt
