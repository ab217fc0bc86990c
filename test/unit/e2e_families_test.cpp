/// \file Random networks in which each family computes whatever it can, also where its rule says that it does
/// not pay.
///
/// SEGC_LONG=1 in the environment tests 25 networks a family instead of one.
// SPDX-License-Identifier: MIT
#include "compiler/Pipeline.h"
#include "compiler/frontend/Import.h"
#include "test/unit/e2e_support.h"
#include "test/unit/random_model.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

using namespace segc;

namespace {

struct Forced {
  const char *family, *precision, *cpu; ///< cpu: that of -mcpu, where it can run
  bool training = false;
};

class ForcedFamily : public testing::TestWithParam<Forced> {};

/// Whether the family computes something in the network's plan.
bool isUsed(mlir::MLIRContext &context, const std::string &json, const CompileOptions &compile,
            const Forced &forced) {
  std::string text;
  llvm::raw_string_ostream out(text);
  Diagnostics diagnostics(out);
  auto model = parseModel(diagnostics.addText(json, "network.json"), {}, {}, diagnostics);
  if (mlir::failed(model))
    return false;
  ImportOptions options;
  options.training = forced.training;
  auto graph = importModel(context, diagnostics, *model, options);
  auto plan = graph ? lower(*graph, Stage::Plan, compile, compile.variants.front())
                    : mlir::OwningOpRef<mlir::ModuleOp>();
  bool found = false;
  if (plan)
    plan->walk(
        [&](plan::KernelOp kernel) { found |= kernel.getSchedule().split(' ').first == forced.family; });
  return found;
}

} // namespace

TEST_P(ForcedFamily, Agrees) {
  const Forced &forced = GetParam();
  CompileOptions compile = test::compileOptions();
  compile.precision = forced.precision;
  std::string error;
  const auto native = parseVariants("native", error, compile.precision).front();
  compile.variants = parseVariants(forced.cpu, error, compile.precision);
  if (compile.variants.front() < native)
    GTEST_SKIP() << "this machine has no " << forced.cpu;
  compile.asked = {std::string("*: ") + forced.family};
  const char *longer = std::getenv("SEGC_LONG");
  const int wanted = longer && std::string(longer) == "1" ? 25 : 1;
  constexpr uint64_t kMostSeeds = 1500;
  auto context = test::makeContext();
  int found = 0;
  for (uint64_t seed = 0; seed < kMostSeeds && found < wanted; seed++) {
    const std::string json =
        forced.training ? test::randomTraining(*context, seed) : test::randomModel(*context, seed);
    if (!isUsed(*context, json, compile, forced))
      continue;
    ++found;
    SCOPED_TRACE(seed);
    if (forced.training) {
      GradientCheckOptions options;
      options.seed = seed;
      options.differences = 1e-3;
      EXPECT_EQ(test::gradientDifferences(json, compile, options), "") << json;
      continue;
    }
    CheckOptions options;
    options.seed = seed;
    if (compile.precision != "f32") {
      options.tolerance = 4e-2;
      options.fromInputTolerance = 10;
    }
    EXPECT_EQ(test::differences(*context, json, compile, options), "") << json;
  }
  EXPECT_GT(found, 0) << "no network has a kernel that " << forced.family << " computes";
}

INSTANTIATE_TEST_SUITE_P(
    All, ForcedFamily,
    testing::Values(Forced{"winograd", "f32", "avx512"}, Forced{"winograd", "f32", "avx2"},
                    Forced{"deep", "f32", "avx512"}, Forced{"deep", "f32", "avx2"},
                    Forced{"direct", "f32", "avx512"}, Forced{"direct", "f32", "portable"},
                    Forced{"winograd", "bf16", "avx512"}, Forced{"winograd_bf16", "bf16", "avx512bf16"},
                    Forced{"direct", "bf16", "avx512bf16"}, Forced{"amx", "bf16", "amx"},
                    Forced{"amx_copy", "bf16", "amx"}, Forced{"amx_parts", "bf16", "amx"},
                    Forced{"wgrad_direct", "f32", "avx512", true},
                    Forced{"wgrad_winograd", "f32", "avx512", true},
                    Forced{"winograd", "f32", "avx512", true}),
    [](const auto &info) {
      return std::string(info.param.family) + "_" + info.param.precision + "_" + info.param.cpu +
             (info.param.training ? "_train" : "");
    });
