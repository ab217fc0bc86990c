/// \file Random networks: every layer of the compiled library is what the interpreter says.
///
/// SEGC_LONG=1 in the environment tests 500 networks instead of 25; SEGC_FIRST is the first one's number. A
/// failure prints the network; all lie in the folder SEGC_RANDOM_FOLDER, for whoever looks into a crash or
/// for scripts/crosscheck.py.
// SPDX-License-Identifier: MIT
#include "test/unit/e2e_support.h"
#include "test/unit/random_model.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"
#include <fstream>

using namespace segc;

namespace {

class RandomNetwork : public testing::TestWithParam<int> {};

} // namespace

TEST_P(RandomNetwork, Agrees) {
  auto context = test::makeContext();
  auto seed = static_cast<uint64_t>(GetParam());
  std::string json = test::randomModel(*context, seed);
  (void)llvm::sys::fs::create_directories(SEGC_RANDOM_FOLDER);
  std::ofstream(std::string(SEGC_RANDOM_FOLDER "/") + std::to_string(seed) + ".json") << json;
  CompileOptions compile = test::compileOptions();
  std::string error;
  // Every fourth network with narrower vectors than the machine has.
  if (seed % 4 == 3 && compile.variants.front() == schedules::Isa::Avx512)
    compile.variants = parseVariants("avx2", error);
  if (seed % 16 == 1)
    compile.variants = parseVariants("portable", error);
  compile.winograd = seed % 5 != 4;
  CheckOptions options;
  options.seed = seed;
  EXPECT_EQ(test::differences(*context, json, compile, options), "") << json;
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomNetwork, test::randomSeeds(25, 500));

class RandomBf16Network : public testing::TestWithParam<int> {};

/// What a random network makes of rounding from the input on says nothing about the kernels: each layer is
/// judged on the library's own operands. A sliding window is one layer of several.
TEST_P(RandomBf16Network, EachLayerAgrees) {
  auto context = test::makeContext();
  auto seed = static_cast<uint64_t>(GetParam());
  std::string json = test::randomModel(*context, seed), error;
  CompileOptions compile = test::compileOptions();
  compile.precision = "bf16";
  const bool isWide = compile.variants.front() == schedules::Isa::Avx512;
  // Every fourth network without dot products, where the machine has them.
  const char *cpu = seed % 8 == 1 ? "portable" : seed % 4 == 3 && isWide ? "avx2" : "native";
  compile.variants = parseVariants(cpu, error, compile.precision);
  CheckOptions options;
  options.seed = seed;
  options.tolerance = 4e-2;
  options.fromInputTolerance = 10;
  EXPECT_EQ(test::differences(*context, json, compile, options), "") << json;
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomBf16Network, test::randomSeeds(12, 200));
