/// \file Random networks as GPU code: every layer of the library is what the interpreter says.
///
/// Skipped where OpenCL has no device. SEGC_LONG=1 tests 60 networks instead of 5; SEGC_FIRST is the first
/// one's number.
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
    if (!test::hasOpenCl())
      GTEST_SKIP() << "OpenCL has no driver here";
  }
};

} // namespace

TEST_P(GpuNetwork, Agrees) {
  auto context = test::makeContext();
  auto seed = static_cast<uint64_t>(GetParam());
  std::string json = test::randomModel(*context, seed);
  CompileOptions compile = test::compileOptions();
  compile.variants = {schedules::Isa::OpenCl};
  CheckOptions options;
  options.seed = seed;
  options.stages = false;
  options.threads = {1};
  EXPECT_EQ(test::differences(*context, json, compile, options), "") << json;
}

INSTANTIATE_TEST_SUITE_P(Seeds, GpuNetwork, test::randomSeeds(5, 60));
