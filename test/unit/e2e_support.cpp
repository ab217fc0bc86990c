/// \file From JSON text to the list of differences.
// SPDX-License-Identifier: MIT
#include "test/unit/e2e_support.h"
#include "compiler/Pipeline.h"
#include "llvm/Support/raw_ostream.h"

namespace segc::test {

CompileOptions compileOptions() {
  CompileOptions compile;
  std::string error;
  compile.variants = parseVariants("native", error);
  compile.executable = SEGC_EXECUTABLE;
  compile.cacheDirectory = SEGC_TEST_CACHE;
  return compile;
}

std::unique_ptr<mlir::MLIRContext> makeContext() {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  auto context = std::make_unique<mlir::MLIRContext>(registry, mlir::MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  return context;
}

std::string differences(mlir::MLIRContext &context, const std::string &json, const CompileOptions &compile,
                        const CheckOptions &options) {
  std::string text;
  llvm::raw_string_ostream out(text);
  Diagnostics diagnostics(out);
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    out << diagnostic.getLocation() << ": " << diagnostic << "\n";
    return mlir::success();
  });
  auto model = parseModel(diagnostics.addText(json, "network.json"), {}, {}, diagnostics);
  if (mlir::failed(model))
    return text + "not a model\n";
  auto result = checkModel(context, diagnostics, *model, compile, options);
  if (!result)
    return text + "the compiler or the interpreter failed\n";
  text.clear(); // warnings
  for (const std::string &problem : result->problems)
    out << problem << "\n";
  for (const CheckRow &row : result->layers)
    if (!row.ok)
      out << row.name << " " << row.shape << ": stages " << row.stages << ", alone " << row.alone << "\n";
  for (const CheckRow &row : result->outputs)
    if (!row.ok)
      out << "output " << row.name << " " << row.shape << " of the library: " << row.fromInput << "\n";
  return text;
}

std::string gradientDifferences(const std::string &json, const CompileOptions &compile,
                                const GradientCheckOptions &options) {
  auto context = test::makeContext();
  std::string text;
  llvm::raw_string_ostream out(text);
  Diagnostics diagnostics(out);
  mlir::ScopedDiagnosticHandler handler(context.get(), [&](mlir::Diagnostic &diagnostic) {
    out << diagnostic.getLocation() << ": " << diagnostic << "\n";
    return mlir::success();
  });
  auto model = parseModel(diagnostics.addText(json, "network.json"), {}, {}, diagnostics);
  if (mlir::failed(model))
    return text + "not a model\n";
  auto result = checkModelGradients(*context, diagnostics, *model, compile, options, std::nullopt);
  if (!result)
    return text + "the compiler or the interpreter failed\n";
  text.clear(); // warnings
  for (const std::string &problem : result->problems)
    out << problem << "\n";
  for (const GradientRow &row : result->rows)
    if (!row.ok)
      out << row.name << " " << row.shape << ": differences " << row.differences << ", stages " << row.stages
          << ", library " << row.library << "\n";
  return text;
}

} // namespace segc::test
