/// \file Random networks as GPU code: every layer of the library is what the interpreter says.
///
/// On a GPU where there is one; skipped where OpenCL has no device either. SEGC_LONG=1 tests 60 networks
/// instead of 5; SEGC_FIRST is the first one's number.
// SPDX-License-Identifier: MIT
#include "test/unit/e2e_support.h"
#include "test/unit/gpu_support.h"
#include "test/unit/random_model.h"
#include "gtest/gtest.h"

using namespace segc;

namespace {

class GpuNetwork : public testing::TestWithParam<int> {
protected:
  void SetUp() override {
    if (!test::runsGpuCode())
      GTEST_SKIP() << "no GPU, and OpenCL has no driver here";
  }
};

} // namespace

TEST_P(GpuNetwork, Agrees) {
  auto context = test::makeContext();
  auto seed = static_cast<uint64_t>(GetParam());
  std::string json = test::randomModel(*context, seed);
  CompileOptions compile = test::compileOptions();
  compile.variants = {test::gpuIsa()};
  CheckOptions options;
  options.seed = seed;
  options.stages = false;
  options.threads = {1};
  EXPECT_EQ(test::differences(*context, json, compile, options), "") << json;
}

INSTANTIATE_TEST_SUITE_P(Seeds, GpuNetwork, test::randomSeeds(5, 60));

using GpuNarrowNetwork = GpuNetwork;

/// Activations of 16 bits, bf16 and f16 in turn. Each layer is judged on the library's own operands: what a
/// random network makes of rounding from the input on says nothing about the kernels.
TEST_P(GpuNarrowNetwork, EachLayerAgrees) {
  auto context = test::makeContext();
  auto seed = static_cast<uint64_t>(GetParam());
  std::string json = test::randomModel(*context, seed);
  CompileOptions compile = test::compileOptions();
  compile.variants = {test::gpuIsa()};
  compile.precision = seed % 2 ? "bf16" : "f16";
  CheckOptions options;
  options.seed = seed;
  options.tolerance = seed % 2 ? 4e-2 : 6e-3;
  options.fromInputTolerance = 10;
  options.threads = {1};
  EXPECT_EQ(test::differences(*context, json, compile, options), "") << json;
}

INSTANTIATE_TEST_SUITE_P(Seeds, GpuNarrowNetwork, test::randomSeeds(4, 60));
