/// \file Random networks: every layer of the compiled library is what the interpreter says.
///
/// SEGC_LONG=1 in the environment tests 500 networks instead of 25. A failure prints the network; of a crash it stays in
/// the file that SEGC_RANDOM_FOLDER names.
// SPDX-License-Identifier: MIT
#include "compiler/Pipeline.h"
#include "compiler/tools/Check.h"
#include "test/unit/random_model.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace segc;

namespace {

struct Verdict {
  std::string text; ///< empty if everything agrees
};

Verdict check(mlir::MLIRContext &context, const std::string &json, const CompileOptions &compile, const CheckOptions &options) {
  Verdict verdict;
  llvm::raw_string_ostream out(verdict.text);
  Diagnostics diagnostics(out);
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    out << diagnostic.getLocation() << ": " << diagnostic << "\n";
    return mlir::success();
  });
  auto model = parseModel(diagnostics.addText(json, "random.json"), {}, {}, diagnostics);
  if (mlir::failed(model))
    return verdict;
  auto result = checkModel(context, diagnostics, *model, compile, options);
  if (!result) {
    out << "the compiler or the interpreter failed\n";
    return verdict;
  }
  for (const std::string &problem : result->problems)
    out << problem << "\n";
  for (const CheckRow &row : result->layers)
    if (!row.ok)
      out << row.name << " " << row.shape << ": stages " << row.stages << ", alone " << row.alone << "\n";
  for (const CheckRow &row : result->outputs)
    if (!row.ok)
      out << "library's output " << row.name << " " << row.shape << ": " << row.fromInput << "\n";
  return verdict;
}

int networks() {
  const char *flag = std::getenv("SEGC_LONG");
  return flag && *flag == '1' ? 500 : 25;
}

class RandomNetwork : public testing::TestWithParam<int> {};

} // namespace

TEST_P(RandomNetwork, Agrees) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  auto seed = static_cast<uint64_t>(GetParam());
  std::string json = test::randomModel(context, seed);
  (void)llvm::sys::fs::create_directories(SEGC_RANDOM_FOLDER);
  std::string path = std::string(SEGC_RANDOM_FOLDER "/") + std::to_string(seed) + ".json";
  std::ofstream(path) << json;
  CompileOptions compile;
  std::string error;
  // Every fourth network on other vectors; what this machine cannot run is replaced by what it can.
  const bool wide = parseVariants("native", error).front() == schedules::Isa::Avx512;
  compile.variants = parseVariants(seed % 4 == 3 && wide ? "avx2" : "native", error);
  compile.winograd = seed % 5 != 4;
  compile.executable = SEGC_EXECUTABLE;
  compile.cacheDirectory = SEGC_TEST_CACHE;
  CheckOptions options;
  options.seed = seed;
  Verdict verdict = check(context, json, compile, options);
  EXPECT_EQ(verdict.text, "") << json;
  if (verdict.text.empty())
    std::remove(path.c_str());
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomNetwork, testing::Range(0, networks()));
