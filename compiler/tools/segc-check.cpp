/// \file segc-check: compares every layer of a compiled model with the reference interpreter and prints a
/// table.
// SPDX-License-Identifier: MIT
#include "compiler/report/Summary.h"
#include "compiler/tools/Check.h"
#include "compiler/tools/CheckGradients.h"
#include "compiler/tools/GpuReady.h"
#include "compiler/tools/ToolOptions.h"
#include "compiler/tools/ToolSupport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace segc;

namespace {

/// One layer in bf16: a weight, each operand's product with it and the result are off by up to 2^-9 of
/// themselves, a Winograd product by a few times that; in f16 by up to 2^-12, in TF32 an operand alone by
/// 2^-11. A whole network adds up some of it: five times as much.
constexpr const char *kBf16Tolerance = "2e-2", *kF16Tolerance = "3e-3";
constexpr double kNarrowFromInput = 5;
/// A rectifier's input near 0 may change sides, and a pixel's whole gradient with it; without such layers
/// gradients are as near as values.
constexpr const char *kTf32GradientTolerance = "1e-1";

/// The interpreter takes a second for some 3e9 multiply-adds; it runs a model five times.
constexpr int64_t kAffordable = 2'000'000'000;

const char *const kUsage =
    "segc-check MODEL.json [-weights W] [-tolerance T] [flags]\n\n"
    "Compares every layer with the reference interpreter, which computes in double by "
    "plain loops: the interpreter on\n"
    "the stages of the compiler, each layer of the library alone and from the input "
    "on, the library as users get it,\n"
    "and its results with several threads and in a larger batch bit for bit. Without "
    "-weights: initial weights, with\n"
    "random numbers added to biases and norms. A model of more than 2e9 multiply-adds "
    "is compared at the largest legal\n"
    "picture below that, or the smallest there is.\n\n"
    "With -grad: the gradients of one training step instead: the differentiated graph against "
    "finite differences of the\n"
    "loss, in double; the stages of the compiler against it; the library's gradients, and their "
    "bits with several threads.\n"
    "Exits with 1 if anything differs";

void printRow(const CheckRow &row, bool library) {
  auto number = [](double value) { return llvm::format("%10.1e", value); };
  llvm::outs() << llvm::left_justify(row.name, 28) << " " << llvm::left_justify(row.shape, 18);
  if (library)
    llvm::outs() << llvm::right_justify("", 20);
  else
    llvm::outs() << number(row.stages) << number(row.alone);
  llvm::outs() << number(row.fromInput) << (row.ok ? "  ok" : "  DIFFERS") << "\n";
}

int checkGradients(const ToolOptions &options, LoadedModel &input,
                   const std::optional<files::TensorFile> &weights) {
  GradientCheckOptions check;
  std::string tolerance = options.value(options::OPT_tolerance_eq,
                                        input.compile.precision == "tf32" ? kTf32GradientTolerance : "1e-3");
  if (llvm::StringRef(tolerance).getAsDouble(check.tolerance) || !(check.tolerance > 0) ||
      !(check.tolerance < 1))
    return fail("-tolerance '" + tolerance + "' must be a number between 0 and 1");
  auto result =
      checkModelGradients(*input.context, *input.diagnostics, *input.model, input.compile, check, weights);
  if (!result)
    return 1;
  if (!result->extents.empty())
    llvm::errs() << "note: compared at " << result->extents
                 << ", differences take one evaluation of the network each\n";
  const bool narrow = schedules::isNarrow(input.compile.precision);
  llvm::outs() << llvm::left_justify("gradient", 49) << "differences   stages    noise  library"
               << (narrow ? "  rounded" : "") << "  kinks\n";
  size_t wrong = result->problems.size(), unjudged = 0, noisy = 0;
  for (const GradientRow &row : result->rows) {
    auto number = [](double value) { return llvm::format("%9.1e", value); };
    llvm::outs() << llvm::left_justify(row.name, 32) << " " << llvm::left_justify(row.shape, 18)
                 << number(row.differences) << number(row.stages) << number(row.noise) << number(row.library);
    if (narrow)
      llvm::outs() << number(row.rounded);
    llvm::outs() << llvm::format("%7lld", static_cast<long long>(row.kinks))
                 << (row.ok ? "  ok" : "  DIFFERS") << "\n";
    wrong += !row.ok;
    unjudged += !row.judged;
    noisy += row.isNoise;
  }
  for (const std::string &problem : result->problems)
    llvm::outs() << "DIFFERS: " << problem << "\n";
  llvm::outs() << result->rows.size() << " values, "
               << (wrong ? std::to_string(wrong) + " differences" : std::string("all agree"));
  if (unjudged)
    llvm::outs() << "; " << unjudged << " without differences, the loss bends wherever it was probed";
  if (noisy)
    llvm::outs() << "; " << noisy << " not judged, rounding to 16 bits turns them into others";
  llvm::outs() << "\n";
  return result->ok() ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  int exitCode = 0;
  auto options = ToolOptions::parse(argc, argv, options::CheckTool, kUsage, exitCode);
  if (!options)
    return exitCode;
  auto input = loadModel(*options, {}, false, exitCode);
  if (!input)
    return exitCode;
  if (!gpuReady(input->compile))
    return 1;
  std::optional<files::TensorFile> weights;
  if (options->has(options::OPT_weights_eq)) {
    auto read = files::read(options->value(options::OPT_weights_eq));
    if (auto *why = std::get_if<std::string>(&read))
      return fail(*why);
    weights = std::move(std::get<files::TensorFile>(read));
  }
  if (options->has(options::OPT_grad))
    return checkGradients(*options, *input, weights);
  CheckOptions check;
  const std::string &precision = input->compile.precision;
  std::string tolerance =
      options->value(options::OPT_tolerance_eq, precision == "bf16"                         ? kBf16Tolerance
                                                : precision == "f16" || precision == "tf32" ? kF16Tolerance
                                                                                            : "1e-4");
  if (llvm::StringRef(tolerance).getAsDouble(check.tolerance) || !(check.tolerance > 0) ||
      !(check.tolerance < 1))
    return fail("-tolerance '" + tolerance + "' must be a number between 0 and 1");
  if (precision != "f32")
    check.fromInputTolerance = kNarrowFromInput * check.tolerance;
  auto threads = options->number(options::OPT_threads_eq, 3, 1, 256);
  if (!threads)
    return 1;
  if (!llvm::is_contained(check.threads, static_cast<int>(*threads)))
    check.threads.push_back(static_cast<int>(*threads));
  check.extents = affordableExtents(*input->graph, input->compile, kAffordable);
  for (auto [extents, own] : llvm::zip(check.extents, input->model->inputs))
    if (extents != own.shape)
      llvm::errs() << "note: the interpreter would take about "
                   << summarise(*input->graph, {}).macs * 5 / 3'000'000'000 << " s; '" << own.name
                   << "' is compared at " << extents[2] << " x " << extents[3] << " instead of "
                   << own.shape[2] << " x " << own.shape[3] << "\n";
  auto result =
      checkModel(*input->context, *input->diagnostics, *input->model, input->compile, check, weights);
  if (!result)
    return 1;
  llvm::outs() << llvm::left_justify("layer", 47) << "     stages     alone fromInput\n";
  for (const CheckRow &row : result->layers)
    printRow(row, false);
  llvm::outs() << "outputs of the library\n";
  for (const CheckRow &row : result->outputs)
    printRow(row, true);
  for (const std::string &problem : result->problems)
    llvm::outs() << "DIFFERS: " << problem << "\n";
  double worst = 0;
  size_t wrong = result->problems.size();
  for (const auto *list : {&result->layers, &result->outputs})
    for (const CheckRow &row : *list) {
      wrong += !row.ok;
      worst = row.alone <= worst ? worst : row.alone;
    }
  llvm::outs() << result->layers.size() << " layers, "
               << (wrong ? std::to_string(wrong) + " differences" : std::string("all agree"))
               << llvm::format("; worst layer %.1e\n", worst);
  return result->ok() ? 0 : 1;
}
