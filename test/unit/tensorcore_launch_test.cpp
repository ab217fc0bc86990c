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

int loads, launches;
uint64_t allocated;
char memory[64];

int allocate(Device &, uint64_t bytes, const char *, char **at) {
  return allocated += bytes, *at = memory, 0;
}
void release(Device &, char *) { allocated = 0; }
bool load(Device &, const char *, uint64_t, Module &) { return ++loads > 0; }
bool launch(Device &, Module &, const Launch &) { return ++launches > 0; }

/// A 1x1 convolution of 8 channels, in two parts.
struct TensorCoreLaunch : testing::Test {
  Driver driver = {};
  Device device = {};
  Crew crew = {};
  Lane lane = {};
  Lane *context = &lane;
  void *state = nullptr;
  TensorCoreKernel kernel = {
      &state, "ptx", "gemm", "sum", "conv", "tensor_cores", "", 4, {8, 1, 2, 128, 64, 0, 0, 128, 0, 0}};

  void SetUp() override {
    loads = launches = 0;
    allocated = 0;
    driver.allocate = allocate;
    driver.release = release;
    driver.load = load;
    driver.launch = launch;
    device.driver = &driver;
    device.loading = true;
    crew.device = &device;
    lane.crew = &crew;
  }
  /// Sets a shape; the status.
  int set(int n, int h, int w) {
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
    void *args[] = {&context, &view, &weights, &view};
    const int result = segc_tensorcore_launch(&kernel, args);
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

TEST_F(TensorCoreLaunch, MorePixelsThanAreCountedAreRefused) {
  EXPECT_EQ(set(1, 16384, 16383), SEGC_MODEL_OK) << device.text;
  EXPECT_EQ(set(1, 16384, 16384), SEGC_MODEL_INVALID_SHAPE);
  EXPECT_NE(std::string(device.text).find("1 images of 16384 x 16384 pixels are too many"), std::string::npos)
      << device.text;
}

TEST_F(TensorCoreLaunch, WithoutTheToolsNobodyEmulates) {
  kernel.code = nullptr;
  EXPECT_EQ(set(1, 16, 16), SEGC_MODEL_NO_DEVICE);
  EXPECT_NE(std::string(device.text).find("compile the model with -target cuda"), std::string::npos)
      << device.text;
}

} // namespace
} // namespace segc::rt
